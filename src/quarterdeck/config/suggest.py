"""What an unknown key may have been meant to be."""

from __future__ import annotations

from quarterdeck.config.table import Table
from quarterdeck.config.tables import KEYS, NAMES, every

_ALIASES = {
    "endpoints": "endpoint",
    "server": "endpoint",
    "servers": "endpoint",
    "hosts": "host",
    "node": "host",
    "gpu": "host",
    "settings": "console",
    "thresholds": "limits",
    "job": "jobs",
    "deployments": "deployment",
    "deploy": "deployment",
    "launch": "deployment",
    "prices": "price",
    "cost": "price",
    "policies": "policy",
    "alerting": "alerts",
    "rule": "alert",
    "rules": "alert",
    "alarm": "alert",
    "alarms": "alerts",
    "sinks": "sink",
    "notify": "sink",
    "webhook": "sink",
    "event": "events",
    "keymap": "keys",
    "bindings": "keys",
    "keybindings": "keys",
}
"""What people write instead of a table's name."""


def unknown_key(table: Table, name: str) -> str:
    """The message for a key that ``table`` doesn't have."""
    guess = _meant(table, name)
    if guess:
        return f'unknown key; did you mean "{guess}"?'
    home = next((other for other in every() if any(key.name == name for key in other.keys)), None)
    if home is not None:
        brackets = f"[[{home.name}]]" if home.repeated else f"[{home.name}]"
        return f"unknown key here; it belongs in {brackets}"
    return "unknown key; known: " + ", ".join(key.name for key in table.keys)


def unknown_table(name: str) -> str:
    """The message for a top-level key that isn't one of the tables."""
    guess = _ALIASES.get(name.lower()) or _close(name, (*NAMES, KEYS))
    if guess == KEYS:
        return "unknown table; did you mean [keys]?"
    tables = every()
    for table in tables:
        brackets = f"[[{table.name}]]" if table.repeated else f"[{table.name}]"
        if guess == table.name:
            return f"unknown table; did you mean {brackets}?"
        if any(key.name == name for key in table.keys):
            return f"unknown key here; it belongs in {brackets}"
    return "unknown table; known: " + ", ".join(
        f"[[{table.name}]]" if table.repeated else f"[{table.name}]" for table in tables
    )


def _meant(table: Table, name: str) -> str | None:
    wanted = name.lower().replace("-", "_")
    nested = [(key.name, key.kind) for key in table.keys if isinstance(key.kind, Table)]
    for key in table.keys:
        if wanted == key.name or wanted in key.also:
            return key.name
    for outer, inner in nested:
        if any(wanted == key.name or wanted in key.also for key in inner.keys):
            return (
                f"{outer}.{wanted}" if any(wanted == key.name for key in inner.keys) else _inner(outer, inner, wanted)
            )
    return _close(wanted, tuple(key.name for key in table.keys))


def _inner(outer: str, inner: Table, wanted: str) -> str:
    return f"{outer}." + next(key.name for key in inner.keys if wanted in key.also)


def _close(name: str, known: tuple[str, ...]) -> str | None:
    import difflib

    close = difflib.get_close_matches(name.lower()[:40], known, n=1, cutoff=0.6)
    return close[0] if close else None
