"""Reads a recording: opened, it knows when each sample was taken and where its group begins; what is in them is read when asked for."""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from quarterdeck.engine.recording import frames
from quarterdeck.engine.recording.codec import from_plain
from quarterdeck.engine.recording.delta import DamagedError, apply
from quarterdeck.engine.recording.frames import HEAD_SIZE, MARK, VERSION, Head, Inflater, Kind
from quarterdeck.engine.recording.rows import Rows
from quarterdeck.engine.recording.scalars import known
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening
from quarterdeck.model.limits import Limits

MOST_SAMPLES = 4_000_000
MOST_IN_A_GROUP = 256 * 1024 * 1024
"""Bytes of text that lead from a key frame to the last sample of its group."""


class Recording:
    """A file that was recorded. What can't be read ends it: ``note`` says so, the samples before that play."""

    def __init__(self, path: Path | str) -> None:
        """Reads through the file once. Raises UsageError where it is no recording, holds no sample, or is a newer program's."""
        self.path = Path(path)
        self.note = ""
        """Why it ends where it ends, in words; "" where it was closed in order."""
        self.limits = Limits()
        self.interval = 2.0
        self.program = ""
        """The version that wrote it."""
        self.ats = array("d")
        """Monotonic seconds of each sample …"""
        self.times = array("d")
        """… and Unix seconds."""
        self._offsets = array("Q")
        self._keys = array("Q")
        """Places of the samples that are key frames."""
        try:
            with _opened(self.path) as file:
                self._scan(file)
        except OSError as error:
            raise UsageError(f"can't read {self._name}: {error.strerror or type(error).__name__}") from None
        if not self.ats:
            raise UsageError(f"{self._name} holds no sample{f': {self.note}' if self.note else ''}")

    def __len__(self) -> int:
        return len(self.ats)

    @property
    def _name(self) -> str:
        return printable(str(self.path))

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return self.ats[-1] - self.ats[0]

    def place(self, at: float) -> int:
        """The sample that held at ``at`` (monotonic seconds); the first before them all."""
        return max(0, bisect_right(self.ats, at) - 1)

    def place_of_time(self, time: float) -> int:
        """The sample that held at a Unix time; the first before them all."""
        return max(0, bisect_right(self.times, time) - 1)

    def group(self, place: int) -> int:
        """The key frame before (or at) a sample."""
        return self._keys[bisect_right(self._keys, place) - 1]

    def offset(self, place: int) -> int:
        """Where the frame of a sample begins in the file."""
        return self._offsets[place]

    def end_before(self, place: int, why: str) -> None:
        """What comes from ``place`` on can't be read."""
        if place < len(self.ats):
            self.note = f"it ends early: {why}"
            del self.ats[place:], self.times[place:], self._offsets[place:]
            while self._keys and self._keys[-1] >= place:
                self._keys.pop()

    def _scan(self, file: BinaryIO) -> None:
        if file.read(len(MARK)) != MARK:
            raise UsageError(f"{self._name} is no recording", hint="`quarterdeck --record FILE` makes one.")
        try:
            while data := file.read(HEAD_SIZE):
                offset = file.tell() - len(data)
                head = frames.head_of(data)
                payload = frames.checked(head, file.read(head.size))
                if head.kind == Kind.ABOUT:
                    self._read_about(payload)
                elif head.kind in (Kind.KEY, Kind.CHANGE):
                    self._note_sample(head, offset)
                elif head.kind == Kind.END:
                    return
            self.note = "it was not closed: what wrote it was ended, or writes it still"
        except DamagedError as damage:
            self.note = f"it ends early: {damage}"

    def _read_about(self, payload: bytes) -> None:
        about = frames.loaded(payload)
        if not isinstance(about, dict):
            raise DamagedError("its head is none")
        self.program = printable(str(about.get("program", "")), 40)
        needed, interval = about.get("reads"), about.get("interval")
        if isinstance(needed, int) and needed > VERSION:
            raise UsageError(
                f"{self._name} was recorded by a newer quarterdeck ({self.program})",
                hint="Play it with that version or a newer one.",
            )
        if isinstance(interval, int | float) and 0 < interval < 1e6:
            self.interval = float(interval)
        self.limits = from_plain(Limits, about.get("limits") if isinstance(about.get("limits"), dict) else {})

    def _note_sample(self, head: Head, offset: int) -> None:
        if not self.ats and head.kind != Kind.KEY:
            raise DamagedError("its first sample is missing")
        if len(self.ats) >= MOST_SAMPLES:
            raise DamagedError("it has more samples than can be played")
        if not (head.at < 1e15 and abs(head.time) < 1e11) or (self.ats and head.at < self.ats[-1]):
            raise DamagedError("its clock makes no sense")
        if head.kind == Kind.KEY:
            self._keys.append(len(self.ats))
        self.ats.append(head.at)
        self.times.append(head.time)
        self._offsets.append(offset)


