"""The page of an endpoint: each part of it from a view to lines, and how they are laid out. Pure."""
