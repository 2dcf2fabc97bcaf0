"""What a sink is told: one word about one alert. As text and as JSON; nothing in it is secret. Pure."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.audit import iso
from quarterdeck.format import printable
from quarterdeck.model.alerts.alert import Alert, Severity

VERSION = 1
RAISED, REPEATED, CLEARED = "raised", "repeated", "cleared"


class Notice(NamedTuple):
    """``word`` is RAISED, REPEATED or CLEARED; ``at`` Unix seconds, when it was decided."""

    word: str
    alert: Alert
    at: float
    test: bool = False


def fits(spec: SinkSpec, alert: Alert) -> bool:
    """Whether a sink is told of such an alert."""
    grave = spec.severity != Severity.CRITICAL.value or alert.severity is Severity.CRITICAL
    of_rule = not spec.rules or any(fnmatchcase(alert.rule, glob) for glob in spec.rules)
    names = [name for name in (alert.subject, alert.endpoint, alert.host) if name]
    about = not spec.subjects or any(fnmatchcase(name, glob) for name in names for glob in spec.subjects)
    return grave and of_rule and about


def line(notice: Notice) -> str:
    """ "CRITICAL vllm-a: DOWN: connection refused", in one line."""
    alert = notice.alert
    head = "over" if notice.word == CLEARED else alert.severity.value.upper()
    words = alert.ending or alert.what if notice.word == CLEARED else alert.what
    again = " (still)" if notice.word == REPEATED else ""
    test = "TEST " if notice.test else ""
    return f"{test}{head} {printable(alert.subject, 60)}: {printable(words, 200)}{again}"


def document(notice: Notice, sink: str, machine: str) -> dict[str, Any]:
    """The JSON that webhooks and commands get; docs/on-call.md has its fields. ``machine``: where this program runs."""
    alert = notice.alert
    what = f"{alert.key}\0{alert.raised_at}\0{notice.word}\0{notice.at if notice.word == REPEATED else ''}"
    return {
        "schema_version": VERSION,
        "id": hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()[:16],
        "event": notice.word,
        "test": notice.test,
        "time": iso(notice.at),
        "text": line(notice),
        "sink": sink,
        "machine": printable(machine, 100),
        "alert": alert_document(alert),
    }


def alert_document(alert: Alert) -> dict[str, Any]:
    """An alert for JSON: times are RFC 3339 in UTC; what is unknown is null."""
    seen = alert.acknowledged
    return {
        "key": alert.key,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "subject": alert.subject,
        "endpoint": alert.endpoint,
        "host": alert.host,
        "what": alert.what,
        "since": iso(alert.since),
        "raised_at": iso(alert.raised_at),
        "cleared_at": iso(alert.cleared_at) if alert.cleared_at is not None else None,
        "ending": alert.ending or None,
        "evidence": list(alert.evidence),
        "cause": alert.cause or None,
        "advice": alert.advice or None,
        "acknowledged": None if seen is None else {"at": iso(seen.at), "by": seen.by, "note": seen.note or None},
        "silenced_until": iso(alert.silenced_until) if alert.silenced_until is not None else None,
    }


def trial(now: float) -> Alert:
    """An alert that isn't one, to try a sink with."""
    return Alert(
        "test quarterdeck",
        "test",
        Severity.CRITICAL,
        "quarterdeck",
        "a test of this sink; nothing is wrong",
        now,
        now,
        ("somebody ran `quarterdeck alerts test`",),
        "a test",
        "Nothing to do.",
    )
