"""Metrics pages of exporters: one machine's GPUs, processor and memory."""
