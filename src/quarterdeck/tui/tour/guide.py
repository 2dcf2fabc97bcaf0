"""The tour as it goes: at which step one is, what its panel says, and how it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.css.query import NoMatches

from quarterdeck.tui.commands import keys_shown
from quarterdeck.tui.lines import ACCENT, FAINT, MUTED, PLAIN, STRONG, TITLE, Line, Run, cut, spread, width_of, wrap
from quarterdeck.tui.tour.steps import STEPS, Step
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.screens.base import ConsoleScreen

KEYS = {"ctrl+g": ("on", "^G", "on"), "ctrl+o": ("back", "^O", "back"), "ctrl+t": ("end", "^T", "end")}
"""Keys of the tour, which no view uses: what they do, how they are written, what is said of them."""
_SMALL_HEIGHT, _MIDDLE_HEIGHT = 14, 20
_WIDEST = 110


class TourPanel(LinesBlock):
    """The lines in which the tour speaks."""

    DEFAULT_CSS = """
    TourPanel { background: $ground-selected; }
    """

    def __init__(self) -> None:
        super().__init__(id="tour", height=0)
        self._height = 0

    def speak(self, lines: list[Line]) -> None:
        """Say something else."""
        if len(lines) != self._height:
            self._height = len(lines)
            self.styles.height = len(lines)
        self.show(lines)


class Tour:
    """One tour of one console."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self.at = 0

    @property
    def step(self) -> Step:
        """Where one is."""
        return STEPS[self.at]

    # ---- how it goes on

    def begin(self) -> None:
        """From the first step on."""
        self._app.take_keys({key: f"tour('{does}')" for key, (does, _, _) in KEYS.items()})
        self._bring()

    def did(self, command: str, where: str) -> None:
        """Somebody used a command on a view; the one that the step waits for ends it."""
        if (command, where) == (self.step.command, self.step.where):
            self.at += 1
        self._app.redraw()

    def go(self, way: str) -> None:
        """``on``, ``back`` or ``end``."""
        if way == "end" or (way == "on" and self.at == len(STEPS) - 1):
            self.end()
            return
        self.at = max(0, self.at + (1 if way == "on" else -1))
        self._bring()

    def end(self) -> None:
        """No more of it; everything stays where it is."""
        self._app.leave_keys(KEYS)
        self._app.tour = None
        for screen in self._app.screen_stack:
            for panel in screen.query(TourPanel):
                panel.remove()
        self._app.say("the tour has ended; the palette has it again")

    @property
    def _is_there(self) -> bool:
        screen = self._app.in_view
        return screen is not None and screen.where == self.step.where

    def _bring(self) -> None:
        """Show the view that the step speaks of."""
        app, where = self._app, self.step.where
        if self._is_there:
            app.redraw()
        elif where == "endpoint":
            views = app.fleet.endpoints
            app.open_endpoint(views[0].name) if views else app.do_view_fleet()
        else:
            getattr(app, "do_help" if where == "help" else f"do_view_{where}")()

    # ---- what it says

    def taken(self, width: int, height: int) -> int:
        """Lines that the panel takes of a screen."""
        return len(self.lines(width, height))

    def attach(self, screen: ConsoleScreen) -> None:
        """Speak on the screen that is seen."""
        if screen is not self._app.in_view or not screen.children:  # not before it is composed
            return
        size = screen.size if screen.size.width else self._app.size
        try:
            panel = screen.query_one(TourPanel)
        except NoMatches:
            panel = TourPanel()
            below = screen.query(StatusLine)
            screen.mount(panel, before=below.first() if below else None)
        panel.speak(self.lines(size.width, size.height))

    def lines(self, width: int, height: int) -> list[Line]:
        """What is said in a terminal of ``width`` × ``height``: one line where it is small."""
        place = f"{self.at + 1}/{len(STEPS)}"
        if height < _SMALL_HEIGHT:
            runs = (Run(f" {place} ", MUTED), *self._to_do())
            return [Line(spread(cut(runs, max(0, width - 9)), (Run("^G on ", MUTED),), width), "selected")]
        keys: list[Run] = []
        for _, shown, told in KEYS.values():
            keys += [Run(f"{shown} ", MUTED), Run(f"{told}  ", FAINT)]
        head = (Run(" Tour ", TITLE), Run(f"{place}  ", MUTED), Run(self.step.title, STRONG))
        parts = wrap(self.step.text, max(20, min(_WIDEST, width - 4)))
        if height < _MIDDLE_HEIGHT:
            parts = []
        lines = [spread(cut(head, width), keys if width_of(head) + width_of(keys) < width else (), width)]
        lines += [(Run(f"  {part}", PLAIN),) for part in parts]
        lines.append(cut((Run("  "), *self._to_do()), width))
        return [Line(runs, "selected") for runs in lines]

    def _to_do(self) -> tuple[Run, ...]:
        step = self.step
        if not self._is_there:
            return (Run("^G", ACCENT), Run(" goes back to where the tour is", PLAIN))
        if not step.command:
            return (Run("^T", ACCENT), Run(" ends the tour", PLAIN))
        key = keys_shown(step.command, step.where, self._app.key_table)
        return (Run("press ", MUTED), Run(key or "the palette's key", ACCENT), Run(f"  {step.then}", PLAIN))
