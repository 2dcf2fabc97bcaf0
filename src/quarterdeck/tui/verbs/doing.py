"""Carries out a line that was checked: actions by way of the questions that every way to them asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.model.actions import BY_ID
from quarterdeck.tui.verbs.checking import Checked, page_of, seconds_of
from quarterdeck.tui.verbs.known import known_on

if TYPE_CHECKING:
    from quarterdeck.tui.screens.base import ConsoleScreen


def run(screen: ConsoleScreen, line: Checked) -> None:
    """Do it. ``line`` has nothing wrong."""
    verb = line.sentence.verb
    if verb is None:
        return
    if verb.action:
        _act(screen, line)
    elif not line.sentence.given and verb.command:
        screen.action_run(verb.command)
    else:
        _OWN[verb.words[0]](screen, line.sentence.given[0].token.text)


def _act(screen: ConsoleScreen, line: Checked) -> None:
    from quarterdeck.tui.acting.choices import Target
    from quarterdeck.tui.acting.flow import carry_out

    found = []
    for each in line.wanted:
        view = each.view
        if view is None:  # of a deployment whose endpoint is not watched
            from quarterdeck.model.fleet import EndpointView

            view = EndpointView(name=each.order.target, url="")
        found.append((Target(view, each.model), each.order))
    verb = line.sentence.verb
    if verb is not None and found:
        carry_out(screen.console_app, BY_ID[verb.action], found)


def _filter(screen: ConsoleScreen, text: str) -> None:
    from quarterdeck.tui.screens.filtering import FilteringScreen

    if isinstance(screen, FilteringScreen):
        screen.set_needle(text)
        screen.console_app.redraw()


def _sort(screen: ConsoleScreen, text: str) -> None:
    from quarterdeck.tui.screens.filtering import ListingScreen

    if isinstance(screen, ListingScreen):
        screen.sort_by(text)
        screen.console_app.redraw()


def _theme(screen: ConsoleScreen, text: str) -> None:
    screen.console_app.take_theme(text)


def _interval(screen: ConsoleScreen, text: str) -> None:
    app, seconds = screen.console_app, seconds_of(text)
    if app.engine is None:
        app.say("still starting; try again in a moment")
    elif seconds is not None:
        app.engine.set_interval(seconds)
        app.redraw()


def _open(screen: ConsoleScreen, text: str) -> None:
    app = screen.console_app
    endpoint, model = page_of(text, known_on(screen)) or (text, "")
    app.open_endpoint(endpoint)
    if model and not app.replay_bar:  # its server would be asked
        from quarterdeck.tui.screens.model import ModelScreen

        app.push_screen(ModelScreen(endpoint, model))


def _chat(screen: ConsoleScreen, text: str) -> None:
    from quarterdeck.tui.chat.entering import open_chat

    endpoint, model = page_of(text, known_on(screen)) or ("", "")
    open_chat(screen.console_app, endpoint, model)


def _log(screen: ConsoleScreen, text: str) -> None:
    from quarterdeck.tui.screens.log import open_log

    open_log(screen.console_app, text)


def _refresh(screen: ConsoleScreen, text: str) -> None:
    screen.console_app.refresh_endpoint(text)


def _save(screen: ConsoleScreen, text: str) -> None:
    from quarterdeck.tui.saving.doing import save_as

    save_as(screen.console_app, screen, text)


_OWN: dict[str, Callable[[ConsoleScreen, str], None]] = {
    "filter": _filter,
    "sort": _sort,
    "theme": _theme,
    "interval": _interval,
    "open": _open,
    "chat": _chat,
    "log": _log,
    "refresh": _refresh,
    "save": _save,
}
