"""[[sink]] and [events]: who is told of alerts and how, and how long what happened is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from quarterdeck.config import units
from quarterdeck.config.access import AUTH, TLS
from quarterdeck.config.alert_kinds import Globs
from quarterdeck.config.fleet import EventSettings
from quarterdeck.config.kinds import NAME, Choice, Duration, Flag, JsonSchema, Kind, toml_string
from quarterdeck.config.launching import Run
from quarterdeck.config.problem import BadValueError, shown
from quarterdeck.config.reach import FilePath, Headers, HttpUrl, Variable, Words
from quarterdeck.config.specs import SecretUrl, SinkSpec
from quarterdeck.config.table import Key, Table

_DAY = 86_400.0
_LEAST_BYTES, _MOST_BYTES = 2**20, 2**40
_WAYS = ("webhook", "webhook_from", "command", "bell", "desktop")
_OF_WEBHOOKS = ("auth", "headers", "tls", "proxy")
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


class Size(Kind):
    """A number of bytes."""

    expected = 'a size such as "64MiB"'

    def read(self, value: object, base: Path) -> int:
        found = units.size(value)
        if found is None:
            raise self.wrong(value)
        if not _LEAST_BYTES <= found <= _MOST_BYTES:
            raise BadValueError(f"must be from 1MiB to 1TiB, got {shown(value)}")
        return found

    def schema(self) -> JsonSchema:
        text: JsonSchema = {"type": "string", "minLength": 1}
        return {"anyOf": [text, {"type": "integer", "minimum": _LEAST_BYTES, "maximum": _MOST_BYTES}]}

    def toml(self, value: object) -> str:
        number = value if isinstance(value, int) else 0
        unit = next(((size, name) for size, name in _SIZES if number and number % size == 0), None)
        return toml_string(f"{number // unit[0]}{unit[1]}") if unit else str(number)


def _check_secret(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    named = [name for name in ("env", "file", "command") if name in given]
    if len(named) != 1:
        got = " and ".join(named) or "none of them"
        yield "", f'expected exactly one of env, file and command, such as {{ env = "SLACK_URL" }}, got {got}'


SECRET_URL = Table(
    "webhook_from",
    SecretUrl,
    "The same, where the URL itself is a secret: where it is found.",
    'a table such as { env = "SLACK_URL" }',
    (
        Key("env", Variable(), "Environment variable that holds it.", '"SLACK_URL"', ("variable",)),
        Key("file", FilePath(), "File that holds it, on one line.", '"~/.secrets/slack"', ("path",)),
        Key("command", Words(), "Command that prints it; run without a shell.", '["pass", "show", "slack"]', ("cmd",)),
    ),
    _check_secret,
)


def _check_sink(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    ways = [name for name in _WAYS if name in given and values.get(name) is not False]
    if len(ways) != 1 and not any(name in given and name not in values for name in _WAYS):
        got = " and ".join(ways) or "none of them"
        yield "", f"expected exactly one of webhook, webhook_from, command, bell and desktop, got {got}"
        return
    for name in given:
        if name in _OF_WEBHOOKS and not ways[0].startswith("webhook"):
            yield name, "has no effect without webhook"
    if "tls" in given and str(values.get("webhook", "")).startswith("http:"):
        yield "tls", "has no effect on an http:// URL"


SINK = Table(
    "sink",
    SinkSpec,
    "Somebody who is told of alerts: a webhook, a command, the terminal's bell or the desktop.",
    "tables: [[sink]]",
    (
        Key("name", NAME, "Its name for `quarterdeck alerts test`; each only once.", '"pager"', ("id", "label")),
        Key(
            "webhook",
            HttpUrl(),
            "The alert is posted to this URL, as JSON.",
            '"https://alerts.example.com/quarterdeck"',
            ("url", "post"),
        ),
        Key("webhook_from", SECRET_URL, SECRET_URL.doc, '{ env = "SLACK_URL" }', ("url_from", "secret_url")),
        Key("auth", AUTH, "webhook: where its key is found.", '{ env = "PAGER_KEY" }', ("api_key", "key", "token")),
        Key("headers", Headers(), "webhook: further headers; no secrets.", '{ "X-Team" = "search" }', ("header",)),
        Key("tls", TLS, "webhook: as an endpoint's.", '{ ca = "certs/ca.pem" }', ("ssl",)),
        Key(
            "proxy",
            HttpUrl(proxy=True),
            "webhook: HTTP proxy to reach it through; unset: none, whatever the environment says.",
            '"http://proxy.internal:3128"',
            ("http_proxy",),
        ),
        Key(
            "command",
            Run(),
            "Instead: a program that gets the alert as JSON on its standard input; no shell reads it.",
            '["/usr/local/bin/page"]',
            ("run", "cmd", "exec", "argv"),
        ),
        Key("bell", Flag(), "Instead: true rings the terminal's bell.", "false"),
        Key("desktop", Flag(), "Instead: true shows a notification on the desktop.", "false", ("notify",)),
        Key(
            "severity",
            Choice(("warning", "critical")),
            "The least that it is told: warning or critical.",
            '"critical"',
            ("level", "min_severity"),
        ),
        Key("rules", Globs(), "Globs of the rules it is told of; unset: all.", '["down", "stalled"]', ("rule",)),
        Key(
            "subjects",
            Globs(),
            "Globs of the endpoints, machines and GPUs (HOST/GPU) it is told of; unset: all.",
            '["vllm-*", "gpu-1*"]',
            ("subject", "endpoints", "hosts"),
        ),
        Key("resolved", Flag(), "false: it isn't told when an alert is over.", "true", ("recovery", "send_resolved")),
        Key(
            "repeat",
            Duration(60, 30 * _DAY),
            "Told again so often while an alert is open and nobody has acknowledged it; unset: once.",
            '"4h"',
            ("repeat_interval", "every"),
        ),
        Key("timeout", Duration(0.1, 300), "Longest wait for one delivery.", '"10s"', ("deadline",)),
        Key(
            "retry_for",
            Duration(0, 7 * _DAY),
            "So long it is tried again; then the loss is an event.",
            '"1h"',
            ("retry", "give_up_after"),
        ),
    ),
    _check_sink,
    repeated=True,
)

EVENTS = Table(
    "events",
    EventSettings,
    "What happened: states, restarts, models, jobs, alerts, actions (`quarterdeck events`).",
    "a table: [events]",
    (
        Key("keep", Duration(3600, 3650 * _DAY), "How long it is remembered.", '"30d"', ("age", "retention")),
        Key("most", Size(), "So much it may take on the disk; the oldest goes first.", '"64MiB"', ("size", "max")),
    ),
)
