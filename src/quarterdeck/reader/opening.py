"""What is said at the beginning: what is watched, and how it is, the worst first. Pure."""

from __future__ import annotations

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.reader import alerts, endpoints, jobs, machines
from quarterdeck.reader.speech import counted, listed

_MOST = 12
"""So many troubles are told one by one."""
_ALERTS = 3
HOW = "Type help and press Enter for what can be asked. What changes is told as it happens."


def watched(fleet: FleetConfig, interval: float) -> str:
    """What is watched, and how often it is asked."""
    if not fleet.endpoints and not fleet.hosts:
        return "Nothing is watched. quarterdeck --url http://HOST:PORT --reader watches a server."
    parts = [counted(len(fleet.endpoints), "endpoint")] if fleet.endpoints else []
    parts += [counted(len(fleet.hosts), "machine")] if fleet.hosts else []
    read_only = " Read-only: nothing can be changed from here." if fleet.console.read_only else ""
    return f"Quarterdeck watches {' and '.join(parts)}, asked every {_every(interval)}.{read_only}"


def _every(interval: float) -> str:
    return "second" if interval == 1 else f"{interval:g} seconds"


def opening(snapshot: FleetSnapshot) -> list[str]:
    """How everything is: a summary, then what is wrong, the worst first, then alerts and jobs that go on."""
    lines = [endpoints.summary(snapshot)] if snapshot.endpoints else []
    unasked = [view.name for view in snapshot.endpoints if view.state is None]
    if unasked:
        lines.append(f"Not yet answered: {listed(unasked, 6)}.")
    lines += _some(endpoints.troubled(snapshot), "status tells the rest.")
    gpus = [gpu for host in snapshot.hosts for gpu in host.gpus]
    trouble = machines.troubled(snapshot)
    if gpus:
        lines.append(f"{counted(len(gpus), 'GPU')}{', all of them well' if not trouble else ''}.")
    lines += _some(trouble, "gpus tells the rest.")
    opened = alerts.open_ones(snapshot)
    if opened:
        lines.append(alerts.opened_words(opened))
        lines += alerts.lines(opened[:_ALERTS], snapshot.time)
        lines += ["alerts tells the rest."] if len(opened) > _ALERTS else []
    lines += [jobs.going(job) for job in snapshot.jobs if not job.state.ended][:_MOST]
    return lines


def _some(lines: list[str], more: str) -> list[str]:
    """At most so many of them."""
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"And {len(lines) - _MOST} more: {more}"]


def in_between(snapshot: FleetSnapshot) -> str:
    """What an empty line is answered with, where nothing is new."""
    opened = alerts.open_ones(snapshot)
    alert = f" {alerts.opened_words(opened)}" if opened else ""
    return f"Nothing new. {endpoints.summary(snapshot)}{alert}"
