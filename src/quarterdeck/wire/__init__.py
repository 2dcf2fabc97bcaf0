"""The only code that imports httpx: bounded requests, failures in words, keys by reference, Prometheus text."""
