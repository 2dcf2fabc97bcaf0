"""NVIDIA's own library: every value of every GPU of this machine."""
