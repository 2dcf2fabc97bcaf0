"""The console: everything that draws. It shows an engine's snapshots and asks the engine to act; it knows no wire format."""
