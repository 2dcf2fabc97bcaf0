"""What happened between two snapshots of a fleet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

from quarterdeck.format import age, printable
from quarterdeck.model.actions import BY_ID
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import Job

MOST = 500
"""So many are kept in memory."""
_LONGEST = 300
_TOPICS = {EventKind.STATE: Topic.STATE, EventKind.RESTART: Topic.RESTART, EventKind.MODEL: Topic.MODEL}
when = attrgetter("at")


def happenings(before: FleetSnapshot, after: FleetSnapshot) -> tuple[Happening, ...]:
    """What is in ``after`` and was not in ``before``, the oldest first: each is told by one pair of successive snapshots only."""
    found: list[Happening] = []
    if after.endpoints is not before.endpoints:
        found += _of_endpoints(before, after)
    if after.jobs is not before.jobs:
        found += _of_jobs(before.jobs, after)
    if after.alerts is not before.alerts:
        found += _of_alerts(before.alerts, after)
    return tuple(sorted(found, key=when))


def _of_endpoints(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Happening]:
    known = {view.name: view for view in before.endpoints}
    for view in after.endpoints:
        old = known.get(view.name)
        events = old.events if old is not None else ()
        if view.events is not events:
            told = set(events)
            yield from (_of_event(view.name, each, after) for each in view.events if each not in told)


def _of_event(name: str, event: Event, after: FleetSnapshot) -> Happening:
    return Happening(
        after.unix(event.at), _TOPICS[event.kind], name, printable(event.word, 40), printable(event.text, _LONGEST)
    )


def _of_jobs(before: Sequence[Job], after: FleetSnapshot) -> Iterator[Happening]:
    known = {job.id: job for job in before}
    for job in after.jobs:
        old = known.get(job.id)
        if old is job:
            continue
        told = {word for word, _, _ in _marks(old, after.time)} if old is not None else set()
        for word, at, text in _marks(job, after.time):
            if word not in told:
                yield Happening(at, Topic.JOB, printable(job.order.target, 60), word, text, key=job.id)


def _marks(job: Job, now: float) -> Iterator[tuple[str, float, str]]:
    """What is told of a job as it stands: word, Unix seconds, text. A word is told once of each attempt."""
    label = BY_ID[job.order.action].label.lower() if job.order.action in BY_ID else job.order.action
    what = printable(f"{label} {job.order.about}", 120)
    attempt = f", attempt {job.attempts}" if job.attempts > 1 else ""
    if job.attempts > 1:
        yield f"resumed{attempt}", job.started or job.ended or now, what
    else:
        yield "begun", job.created or now, f"{what}, by {printable(job.user, 60)}" if job.user else what
    if job.state.ended:
        words = printable(job.words.split("\n")[0], _LONGEST - 130)
        yield f"{job.state.value}{attempt}", job.ended or now, f"{what}: {words}" if words else what


def _of_alerts(before: Sequence[Alert], after: FleetSnapshot) -> Iterator[Happening]:
    """By key: while one is open it is the same one, also where somebody else turns out to have raised it earlier."""
    was_open = {alert.key: alert for alert in before if alert.open}
    was_over = {(alert.key, alert.cleared_at) for alert in before if not alert.open}
    for alert in after.alerts:
        old = was_open.get(alert.key)
        if old is alert or (alert.key, alert.cleared_at) in was_over:
            continue
        if old is None:
            yield _of_alert(alert, "raised", alert.raised_at, alert.what)
        yield from _said(alert, old, after.time)
        if alert.cleared_at is not None:
            yield _of_alert(alert, "cleared", alert.cleared_at, alert.ending or alert.what)


def _said(alert: Alert, old: Alert | None, now: float) -> Iterator[Happening]:
    """What somebody said to it since."""
    seen = alert.acknowledged
    if seen is not None and (old is None or old.acknowledged != seen):
        note = f" ({seen.note})" if seen.note else ""
        yield _of_alert(alert, "acknowledged", seen.at, f"{alert.what}: seen by {seen.by}{note}")
    until, before = alert.silenced_until, old.silenced_until if old is not None else None
    if until is not None and before is None:
        yield _of_alert(alert, "silenced", now, f"{alert.what}: nobody is told for {age(until - now)}")
    if until is None and before is not None and before > now and alert.open:
        yield _of_alert(alert, "unsilenced", now, alert.what)


def _of_alert(alert: Alert, word: str, at: float, text: str) -> Happening:
    subject, severity = printable(alert.subject, 60), alert.severity.value
    return Happening(at, Topic.ALERT, subject, word, printable(text, _LONGEST), severity, alert.key)
