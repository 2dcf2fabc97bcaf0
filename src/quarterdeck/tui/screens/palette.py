"""The palette: commands and endpoints, found by typing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from quarterdeck.format import printable
from quarterdeck.model.actions import ACTIONS
from quarterdeck.tui.commands import commands_for
from quarterdeck.tui.lines import MUTED, STRONG, Line, Run, cut, spread
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.states import look
from quarterdeck.tui.widgets.lines_view import LinesView


class Entry(NamedTuple):
    """Something that can be chosen."""

    label: str
    aside: str
    run: Callable[[], None]


def found(entries: Sequence[Entry], text: str) -> list[Entry]:
    """The entries that contain every word typed, those that begin with the first one before the others."""
    words = text.casefold().split()
    kept = [entry for entry in entries if all(word in f"{entry.label} {entry.aside}".casefold() for word in words)]
    return sorted(kept, key=lambda entry: not entry.label.casefold().startswith(words[0] if words else ""))


def palette_entries(screen: ConsoleScreen) -> list[Entry]:
    """The commands that work on a screen, then the endpoints."""
    app = screen.console_app
    replay = bool(app.replay_bar)

    def command(identity: str) -> Callable[[], None]:
        return lambda: screen.action_run(identity)

    def endpoint(name: str) -> Callable[[], None]:
        return lambda: app.open_endpoint(name)

    commands = commands_for(screen.where, replay=replay)
    entries = [Entry(each.label, each.shown, command(each.id)) for each in commands if each.listed]
    if isinstance(screen, ActingScreen) and screen.targets and not replay:
        entries += [Entry(action.label, action.shown, partial(screen.act, action.id)) for action in ACTIONS]
    return entries + [Entry(view.name, look(view.state).word, endpoint(view.name)) for view in app.fleet.endpoints]


def entry_line(entry: Entry, width: int, *, selected: bool) -> Line:
    """One entry: what it is called at the left, its key or kind at the right."""
    left = (Run("▌ " if selected else "  ", "accent"), Run(printable(entry.label, 120), STRONG))
    line = spread(cut(left, width), (Run(printable(entry.aside, 60) + " ", MUTED),), width)
    return Line(line, "selected" if selected else "box")


class Choices(LinesView):
    """The list under the line that is typed in."""

    DEFAULT_CSS = """
    Choices { background: $ground-head; scrollbar-background: $ground-head; }
    """

    class Chosen(Message):
        """An entry was clicked."""

    def __init__(self) -> None:
        super().__init__(id="choices")
        self.entries: list[Entry] = []
        self.at = 0

    def show(self, entries: list[Entry]) -> None:
        """Offer other entries, the first of them selected."""
        self.entries = entries
        self.set_length(len(entries))
        self.select(0)

    def select(self, place: int) -> None:
        """Select an entry and keep it in view."""
        self.at = max(0, min(place, len(self.entries) - 1))
        top, height = self.scroll_offset.y, self.size.height
        if not top <= self.at < top + height:
            self.scroll_to(y=max(0, self.at - height // 2), animate=False, immediate=True)
        self.update_lines()

    def line_at(self, y: int) -> Line:
        """An entry, or nothing."""
        place = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if place >= len(self.entries):
            text = "  nothing is called that" if place == 0 else ""
            return Line((Run(text, MUTED),), "box")
        return entry_line(self.entries[place], width, selected=place == self.at)

    def on_click(self, event: events.Click) -> None:
        """Choose."""
        place = event.y + self.scroll_offset.y
        if place < len(self.entries):
            self.select(place)
            self.post_message(self.Chosen())


class PaletteScreen(ModalScreen[None]):
    """Type, choose, Enter."""

    DEFAULT_CSS = """
    PaletteScreen { align: center top; background: transparent; }
    PaletteScreen > Vertical {
        width: 64; max-width: 100%; height: 18; max-height: 90%; margin-top: 2;
        background: $ground-head; border: round $ink-faint;
    }
    PaletteScreen Input, PaletteScreen Input:focus {
        height: 1; border: none; padding: 0 1; background: $ground-head; color: $ink-strong; margin-bottom: 1;
        background-tint: $ground-head 0%;
    }
    PaletteScreen Input > .input--placeholder { color: $ink-muted; }
    PaletteScreen Input > .input--cursor { background: $ink-accent; color: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "close", "Back", show=False),
        Binding("up,ctrl+k", "move(-1)", show=False),
        Binding("down,ctrl+j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
    ]

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._entries = entries
        self._choices = Choices()
        self._typed = ""
        self._prompt = Input(placeholder="command or endpoint", compact=True, select_on_focus=False)
        self._prompt.cursor_blink = False

    def compose(self) -> ComposeResult:
        """The line to type in, and what is found."""
        yield Vertical(self._prompt, self._choices)

    def on_mount(self) -> None:
        """Everything is offered at first."""
        self.set_focus(self._prompt)
        self._prompt.insert_text_at_cursor(self._typed)
        self.call_after_refresh(self._offer)

    def takes_text(self, character: str) -> bool:
        """What was typed before the prompt had the keys."""
        if self._prompt.is_mounted:
            self._prompt.insert_text_at_cursor(character)
        else:
            self._typed += character
        return True

    def _offer(self) -> None:
        self._choices.show(found(self._entries, self._prompt.value))

    def on_click(self, event: events.Click) -> None:
        """Beside it: do nothing."""
        if event.widget is self:
            self.action_close()

    def on_input_changed(self) -> None:
        """Find what is typed."""
        self._offer()

    def on_input_submitted(self) -> None:
        """Do what is selected."""
        self._choose()

    def on_choices_chosen(self) -> None:
        """Do what was clicked."""
        self._choose()

    def _choose(self) -> None:
        if self._choices.entries and self.is_current:  # not a second Enter for a palette that has gone
            entry = self._choices.entries[self._choices.at]
            self.app.pop_screen()
            self.app.call_later(entry.run)

    def action_close(self) -> None:
        """Do nothing."""
        if self.is_current:
            self.app.pop_screen()

    def action_move(self, by: int) -> None:
        """Select another entry."""
        self._choices.select(self._choices.at + by)
