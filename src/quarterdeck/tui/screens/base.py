"""What all screens have in common: keys from the command table, and frames to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from textual.binding import BindingsMap
from textual.geometry import Size
from textual.screen import Screen

from quarterdeck.tui.commands import COMMANDS, bindings, with_keys
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.status import Status
from quarterdeck.tui.widgets.lines_view import LinesBlock

if TYPE_CHECKING:
    from textual.app import App

    from quarterdeck.model.job import Job
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.copying.doing import Copyable
    from quarterdeck.tui.saving.doing import Kind
    from quarterdeck.tui.visits import Place
    from quarterdeck.tui.widgets.selection import SelectionView


VIEWS = ("fleet", "gpus", "models", "chat", "alerts", "jobs")
"""The screens that are there once, whatever they show."""


class ConsoleScreen(Screen[None]):
    """A screen whose commands are its ``do_ID`` methods, or the app's."""

    DEFAULT_CSS = """
    ConsoleScreen { background: $background; layout: vertical; }
    """
    ALLOW_SELECT = False
    _seen = False
    where = ""
    """What the command table calls this screen."""

    @property
    def console_app(self) -> ConsoleApp:
        """The app."""
        return cast("ConsoleApp", self.app)

    def _post_register(self, app: App[Any]) -> None:
        """Before the first key: other keys, where somebody wants them."""
        super()._post_register(app)
        keys = self.console_app.key_table
        if keys is not None:
            own = {command.id for command in COMMANDS}
            others = {
                key: kept
                for key, bound in self._bindings.key_to_bindings.items()
                if (kept := [binding for binding in bound if binding.id not in own])
            }
            ours = BindingsMap(bindings(self.where, keys)).key_to_bindings
            self._bindings.key_to_bindings = {**others, **ours}

    def draw(self, frame: Frame) -> None:
        """Draw a frame. Called on the screen that is seen only: on top, or under dialogs."""
        raise NotImplementedError

    @property
    def place(self) -> Place | None:
        """What `[` and `]` come back to; ``None`` where that makes no sense."""
        return (self.where,) if self.where in VIEWS else None

    def hold_selection(self) -> None:
        """From now on what is selected stays so, wherever it moves: somebody is about to say what is to be done to it."""

    def shows_job(self, job: Job) -> bool:
        """Whether who looks at this screen sees how ``job`` ends."""
        return False

    # ---- copying and saving

    def to_copy(self) -> Sequence[Copyable]:
        """What there is to copy of what is selected, what is wanted most first."""
        return ()

    def do_copy(self) -> None:
        """Copy it; a second time: ask what else."""
        from quarterdeck.tui.copying.doing import copy

        copy(self.console_app, self.to_copy())

    def document(self) -> object | None:
        """The data behind the view, ready for JSON; ``None`` where there is none."""
        return None

    def more_kinds(self) -> Sequence[Kind]:
        """What else it can be saved as."""
        return ()

    def do_save(self) -> None:
        """Save the view in a file."""
        from quarterdeck.tui.saving.doing import ask

        ask(self.console_app, self)

    # ---- panes

    _alone = ""

    @property
    def panes(self) -> tuple[str, ...]:
        """What of this screen can have all the room, as people call it."""
        return ()

    @property
    def alone(self) -> str:
        """The pane that has all the room; "" = each has its share."""
        return self._alone if self._alone in self.panes else ""

    def do_maximise(self) -> None:
        """The next pane gets all the room; after the last one each has its share again."""
        names = ("", *self.panes)
        if len(names) == 1:
            self.console_app.say("there is nothing to maximise here")
            return
        self._alone = names[(names.index(self.alone) + 1) % len(names)]
        self.console_app.say(f"{self._alone} alone; e goes on" if self._alone else "everything at its place")
        self.console_app.redraw()

    def status_of(self, frame: Frame, hints: Sequence[tuple[str, str]]) -> Status:
        """What the status line of every screen tells."""
        app = self.console_app
        if self.alone:  # else nothing tells why the rest is missing
            hints = (("maximise", "panes"), *hints)
        return Status(
            frame.fleet,
            interval=app.interval,
            paused=app.paused,
            started=app.engine is not None,
            notice=app.notice,
            read_only=app.read_only,
            hints=with_keys(hints, self.where, app.key_table),
        )

    def action_run(self, command: str) -> None:
        """Do a command of the table."""
        if self.console_app.refuses(command):
            return
        name = f"do_{command}"
        (getattr(self, name, None) or getattr(self.app, name))()
        if (tour := self.console_app.tour) is not None:
            tour.did(command, self.where)

    def on_mount(self) -> None:
        """The first frame has everything in it that is known."""
        self.console_app.redraw()

    @property
    def room(self) -> Size:
        """The size of the screen, also before its first layout; without what the tour or the first hint takes of it."""
        size = self.size if self.size.width else self.app.size
        tour, first_run = self.console_app.tour, self.console_app.first_run
        taken = tour.taken(size.width, size.height) if tour is not None else 0
        taken += first_run.taken(self) if first_run is not None else 0
        return Size(size.width, max(1, size.height - taken)) if taken else size

    def on_screen_resume(self) -> None:
        """On top again: draw the newest at once. (The first time that was done when it was mounted.)"""
        if self._seen:
            self.console_app.redraw()
        self._seen = True

    def on_resize(self) -> None:
        """Another size may leave room for other things."""
        self.console_app.redraw()


