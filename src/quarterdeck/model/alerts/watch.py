"""When an alert is raised, and when it is cleared: one pure step from a snapshot to the next.

A rule must hold for its whole duration, and be calm for a while, by readings that follow one another closely. What is not known
neither raises nor clears. Where nobody looked for a while (a pause, a machine that slept, a clock that jumped), what was seen before
proves nothing of the time between: what was about to be raised begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from quarterdeck.model.alerts import words
from quarterdeck.model.alerts.advising import advice
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.alerts.causes import cause
from quarterdeck.model.alerts.hearing import Heard, Tracked, hear, moment_of
from quarterdeck.model.alerts.measure import Moment
from quarterdeck.model.alerts.memory import (
    AGAIN_S,
    GONE_S,
    LONGEST_CALM_S,
    LOST_S,
    Memory,
    Returned,
    Track,
    owners_of,
    rested,
    ruled,
    young,
)
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.host import HostView


class Change(NamedTuple):
    """An alert was raised or cleared."""

    word: str
    """ "raised" or "cleared"."""
    alert: Alert


class Step(NamedTuple):
    """What a snapshot led to."""

    memory: Memory
    alerts: tuple[Alert, ...]
    """Open ones first, the worst and then the newest on top; then those cleared lately. The same tuple where nothing changed."""
    changes: tuple[Change, ...]
    """In the order in which they happened."""


def step(memory: Memory, snapshot: FleetSnapshot, rules: tuple[Rule, ...]) -> Step:
    """What is remembered, alerted and new after ``snapshot``. Pure but for caches inside ``memory``."""
    moment = moment_of(snapshot)
    memory, gone = ruled(rested(memory, moment), moment, rules)
    heard = hear(memory.seen, snapshot, Tracked(memory.tracks, memory.owners, memory.awake))
    seen = replace(memory.seen, endpoints=snapshot.endpoints, hosts=snapshot.hosts)
    if not heard and not memory.tracks and not gone:
        return _idle(replace(memory, at=moment.at, time=moment.time, seen=seen))
    turn = _Turn(memory, moment, snapshot, dict(memory.tracks), [], list(gone))
    for key in (*heard, *(key for key in memory.tracks if key not in heard)):
        turn.take(key, heard.get(key))
    return _done(replace(memory, at=moment.at, time=moment.time, seen=seen), turn)


class _Turn(NamedTuple):
    """The tracks of one step while they are gone through."""

    memory: Memory
    moment: Moment
    snapshot: FleetSnapshot
    tracks: dict[str, Track]
    raised: list[Alert]
    cleared: list[tuple[str, Track, Alert]]
    """Key, track as it was, and the alert as it ended."""

    def take(self, key: str, heard: Heard | None) -> None:
        """One key on."""
        track = self.tracks.get(key)
        if track is None or track.alert is None:
            self._pending(key, track, heard)
        elif heard is None or heard.value is None:
            self._unknown(key, track, track.alert, heard)
        else:
            self._open(key, track, track.alert, heard)

    # ---- about to be raised

    def _pending(self, key: str, track: Track | None, heard: Heard | None) -> None:
        if heard is None or heard.value is None:
            if track is not None and ((heard is not None and heard.gone) or self.moment.at - track.at > track.gap):
                del self.tracks[key]
            return
        if not heard.check.rule.holds(heard.value):
            self.tracks.pop(key, None)
            return
        if track is None or heard.at - track.at > track.gap:
            first = words.numbers(heard, self.moment)
            unix = self.snapshot.unix(_began(heard))
            track = Track(heard.check.rule, heard.owner, heard.at, unix, heard.at, heard.gap, first)
        elif heard.at > track.at:
            track = replace(track, at=heard.at)
        if track.at - track.since >= track.rule.for_s:
            track = self._raise(key, track, heard)
        self.tracks[key] = track

    def _raise(self, key: str, track: Track, heard: Heard) -> Track:
        before = self.memory.returned.get(key)
        soon = before is not None and 0 <= self.moment.at - before.at <= AGAIN_S
        returns = before.returns + 1 if before is not None and soon else 0
        endpoint, host = _marks(heard)
        alert = Alert(
            key,
            track.rule.id,
            track.rule.severity,
            heard.subject,
            words.what(heard, self.moment),
            track.since_unix,
            self.moment.time,
            words.evidence(track.rule, track.first, heard, self.moment),
            cause(heard, self.snapshot),
            advice(heard),
            endpoint,
            host,
        )
        self.raised.append(alert)
        return replace(track, alert=alert, returns=returns)

    # ---- raised

    def _unknown(self, key: str, track: Track, alert: Alert, heard: Heard | None) -> None:
        now = self.moment.at
        if heard is not None and heard.gone:
            since = now if track.gone_since is None else track.gone_since
            if now - since >= GONE_S:
                self._clear(key, track, alert, f"superseded: {heard.gone}")
            else:
                self.tracks[key] = replace(track, at=now, gone_since=since, calm_since=None)
        elif now - track.at > LOST_S:
            self._clear(key, track, alert, f"nothing is known of it for {LOST_S / 60:.0f} min")
        elif track.gone_since is not None:
            self.tracks[key] = replace(track, gone_since=None)

    def _open(self, key: str, track: Track, alert: Alert, heard: Heard) -> None:
        assert heard.value is not None
        if heard.row is not track.row:
            alert = self._updated(track, alert, heard)
        elif heard.at <= track.at and track.gone_since is None:
            return  # the same reading as before
        calm_since: float | None = None
        if track.rule.is_calm(heard.value):
            close = track.calm_since is not None and heard.at - track.calm_at <= track.gap
            calm_since = track.calm_since if close and track.calm_since is not None else heard.at
            if heard.at - calm_since >= _calm_s(track):
                self._clear(key, track, alert, words.what(heard, self.moment))
                return
        self.tracks[key] = replace(
            track,
            alert=alert,
            row=heard.row,
            at=heard.at,
            calm_since=calm_since,
            calm_at=heard.at,
            gone_since=None,
        )

    def _updated(self, track: Track, alert: Alert, heard: Heard) -> Alert:
        """The alert with the numbers of now; the same object where they read the same. What is no trouble now stands in its
        evidence only, and so does what an endpoint says of its state later ("a token came").
        """
        holds = heard.value is not None and track.rule.holds(heard.value)
        is_state = heard.check.of_state and isinstance(heard.row, EndpointView)
        what = words.what(heard, self.moment) if holds and not is_state else alert.what
        evidence = words.evidence(track.rule, track.first, heard, self.moment)
        if what == alert.what and evidence == alert.evidence:
            return alert
        return replace(alert, what=what, evidence=evidence)

    def _clear(self, key: str, track: Track, alert: Alert, ending: str) -> None:
        self.cleared.append((key, track, replace(alert, cleared_at=self.moment.time, ending=ending)))
        del self.tracks[key]


def _calm_s(track: Track) -> float:
    rule = track.rule
    return min(rule.calm_s * 2.0 ** min(track.returns, 16), max(LONGEST_CALM_S, rule.calm_s))


def _began(heard: Heard) -> float:
    """When the condition began, monotonic: a state knows that better than whoever looks at it."""
    since = heard.row.since if heard.check.of_state and isinstance(heard.row, EndpointView) else None
    return heard.at if since is None else min(since, heard.at)


def _marks(heard: Heard) -> tuple[str | None, str | None]:
    """The endpoint whose row an alert marks, and its machine. A GPU's is that of the only endpoint that holds memory of it."""
    row = heard.row
    if isinstance(row, EndpointView):
        return row.name, row.host
    if isinstance(row, GpuView):
        users = {process.endpoint for process in row.processes or () if process.endpoint is not None}
        return (next(iter(users)) if len(users) == 1 else None), heard.host.name if heard.host is not None else None
    assert isinstance(row, HostView)
    return None, row.name


