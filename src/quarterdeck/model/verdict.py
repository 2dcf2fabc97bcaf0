"""How the whole fleet is, as `check` and `status` say it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State, is_well
from quarterdeck.model.host import HostView
from quarterdeck.model.limits import Limits


class Level(IntEnum):
    """Exit codes of `quarterdeck check` (the Nagios convention)."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3

    @property
    def word(self) -> str:
        """Lower case, as in JSON."""
        return self.name.lower()


_GRAVITY = {Level.OK: 0, Level.UNKNOWN: 1, Level.WARNING: 2, Level.CRITICAL: 3}
_BY_STATE = {
    None: Level.UNKNOWN,
    State.DOWN: Level.CRITICAL,
    State.STALLED: Level.CRITICAL,
    State.STALE: Level.WARNING,
    State.AUTH: Level.WARNING,
    State.LOADING: Level.WARNING,
    State.RESTARTED: Level.WARNING,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    level: Level
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst level, a line for a person, and every finding, worst first."""

    level: Level
    summary: str
    findings: tuple[Finding, ...] = ()


def judged(snapshot: FleetSnapshot, limits: Limits, more: Sequence[Finding] = ()) -> Verdict:
    """The verdict on a snapshot; ``more`` was found otherwise."""
    findings = [found for view in snapshot.endpoints if (found := _of_endpoint(view, limits)) is not None]
    findings += [found for host in snapshot.hosts if (found := _of_host(host)) is not None]
    findings += more
    findings.sort(key=lambda finding: -_GRAVITY[finding.level])
    well = sum(is_well(view) for view in snapshot.endpoints)
    count = f"{well} of {len(snapshot.endpoints)} endpoints well"
    if not snapshot.endpoints:
        return Verdict(Level.UNKNOWN, "no endpoint to check", tuple(findings))
    if not findings:
        return Verdict(Level.OK, count)
    worst = findings[0]
    others = f" (+{len(findings) - 1} more)" if len(findings) > 1 else ""
    return Verdict(worst.level, f"{worst.subject} {worst.text}{others}; {count}", tuple(findings))


def level_of(state: State | None) -> Level:
    """How grave a state is."""
    return _BY_STATE.get(state, Level.OK)


def _of_endpoint(view: EndpointView, limits: Limits) -> Finding | None:
    level = level_of(view.state)
    if view.state is State.BUSY and not is_well(view):
        level = Level.WARNING
    if level is not Level.OK:
        word = view.state.value if view.state else ""
        if not word:
            return Finding(level, view.name, view.reason or "not polled yet")
        return Finding(level, view.name, f"{word}: {view.reason}" if view.reason else word)
    if view.waiting is not None and view.waiting >= limits.warn_waiting:
        return Finding(Level.WARNING, view.name, f"{view.waiting} requests waiting")
    if view.kv_used is not None and view.kv_used >= limits.warn_kv:
        return Finding(Level.WARNING, view.name, f"KV cache {view.kv_used:.0%} full")
    return None


def _of_host(host: HostView) -> Finding | None:
    """A host whose exporter fails is a finding; a machine without a GPU is not."""
    if not host.reason or not host.source.startswith("http"):
        return None
    return Finding(Level.WARNING, f"host {host.name}", host.reason)


def with_problems(verdict: Verdict, problems: tuple[str, ...]) -> Verdict:
    """The verdict when parts of the fleet file could not be used: UNKNOWN unless something known is worse."""
    if not problems:
        return verdict
    more = f" (+{len(problems) - 1} more)" if len(problems) > 1 else ""
    findings = (*verdict.findings, *(Finding(Level.UNKNOWN, "fleet file", problem) for problem in problems))
    if _GRAVITY[verdict.level] > _GRAVITY[Level.UNKNOWN]:
        return Verdict(verdict.level, f"{verdict.summary}; fleet file: {problems[0]}{more}", findings)
    return Verdict(Level.UNKNOWN, f"{problems[0]}{more}; {verdict.summary}", findings)
