"""To the clipboard: what of a view is copied, and by which way it gets to where the user sits."""
