"""Writes snapshots to a file while they happen."""

from __future__ import annotations

import math
import os
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from quarterdeck import __version__
from quarterdeck.engine.recording.codec import to_plain
from quarterdeck.engine.recording.delta import SAME, diff
from quarterdeck.engine.recording.frames import MARK, VERSION, Kind, dumped, packed
from quarterdeck.engine.timeline.collecting import happenings
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.model.limits import Limits

KEY_EVERY = 60
"""Samples between two that hold everything: what has to be read to get to one of them."""
EVERY_S = 1.0
IDLE_S = 10.0
"""Where nothing happens, a sample is written each so often all the same: it shows that somebody looked."""
SYNC_S = 5.0
"""How long the system may keep what was written to itself."""
_SLACK_S = 0.1
_LEVEL = 9
ROOMS = ("endpoints", "hosts", "jobs", "alerts", "happenings")
"""What a sample holds, by the fields of `FleetSnapshot`."""


class Recorder:
    """Appends to one file. ``take`` may be called by any thread, and never raises; ``problem`` tells why it stopped, if it did."""

    def __init__(
        self,
        path: Path | str,
        *,
        limits: Limits | None = None,
        interval: float = 2.0,
        redact: Callable[[bytes], bytes] | None = None,
        every: float = EVERY_S,
    ) -> None:
        """Creates the file (only its owner can read it). Raises UsageError where it exists or can't be made.

        ``redact`` takes keys out of text; it returns the same object where there are none. ``every``: seconds between two samples, at least.
        """
        self.path = Path(path)
        self.problem = ""
        """Why nothing is recorded any more, in words; "" while it is."""
        self.samples = 0
        self.size = 0
        """Bytes written."""
        self.redact = redact
        self._first_at = 0.0
        self._every = every
        self._lock = threading.Lock()
        self._file: int | None = _created(self.path)
        self._stream: Any = None
        self._since_key = 0
        self._last = EMPTY_FLEET
        self._plain: dict[str, list[Any]] = {}
        self._last_at = self._synced_at = -math.inf
        about = {"version": VERSION, "reads": VERSION, "program": __version__, "interval": interval}
        payload = dumped({**about, "limits": to_plain(limits or Limits())})
        with self._lock:
            self._append(MARK + packed(Kind.ABOUT, payload, len(payload), 0.0, 0.0))

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return self._last_at - self._first_at if self.samples else 0.0

    def take(self, snapshot: FleetSnapshot) -> None:
        """Write what changed since the last one; does nothing where that was a moment ago, or after ``problem``."""
        with self._lock:
            passed = snapshot.at - self._last_at
            if self._file is None or passed < self._every - _SLACK_S or (passed < IDLE_S and self._is_old(snapshot)):
                return
            self._append(self._frame(snapshot))
            self._last, self._last_at = snapshot, snapshot.at
            self._first_at = self._first_at if self.samples else snapshot.at
            self.samples += 1
            if snapshot.at - self._synced_at >= SYNC_S:
                self._synced_at = snapshot.at
                self._sync()

    def close(self) -> None:
        """Write the end. Never raises; called again it does nothing."""
        with self._lock:
            if self._file is None:
                return
            self._append(packed(Kind.END, b"", 0, self._last.at, self._last.time))
            self._sync()
            self._shut()

    def _is_old(self, snapshot: FleetSnapshot) -> bool:
        return all(getattr(snapshot, room) is getattr(self._last, room) for room in ROOMS)

    def _frame(self, snapshot: FleetSnapshot) -> bytes:
        old, self._plain = self._plain, self._made_plain(snapshot)
        begins = self._stream is None or self._since_key >= KEY_EVERY
        if begins:
            self._stream, self._since_key = zlib.compressobj(_LEVEL), 0
        found: Any = self._plain if begins else diff(old, self._plain)
        sample: dict[str, Any] = {} if found is SAME else {"s": found}
        if self.samples and (news := happenings(self._last, snapshot)):
            sample["m"] = [to_plain(each) for each in news]
        self._since_key += 1
        raw = dumped(sample)
        if self.redact is not None and self.redact(raw) is not raw:
            raw = dumped(_redacted(sample, self.redact))
        payload = self._stream.compress(raw) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return packed(Kind.KEY if begins else Kind.CHANGE, payload, len(raw), snapshot.at, snapshot.time)

    def _made_plain(self, snapshot: FleetSnapshot) -> dict[str, list[Any]]:
        found = {}
        for room in ROOMS:
            before, after = getattr(self._last, room), getattr(snapshot, room)
            known = self._plain.get(room, [])
            found[room] = known if after is before else _rows(before, known, after)
        return found

    def _append(self, data: bytes) -> None:
        """All of it or nothing: what a full disk took of it is taken back."""
        if self._file is None:
            return
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            self.size += len(data)
        except OSError as error:
            self.problem = f"recording stopped: {printable(str(self.path))}: {error.strerror or type(error).__name__}"
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            self._shut()

    def _sync(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file)

    def _shut(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
        self._file = None


def _rows(before: tuple[Any, ...], known: list[Any], after: tuple[Any, ...]) -> list[Any]:
    """Rows made plain; those that are the same objects as before are what they became then."""
    seen = {id(row): plain for row, plain in zip(before, known, strict=True)}
    earlier: list[tuple[Any, Any] | None] = [*zip(before, known, strict=True)]
    earlier += [None] * (len(after) - len(earlier))
    return [seen[id(row)] if id(row) in seen else to_plain(row, old) for row, old in zip(after, earlier, strict=False)]


def _redacted(plain: Any, redact: Callable[[bytes], bytes]) -> Any:
    """Only texts: a key that is "1234" or "none" must not take numbers and names of fields with it."""
    if isinstance(plain, str):
        return redact(plain.encode("utf-8", "replace")).decode("utf-8", "replace")
    if isinstance(plain, list):
        return [_redacted(each, redact) for each in plain]
    if isinstance(plain, dict):
        return {
            key if key.isidentifier() else _redacted(key, redact): _redacted(each, redact)
            for key, each in plain.items()
        }
    return plain


def _created(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
    except FileExistsError:
        raise UsageError(
            f"{printable(str(path))} exists already", hint="A recording never overwrites a file; choose another name."
        ) from None
    except OSError as error:
        raise UsageError(
            f"can't record to {printable(str(path))}: {error.strerror or type(error).__name__}",
            hint="--record takes a file in a folder that is there and may be written to.",
        ) from None
    except ValueError:
        raise UsageError("can't record: that is no file name") from None
