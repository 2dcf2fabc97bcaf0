"""The console: Textual screens and widgets over the engine's snapshots."""
