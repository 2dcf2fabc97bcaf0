"""What sinks were told of, in a small file: who takes over neither repeats it nor forgets to say that it is over."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from quarterdeck.engine.alerting.record import from_json, number, to_json
from quarterdeck.engine.notifying.deciding import ToldOf

_MOST_BYTES = 8 * 2**20
_MOST = 1000
_VERSION = 1
Told = dict[str, dict[str, ToldOf]]
"""By the sink's name, then by the alert's key."""


def load(path: Path) -> Told:
    """What is in it; nothing where there is no file or it makes no sense. Blocks; never raises."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    sinks = document.get("sinks") if isinstance(document, dict) else None
    if not isinstance(sinks, dict):
        return {}
    return {name: _entries(given) for name, given in sinks.items()}


def _entries(given: object) -> dict[str, ToldOf]:
    found: dict[str, ToldOf] = {}
    for entry in given[:_MOST] if isinstance(given, list) else ():
        alert = from_json(entry)
        at = number(entry.get("told_at")) if isinstance(entry, dict) else None
        if alert is not None and at is not None:
            found[alert.key] = ToldOf(alert, at)
    return found


def save(path: Path, told: Mapping[str, Mapping[str, ToldOf]]) -> None:
    """Put it in place of the file, whole or not at all. Blocks. Raises OSError."""
    sinks = {
        name: [{**to_json(each.alert), "told_at": each.at} for each in [*entries.values()][-_MOST:]]
        for name, entries in told.items()
        if entries
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"version": _VERSION, "sinks": sinks}, file)
    fresh.replace(path)
