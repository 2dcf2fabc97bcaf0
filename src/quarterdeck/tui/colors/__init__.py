"""Themes, and the styles that are made of them for what the terminal can show."""
