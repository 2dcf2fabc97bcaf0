"""Widgets that draw lines and repaint only the cells that changed."""
