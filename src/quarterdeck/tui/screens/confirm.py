"""Asks before something is done that can't be undone. The answer is No until somebody says Yes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from quarterdeck.format import printable
from quarterdeck.tui.lines import BAD, MUTED, PLAIN, STRONG, Line, Run, cell_width, cut, shortened, spread, wrap
from quarterdeck.tui.widgets.lines_view import LinesBlock

WIDTH = 66
_FRAME = 2
_INDENT, _GAP = "  ", "   "


class ConfirmScreen(ModalScreen[None]):
    """A question, what it means, and No or Yes."""

    DEFAULT_CSS = f"""
    ConfirmScreen {{ align: center middle; background: transparent; }}
    ConfirmScreen > LinesBlock {{
        width: {WIDTH}; max-width: 100%; max-height: 100%; background: $ground-head; border: round $state-down;
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "answer(False)", "No", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("left,right,tab,shift+tab,h,l", "switch", show=False),
        Binding("enter", "choose", show=False),
    ]

    def __init__(self, question: str, impact: Sequence[str], verb: str, do: Callable[[], None]) -> None:
        """``impact``: what will happen, a sentence each; ``verb`` is what Yes is called; ``do`` is called after it."""
        super().__init__()
        self._question, self._impact, self._verb, self._do = question, impact, verb, do
        self.yes = False
        """Whether Yes is selected."""
        self._box = LinesBlock(id="confirm", height=0)

    def compose(self) -> ComposeResult:
        """The box."""
        yield self._box

    def on_mount(self) -> None:
        """Nothing is chosen but No."""
        self._draw()

    def on_resize(self) -> None:
        """Another size has room for other lines."""
        self._draw()

    def _draw(self) -> None:
        size = self.app.size
        width, height = min(WIDTH, size.width) - _FRAME, size.height - _FRAME
        lines = confirm_lines(self._question, self._impact, self._verb, yes=self.yes, width=width, height=height)
        self._box.styles.height = len(lines) + _FRAME
        self._box.show(lines)

    def on_click(self, event: events.Click) -> None:
        """On an answer: take it. Beside the question: No. A second click of a double click was meant for what was there before."""
        if event.chain > 1 or event.button != 1:
            return
        if event.widget is self:
            self.action_answer(False)
        elif event.widget is self._box and event.y == self._box.size.height - 1 + _FRAME // 2:
            answer = answer_at(event.x - _FRAME // 2, self._verb, yes=self.yes)
            if answer is not None:
                self.action_answer(answer)

    def action_switch(self) -> None:
        """The other answer."""
        self.yes = not self.yes
        self._draw()

    def action_choose(self) -> None:
        """Take the answer that is selected."""
        self.action_answer(self.yes)

    def action_answer(self, yes: bool) -> None:
        """Close, and do it where it was Yes."""
        if not self.is_current:
            return
        self.app.pop_screen()
        if yes:
            self._do()


def confirm_lines(
    question: str, impact: Sequence[str], verb: str, *, yes: bool, width: int = WIDTH - _FRAME, height: int = 24
) -> list[Line]:
    """The question, what it means, and the two answers, in ``height`` lines where that can be."""
    room = max(8, width - 4)
    asked = [Line((Run(f"  {part}", STRONG),), "box") for part in wrap(printable(question, 300), room)]
    means = [Line((Run(f"  {part}", PLAIN),), "box") for text in impact for part in wrap(printable(text, 400), room)]
    refuse, agree = _answers(verb, yes=yes)
    answers = (Run(_INDENT), Run(refuse, MUTED if yes else STRONG), Run(_GAP), Run(agree, BAD if yes else MUTED))
    answer = Line(spread(answers, (Run("←→ Enter, Esc is No  ", MUTED),), width), "box")
    left = max(0, height - len(asked) - 3)
    means = list(shortened(means, left, "widen the terminal")) if left else []
    means = [Line(cut(line.runs, width), "box") for line in means]
    gap = Line((), "box")
    return [*asked, gap, *means, gap, answer] if means else [*asked, answer]


def _answers(verb: str, *, yes: bool) -> tuple[str, str]:
    """No and Yes as they are drawn; the selected one is bracketed."""
    return (" No ", f"[ {verb} ]") if yes else ("[ No ]", f" {verb} ")


def answer_at(x: int, verb: str, *, yes: bool) -> bool | None:
    """The answer at a cell of the last line; ``None`` = neither."""
    refuse, agree = _answers(verb, yes=yes)
    first = len(_INDENT)
    second = first + cell_width(refuse) + len(_GAP)
    if first <= x < first + cell_width(refuse):
        return False
    return True if second <= x < second + cell_width(agree) else None
