"""An alert as JSON and back. What was written by others, or cut off, is read as far as it makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.format import printable
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity

_MOST_EVIDENCE = 20
_LONGEST = 1000
_YEAR_9999 = 253_370_764_800.0


def to_json(alert: Alert) -> dict[str, Any]:
    """Every field, under its name. Times are Unix seconds."""
    seen = alert.acknowledged
    return {
        "key": alert.key,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "subject": alert.subject,
        "what": alert.what,
        "since": alert.since,
        "raised_at": alert.raised_at,
        "cleared_at": alert.cleared_at,
        "ending": alert.ending,
        "evidence": list(alert.evidence),
        "cause": alert.cause,
        "advice": alert.advice,
        "endpoint": alert.endpoint,
        "host": alert.host,
        "acknowledged": None if seen is None else {"at": seen.at, "by": seen.by, "note": seen.note},
        "silenced_until": alert.silenced_until,
    }


def from_json(value: object) -> Alert | None:
    """The alert, or ``None`` where it is none: without a key, a rule, a time, a severity, or evidence."""
    if not isinstance(value, dict):
        return None
    key, rule, subject, what = (text(value.get(name)) for name in ("key", "rule", "subject", "what"))
    since, raised_at = number(value.get("since")), number(value.get("raised_at"))
    severity = next((each for each in Severity if each.value == value.get("severity")), None)
    told = value.get("evidence")
    evidence = tuple(text(line) for line in told[:_MOST_EVIDENCE] if text(line)) if isinstance(told, list) else ()
    if not key or not rule or severity is None or since is None or raised_at is None or not evidence:
        return None
    return Alert(
        key,
        rule,
        severity,
        subject,
        what,
        since,
        raised_at,
        evidence,
        text(value.get("cause")),
        text(value.get("advice")),
        text(value.get("endpoint")) or None,
        text(value.get("host")) or None,
        number(value.get("cleared_at")),
        text(value.get("ending")),
        _acknowledged(value.get("acknowledged")),
        number(value.get("silenced_until")),
    )


def _acknowledged(value: object) -> Acknowledged | None:
    if not isinstance(value, Mapping):
        return None
    at = number(value.get("at"))
    return None if at is None else Acknowledged(at, text(value.get("by")), text(value.get("note")))


def text(value: object) -> str:
    """A stranger's text, safe to show; "" for anything else."""
    return printable(value, _LONGEST) if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """A time, Unix seconds, that a calendar has; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if 0 <= found < _YEAR_9999 else None
