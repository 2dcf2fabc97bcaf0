"""What happened in the fleet, in one line of time: collected from snapshots, kept in memory and on the disk."""
