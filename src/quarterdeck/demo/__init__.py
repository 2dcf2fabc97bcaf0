"""A simulated fleet: real HTTP servers on loopback, with believable load and scripted trouble."""
