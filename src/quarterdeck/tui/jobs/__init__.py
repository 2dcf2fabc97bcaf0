"""The view of jobs, as lines: pure, from the records."""
