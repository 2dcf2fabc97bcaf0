"""The GPU view and a GPU's page, as lines: pure, from a snapshot."""