class Cursor:
    """Stands at one sample of a recording. Each has its own file and state; one thread at a time."""

    def __init__(self, recording: Recording, rows: Rows | None = None) -> None:
        """``rows`` makes rows of what is read (default: without histories)."""
        self.recording = recording
        self.place = -1
        """-1 before the first."""
        self.plain: dict[str, Any] = {}
        """The sample as plain values: parts that didn't change since the one before are the same objects."""
        self.marks: tuple[Happening, ...] = ()
        """What happened between the sample before and this one."""
        self._file = _opened(recording.path)
        self._stream = Inflater()
        self._left = 0
        self._rows = rows or Rows()

    def close(self) -> None:
        """Give up the file."""
        self._file.close()

    def go(self, place: int) -> None:
        """Stand at a sample, or at the last good one before it. Raises UsageError where not even the first can be read."""
        recording = self.recording
        place = min(place, len(recording) - 1)
        first = recording.group(place)
        start = self.place + 1 if first <= self.place <= place else first
        for each in range(start, place + 1):
            try:
                self._read(each)
            except (DamagedError, OSError, RecursionError) as damage:
                self._fail(each, str(damage) or "it can't be read")
                return

    def snapshot(self) -> FleetSnapshot:
        """The sample; rows that didn't change are the objects they were when it was last asked for."""
        recording = self.recording
        return self._rows.snapshot(self.plain, recording.ats[self.place], recording.times[self.place])

    def _fail(self, place: int, why: str) -> None:
        self.recording.end_before(place, why)
        self.place = -1
        if not len(self.recording):
            raise UsageError(f"{printable(str(self.recording.path))} can't be read: {why}")
        self.go(place - 1)

    def _read(self, place: int) -> None:
        self._file.seek(self.recording.offset(place))
        head = frames.head_of(self._file.read(HEAD_SIZE))
        payload = frames.checked(head, self._file.read(head.size))
        key = head.kind == Kind.KEY
        if key:
            self._stream, self._left = Inflater(), MOST_IN_A_GROUP
        self._left -= head.plain
        if self._left < 0:
            raise DamagedError("it holds more than any recording does")
        sample = frames.loaded(self._stream.plain(head, payload))
        if not isinstance(sample, dict):
            raise DamagedError("a sample is none")
        state = sample.get("s", {})
        plain = state if key else apply(self.plain, state)
        if not isinstance(plain, dict) or not all(isinstance(room, list) for room in plain.values()):
            raise DamagedError("a sample is none")
        self.plain, self.place = plain, place
        marks = sample.get("m")
        self.marks = tuple(known(marks, lambda each: from_plain(Happening, each))) if isinstance(marks, list) else ()


def snapshot_at(recording: Recording, at: float) -> FleetSnapshot:
    """What was shown at ``at`` (monotonic seconds), with the clocks of that moment. Raises UsageError."""
    cursor = Cursor(recording)
    try:
        cursor.go(recording.place(at))
        found = cursor.snapshot()
    finally:
        cursor.close()
    later = max(0.0, at - found.at)
    return replace(found, at=found.at + later, time=found.time + later)


def _opened(path: Path) -> BinaryIO:
    """The file, if it is one; a pipe or a device could block everything. Raises OSError."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(0, "not a file")
    return file
