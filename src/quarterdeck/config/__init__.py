"""fleet.toml: what is watched, how it is reached, and from which numbers on it is trouble."""
