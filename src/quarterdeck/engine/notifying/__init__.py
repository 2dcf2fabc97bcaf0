"""Tells people of alerts: webhooks, commands, the terminal's bell, the desktop."""
