"""The view of alerts and of the time line, as lines: pure, from the snapshot."""
