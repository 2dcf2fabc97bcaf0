"""Acknowledging and silencing from the console."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import age, printable
from quarterdeck.model.alerts.alert import Alert

if TYPE_CHECKING:
    from quarterdeck.engine.alerting.alarms import Alarms
    from quarterdeck.tui.app import ConsoleApp

SPANS = (1800.0, 7200.0, 8 * 3600.0, 24 * 3600.0)
_WORDS = ("30 minutes", "2 hours", "8 hours", "a day")


def acknowledge(app: ConsoleApp, alert: Alert | None) -> None:
    """Ask for a note, and say that it was seen."""
    if not _open(app, alert) or (alarms := _alarms(app)) is None:
        return
    assert alert is not None
    from quarterdeck.tui.screens.form import Answers, Field, FormScreen

    def then(answers: Answers | None) -> None:
        if answers is not None:
            note = answers["note"].strip()
            _begin(app, lambda: alarms.acknowledge(alert.key, note), f"acknowledged: {alert.what}")

    field = Field("note", "note", example="restarting it, Ana")
    app.push_screen(FormScreen(f"Seen: {printable(alert.subject, 40)}: {printable(alert.what, 80)}", [field], then))


def silence(app: ConsoleApp, alert: Alert | None, unix: float) -> None:
    """Ask for how long nobody is to be told of it; or tell again."""
    if not _open(app, alert) or (alarms := _alarms(app)) is None:
        return
    assert alert is not None
    if alert.silenced_until is not None and alert.silenced_until > unix:
        _begin(app, lambda: alarms.unsilence(_silenced_as(alarms, alert)), "no longer silent")
        return
    from quarterdeck.tui.screens.choose import ChooseScreen, Item

    items = [Item(f"this alert for {word}", key=str(place + 1)) for place, word in enumerate(_WORDS)]
    items += [Item(f"everything of {printable(alert.subject, 40)} for {_WORDS[1]}", key="5")]
    items += [Item(f"the rule {printable(alert.rule, 40)} everywhere for {_WORDS[1]}", key="6")]
    names = [alert.key] * len(SPANS) + [alert.subject, alert.rule]
    spans = [*SPANS, SPANS[1], SPANS[1]]

    def then(place: int) -> None:
        said = f"silent for {age(spans[place])}: {names[place]}"
        _begin(app, lambda: alarms.silence(names[place], spans[place]), said)

    app.push_screen(ChooseScreen("Tell nobody of …", items, then))


def _silenced_as(alarms: Alarms, alert: Alert) -> str:
    return next((silence.name for silence in alarms.silences if silence.fits(alert)), alert.key)


def _alarms(app: ConsoleApp) -> Alarms | None:
    alarms: Alarms | None = getattr(app.engine, "alarms", None)
    if alarms is None:
        app.say("alerts are switched off ([alerts] in fleet.toml)" if app.engine is not None else "still starting")
    return alarms


def _open(app: ConsoleApp, alert: Alert | None) -> bool:
    if alert is None or not alert.open:
        app.say("there is no alert" if alert is None else "it has cleared already")
        return False
    return True


def _begin(app: ConsoleApp, what: Callable[[], object], said: str) -> None:
    app.run_worker(_do(app, what, said), exit_on_error=False, group="alerts")


async def _do(app: ConsoleApp, what: Callable[[], object], said: str) -> None:
    try:
        await asyncio.to_thread(what)
        app.say(printable(said, 200))
    except QuarterdeckError as error:
        app.say(printable(". ".join(part for part in (error.message, error.hint) if part), 300))
