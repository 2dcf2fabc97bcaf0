"""Alerts in sentences: what, since when, why, and what to try. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.reader.speech import counted, lasting, name, sentence, spoken

OF_STATE = frozenset({"down", "auth", "stalled", "gpu-lost", "host", "throttled"})
"""Rules about what is told as a change already: the alert says only what to try, and its end nothing new."""
_MOST = 20
_KEYS = {
    "2": "gpus",
    "l": "its log",
    "n": "'quarterdeck launch'",
    "D": "rm",
    "t": "'quarterdeck probe'",
    "x": "'quarterdeck' without --reader, and x on the GPU's page,",
}
"""What the console's keys are here."""
_ASIDE = re.compile(r" \(\w in the console\)")
_KEY = re.compile(r"\b(\w) in the console\b")
_END_THEM = re.compile(r"x on the GPUs' page \(2\) of the console")
_ROW = re.compile(r"Enter on its row")


def advice(text: str) -> str:
    """What to try, in words that mean something here: no keys of the console."""
    text = _ASIDE.sub("", text)
    text = _END_THEM.sub("gpus lists them with their process numbers", text)
    text = _KEY.sub(lambda found: _KEYS.get(found.group(1), found.group(0)), text)
    return sentence(spoken(_ROW.sub("the command show, with its name,", text), 600))


def why(alert: Alert) -> str:
    """The likely cause and what to try; "" where neither is known."""
    cause, attempt = spoken(alert.cause, 400), advice(alert.advice)
    parts = [sentence(f"Likely cause: {cause}")] if cause else []
    return " ".join([*parts, *([f"Try: {attempt}"] if attempt else [])])


def subject(alert: Alert) -> str:
    """Where: "llama-70b", "GPU 3 of rotterdam"."""
    machine, slash, index = alert.subject.rpartition("/")
    if alert.endpoint is None and slash and index.isdigit():
        return f"GPU {index} of {name(machine)}"
    return name(alert.subject)


def raised(alert: Alert) -> str:
    """One that was raised just now, without `why`. Where a state was told as a change, its reason isn't told again."""
    return sentence(f"{_grade(alert)} alert: {subject(alert)}{_what_now(alert)}")


def _what_now(alert: Alert) -> str:
    if alert.rule not in OF_STATE:
        return f": {_what(alert)}"
    what = spoken(alert.what.partition(":")[0], 200)
    return f" is still {what}" if what.isupper() else f", still so: {what}"


def cleared(alert: Alert) -> str:
    """One that is over."""
    ending = spoken(alert.ending, 200)
    return sentence(f"Alert over: {subject(alert)}{': ' if ending else ''}{ending or ', ' + _what(alert)}")


def acknowledged(alert: Alert) -> str:
    """Somebody has seen it."""
    seen = alert.acknowledged
    if seen is None:
        return ""
    note = f", who says: {spoken(seen.note, 200)}" if seen.note else ""
    return sentence(f"Alert {spoken(alert.key, 100)} was acknowledged by {name(seen.by)}{note}")


def line(alert: Alert, unix: float, *, known: bool = False) -> str:
    """An open one, with its key by which it is acknowledged. ``known``: what to try was told of one before it."""
    seen = ", seen by " + name(alert.acknowledged.by) if alert.acknowledged is not None else ""
    quiet = ", silenced" if alert.silenced_until is not None and alert.silenced_until > unix else ""
    head = f"{_grade(alert)} alert {spoken(alert.key, 100)}, for {lasting(unix - alert.since)}{seen}{quiet}"
    reason = why(alert)
    if known and reason:
        reason = "Cause and what to try are as before."
    return " ".join(part for part in (f"{head}:", sentence(_what(alert)), reason) if part)


def alerts(snapshot: FleetSnapshot, *, every: bool = False) -> list[str]:
    """The open ones, the worst first, as the snapshot has them; of many the first, unless ``every``."""
    opened = open_ones(snapshot)
    if not opened:
        return ["No alert is open."]
    shown = opened if every else opened[:_MOST]
    more = [f"And {len(opened) - len(shown)} more: alerts all tells them."] if len(shown) < len(opened) else []
    return [opened_words(opened), *lines(shown, snapshot.time), *more]


def lines(opened: Sequence[Alert], unix: float) -> list[str]:
    """A line each; what to try is told once where it is the same."""
    told, said = list[str](), set[str]()
    for alert in opened:
        told.append(line(alert, unix, known=why(alert) in said))
        said.add(why(alert))
    return told


def open_ones(snapshot: FleetSnapshot) -> list[Alert]:
    """Those that still hold."""
    return [alert for alert in snapshot.alerts if alert.open]


def opened_words(opened: Sequence[Alert]) -> str:
    """How many, and how many of them are bad."""
    grave = sum(alert.severity.value == "critical" for alert in opened)
    verb = "is" if len(opened) == 1 else "are"
    return f"{counted(len(opened), 'alert')} {verb} open, {grave or 'none'} of them critical."


def _what(alert: Alert) -> str:
    return spoken(alert.what, 400)


def _grade(alert: Alert) -> str:
    return "Critical" if alert.severity.value == "critical" else "Warning"
