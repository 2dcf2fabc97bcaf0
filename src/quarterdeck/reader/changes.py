"""What is different between two snapshots of a fleet, a sentence each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from quarterdeck.engine.timeline.collecting import happenings
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.host import HostView
from quarterdeck.model.job import Job, JobState
from quarterdeck.reader import alerts, jobs, machines
from quarterdeck.reader.endpoints import TROUBLE, because, is_so
from quarterdeck.reader.speech import lasting, name, sentence, spoken

RAISED = "raised"
_LATELY_S = 10.0
_SUPERSEDED = "superseded"
"""What makes an alert pointless is told as a change."""
_BAD_ENDS = (JobState.FAILED, JobState.DEAD)


class Kind(StrEnum):
    """What a change is about."""

    STATE = "state"
    MODEL = "model"
    JOB = "job"
    PROGRESS = "progress"
    ALERT = "alert"
    GPU = "gpu"
    HOST = "host"
    SINK = "sink"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different. ``at``: Unix seconds, when it was seen."""

    kind: Kind
    subject: str
    """What of: an endpoint, "rotterdam/3", "qwen3:8b on mac", the id of a job, the key of an alert. With ``kind`` it is the key."""
    word: str
    """What it is now ("DOWN", "loaded"): changes with one word are summed up."""
    text: str
    """A whole sentence."""
    at: float
    several: str = ""
    """What is said of many at once, behind their number: "endpoints are DOWN"."""
    reason: str = ""
    """Why, in words; told of many where all have the same."""
    named: str = ""
    """What it is called among many."""
    grave: bool = True
    """Whether it is trouble, or the end of some."""
    job: Job | None = None
    """Of `Kind.PROGRESS` the job as it is."""
    advice: str = ""
    """The likely cause and what to try: said behind ``text``, but not again and again."""
    about: str = ""
    """Of an alert about what is told as a change, too: the subject of that change."""

    @property
    def key(self) -> tuple[Kind, str]:
        """What it is about: a later one takes the place of an earlier one."""
        return self.kind, self.subject


def changes(before: FleetSnapshot, after: FleetSnapshot) -> tuple[Change, ...]:
    """What is different in ``after``, in the order endpoints, machines, GPUs, models, jobs, alerts."""
    found: list[Change] = []
    if after.endpoints is not before.endpoints:
        found += _states(before, after)
    if after.hosts is not before.hosts:
        found += _hosts(before, after)
        found += _gpus(before, after)
    if after.happenings is not before.happenings:
        found += _undelivered(before, after)
    told = happenings(before, after)
    found += [_model(one, after.time) for one in told if one.topic is Topic.MODEL]
    if after.jobs is not before.jobs:
        found += _jobs(before, after)
    if after.alerts is not before.alerts:
        found += _alerts(before, after)
    return _joined(found)


# ---- endpoints


def _states(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Change]:
    known = {view.name: view for view in before.endpoints}
    for view in after.endpoints:
        old = known.get(view.name)
        if view is old or view.state is None or (old is not None and old.state is view.state):
            continue
        grave = view.state in TROUBLE or (old is not None and old.state in TROUBLE)
        again = " again" if view.state is State.OK and old is not None and old.state is not None else ""
        several = f"endpoints are {view.state.value}{again}"
        text = _turned(old, view, after.at)
        reason = because(view).removeprefix(": ")
        yield Change(
            Kind.STATE, view.name, view.state.value, text, after.time, several, reason, name(view.name), grave=grave
        )


def _turned(old: EndpointView | None, view: EndpointView, at: float) -> str:
    """ "vllm-a is OK again, after 40 seconds DOWN", "vllm-a has been DOWN for 3 seconds: connection refused"."""
    if view.state is State.RESTARTED:
        return sentence(f"{name(view.name)} has RESTARTED{because(view)}")
    if view.state is not State.OK or old is None or old.state is None:
        return sentence(is_so(view, at))
    if old.since is None or old.state not in TROUBLE or old.state is State.RESTARTED:
        return f"{name(view.name)} is OK again."
    return f"{name(view.name)} is OK again, after {lasting(at - old.since)} {old.state.value}."


def _model(one: Happening, now: float) -> Change:
    where, what = name(one.subject), name(one.text)
    if one.word not in ("loaded", "unloaded"):
        return Change(Kind.MODEL, one.subject, one.word, sentence(f"{where}: {what}"), now, grave=False)
    doing = "is in memory now" if one.word == "loaded" else "has left memory"
    several = "models are in memory now" if one.word == "loaded" else "models have left memory"
    text = f"Model {what} on {where} {doing}."
    return Change(Kind.MODEL, f"{one.text} on {one.subject}", one.word, text, now, several, "", what, grave=False)


def _undelivered(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Change]:
    """Sinks that could not be told; not those of before our time, which come from the disk a moment after the beginning."""
    known = {one for one in before.happenings if one.topic is Topic.SINK}
    for one in after.happenings:
        if one.topic is Topic.SINK and one not in known and one.at >= before.time - _LATELY_S:
            text = f"Sink {name(one.subject)}: {spoken(one.word)}{': ' if one.text else ''}{spoken(one.text)}"
            yield Change(
                Kind.SINK,
                one.subject,
                one.word,
                sentence(text),
                after.time,
                "sinks have trouble",
                "",
                name(one.subject),
            )


