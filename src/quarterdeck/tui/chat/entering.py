"""The ways into the chat: its own key, or a model that is selected elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.tui.chat.picker import first_choice, offered
from quarterdeck.tui.chat.sitting import sitting_of

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.model.models import ModelReading
    from quarterdeck.tui.app import ConsoleApp


def open_chat(app: ConsoleApp, endpoint: str = "", model: str = "") -> None:
    """The chat; with an endpoint, that is a column of it (with the model, or the one that it has in memory)."""
    sitting = sitting_of(app)
    if sitting is None:
        return
    if endpoint and (why := sitting.take(endpoint, model)):
        app.say(why, 8.0, topic="chat")
    elif not endpoint and not sitting.talk.columns and (found := first_choice(app.fleet)) is not None:
        sitting.talk.add(*found)
    from quarterdeck.tui.screens.chat import ChatScreen

    if not isinstance(app.screen, ChatScreen):
        app.do_view_fleet()
        app.push_screen(ChatScreen(sitting))


def chat_with(app: ConsoleApp, view: EndpointView | None, model: ModelReading | None) -> None:
    """The chat with what is selected; of an endpoint, the model that it has in memory, or only has."""
    if view is None:
        app.say("nothing is selected")
        return
    of_it = [one for each, one in offered(app.fleet) if each.name == view.name]
    chosen = model.id if model is not None else of_it[0].id if of_it else ""
    if chosen:
        open_chat(app, view.name, chosen)
    else:
        app.say(f"{view.name} has told of no models yet")
