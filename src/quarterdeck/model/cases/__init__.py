"""Own cases: what is asked, what the answer must be like, and what was found. Pure; nothing here opens a file."""
