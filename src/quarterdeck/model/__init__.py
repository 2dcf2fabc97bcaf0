"""What is known of a fleet: frozen dataclasses and pure functions. Standard library only, no I/O, no clock of its own."""
