"""What all consoles of a fleet know of its alerts: a small file in the state folder, replaced whole, or not at all.

A file that can't be read as one is put aside and said to be; nothing else depends on it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from quarterdeck.engine.alerting.record import from_json, number, text, to_json
from quarterdeck.model.alerts.alert import Alert

MOST_BYTES = 8 * 2**20
MOST_ALERTS = 2000
MOST_SILENCES = 500
FORGOTTEN_S = 300.0
"""An open alert that no console has seen for so long is over: nobody watched on."""
_VERSION = 1


class Silence(NamedTuple):
    """Nobody is told of what it fits, until then."""

    kind: str
    """ "key", "rule" or "subject"."""
    name: str
    until: float
    """Unix seconds."""
    by: str
    note: str = ""

    def fits(self, alert: Alert) -> bool:
        """Whether it is about this alert."""
        return self.name == {"key": alert.key, "rule": alert.rule, "subject": alert.subject}.get(self.kind)


class Kept(NamedTuple):
    """An alert, and when a console last saw it (Unix seconds)."""

    alert: Alert
    seen: float


@dataclass(frozen=True, slots=True)
class State:
    """What is in the file."""

    alerts: tuple[Kept, ...] = ()
    """By the time they were raised, the newest last."""
    silences: tuple[Silence, ...] = ()


EMPTY = State()


def state_path(source: Path | None) -> Path:
    """The file of the fleet that stands in ``source``; of all that stand in none together."""
    from platformdirs import user_state_path

    name = "adhoc" if source is None else hashlib.sha256(os.fsencode(source.absolute())).hexdigest()[:12]
    return user_state_path("quarterdeck") / "alerts" / f"{name}.json"


class StateFile:
    """Reads and changes the file. Several processes may be at it at once."""

    def __init__(self, path: Path) -> None:
        """Nothing is read or written yet."""
        self.path = path
        self.problem = ""
        """Why the file could not be read as one, in words; "" when all is well."""
        self._stamp: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether somebody has written it since it was last read here. Never raises."""
        return self._now() != self._stamp

    def read(self) -> State:
        """What is in it; nothing where there is no file, or none that makes sense. Raises OSError where it can't be opened."""
        self._stamp = self._now()
        try:
            with self.path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            self.problem = ""
            return EMPTY
        state = _parsed(raw)
        self.problem = "" if state is not None else f"{self.path} can't be read as alerts; it is ignored"
        return state if state is not None else EMPTY

    def change(self, how: Callable[[State], State]) -> State:
        """Read, change and write it, alone. Raises OSError."""
        with self._alone():
            before = self.read()
            if self.problem:
                with contextlib.suppress(OSError):
                    self.path.replace(self.path.with_suffix(".broken"))
                self.problem += f"; it is kept as {self.path.with_suffix('.broken').name}"
            after = how(before)
            if after != before or self.problem:
                self._write(after)
            return after

    def _write(self, state: State) -> None:
        whole = _document(state)
        while len(whole) > MOST_BYTES and len(state.alerts) > 1:  # else it could not be read again
            state = replace(state, alerts=state.alerts[(len(state.alerts) + 1) // 2 :])
            whole = _document(state)
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(whole)
        fresh.replace(self.path)
        self._stamp = self._now()

    def _now(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)


class Unkept(StateFile):
    """The same without a file: what is said is forgotten at the end."""

    def __init__(self) -> None:
        """Nothing is in it."""
        super().__init__(Path(os.devnull))
        self._state = EMPTY

    def changed(self) -> bool:
        """Never: nobody else knows it."""
        return False

    def read(self) -> State:
        """What was said."""
        return self._state

    def change(self, how: Callable[[State], State]) -> State:
        """Change it."""
        self._state = how(self._state)
        return self._state


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in (
            errno.ENOLCK,
            errno.EOPNOTSUPP,
        ):  # some network file systems can't: the write is whole all the same
            raise


def _document(state: State) -> str:
    """ASCII: as many bytes as characters."""
    alerts = [to_json(kept.alert) | {"seen": kept.seen} for kept in state.alerts[-MOST_ALERTS:]]
    silences = [silence._asdict() for silence in state.silences[-MOST_SILENCES:]]
    return json.dumps({"version": _VERSION, "alerts": alerts, "silences": silences})


def _parsed(raw: bytes) -> State | None:
    if len(raw) > MOST_BYTES:
        return None
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    alerts, silences = document.get("alerts"), document.get("silences")
    if not isinstance(alerts, list) or not isinstance(silences, list):
        return None
    kept = [known for entry in alerts[-MOST_ALERTS:] if (known := _kept(entry)) is not None]
    return State(
        tuple(kept), tuple(found for entry in silences[-MOST_SILENCES:] if (found := _silence(entry)) is not None)
    )


def _kept(entry: object) -> Kept | None:
    alert = from_json(entry)
    seen = number(entry.get("seen")) if isinstance(entry, dict) else None
    return None if alert is None else Kept(alert, alert.raised_at if seen is None else seen)


def _silence(entry: object) -> Silence | None:
    if not isinstance(entry, dict) or entry.get("kind") not in ("key", "rule", "subject"):
        return None
    name, until = text(entry.get("name")), number(entry.get("until"))
    if not name or until is None:
        return None
    return Silence(str(entry["kind"]), name, until, text(entry.get("by")), text(entry.get("note")))


# ---- what changes in it. Pure


def merged(state: State, alerts: tuple[Alert, ...], now: float) -> State:
    """With what a console saw: the same alert, seen by several, is one entry, from the first that raised to the last that cleared."""
    kept = list(state.alerts)
    for alert in alerts:
        place = _place(kept, alert, now)
        if place is None:
            kept.append(Kept(alert, now))
        else:
            kept[place] = Kept(_one(kept[place].alert, alert), now)
    kept.sort(key=lambda each: each.alert.raised_at)
    return replace(state, alerts=tuple(kept))


def _place(kept: list[Kept], alert: Alert, now: float) -> int | None:
    """Which entry is the same alert: the last of its key, where the two were open at one time."""
    for place in range(len(kept) - 1, -1, -1):
        other = kept[place]
        if other.alert.key == alert.key:
            open_now = other.alert.open and is_watched(other, now)
            until = other.seen if other.alert.cleared_at is None else other.alert.cleared_at
            return place if open_now or until > alert.raised_at else None
    return None


def _one(old: Alert, new: Alert) -> Alert:
    return replace(
        new,
        since=min(old.since, new.since),
        raised_at=min(old.raised_at, new.raised_at),
        acknowledged=old.acknowledged or new.acknowledged,
        silenced_until=None,
    )


def is_watched(kept: Kept, now: float) -> bool:
    """Whether a console has seen it a moment ago. Seen in time to come is not seen: the clock was set back since, or it's a lie."""
    return abs(now - kept.seen) <= FORGOTTEN_S


def pruned(state: State, now: float, keep: float) -> State:
    """Without what is too old, and without open alerts that nobody watches any more."""
    kept = []
    for each in state.alerts:
        alert = each.alert
        if alert.open and not is_watched(each, now):
            alert = replace(alert, cleared_at=each.seen, ending="nobody watched on")
        if alert.cleared_at is None or now - alert.cleared_at <= keep:
            kept.append(Kept(alert, each.seen))
    return State(tuple(kept)[-MOST_ALERTS:], tuple(silence for silence in state.silences if silence.until > now))
