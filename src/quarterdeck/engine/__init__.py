"""The headless heart: polls endpoints and hosts, keeps the newest snapshot. Used alike by console, command line and tests."""
