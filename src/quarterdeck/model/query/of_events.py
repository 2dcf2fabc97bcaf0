"""What can be asked of alerts, and of what happened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from quarterdeck.model.query.field import Around, Field, Vocabulary
from quarterdeck.model.query.values import Kind

if TYPE_CHECKING:
    from quarterdeck.model.alerts.alert import Alert
    from quarterdeck.model.happening import Happening


def _said(alert: Alert, around: Around) -> Iterable[str]:
    """What became of it, and what was said to it."""
    yield "open" if alert.open else "cleared"
    if alert.acknowledged is not None:
        yield "acknowledged"
    if alert.silenced_until is not None and alert.silenced_until > around.unix:
        yield "silenced"


def _lasted(alert: Alert, around: Around) -> float:
    return max(0.0, (around.unix if alert.cleared_at is None else alert.cleared_at) - alert.since)


def _words_of_alert(alert: Alert) -> Iterable[str | None]:
    return (alert.severity.value, alert.rule, alert.subject, alert.what, alert.cause, alert.endpoint, alert.host)


ALERTS: Vocabulary[Alert] = Vocabulary(
    (
        Field("severity", "warning or critical.", "severity:critical", texts=lambda one, _: (one.severity.value,)),
        Field("where", "What it is about: an endpoint, a machine or a GPU.", "where:gpu-1", ("subject",), lambda one, _: (one.subject,)),
        Field("endpoint", "The endpoint that it marks.", "endpoint:vllm-a", texts=lambda one, _: (one.endpoint,)),
        Field("host", "The machine.", "host:gpu-1", ("machine",), lambda one, _: (one.host,)),
        Field("rule", "The rule that raised it.", "rule:queue", texts=lambda one, _: (one.rule,)),
        Field("what", "What is wrong, in words.", 'what:"requests wait"', ("text",), lambda one, _: (one.what,)),
        Field("why", "The likely cause, in words.", "why:restart", ("cause",), lambda one, _: (one.cause,)),
        Field("state", "open, cleared, acknowledged, silenced.", "state:open", texts=_said, timed=True),
        Field("for", "How long it holds, or held.", "for>10m", number=_lasted, kind=Kind.SECONDS, timed=True),
        Field("age", "How long ago it was raised.", "age<1h", number=lambda one, around: max(0.0, around.unix - one.raised_at), kind=Kind.SECONDS, timed=True),
    ),
    _words_of_alert,
    "alerts",
)  # fmt: skip


def _words_of_happening(one: Happening) -> Iterable[str | None]:
    return (one.topic.value, one.subject, one.word, one.text, one.severity)


HAPPENINGS: Vocabulary[Happening] = Vocabulary(
    (
        Field("topic", "state, restart, model, job, alert, action or sink.", "topic:state,restart", texts=lambda one, _: (one.topic.value,)),
        Field("where", "What it is about: an endpoint, a machine or a GPU.", "where:vllm", ("endpoint", "host", "subject", "name"), lambda one, _: (one.subject,)),
        Field("word", "The short word.", "word:down", ("state",), lambda one, _: (one.word,)),
        Field("text", "What happened, in full.", "text:timeout", ("what",), lambda one, _: (one.text,)),
        Field("severity", "Of an alert: warning or critical.", "severity:critical", texts=lambda one, _: (one.severity,)),
        Field("age", "How long ago it was.", "age<10m", number=lambda one, around: max(0.0, around.unix - one.at), kind=Kind.SECONDS, timed=True),
    ),
    _words_of_happening,
    "events",
)  # fmt: skip
