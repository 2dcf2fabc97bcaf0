"""Cases put to models: the plan, the run, and the ledger that makes sure nothing is asked twice."""
