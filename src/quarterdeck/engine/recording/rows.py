"""From the plain values of a recording to the rows that screens draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quarterdeck.engine.recording.codec import from_plain
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.happening import Happening
from quarterdeck.model.history import History
from quarterdeck.model.host import HostView
from quarterdeck.model.job import Job


class Rows:
    """Remembers what it made: of plain objects that are the same, it makes the same rows."""

    def __init__(
        self,
        history: Callable[[str], History | None] = lambda _: None,
        histories: Callable[[str], Mapping[str, History]] | None = None,
    ) -> None:
        """``history`` of an endpoint, ``histories`` of a machine's GPUs, by name."""
        self._history = history
        self._histories = histories
        self._made: dict[str, tuple[list[Any], dict[int, tuple[Any, Any]], tuple[Any, ...]]] = {}

    def snapshot(self, plain: Mapping[str, Any], at: float, time: float) -> FleetSnapshot:
        """What a sample holds. Rows that make no sense are left out."""
        return FleetSnapshot(
            at=at,
            time=time,
            endpoints=self._room("endpoints", plain, self._endpoint),
            hosts=self._room("hosts", plain, self._host),
            jobs=self._room("jobs", plain, lambda each: from_plain(Job, each)),
            alerts=self._room("alerts", plain, lambda each: from_plain(Alert, each)),
            happenings=self._room("happenings", plain, lambda each: from_plain(Happening, each)),
        )

    def _room(self, room: str, plain: Mapping[str, Any], make: Callable[[Any], Any]) -> tuple[Any, ...]:
        listed = plain.get(room, [])
        before = self._made.get(room)
        if before is not None and before[0] is listed:
            return before[2]
        earlier = before[1] if before is not None else {}
        made: dict[int, tuple[Any, Any]] = {}
        for each in listed:
            known = earlier.get(id(each))
            if known is None or known[0] is not each:
                try:
                    known = (each, make(each))
                except ValueError:
                    continue
            made[id(each)] = known
        rows = tuple(made[id(each)][1] for each in listed if id(each) in made)
        if (
            before is not None
            and len(rows) == len(before[2])
            and all(a is b for a, b in zip(rows, before[2], strict=True))
        ):
            rows = before[2]
        self._made[room] = (listed, made, rows)
        return rows

    def _endpoint(self, plain: Any) -> EndpointView:
        name = plain.get("name", "") if isinstance(plain, dict) else ""
        return from_plain(EndpointView, plain, history=self._history(str(name)))

    def _host(self, plain: Any) -> HostView:
        if self._histories is None:
            return from_plain(HostView, plain)
        name = plain.get("name", "") if isinstance(plain, dict) else ""
        return from_plain(HostView, plain, histories=self._histories(str(name)))
