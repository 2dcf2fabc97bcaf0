"""Another machine with nothing installed on it, read and reached by the system's ssh."""
