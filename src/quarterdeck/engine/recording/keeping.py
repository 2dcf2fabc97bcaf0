"""Keeps a recording going beside an engine, and tells when it can't go on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.recording.writer import EVERY_S, Recorder
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.wire.redaction import SHORTEST_SECRET, Redactor

_LONGEST_KEY = 16 * 1024


class Watching(Protocol):
    """What is needed of an engine."""

    @property
    def fleet(self) -> FleetConfig:
        """What is watched."""
        ...

    def snapshot(self) -> FleetSnapshot:
        """What is known now."""
        ...


class Redaction:
    """Takes the keys of a fleet out of what is written: those of environment variables and of files.

    What a command tells is known to its endpoint only, which takes it out of whatever its server answers.
    """

    def __init__(self, fleet: FleetConfig) -> None:
        """The keys as they are now."""
        self._fleet = fleet
        self._redactors = _redactors(fleet)

    def follow(self, fleet: FleetConfig) -> None:
        """Endpoints were added: their keys, too, and those of before."""
        if fleet is not self._fleet:
            known = {each.secret for each in self._redactors}
            self._redactors += [each for each in _redactors(fleet) if each.secret not in known]
            self._fleet = fleet

    def __call__(self, raw: bytes) -> bytes:
        """``raw`` without them."""
        for each in self._redactors:
            raw = each.body(raw)
        return raw


def recorder(path: Path | str, fleet: FleetConfig) -> Recorder:
    """Begin to record a fleet; its keys never get into the file. Raises UsageError where the file exists or can't be made."""
    return Recorder(path, limits=fleet.limits, interval=fleet.console.poll, redact=Redaction(fleet))


async def keep_recording(recorder: Recorder, engine: Watching, say: Callable[[str], None] = lambda _: None) -> None:
    """Record each second, until cancelled or until it can't be written; then ``say`` tells why, once.

    Writing is done in a thread: a disk that hangs delays nobody.
    """
    while not recorder.problem:
        snapshot, fleet = engine.snapshot(), engine.fleet
        await asyncio.to_thread(_take, recorder, snapshot, fleet)
        if recorder.problem:
            say(recorder.problem)
            return
        await asyncio.sleep(EVERY_S)


def _take(recorder: Recorder, snapshot: FleetSnapshot, fleet: FleetConfig) -> None:
    if isinstance(recorder.redact, Redaction):
        recorder.redact.follow(fleet)
    recorder.take(snapshot)


def _redactors(fleet: FleetConfig) -> list[Redactor]:
    found = []
    for spec in fleet.endpoints:
        auth = spec.auth
        if auth is not None and auth.env is not None:
            found.append(os.environ.get(auth.env, "").strip())
        elif auth is not None and auth.file is not None:
            found.append(_content(auth.file))
    usable = (each for each in dict.fromkeys(found) if len(each) >= SHORTEST_SECRET)
    return [Redactor(each) for each in usable if each.isascii() and each.isprintable()]


def _content(path: Path) -> str:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            return file.read(_LONGEST_KEY).decode("utf-8-sig").strip()
    except (OSError, ValueError):
        return ""
