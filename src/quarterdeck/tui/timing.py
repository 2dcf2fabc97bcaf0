"""A timed request to an endpoint from the console: asked first where it may matter, the outcome said in the status line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.fleet import Boundary, EndpointView

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp

_WAIT_S = 90.0
"""Longer than a request may take, a tunnel before it included."""
_READ_S = 20.0
_GATEWAYS = ("litellm",)


def ask(app: ConsoleApp, view: EndpointView) -> None:
    """Time a request; first ask where it leaves this network, may cost money or is protected. Says why where it can't be."""
    from quarterdeck.engine.probing import probed_model

    name = printable(view.name, 60)
    if app.config.console.read_only:
        app.say("no request is sent: the fleet file says read_only")
        return
    if app.locked:
        app.say("no request is sent: this console is read-only")
        return
    if view.name in app.timing:
        app.say(f"a request to {name} is being timed; wait for it")
        return
    try:
        model = printable(probed_model(view).label, 60)
    except QuarterdeckError as error:
        app.say(_in_words(error))
        return
    reasons = impact(view)
    if not reasons:
        begin(app, view.name)
        return
    from quarterdeck.tui.screens.confirm import ConfirmScreen

    question = f"Time a request to {model} on {name}?"
    app.push_screen(ConfirmScreen(question, reasons, "Send it", lambda: begin(app, view.name)))


def impact(view: EndpointView) -> list[str]:
    """What the request means where that must be asked about, a sentence each; empty where it need not."""
    reasons = []
    if view.boundary is Boundary.EXTERNAL:
        reasons.append("It goes outside, and may cost money.")
    elif view.engine in _GATEWAYS:
        reasons.append("This is a gateway: the model may be served outside, and cost money.")
    if view.protected:
        reasons.append("The fleet file calls this endpoint protected.")
    if reasons:
        reasons.append("The prompt is “Count from one to ten.”; the answer has 16 tokens at most.")
        if view.running:
            reasons.append(f"{view.running:.0f} requests are running there.")
    return reasons


def begin(app: ConsoleApp, name: str) -> None:
    """Send it in the background: the app's worker goes on when the screen is left."""
    app.run_worker(_time(app, name), exit_on_error=False)


async def _time(app: ConsoleApp, name: str) -> None:
    from quarterdeck.engine.probing import in_words

    shown = printable(name, 60)
    if app.engine is None or name in app.timing:
        return
    app.timing.add(name)
    app.say(f"timing a request to {shown} …", _WAIT_S)
    try:
        model, request = await app.engine.probe(name)
        outcome = f"{shown} {printable(model.label, 60)}: {in_words(request)}"
    except QuarterdeckError as error:
        outcome = _in_words(error)
    except Exception as error:  # noqa: BLE001  (a bug here is news too, not a notice that stays for ever)
        outcome = f"{shown} can't be timed ({type(error).__name__})"
    finally:
        app.timing.discard(name)
    app.say(outcome, _READ_S)


def _in_words(error: QuarterdeckError) -> str:
    return printable(". ".join(part for part in (error.message, error.hint) if part), 300)
