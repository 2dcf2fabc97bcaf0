"""What somebody did, read from the audit log as it grows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from quarterdeck.engine.audit import BEGUN, audit_path
from quarterdeck.format import printable
from quarterdeck.model.happening import Happening, Topic

_MOST_BYTES = 256 * 1024
"""Of what was written before anybody looked; and at one time."""


class Deeds:
    """The end of the audit log. Blocks: used in a thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads nothing yet."""
        self._path = path or audit_path()
        self._read_to: int | None = None
        self._file = 0

    def read(self) -> list[Happening]:
        """What was added since the last time; of an old log its end. Never raises."""
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if self._read_to is None or found.st_ino != self._file or found.st_size < self._read_to:
                    self._read_to = max(0, found.st_size - _MOST_BYTES)
                self._file = found.st_ino
                if found.st_size == self._read_to:
                    return []
                file.seek(self._read_to)
                text = file.read(_MOST_BYTES)
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to += len(whole) if whole or len(text) < _MOST_BYTES else len(text)
        return [deed for line in whole.splitlines() if (deed := _read(line)) is not None]


def _read(line: bytes) -> Happening | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return deed_of(entry) if isinstance(entry, dict) else None


def deed_of(entry: Mapping[str, object]) -> Happening | None:
    """The action that a line of the audit log tells of; ``None`` for one that another line tells of, or that can't be read. Pure.

    Of a job the line from when it began counts (its end is the job's), of everything else the one that says how it went.
    """

    def told(name: str, longest: int = 60) -> str:
        value = entry.get(name)
        return printable(value, longest) if isinstance(value, str) else ""

    result = told("result")
    if (result == BEGUN) is not bool(entry.get("job")) or not told("action"):
        return None
    try:
        at = datetime.fromisoformat(told("time")).timestamp()
    except (ValueError, OverflowError):
        return None
    what = told("model", 120) or told("title", 120)
    words = told("words", 120)
    parts = [what, f"by {told('user')}" if told("user") else ""]
    if result != BEGUN:
        parts.append(": ".join(part for part in (result, words) if part))
    return Happening(
        at,
        Topic.ACTION,
        told("target") or told("host"),
        told("action").replace("_", "-"),
        ", ".join(part for part in parts if part),
        key=told("job"),
    )
