"""Judging answers by eye: votes, differences, and the order in which they are shown blind. Pure."""
