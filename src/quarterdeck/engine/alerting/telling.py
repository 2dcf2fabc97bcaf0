"""What is told of an alert: what happened to it, and what people and other consoles said to it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from quarterdeck.engine.alerting.state import State
from quarterdeck.format import duration
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.happening import Happening, Topic


class Told(NamedTuple):
    """Something happened to an alert. ``alert`` is as it is then."""

    happening: Happening
    """Its topic is ALERT; ``word`` is "raised", "cleared", "acknowledged", "silenced" or "unsilenced", ``key`` the alert's."""
    alert: Alert


Tell = Callable[[tuple[Told, ...]], None]
"""Is handed what happened, in order; called in the event loop, must not block."""


def decorated(alert: Alert, state: State, now: float) -> Alert:
    """With what was said to it, and since when others know it."""
    if alert.open:
        until = [silence.until for silence in state.silences if silence.until > now and silence.fits(alert)]
        alert = replace(alert, silenced_until=max(until)) if until else alert
    for kept in reversed(state.alerts):
        if kept.alert.key == alert.key:
            known = kept.alert
            if known.cleared_at is None or known.cleared_at > alert.raised_at:
                return replace(
                    alert,
                    since=min(alert.since, known.since),
                    raised_at=min(alert.raised_at, known.raised_at),
                    acknowledged=known.acknowledged,
                )
            break
    return alert


def told(word: str, alert: Alert, now: float) -> Told:
    return Told(
        Happening(now, Topic.ALERT, alert.subject, word, _words(word, alert), alert.severity.value, alert.key), alert
    )


def _words(word: str, alert: Alert) -> str:
    if word == "cleared":
        lasted = duration(max(0.0, (alert.cleared_at or alert.raised_at) - alert.since))
        return f"{alert.what}; over after {lasted}: {alert.ending}"
    if word == "acknowledged" and alert.acknowledged is not None:
        note = f": {alert.acknowledged.note}" if alert.acknowledged.note else ""
        return f"{alert.what}; seen by {alert.acknowledged.by}{note}"
    return alert.what


def near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:100], list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else ""
