"""The alarms of a running engine: the fleet's rules looked at each second, with what people said to them."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from quarterdeck.config.alerting import rules
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.alerting.state import (
    EMPTY,
    Kept,
    Silence,
    State,
    StateFile,
    Unkept,
    is_watched,
    merged,
    pruned,
    state_path,
)
from quarterdeck.engine.alerting.telling import Tell, Told, decorated, near, told
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.alerts.alert import Acknowledged, Alert
from quarterdeck.model.alerts.hearing import gpu_subjects
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.watch import step
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot

__all__ = ["Alarms", "Silence", "Tell", "Told"]

LOOK_EVERY_S = 1.0
_SLACK_S = 0.05
"""A timer that wakes this much early looks all the same."""
SEEN_EVERY_S = 60.0
"""How often others are told that an alert is still open."""
LONGEST_SILENCE_S = 366 * 86_400.0
_LONGEST_NOTE = 500
_MOST_UNSAVED = 5000


class Alarms:
    """Rules over snapshots, and what was said to the alerts they raised.

    ``look`` is for one thread, and never blocks. ``sync``, ``acknowledge``, ``silence`` and ``unsilence`` read and write a small
    file; any thread may call them. Listeners are called by ``look``.
    """

    def __init__(
        self,
        fleet: FleetConfig,
        *,
        path: Path | None = None,
        keep: bool = True,
        by: str | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``path``: the file of the state; default the user's, one for each fleet file. ``by``: who speaks; default this user.

        ``keep``: false = no file is read or written.
        """
        self.rules = rules(fleet.alerts, fleet.alert_rules, fleet.limits)
        """Those in force."""
        self._problem = self._untold = ""
        self._fleet = fleet
        self._file = StateFile(path or state_path(fleet.source)) if keep else Unkept()
        self._by = by
        self._wall = wall
        self._listeners: list[Tell] = []
        self._memory = NOTHING
        self._snapshot = EMPTY_FLEET
        self._looked_at: float | None = None
        self.looks = 0
        """How often a snapshot was brought, also where it was too early for the rules."""
        self._lock = threading.Lock()
        self._unsaved: dict[tuple[str, float], Alert] = {}
        self._saved_at = -math.inf
        self._waiting: deque[Told] = deque()
        self._state = EMPTY
        self._alerts: tuple[Alert, ...] = ()
        self._made_of: tuple[tuple[Alert, ...], State] = ((), EMPTY)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the state file, or with who listens, in words; () when all is well."""
        return tuple(note for note in (self._problem, self._untold) if note)

    def listen(self, tell: Tell) -> None:
        """Have ``tell`` called with everything that happens to alerts from now on. What it raises becomes a note."""
        self._listeners.append(tell)

    def look(self, snapshot: FleetSnapshot, *, paused: bool = False) -> FleetSnapshot:
        """``snapshot`` with ``alerts`` filled in: the same tuple object as before where nothing changed.

        Evaluates at most once a second of the snapshot's clock, and not while ``paused`` (nobody polls).
        """
        self.looks += 1
        if not paused and self.is_due(snapshot.at):
            self._looked_at = snapshot.at
            self._snapshot = snapshot
            self._memory, _, changes = step(self._memory, snapshot, self.rules)
            if changes:
                with self._lock:
                    for _, alert in changes[:_MOST_UNSAVED]:
                        self._unsaved[alert.key, alert.raised_at] = alert
                self._waiting.extend(told(word, alert, snapshot.time) for word, alert in changes)
        alerts = self._said()
        self._tell()
        return replace(snapshot, alerts=alerts)

    def is_due(self, at: float, late_s: float = 0.0) -> bool:
        """Whether a look at that moment (of the snapshot's clock) would be one at the rules, ``late_s`` after the time for it."""
        passed = math.inf if self._looked_at is None else at - self._looked_at
        return passed >= LOOK_EVERY_S - _SLACK_S + late_s or passed < 0

    def _said(self) -> tuple[Alert, ...]:
        """The alerts with what people said to them."""
        raw, state = self._memory.alerts, self._state
        if self._made_of[0] is not raw or self._made_of[1] is not state:
            before = {id(old): new for old, new in zip(self._made_of[0], self._alerts, strict=True)}
            same_state = self._made_of[1] is state
            now = self._snapshot.time
            fresh = tuple(
                before[id(alert)] if same_state and id(alert) in before else decorated(alert, state, now)
                for alert in raw
            )
            if fresh != self._alerts:
                self._alerts = fresh
            self._made_of = (raw, state)
        return self._alerts

    def _tell(self) -> None:
        news: list[Told] = []
        while self._waiting:
            news.append(self._waiting.popleft())
        if news:
            for tell in self._listeners:
                try:
                    tell(tuple(news))
                except Exception as error:  # noqa: BLE001  (one that can't be told hides nothing from the others)
                    self._untold = f"somebody could not be told of an alert ({type(error).__name__})"

    # ---- what is shared

    @property
    def unsaved(self) -> bool:
        """Whether something happened that ``sync`` has not written yet."""
        return bool(self._unsaved)

    def sync(self) -> None:
        """Read what other consoles wrote, write what happened here. Never raises."""
        now = self._wall()
        with self._lock:
            fresh, self._unsaved = self._unsaved, {}
            due = abs(now - self._saved_at) >= SEEN_EVERY_S  # also where the clock was set back
        opened = tuple(alert for alert in self._memory.alerts if alert.open)
        try:
            if fresh or (due and opened):
                alerts = (*fresh.values(), *(alert for alert in opened if (alert.key, alert.raised_at) not in fresh))
                self._keep(
                    self._file.change(lambda state: pruned(merged(state, alerts, now), now, self._fleet.alerts.keep))
                )
                self._saved_at = now
            elif self._file.changed():
                self._keep(self._file.read())
            self._problem = self._file.problem
        except OSError as error:
            self._problem = f"alerts are not kept: {self._file.path}: {error.strerror or type(error).__name__}"
            with self._lock:
                self._unsaved = dict([*fresh.items(), *self._unsaved.items()][-_MOST_UNSAVED:])

    def _keep(self, state: State) -> None:
        if state != self._state:
            self._state = state

    def acknowledge(self, key: str, note: str = "") -> Alert:
        """Say that an open alert was seen. Raises UsageError where none of that key is open, QuarterdeckError where it can't be kept."""
        now = self._wall()
        self.sync()
        alert = next((alert for alert in self.open if alert.key == key), None)
        if alert is None:
            raise UsageError(
                f"no alert {printable(key, 80)!r} is open", hint=near(key, (each.key for each in self.open))
            )
        seen = Acknowledged(now, self._name(), printable(note, _LONGEST_NOTE))

        def how(state: State) -> State:
            with_it = merged(state, (alert,), now)
            places = [place for place, kept in enumerate(with_it.alerts) if kept.alert.key == key and kept.alert.open]
            kept = list(with_it.alerts)
            for place in places[-1:]:
                kept[place] = Kept(replace(kept[place].alert, acknowledged=seen), now)
            return replace(with_it, alerts=tuple(kept))

        self._change(how)
        acknowledged = replace(alert, acknowledged=seen)
        self._waiting.append(told("acknowledged", acknowledged, now))
        return acknowledged

    def silence(self, name: str, seconds: float, note: str = "") -> Silence:
        """Tell nobody of an alert (by its key), a rule (by its id) or a subject for so long.

        Raises UsageError for a name that is none of these, or a time that makes no sense, QuarterdeckError where it can't be kept.
        """
        if not 0 < seconds <= LONGEST_SILENCE_S:
            raise UsageError("a silence lasts more than nothing and at most a year")
        now = self._wall()
        self.sync()
        silence = Silence(self._kind(name), name, now + seconds, self._name(), printable(note, _LONGEST_NOTE))
        self._change(
            lambda state: replace(state, silences=(*(old for old in state.silences if old[:2] != silence[:2]), silence))
        )
        self._waiting.extend(
            told("silenced", replace(alert, silenced_until=silence.until), now)
            for alert in self.open
            if silence.fits(alert)
        )
        return silence

    def unsilence(self, name: str) -> None:
        """Take a silence back. Raises UsageError where there is none of that name, QuarterdeckError where it can't be kept."""
        now = self._wall()
        self.sync()
        over = [silence for silence in self.silences if silence.name == name]
        if not over:
            raise UsageError(
                f"{printable(name, 80)!r} is not silenced", hint=near(name, (each.name for each in self.silences))
            )
        self._change(lambda state: replace(state, silences=tuple(old for old in state.silences if old.name != name)))
        self._waiting.extend(
            told("unsilenced", replace(alert, silenced_until=None), now)
            for alert in self.open
            if any(silence.fits(alert) for silence in over)
        )

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Those in force."""
        now = self._wall()
        return tuple(silence for silence in self._state.silences if silence.until > now)

    @property
    def open(self) -> tuple[Alert, ...]:
        """What is open: seen here, or by another console of this fleet a moment ago (after ``sync``)."""
        now = self._wall()
        here = tuple(decorated(alert, self._state, now) for alert in self._memory.alerts if alert.open)
        known = {alert.key for alert in here}
        elsewhere = (
            kept.alert
            for kept in self._state.alerts
            if kept.alert.open and kept.alert.key not in known and is_watched(kept, now)
        )
        return (*here, *(decorated(alert, self._state, now) for alert in elsewhere))

    @property
    def history(self) -> tuple[Alert, ...]:
        """Alerts of the past (``[alerts] keep``), of all consoles of this fleet, the newest last; those that are open too."""
        now = self._wall()
        state = pruned(merged(self._state, self._memory.alerts, now), now, self._fleet.alerts.keep)
        return tuple(kept.alert for kept in state.alerts)

    def _change(self, how: Callable[[State], State]) -> None:
        now = self._wall()
        try:
            self._keep(self._file.change(lambda state: pruned(how(state), now, self._fleet.alerts.keep)))
        except OSError as error:
            raise QuarterdeckError(
                f"nothing was done: {self._file.path} can't be written ({error.strerror or type(error).__name__})",
                hint="What is said to alerts is kept there. XDG_STATE_HOME says where that is.",
            ) from None

    def _kind(self, name: str) -> str:
        """What a name is of. Raises UsageError."""
        keys = {alert.key for alert in (*self._memory.alerts, *(kept.alert for kept in self._state.alerts))}
        ids = {rule.id for rule in self.rules}
        subjects = set(self._subjects())
        for kind, known in (("key", keys), ("rule", ids), ("subject", subjects)):
            if name in known:
                return kind
        hint = near(name, (*keys, *ids, *subjects)) or f"Rules are {', '.join(sorted(ids))}."
        raise UsageError(
            f"{printable(name, 80)!r} is no alert, rule, endpoint, machine or GPU of this fleet", hint=hint
        )

    def _subjects(self) -> Iterable[str]:
        yield from (spec.name for spec in self._fleet.endpoints)
        yield from (spec.name for spec in self._fleet.hosts)
        yield from (view.name for view in self._snapshot.endpoints)
        for host in self._snapshot.hosts:
            yield host.name
            yield from (subject for subject, _ in gpu_subjects(host))
        yield from (kept.alert.subject for kept in self._state.alerts)

    def _name(self) -> str:
        if self._by is None:
            from quarterdeck.engine.audit import user_name

            self._by = user_name()
        return self._by
