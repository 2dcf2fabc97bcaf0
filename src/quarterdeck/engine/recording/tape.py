"""The histories of a recording, and when something happened in it: made by reading through it once, in the background."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from quarterdeck.engine.recording.reader import Cursor, Recording
from quarterdeck.model.fleet import ENDPOINT_SERIES
from quarterdeck.model.happening import Happening
from quarterdeck.model.history import History
from quarterdeck.model.host import GPU_SERIES

MOST_KEPT = 20_000
"""Samples of one history; of more, every second one of the older half is dropped."""
MOST_HISTORIES = 4096
MOST_MARKS = 50_000


class Whole(History):
    """A history of the whole recording: nothing is forgotten, long ones get coarser."""

    __slots__ = ()

    def _thin(self, now: float) -> None:
        if len(self._columns[-1]) >= MOST_KEPT:
            half = MOST_KEPT // 2
            self._replace(0, half, list(range(0, half, 2)))


class Past(History):
    """What a `Whole` history held at a moment: the one that is played."""

    __slots__ = ("_now",)

    def __init__(self, whole: History, now: Callable[[], float]) -> None:
        """``now``: the moment, monotonic seconds of the recording."""
        super().__init__(())
        self.names, self._at, self._columns = whole.names, whole._at, whole._columns  # noqa: SLF001  (of the same class)
        self._now = now

    def __len__(self) -> int:
        return bisect_right(self._at, self._now())

    @property
    def first_at(self) -> float | None:
        """As of any history."""
        return self._at[0] if len(self) else None

    @property
    def last_at(self) -> float | None:
        """As of any history."""
        return self._at[len(self) - 1] if len(self) else None

    def samples(self, name: str, since: float = -math.inf, until: float = math.inf) -> list[tuple[float, float | None]]:
        """As of any history."""
        return super().samples(name, since, min(until, self._now()))

    def at(self, name: str, when: float, within: float) -> float | None:
        """As of any history."""
        near = self.samples(name, when - within, when + within)
        return min(near, key=lambda sample: abs(sample[0] - when))[1] if near else None

    def record(self, at: float, values: Sequence[float | None]) -> None:
        """What is past stays as it is."""
        raise TypeError("a recording is not written to")


class Tape:
    """Histories by name, and marks. ``read`` fills it; it can be used from other threads meanwhile."""

    def __init__(self, recording: Recording, now: Callable[[], float]) -> None:
        """``now``: the moment that is played, monotonic seconds of the recording."""
        self.complete = False
        self.marks_at = array("d")
        """Monotonic seconds of the samples in which something happened, oldest first …"""
        self.marks: list[tuple[Happening, ...]] = []
        """… and what it was."""
        self._recording = recording
        self._now = now
        self._endpoints: dict[str, Whole] = {}
        self._gpus: dict[str, dict[str, Whole]] = {}
        self._count = 0

    def history(self, endpoint: str) -> History:
        """Of an endpoint."""
        return Past(self._of_endpoint(endpoint), self._now)

    def histories(self, host: str) -> Mapping[str, History]:
        """Of a machine's GPUs, by `GpuView.key`."""
        return _Machine(self._gpus.setdefault(host, {}), self._now)

    def read(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Read through the whole recording, or until ``stopped``."""
        cursor = Cursor(self._recording)
        before: dict[str, Any] = {}
        try:
            place = 0
            while place < len(self._recording) and not stopped():
                cursor.go(place)
                if cursor.place != place:
                    break
                self._take(before, cursor)
                before = cursor.plain
                place += 1
        finally:
            cursor.close()
        self.complete = True

    def mark_after(self, at: float) -> float | None:
        """When the next thing happened."""
        place = bisect_right(self.marks_at, at)
        return self.marks_at[place] if place < len(self.marks_at) else None

    def mark_before(self, at: float) -> float | None:
        """When the last thing happened before that."""
        place = bisect_left(self.marks_at, at)
        return self.marks_at[place - 1] if place else None

    def marks_of(self, at: float) -> tuple[Happening, ...]:
        """What happened in the sample of ``at``."""
        place = bisect_left(self.marks_at, at)
        return self.marks[place] if place < len(self.marks_at) and self.marks_at[place] == at else ()

    def _take(self, before: Mapping[str, Any], cursor: Cursor) -> None:
        at = self._recording.ats[cursor.place]
        if cursor.marks and len(self.marks) < MOST_MARKS:
            self.marks.append(cursor.marks)
            self.marks_at.append(at)
        known = {id(row) for row in before.get("endpoints", ())}
        old = {row.get("name"): row for row in _dicts(before.get("endpoints", ()))}
        for row in _dicts(cursor.plain.get("endpoints", ())):
            if id(row) not in known:
                self._take_endpoint(old.get(row.get("name"), {}), row, at)
        known = {id(row) for row in before.get("hosts", ())}
        for row in _dicts(cursor.plain.get("hosts", ())):
            if id(row) not in known:
                self._take_host(row)

    def _take_endpoint(self, old: Mapping[str, Any], row: Mapping[str, Any], at: float) -> None:
        """A new answer is a sample of its numbers; a poll that brought none is a gap."""
        answered = _number(row.get("answered"))
        if answered is not None and answered != old.get("answered"):
            vram = [_number(model.get("vram_bytes")) for model in _dicts(row.get("models", ()))]
            told = [value for value in vram if value is not None]
            values = [_number(row.get(name)) for name in ENDPOINT_SERIES[:-1]]
            self._of_endpoint(str(row.get("name"))).record(answered, [*values, sum(told) if told else None])
        elif row.get("tps_history") != old.get("tps_history"):
            self._of_endpoint(str(row.get("name"))).record(at, [None] * len(ENDPOINT_SERIES))

    def _take_host(self, row: Mapping[str, Any]) -> None:
        read_at = _number(row.get("at"))
        kept = self._gpus.setdefault(str(row.get("name")), {})
        for gpu in _dicts(row.get("gpus", ())) if read_at is not None else ():
            key = str(gpu.get("uuid") or f"#{gpu.get('index')}")
            if key not in kept:
                if self._count >= MOST_HISTORIES:
                    continue
                self._count += 1
                kept[key] = Whole(GPU_SERIES)
            is_new = not gpu.get("lost") and gpu.get("at") is None
            kept[key].record(read_at or 0.0, [_number(gpu.get(name)) if is_new else None for name in GPU_SERIES])

    def _of_endpoint(self, name: str) -> Whole:
        known = self._endpoints.get(name)
        if known is None:
            known = Whole(ENDPOINT_SERIES)
            if len(self._endpoints) < MOST_HISTORIES:
                known = self._endpoints.setdefault(name, known)
        return known


class _Machine(Mapping[str, History]):
    """The histories of a machine's GPUs, also of those that show up later."""

    def __init__(self, wholes: Mapping[str, Whole], now: Callable[[], float]) -> None:
        self._wholes = wholes
        self._now = now

    def __getitem__(self, key: str) -> History:
        return Past(self._wholes[key], self._now)

    def __iter__(self) -> Any:
        return iter(list(self._wholes))

    def __len__(self) -> int:
        return len(self._wholes)


def _dicts(rows: Any) -> Iterable[dict[str, Any]]:
    return (row for row in rows if isinstance(row, dict)) if isinstance(rows, list | tuple) else ()


def _number(value: Any) -> float | None:
    """A number that a history can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
