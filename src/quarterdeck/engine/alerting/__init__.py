"""Alerts while the engine runs: rules looked at each second, what is acknowledged, silenced and remembered of them."""