class PageScreen(ConsoleScreen):
    """A page of lines that scrolls; Esc and q go back."""

    AUTO_FOCUS = ""

    @property
    def page(self) -> LinesBlock:
        """The lines."""
        raise NotImplementedError

    def do_back(self) -> None:
        """Go back."""
        self.app.pop_screen()

    do_leave = do_back

    def do_up(self) -> None:
        """Scroll up by a line."""
        self._scroll(-1)

    def do_down(self) -> None:
        """Scroll down by a line."""
        self._scroll(1)

    def do_page_up(self) -> None:
        """Scroll up by a page."""
        self._scroll(1 - self.page.size.height)

    def do_page_down(self) -> None:
        """Scroll down by a page."""
        self._scroll(self.page.size.height - 1)

    def do_top(self) -> None:
        """Scroll to the first line."""
        self._scroll(-(1 << 20))

    def do_bottom(self) -> None:
        """Scroll to the last line."""
        self._scroll(1 << 20)

    def to_copy(self) -> Sequence[Copyable]:
        """The page, and what of it is in view."""
        from quarterdeck.tui.copying.doing import Copyable

        lines = [line.text.rstrip() for line in self.page.every_line()]
        top = self.page.scroll_offset.y
        shown = lines[top : top + self.page.size.height]
        return (
            Copyable("the page", "\n".join(lines).strip("\n")),
            Copyable("what is in view", "\n".join(shown).strip("\n")),
        )

    def _scroll(self, lines: int) -> None:
        self.page.scroll_to(y=self.page.scroll_offset.y + lines, animate=False, immediate=True)


class RowsScreen(ConsoleScreen):
    """A table of which something is selected, and what follows the selection."""

    AUTO_FOCUS = ""

    @property
    def table(self) -> SelectionView:
        """The table."""
        raise NotImplementedError

    def draw_selected(self) -> None:
        """Draw what follows the selection."""
        raise NotImplementedError

    def do_back(self) -> None:
        """Go back."""
        self.app.pop_screen()

    def do_leave(self) -> None:
        """Go back, whatever is filtered or marked."""
        self.app.pop_screen()

    def do_up(self) -> None:
        """Select the row above."""
        self.table.move(-1)
        self.draw_selected()

    def do_down(self) -> None:
        """Select the row below."""
        self.table.move(1)
        self.draw_selected()

    def do_page_up(self) -> None:
        """Select a row one window above."""
        self.table.page(-1)
        self.draw_selected()

    def do_page_down(self) -> None:
        """Select a row one window below."""
        self.table.page(1)
        self.draw_selected()

    def do_top(self) -> None:
        """Select the first row."""
        self.table.to_end(last=False)
        self.draw_selected()

    def do_bottom(self) -> None:
        """Select the last row."""
        self.table.to_end(last=True)
        self.draw_selected()

    # ---- mouse

    def on_selection_view_selected(self) -> None:
        """A click."""
        self.draw_selected()

    def on_selection_view_opened(self) -> None:
        """A double click."""
        self.draw_selected()
        self.action_run("open")

    def on_selection_view_acted_on(self) -> None:
        """The right button."""
        self.draw_selected()
