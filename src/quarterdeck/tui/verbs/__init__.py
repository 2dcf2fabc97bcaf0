"""Typed commands: `:pull qwen3 --on mac`. What is read, what completes it, and what it does."""
