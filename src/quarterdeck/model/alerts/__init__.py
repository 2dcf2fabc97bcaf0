"""Alerts: rules over snapshots, what they raised, and the words that say what to do."""
