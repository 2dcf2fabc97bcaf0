"""Chat and compare: what is asked, what comes back, what it cost, and what may be sent where. Pure."""
