"""The palette: commands and endpoints, found by typing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from quarterdeck.format import printable
from quarterdeck.model.actions import ACTIONS
from quarterdeck.tui.colors.previewing import ThemePreview
from quarterdeck.tui.colors.theme_list import names as theme_names
from quarterdeck.tui.commands import commands_for
from quarterdeck.tui.lines import FAINT, MUTED, STRONG, Line, Run, cut, spread, width_of
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.states import look
from quarterdeck.tui.widgets.lines_view import LinesView
from quarterdeck.tui.widgets.typed_line import TypedLine

if TYPE_CHECKING:
    from quarterdeck.tui.everywhere import Everywhere

NOTHING = "nothing is called that"
_GAP = 2
_LEAST_ASIDE = 8
"""Cells; with fewer it is left out."""


class Entry(NamedTuple):
    """Something that can be chosen."""

    label: str
    aside: str
    run: Callable[[], None]
    insert: str = ""
    """What choosing it puts into the line, instead of doing something."""
    faint: bool = False
    """Whether it can't be had now; ``aside`` says why."""
    theme: str = ""
    """The theme that is seen while it is selected."""


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

    keys = app.key_table
    commands = commands_for(screen.where, replay=replay, keys=keys)
    entries = [Entry(each.label, each.shown, command(each.id)) for each in commands if each.listed]
    if isinstance(screen, ActingScreen) and screen.targets and not replay:
        actions = ACTIONS if keys is None else [keys.action(action, screen.where) for action in ACTIONS]
        entries += [Entry(action.label, action.shown, partial(screen.act, action.id)) for action in actions]
    entries += [Entry(view.name, look(view.state).word, endpoint(view.name)) for view in app.fleet.endpoints]
    return entries + [
        Entry(f"Theme: {name}", aside, partial(app.take_theme, name), theme=name)
        for name, aside in theme_names(app.theme_folders)
    ]


def entry_line(entry: Entry, width: int, *, selected: bool) -> Line:
    """One entry: what it is called at the left; at the right its key or kind, or what there is room for of a sentence."""
    tone = FAINT if entry.faint else STRONG
    left = (Run("▌ " if selected else "  ", "accent"), Run(printable(entry.label, 120), tone))
    room = width - width_of(left) - _GAP
    aside = cut((Run(printable(entry.aside, 200) + " ", MUTED),), room) if room > _LEAST_ASIDE else ()
    return Line(spread(cut(left, width), aside, width), "selected" if selected else "box")


class Choices(LinesView):
    """The list under the line that is typed in."""

    DEFAULT_CSS = """
    Choices { background: $ground-head; scrollbar-background: $ground-head; }
    """

    class Chosen(Message):
        """An entry was clicked."""

    class Moved(Message):
        """Another entry is selected."""

    def __init__(self) -> None:
        super().__init__(id="choices")
        self.entries: list[Entry] = []
        self.at = 0
        self.nothing = NOTHING
        """What stands here where there is no entry."""

    def show(self, entries: list[Entry], *, selected: bool = True) -> None:
        """Offer other entries, the first of them selected, or none."""
        self.entries = entries
        self.set_length(len(entries))
        if selected:
            self.select(0)
        else:
            self.at = -1
            self.scroll_to(y=0, animate=False, immediate=True)
            self.update_lines()
            self.post_message(self.Moved())

    @property
    def chosen(self) -> Entry | None:
        """The selected one."""
        return self.entries[self.at] if 0 <= self.at < len(self.entries) else None

    def select(self, place: int) -> None:
        """Select an entry and keep it in view."""
        self.at = max(0, min(place, len(self.entries) - 1))
        top, height = self.scroll_offset.y, self.size.height
        if not top <= self.at < top + height:
            self.scroll_to(y=max(0, self.at - height // 2), animate=False, immediate=True)
        self.update_lines()
        self.post_message(self.Moved())

    def line_at(self, y: int) -> Line:
        """An entry, or nothing."""
        place = y + self.scroll_offset.y
        width = self.outer_size.width - 1  # a cell is the scrollbar's, also before there is one
        if place >= len(self.entries):
            text = f"  {self.nothing}" if place == 0 else ""
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
        self._preview: ThemePreview | None = None
        self._prompt = TypedLine(placeholder="command or endpoint", compact=True, select_on_focus=False)
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
        self.catch_up()

    def catch_up(self) -> None:
        """What is offered fits what is typed."""
        self._offer()

    def on_input_submitted(self) -> None:
        """Do what is selected."""
        self._choose()

    def on_choices_moved(self) -> None:
        """What is seen of themes."""
        if self._preview is None:
            self._preview = ThemePreview(cast("Everywhere", self.app))
        chosen = self._choices.chosen
        self._preview.show(chosen.theme if chosen is not None else "")

    def on_choices_chosen(self) -> None:
        """Clicked."""
        self.take_clicked()

    def take_clicked(self) -> None:
        """Do what was clicked."""
        self._choose()

    def _choose(self) -> None:
        entry = self._choices.chosen
        if entry is not None and self.is_current:  # not a second Enter for a palette that has gone
            self.app.pop_screen()
            self.app.call_later(entry.run)

    def action_close(self) -> None:
        """Do nothing."""
        if self.is_current:
            if self._preview is not None:
                self._preview.end()
            self.app.pop_screen()

    def action_move(self, by: int) -> None:
        """Select another entry."""
        self._choices.select(self._choices.at + by)
