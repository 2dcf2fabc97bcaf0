"""What can be done to a model server, engine by engine."""
