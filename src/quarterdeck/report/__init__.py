"""The snapshot as text and JSON, for people and programs without the console."""