def _idle(memory: Memory) -> Step:
    """Nothing holds and nothing is open: cleared alerts may have grown old."""
    if not memory.recent:
        return Step(memory, memory.alerts, ())
    assert memory.at is not None
    recent = young(memory.recent, memory.at)
    if len(recent) == len(memory.recent):
        return Step(memory, memory.alerts, ())
    alerts = tuple(alert for _, alert in recent)
    return Step(replace(memory, recent=recent, alerts=alerts), alerts, ())


def _done(memory: Memory, turn: _Turn) -> Step:
    now = turn.moment.at
    changes = [Change("raised", alert) for alert in turn.raised]
    changes += [Change("cleared", alert) for _, _, alert in turn.cleared]
    recent = young((*((now, alert) for _, _, alert in reversed(turn.cleared)), *memory.recent), now)
    returned = memory.returned
    if turn.cleared:
        kept = {key: back for key, back in returned.items() if now - back.at <= AGAIN_S}
        returned = {**kept, **{key: Returned(now, track.returns) for key, track, _ in turn.cleared}}
    alerts = _listed(turn.tracks, recent)
    if len(alerts) == len(memory.alerts) and all(a is b for a, b in zip(alerts, memory.alerts, strict=True)):
        alerts = memory.alerts
    memory = replace(
        memory, tracks=turn.tracks, owners=owners_of(turn.tracks), returned=returned, recent=recent, alerts=alerts
    )
    return Step(memory, alerts, tuple(changes))


def _listed(tracks: Mapping[str, Track], recent: tuple[tuple[float, Alert], ...]) -> tuple[Alert, ...]:
    opened = [track.alert for track in tracks.values() if track.alert is not None]
    opened.sort(key=lambda alert: (alert.severity is not Severity.CRITICAL, -alert.raised_at, alert.key))
    return (*opened, *(alert for _, alert in recent))
