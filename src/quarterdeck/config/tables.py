"""The tables of fleet.toml, by name. One is imported when it is asked for: few files have them all, and `check` waits for it."""

from __future__ import annotations

from importlib import import_module

from quarterdeck.config.table import Table

_SETTINGS = {
    "console": "keys",
    "limits": "keys",
    "jobs": "deployments",
    "policy": "chatting",
    "chat": "chatting",
    "alerts": "alerting",
    "events": "sinks",
}
_REPEATED = {
    "host": "keys",
    "endpoint": "keys",
    "deployment": "deployments",
    "price": "chatting",
    "alert": "alerting",
    "sink": "sinks",
}
_DECLARED_IN = _SETTINGS | _REPEATED
"""The module of this package that declares a table, under its name in capitals."""

SETTINGS, REPEATED = tuple(_SETTINGS), tuple(_REPEATED)
"""Written [name], and written [[name]] any number of times."""
NAMES = tuple(_DECLARED_IN)
"""The top level of a fleet file, in the order it is written."""

KEYS = "keys"
"""One more table, whose keys are those of the console's commands: `quarterdeck.config.keymap` reads it."""


def named(name: str) -> Table:
    """One of ``NAMES``."""
    found: Table = getattr(import_module(f"quarterdeck.config.{_DECLARED_IN[name]}"), name.upper())
    return found


def settings() -> tuple[Table, ...]:
    """Those of ``SETTINGS``."""
    return tuple(map(named, SETTINGS))


def repeated() -> tuple[Table, ...]:
    """Those of ``REPEATED``."""
    return tuple(map(named, REPEATED))


def every() -> tuple[Table, ...]:
    """All of them."""
    return tuple(map(named, NAMES))
