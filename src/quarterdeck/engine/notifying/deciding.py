"""Which alerts a sink has yet to be told of. Pure.

It goes by what is open now, not by what just happened: so nothing is told twice or not at all where one program takes over from
another, and an alert whose silence ends while it is still open is told then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.notifying.notice import CLEARED, RAISED, REPEATED, Notice, fits
from quarterdeck.model.alerts.alert import Alert

LOST_S = 360.0
"""An alert that a sink was told of and that nobody knows for so long (a rule or endpoint was taken away) is over."""
_GONE = "it is not watched any more"


class ToldOf(NamedTuple):
    """An alert that a sink was told of, and when it was told last. Unix seconds."""

    alert: Alert
    at: float
    missing: float | None = None
    """Since when it is neither open nor cleared."""


class Decision(NamedTuple):
    """What a sink has been told of once ``notices`` are delivered."""

    told: Mapping[str, ToldOf]
    notices: tuple[Notice, ...]


def decide(spec: SinkSpec, told: Mapping[str, ToldOf], alerts: Sequence[Alert], now: float) -> Decision:
    """What the sink is to be told at ``now``; the same mapping where that is nothing."""
    opened = {alert.key: alert for alert in alerts if alert.open}
    after = dict(told)
    notices = [*_cleared(spec, after, opened, alerts, now), *_raised(spec, after, opened, now)]
    notices.sort(key=lambda notice: notice.alert.raised_at if notice.word == RAISED else notice.at)
    return Decision(after if after != told else told, tuple(notices))


def _raised(spec: SinkSpec, told: dict[str, ToldOf], opened: Mapping[str, Alert], now: float) -> Iterator[Notice]:
    for key, alert in opened.items():
        known = told.get(key)
        if known is not None and (known.missing is not None or known.alert is not alert):
            known = told[key] = ToldOf(alert, known.at)
        quiet = alert.acknowledged is not None or (alert.silenced_until is not None and alert.silenced_until > now)
        if quiet or not fits(spec, alert):
            continue
        if known is None or alert.raised_at > known.at:
            told[key] = ToldOf(alert, now)
            yield Notice(RAISED, alert, now)
        elif spec.repeat is not None and now - known.at >= spec.repeat:
            told[key] = ToldOf(alert, now)
            yield Notice(REPEATED, alert, now)


def _cleared(
    spec: SinkSpec, told: dict[str, ToldOf], opened: Mapping[str, Alert], alerts: Sequence[Alert], now: float
) -> Iterator[Notice]:
    over = {alert.key: alert for alert in reversed(alerts) if not alert.open}  # the newest comes first in ``alerts``
    for key, known in [*told.items()]:
        if key in opened:
            continue
        ended = over.get(key)
        if ended is None or (ended.cleared_at or 0.0) < known.at - LOST_S:
            missing = now if known.missing is None else known.missing
            told[key] = known._replace(missing=missing)
            if now - missing < LOST_S:
                continue
            ended = replace(known.alert, cleared_at=missing, ending=_GONE)
        del told[key]
        if spec.resolved:
            yield Notice(CLEARED, ended, now)
