"""Prompts: who may be sent what, the sending itself, and what is kept of it."""
