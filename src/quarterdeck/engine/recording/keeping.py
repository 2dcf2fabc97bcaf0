"""Keeps a recording going beside an engine, and tells when it can't go on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.recording.writer import EVERY_S, Recorder
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.wire.redaction import SHORTEST_SECRET, Redactor

_LONGEST_KEY = 16 * 1024


def recorder(path: Path | str, fleet: FleetConfig) -> Recorder:
    """Begin to record a fleet; its keys never get into the file. Raises UsageError where the file exists or can't be made."""
    return Recorder(path, limits=fleet.limits, interval=fleet.console.poll, redact=redaction(fleet))


async def keep_recording(
    recorder: Recorder, look: Callable[[], FleetSnapshot], say: Callable[[str], None] = lambda _: None
) -> None:
    """Record what ``look`` shows, each second, until cancelled or until it can't be written; then ``say`` tells why, once.

    Writing is done in a thread: a disk that hangs delays nobody.
    """
    while not recorder.problem:
        await asyncio.to_thread(recorder.take, look())
        if recorder.problem:
            say(recorder.problem)
            return
        await asyncio.sleep(EVERY_S)


def redaction(fleet: FleetConfig) -> Callable[[bytes], bytes]:
    """Takes the keys of a fleet out of what is written: those of its environment variables and files.

    What a command tells is known to its endpoint only, which takes it out of whatever its server answers.
    """
    redactors = [Redactor(secret) for secret in dict.fromkeys(_secrets(fleet))]

    def redact(raw: bytes) -> bytes:
        for each in redactors:
            raw = each.body(raw)
        return raw

    return redact


def _secrets(fleet: FleetConfig) -> list[str]:
    found = []
    for spec in fleet.endpoints:
        auth = spec.auth
        if auth is not None and auth.env is not None:
            found.append(os.environ.get(auth.env, "").strip())
        elif auth is not None and auth.file is not None:
            found.append(_content(auth.file))
    return [secret for secret in found if len(secret) >= SHORTEST_SECRET and secret.isascii() and secret.isprintable()]


def _content(path: Path) -> str:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            return file.read(_LONGEST_KEY).decode("utf-8-sig").strip()
    except (OSError, ValueError):
        return ""
