"""What a console saw, kept in a file and played again."""
