"""Chat and compare: one prompt, one to four models side by side, and the numbers beneath each."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer

from quarterdeck.config.keynames import is_text
from quarterdeck.engine.chat.columns import Column
from quarterdeck.engine.chat.conversation import MOST_COLUMNS
from quarterdeck.model.fleet import EndpointView
from quarterdeck.tui.chat import figures
from quarterdeck.tui.chat.column import ChatColumn
from quarterdeck.tui.chat.prompt_box import PromptBox
from quarterdeck.tui.chat.sitting import Sitting
from quarterdeck.tui.chat.submitting import ChatSending
from quarterdeck.tui.chat.words import asides, empty_lines, hints
from quarterdeck.tui.commands import Command, bindings, commands_for, with_keys
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import Line
from quarterdeck.tui.status import Status
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

NARROWEST = 48
"""Cells of a column; where there is no room for all, the others are tabs."""
FASTEST_S, SLOWEST_S = 0.1, 0.5
"""Between two paints while text comes in …"""
SHARE = 5.0
"""… of which painting takes one part in so many."""
FEET_EVERY_S = 0.5


def _letters(commands: Sequence[Command]) -> frozenset[str]:
    """The commands whose keys may be text: not while somebody writes."""
    return frozenset(command.id for command in commands if any(is_text(key) for key in command.keys))


async def _bring_markdown() -> None:
    """Importing it takes 0.1 s: not when the first answer is done."""
    await asyncio.to_thread(importlib.import_module, "quarterdeck.tui.chat.markdown")


class ChatScreen(ChatSending):
    """The pane."""

    where = "chat"
    BINDINGS = bindings("chat")
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    ChatScreen > #columns { height: 1fr; width: 1fr; }
    """

    def __init__(self, sitting: Sitting) -> None:
        super().__init__()
        self.sitting = sitting
        self.typing = True
        """Whether the keys are meant for the prompt."""
        self.columns = [ChatColumn(place) for place in range(MOST_COLUMNS)]
        self.prompt = PromptBox(sitting.draft)
        self._head = LinesBlock(id="title", height=1)
        self._status = StatusLine()
        self._frame: Frame | None = None
        self._painter: Timer | None = None
        self._pause = FASTEST_S
        self._feet_at = 0.0
        self._shape: tuple[object, ...] = ()
        self._letters: frozenset[str] | None = None

    def compose(self) -> ComposeResult:
        """Title, columns, prompt, status."""
        yield self._head
        with Horizontal(id="columns"):
            yield from self.columns
        yield from (self.prompt, self._status)

    def on_mount(self) -> None:
        """The prompt has the keys."""
        super().on_mount()
        if self.typing:
            self.set_focus(self.prompt)
        self.sitting.spawn(asyncio.get_running_loop().create_task(_bring_markdown()))

    # ---- drawing

    @property
    def _now(self) -> float:
        return self.sitting.desk.clock.monotonic()

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        self._arrange()
        self._draw_texts()
        self._draw_edges()
        self._go_on_painting()

    def _arrange(self) -> None:
        """Who is in view, and how high everything is."""
        columns, (width, height) = self.sitting.talk.columns, self.room
        fit = 1 if self.alone else max(1, min(len(columns), width // NARROWEST))
        at = self.sitting.at if self.sitting.column is not None else 0
        first = min(max(0, at - fit + 1), max(0, len(columns) - fit))
        shape = (first, fit, len(columns), height)
        if shape == self._shape:
            return
        self._shape = shape
        for place, pane in enumerate(self.columns):
            pane.display = first <= place < first + fit if columns else place == 0
            pane.set_class(place > first, "after")
            pane.set_foot(1 if height < 14 else 2 if height < 20 else 3 if height < 30 else 4 if height < 50 else 6)
        self.prompt.styles.height = 1 if height < 14 else 3 if height < 30 else 4

    @property
    def panes(self) -> tuple[str, ...]:
        """The selected column, where there are several."""
        return ("the selected column",) if len(self.sitting.talk.columns) > 1 else ()

    def _draw_texts(self) -> None:
        sitting, now, width = self.sitting, self._now, self.room.width
        for place, pane in enumerate(self.columns):
            if not pane.display:
                continue
            column = sitting.talk.columns[place] if place < len(sitting.talk.columns) else None
            transcript = pane.text.transcript
            transcript.raw, transcript.unfolded = sitting.raw, sitting.unfolded
            if column is None or not column.turns:
                pane.text.empty = empty_lines(column, sitting, min(width, pane.size.width or width) - 2)
            pane.text.show(column.turns if column is not None else (), now)
            pane.render_done()

    def _draw_edges(self) -> None:
        """Heads, feet, title and status."""
        if self._frame is None:
            return
        sitting, now = self.sitting, self._now
        self._feet_at = now
        views = {view.name: view for view in self._frame.fleet.endpoints}
        for place, pane in enumerate(self.columns):
            if pane.display:
                column = sitting.talk.columns[place] if place < len(sitting.talk.columns) else None
                pane.show(*self._edges(column, place, pane, views, now))
        names = [figures.LETTERS[n] if sitting.talk.hidden else c.model for n, c in enumerate(sitting.talk.columns)]
        tabs = len(names) > sum(pane.display for pane in self.columns)
        title = figures.title_line(
            names=names, at=sitting.at, hidden=tabs, asides=asides(sitting), width=self.room.width
        )
        self._head.show([title])
        self._draw_status(self._frame)

    def _edges(
        self, column: Column | None, place: int, pane: ChatColumn, views: dict[str, EndpointView], now: float
    ) -> tuple[Line, Sequence[Line]]:
        width = pane.head.size.width or self.room.width
        if column is None:
            return Line((), "head"), ()
        talk = self.sitting.talk
        view = views.get(column.endpoint)
        head = figures.head_line(
            column,
            view,
            place,
            width,
            selected=place == self.sitting.at,
            hidden=talk.hidden,
            boundary=talk.boundary(column),
        )
        if talk.hidden and column.last is not None:
            return head, figures.hidden_foot(column.last)
        return head, figures.foot_lines(column.last, view, now, width, pane.foot_height)

    def _draw_status(self, frame: Frame) -> None:
        app, talk = self.console_app, self.sitting.talk
        self._status.show_status(
            Status(
                frame.fleet,
                interval=app.interval,
                paused=app.paused,
                started=app.engine is not None,
                read_only=app.read_only,
                notice=app.notice,
                hints=with_keys(hints(typing=self.typing, busy=talk.busy), "chat", app.key_table),
            )
        )

    # ---- painting while text comes in

    def _go_on_painting(self) -> None:
        """Until nothing more comes, and all that came is shown."""
        if self._painter is None and self._streams:
            self._painter = self.set_timer(self._pause, self._paint)

    @property
    def _streams(self) -> bool:
        return self.sitting.talk.busy or any(pane.display and pane.text.transcript.behind for pane in self.columns)

    def _paint(self) -> None:
        begun = time.perf_counter()
        self._painter = None
        if not self.is_attached:
            return
        still = self._streams
        if self.console_app.in_view is self and not self.console_app.link_behind:
            self._draw_texts()
            if not still or self._now - self._feet_at >= FEET_EVERY_S:
                self._draw_edges()
            self.call_after_refresh(self._painted, begun)
        if not self._streams:
            self.call_later(self.again)
        self._go_on_painting()

    def _painted(self, begun: float) -> None:
        """The dearer a paint is, the fewer there are."""
        took = time.perf_counter() - begun
        self._pause = min(SLOWEST_S, max(FASTEST_S, 0.7 * self._pause + 0.3 * took * SHARE))

    def again(self) -> None:
        """Draw what changed."""
        if self.is_attached and self._frame is not None:
            self.console_app.redraw()

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While somebody writes, letters are no commands, also before the prompt has the keys."""
        if action == "run" and self.typing and self.focused is not self.prompt and parameters:
            if self._letters is None:
                self._letters = _letters(commands_for(self.where, keys=self.console_app.key_table))
            return parameters[0] not in self._letters
        return super().check_action(action, parameters)

    def on_descendant_focus(self) -> None:
        """Clicked into the prompt."""
        if self.focused is self.prompt and not self.typing:
            self._write(True)

    def takes_text(self, character: str) -> bool:
        """What was typed before the prompt had the keys."""
        if self.typing:
            self.prompt.type(character)
        return self.typing

    def do_write(self) -> None:
        """The keys go to the prompt, or to the columns."""
        self._write(not self.typing)

    def _write(self, typing: bool) -> None:
        self.typing = typing
        self.set_focus(self.prompt if typing else None)
        self._draw_edges()

    def do_submit(self) -> None:
        """Enter: send; from the columns: write."""
        if self.typing:
            self.send()
        else:
            self._write(True)

    def do_back(self) -> None:
        """Cancel what is on its way; else to the columns; else back."""
        if self.sitting.talk.cancel_all():
            self.tell("cancelled; what came stays, R asks a column again")
            self.again()
        elif self.typing:
            self._write(False)
        else:
            self.app.pop_screen()

    def do_leave(self) -> None:
        """Back; answers go on coming in."""
        self.app.pop_screen()
