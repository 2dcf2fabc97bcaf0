"""`quarterdeck alerts`: what is wrong and was, what was said to it, and whether the sinks work."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.cli.fleets import chosen
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.specs import SinkSpec
from quarterdeck.config.units import duration
from quarterdeck.engine.alerting.alarms import Alarms, Silence
from quarterdeck.engine.audit import iso
from quarterdeck.engine.notifying.notice import RAISED, Notice, trial
from quarterdeck.engine.notifying.outbox import NotDeliveredError
from quarterdeck.engine.notifying.senders import sender_for
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.format import age, printable
from quarterdeck.format import duration as lasting
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.report.alerts import document

RECENT_S = 86_400.0


def run(arguments: argparse.Namespace) -> int:
    """0; of `test` 1 where a sink could not be told. Raises UsageError, ConfigError, QuarterdeckError."""
    choice = chosen(arguments)
    if choice.problems and not choice.fleet.endpoints and not choice.fleet.sinks:
        raise ConfigError(choice.problems)
    for problem in choice.problems:
        sys.stderr.write(f"{problem} (everything else in the file is used)\n")
    if arguments.action == "test":
        return _test(choice.fleet, arguments)
    if not choice.fleet.alerts.enabled:
        raise UsageError("alerts are switched off", hint="[alerts] enabled = false in fleet.toml.")
    alarms = Alarms(choice.fleet)
    alarms.sync()
    for note in alarms.notes:
        sys.stderr.write(f"{note}\n")
    match arguments.action:
        case "ack":
            alert = alarms.acknowledge(" ".join(arguments.words), arguments.note)
            sys.stdout.write(f"acknowledged: {printable(alert.subject, 60)}: {printable(alert.what)}\n")
        case "silence":
            _silence(alarms, " ".join(arguments.words), arguments)
        case "unsilence":
            name = " ".join(arguments.words)
            alarms.unsilence(name)
            sys.stdout.write(f"no longer silent: {printable(name)}\n")
        case _:
            _list(alarms, as_json=arguments.json)
    return 0


def _silence(alarms: Alarms, name: str, arguments: argparse.Namespace) -> None:
    span = duration(arguments.span)
    if span is None:
        raise UsageError(f"--for {printable(arguments.span, 40)!r} is no time", hint='Such as "2h" or "1d".')
    silence = alarms.silence(name, span, arguments.note)
    sys.stdout.write(f"silent until {iso(silence.until)}: {silence.kind} {printable(silence.name)}\n")


# ---- the list


def _list(alarms: Alarms, *, as_json: bool) -> None:
    now = time.time()
    opened = alarms.open
    keys = {alert.key for alert in opened}
    recent = [
        alert
        for alert in reversed(alarms.history)
        if (now - alert.cleared_at <= RECENT_S if alert.cleared_at is not None else alert.key not in keys)
    ]
    if as_json:
        silences = [{**silence._asdict(), "until": iso(silence.until)} for silence in alarms.silences]
        told = document(opened, recent, now, silences=silences)
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
        return
    sys.stdout.write(text(opened, recent, alarms.silences, now))
    if not opened:
        looked = "as consoles and `quarterdeck watch` see it; `quarterdeck check` looks now"
        sys.stderr.write(f"no alert is open ({looked})\n")


def text(opened: Sequence[Alert], recent: Sequence[Alert], silences: Sequence[Silence], now: float) -> str:
    """Open ones, those of the last day and what is silent, a line each under a title. Pure."""
    parts: list[str] = []
    if opened:
        parts.append("Open\n" + _table([_open_row(alert, now) for alert in opened]))
    if recent:
        parts.append("Over\n" + _table([_over_row(alert, now) for alert in recent]))
    if silences:
        rows = [
            (
                silence.kind,
                printable(silence.name, 80),
                f"for {age(silence.until - now)}",
                _by(silence.by, silence.note),
            )
            for silence in silences
        ]
        parts.append("Silent\n" + _table(rows))
    return "\n".join(parts)


def _open_row(alert: Alert, now: float) -> tuple[str, ...]:
    said = [f"seen by {_by(alert.acknowledged.by, alert.acknowledged.note)}"] if alert.acknowledged is not None else []
    if alert.silenced_until is not None and alert.silenced_until > now:
        said.append(f"silent for {age(alert.silenced_until - now)}")
    return (
        alert.severity.value,
        printable(alert.key, 80),
        f"since {age(max(0.0, now - alert.since))}",
        "; ".join([printable(alert.what, 120), *said]),
    )


def _over_row(alert: Alert, now: float) -> tuple[str, ...]:
    ended = alert.cleared_at if alert.cleared_at is not None else now
    return (
        alert.severity.value,
        printable(alert.key, 80),
        f"{age(max(0.0, now - ended))} ago",
        f"{printable(alert.what, 120)}, for {lasting(max(0.0, ended - alert.since))}",
    )


def _by(who: str, note: str) -> str:
    return printable(who, 60) + (f" ({printable(note, 120)})" if note else "")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in rows
    )


# ---- trying the sinks


class Tried(NamedTuple):
    """How a test of a sink went. ``failed``: why not, in words; "" where it was told."""

    sink: str
    failed: str
    took_s: float


def _test(fleet: FleetConfig, arguments: argparse.Namespace) -> int:
    specs = [spec for spec in fleet.sinks if arguments.sink in (None, spec.name)]
    if not specs:
        known = ", ".join(spec.name for spec in fleet.sinks)
        if not fleet.sinks:
            raise UsageError(
                "there is no [[sink]] in the fleet file", hint="`quarterdeck config init` explains its keys."
            )
        raise UsageError(f"no sink is called {printable(arguments.sink, 60)!r}", hint=f"There are {known}.")
    tried = asyncio.run(_try_all(specs))
    if arguments.json:
        rows = [
            {"sink": one.sink, "delivered": not one.failed, "reason": one.failed or None, "took_s": one.took_s}
            for one in tried
        ]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    else:
        width = max(len(one.sink) for one in tried)
        for one in tried:
            how = f"not delivered: {one.failed}" if one.failed else f"delivered in {lasting(one.took_s)}"
            sys.stdout.write(f"{one.sink:<{width}}  {how}\n")
    return 1 if any(one.failed for one in tried) else 0


async def _try_all(specs: Sequence[SinkSpec]) -> list[Tried]:
    from quarterdeck.engine.threads import use_daemon_threads

    use_daemon_threads()
    return await asyncio.gather(*map(_try, specs))


async def _try(spec: SinkSpec) -> Tried:
    now, began = time.time(), time.monotonic()
    sender, failed = sender_for(spec), ""
    try:
        await sender.send(Notice(RAISED, trial(now), now, test=True))
    except NotDeliveredError as error:
        failed = error.reason
    finally:
        await sender.close()
    return Tried(spec.name, failed, round(time.monotonic() - began, 3))