# ---- machines


def _hosts(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Change]:
    known = {host.name: host for host in before.hosts}
    for host in after.hosts:
        old = known.get(host.name)
        bad, was_bad = machines.unreadable(host), old is not None and machines.unreadable(old)
        if bad == was_bad:
            continue
        called, reason = name(host.name), spoken(host.reason, 400)
        if bad:
            text, several = f"Machine {called} cannot be read: {reason}", "machines cannot be read"
        else:
            text, several = f"Machine {called} can be read again", "machines can be read again"
        yield Change(Kind.HOST, host.name, "bad" if bad else "OK", sentence(text), after.time, several, reason, called)


def _gpus(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Change]:
    known = {subject: gpu for subject, _, gpu in machines.every_gpu(before)}
    for subject, host, gpu in machines.every_gpu(after):
        old = known.get(subject)
        if old is not gpu and (found := _gpu(old, host, gpu)) is not None:
            word, text, several, reason = found
            called = machines.called(host.name, gpu)
            yield Change(Kind.GPU, subject, word, sentence(f"{called} {text}"), after.time, several, reason, called)


def _gpu(old: GpuView | None, host: HostView, gpu: GpuView) -> tuple[str, str, str, str] | None:
    """Word, what is said of one and of several, and why."""
    was_lost, was_hot = (old.lost, machines.heat(old)) if old is not None else (False, "")
    if gpu.lost != was_lost:
        if gpu.lost:
            return "lost", "is LOST: it does not answer any more", "GPUs are LOST: they do not answer any more", ""
        return "back", "answers again", "GPUs answer again", ""
    hot = machines.heat(gpu)
    if gpu.lost or bool(hot) == bool(was_hot):
        return None
    if not hot:
        return "cool", "runs at full speed again", "GPUs run at full speed again", ""
    warm = f", at {gpu.temperature_c:.0f} degrees" if gpu.temperature_c is not None else ""
    return "hot", f"is slowed down by {hot}{warm}", "GPUs are slowed down", hot


# ---- jobs


def _jobs(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Change]:
    known = {job.id: job for job in before.jobs}
    for job in after.jobs:
        old = known.get(job.id)
        if old is job:
            continue
        if job.state.ended:
            if old is None or old.state is not job.state or old.attempts != job.attempts:
                yield _ended(job, after.time)
        elif old is None or old.attempts != job.attempts:
            text = sentence(f"{jobs.called(job)} has begun" + (" again" if job.attempts > 1 else ""))
            yield Change(Kind.JOB, job.id, "begun", text, after.time, "jobs have begun", "", job.id, grave=False)
        else:
            text = jobs.going(job)
            yield Change(Kind.PROGRESS, job.id, "progress", text, after.time, "jobs go on", "", job.id, False, job)


def _ended(job: Job, now: float) -> Change:
    bad = job.state in _BAD_ENDS
    several = {JobState.DONE: "jobs are done", JobState.CANCELLED: "jobs were cancelled"}.get(
        job.state, "jobs have FAILED"
    )
    return Change(Kind.JOB, job.id, job.state.value, jobs.ended(job), now, several, "", job.id, grave=bad)


# ---- alerts


def _alerts(before: FleetSnapshot, after: FleetSnapshot) -> Iterator[Change]:
    was_open = {alert.key: alert for alert in before.alerts if alert.open}
    was_over = {(alert.key, alert.cleared_at) for alert in before.alerts if not alert.open}
    for alert in after.alerts:
        old = was_open.get(alert.key)
        if old is alert or (alert.key, alert.cleared_at) in was_over:
            continue
        if alert.cleared_at is not None:
            if alert.rule not in alerts.OF_STATE and not alert.ending.startswith(_SUPERSEDED):
                yield _alert(alert, "cleared", alerts.cleared(alert), after.time)
        elif old is None:
            yield _alert(alert, RAISED, alerts.raised(alert), after.time)
        elif alert.acknowledged is not None and old.acknowledged != alert.acknowledged:
            yield _alert(alert, "acknowledged", alerts.acknowledged(alert), after.time)


def _alert(alert: Alert, word: str, text: str, now: float) -> Change:
    several = {RAISED: "alerts were raised", "cleared": "alerts are over"}.get(word, "alerts were acknowledged")
    critical = word == RAISED and alert.severity is Severity.CRITICAL
    return Change(
        Kind.ALERT,
        alert.key,
        f"{word} {alert.severity.value}" if critical else word,
        text,
        now,
        f"critical {several}" if critical else several,
        "",
        alerts.subject(alert),
        grave=word != "acknowledged",
        advice=alerts.why(alert) if word == RAISED else "",
        about=alert.subject if alert.rule in alerts.OF_STATE else "",
    )


def _joined(found: list[Change]) -> tuple[Change, ...]:
    """An alert about a state that is told at the same moment adds to it what to try, and isn't told by itself."""
    out = [one for one in found if one.kind is not Kind.ALERT]
    places = {one.subject: place for place, one in enumerate(out)}
    for one in found:
        if one.kind is not Kind.ALERT:
            continue
        place = places.get(one.about) if one.about and one.word.startswith(RAISED) else None
        if place is None:
            out.append(one)
        else:
            grade = one.text.partition(":")[0]
            out[place] = replace(out[place], advice=f"{grade}. {one.advice}".rstrip())
    return tuple(out)
