"""A log on the screen, as lines: pure."""
