"""What the help tells of each view: its columns, glyphs, letters and abbreviations."""
