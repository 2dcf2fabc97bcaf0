"""Ways to start and stop a model server: a process of ours, ssh, systemd, docker, kubernetes, or commands of the user's."""
