"""What screens share on which something is selected that can be acted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from quarterdeck.tui.contract import TakesText
from quarterdeck.tui.screens.base import ConsoleScreen

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.tui.acting.choices import Target
    from quarterdeck.tui.copying.doing import Copyable
    from quarterdeck.tui.rows import Row


_LONGEST_KEY = len("upper_x")


class ActingScreen(ConsoleScreen):
    """Passes the keys of `quarterdeck.model.actions` on. Its first frame needs nothing of what acting needs."""

    @property
    def endpoint_view(self) -> EndpointView | None:
        """The endpoint that is selected."""
        raise NotImplementedError

    @property
    def targets(self) -> list[Target]:
        """What would be acted on."""
        raise NotImplementedError

    @property
    def takes_keys(self) -> bool:
        """Whether keys are commands (nobody is typing)."""
        return True

    def do_act(self) -> None:
        """What can be done here?"""
        from quarterdeck.tui.acting.flow import begin

        if targets := self.targets:
            begin(self.console_app, targets)
        else:
            self.console_app.say("nothing is selected")

    def act_on(self, rows: Sequence[Row]) -> None:
        """What can be done to these rows of the fleet?"""
        from quarterdeck.tui.acting.choices import targets_of
        from quarterdeck.tui.acting.flow import begin

        begin(self.console_app, targets_of(rows))

    def act(self, identity: str) -> None:
        """Do one action of the table to what is selected."""
        from quarterdeck.tui.acting.flow import begin, by_id

        begin(self.console_app, self.targets, by_id(identity))

    def on_key(self, event: events.Key) -> None:
        """The key of an action; this comes before the screen's own keys, which are none of these."""
        if (
            not (self.takes_keys and self.app.screen is self)
            or event.key in self._bindings.key_to_bindings
            or (len(event.key) > _LONGEST_KEY and self.console_app.key_table is None)
        ):
            return
        from quarterdeck.tui.acting.choices import of_key

        keys = self.console_app.key_table
        action = of_key(event.key) if keys is None else keys.action_of(event.key, self.where)
        if action is not None:
            event.stop()
            event.prevent_default()
            self.app.call_later(self._act_in_turn, action.id, event.character)

    def _act_in_turn(self, identity: str, character: str | None) -> None:
        """The app runs the keys of commands; one that was pressed before may have opened what this one was meant for."""
        screen = self.app.screen
        if screen is self:
            self.act(identity)
        elif character and isinstance(screen, TakesText):
            screen.takes_text(character)

    def do_chat(self) -> None:
        """Ask the selected model."""
        from quarterdeck.tui.chat.entering import chat_with

        targets = self.targets
        chat_with(self.console_app, self.endpoint_view, targets[0].model if targets else None)

    def to_copy(self) -> Sequence[Copyable]:
        """URL or id of what is selected or marked, and more of it."""
        from quarterdeck.tui.copying.what import of_targets

        targets = self.targets
        return of_targets(targets, self.console_app.watched, *self.console_app.moment) if targets else ()

    def do_log(self) -> None:
        """Follow the log of the selected endpoint's server."""
        view = self.endpoint_view
        if view is None:
            self.console_app.say("nothing is selected")
            return
        from quarterdeck.tui.screens.log import open_log

        open_log(self.console_app, view.name)
