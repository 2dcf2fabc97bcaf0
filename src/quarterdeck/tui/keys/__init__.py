"""Other keys for commands, and sentences that name the keys in force."""
