"""A few lines to fill in, over the screen they belong to, with what is known of the consequences below them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen

from quarterdeck.format import printable
from quarterdeck.tui.lines import BAD, MUTED, STRONG, Line, Run, cut, fit, spread, wrap
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.typed_line import TypedLine

WIDTH = 76
_FRAME = 2
_LABEL = 15
_FEWEST = 2
"""Lines of remarks that are seen in any case; the fields scroll instead."""
_PAUSE_S = 0.8
"""So long nothing must be typed until the consequences are looked up."""


class Field(NamedTuple):
    """A line to fill in."""

    name: str
    label: str
    value: str = ""
    example: str = ""
    help: str = ""
    check: Callable[[str], str] | None = None
    """Why the text can't be taken, in words; "" where it can."""


class Remark(NamedTuple):
    """A line under the fields; ``tone`` as in `quarterdeck.tui.lines`."""

    text: str
    tone: str = ""


Answers = Mapping[str, str]
Tell = Callable[[Answers], Sequence[Remark]]
LookUp = Callable[[Answers], Awaitable[Sequence[Remark]]]


class FormInput(TypedLine):
    """One line, without frame or blinking."""

    DEFAULT_CSS = """
    FormInput:blur, FormInput:focus {
        height: 1; border: none; padding: 0 1; width: 1fr; background: $background; color: $ink-strong;
        background-tint: $background 0%;
    }
    FormInput:focus { background: $ground-selected; background-tint: $ground-selected 0%; }
    FormInput > .input--placeholder { color: $ink-muted; }
    FormInput > .input--cursor { background: $ink-accent; color: $background; }
    """

    def __init__(self, field: Field) -> None:
        super().__init__(
            field.value, placeholder=field.example and f"such as {field.example}", compact=True, select_on_focus=False
        )
        self.cursor_blink = False
        self.field = field

    @property
    def problem(self) -> str:
        """Why what is typed can't be taken."""
        return self.field.check(self.value.strip()) if self.field.check else ""


class FormScreen(ModalScreen[Answers | None]):
    """Its result is what was filled in, by name; ``None`` where it was left."""

    DEFAULT_CSS = f"""
    FormScreen {{ align: center middle; background: transparent; }}
    FormScreen > #frame {{
        width: {WIDTH}; max-width: 100%; height: auto; max-height: 100%;
        background: $ground-head; border: round $ink-faint; layout: vertical; overflow-y: hidden;
    }}
    FormScreen #fields {{ height: auto; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 0; }}
    FormScreen .field {{ layout: horizontal; height: 1; }}
    FormScreen .field > LinesBlock {{ width: {_LABEL + 2}; background: $ground-head; }}
    FormScreen #remarks, FormScreen #title {{ background: $ground-head; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back", show=False),
        Binding("up,shift+tab", "step(-1)", show=False, priority=True),
        Binding("down,tab", "step(1)", show=False, priority=True),
        Binding("enter", "done", show=False),
        Binding("ctrl+s", "done", "Done", show=False, priority=True),
        Binding("pageup", "scroll_remarks(-1)", show=False, priority=True),
        Binding("pagedown", "scroll_remarks(1)", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        then: Callable[[Answers | None], None] | None = None,
        *,
        remarks: Sequence[Remark] = (),
        tell: Tell | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        """``then`` is called with the result at once: what is typed ahead goes to what it opens, not to the screen below.

        ``remarks`` stand below the fields from the start; then comes what ``tell`` says of what is typed, then what ``look_up`` finds.
        """
        super().__init__()
        self._title = title
        self._then = then
        self.inputs = [FormInput(field) for field in fields]
        self._remarks: Sequence[Remark] = remarks
        self._tell = tell
        self._look_up = look_up
        self._found: Sequence[Remark] = ()
        self._problem = ""
        self._above = 0
        """So many lines of the remarks are scrolled away."""
        self._head = LinesBlock(id="title", height=2)
        self._fields = Container(id="fields")
        self._notes = LinesBlock(id="remarks", height=0)
        self._looking: asyncio.Task[None] | None = None
        self._typed = ""

    def compose(self) -> ComposeResult:
        """Title, a line for each field, remarks."""
        with Container(id="frame"):
            yield self._head
            with self._fields:
                for each in self.inputs:
                    label = LinesBlock(height=1)
                    label.show([Line((Run(f"  {fit(each.field.label, _LABEL)}", MUTED),), "box")])
                    with Container(classes="field"):
                        yield label
                        yield each
            yield self._notes

    def on_mount(self) -> None:
        """The first field that is empty has the keys."""
        first = next((each for each in self.inputs if not each.value), self.inputs[0])
        self.set_focus(first)
        first.insert_text_at_cursor(self._typed)
        self._draw()
        self._ask()

    def takes_text(self, character: str) -> bool:
        """What was typed before the field had the keys."""
        field = self.focused if isinstance(self.focused, FormInput) else self.inputs[0]
        if field.is_mounted:
            field.insert_text_at_cursor(character)
        else:
            self._typed += character
        return True

    def on_resize(self) -> None:
        """Another size: the field that has the keys stays in view."""
        self._draw()
        self.call_after_refresh(self._show_focused)

    def _show_focused(self) -> None:
        if isinstance(self.focused, FormInput):
            self.focused.scroll_visible(animate=False)

    @property
    def answers(self) -> dict[str, str]:
        """What is filled in now."""
        return {each.field.name: each.value.strip() for each in self.inputs}

    def _draw(self) -> None:
        size = self.app.size
        width = min(WIDTH, size.width) - _FRAME
        keys = "Enter, Esc goes back " if len(self.inputs) == 1 else "Tab, Enter, Esc goes back "
        title = spread((Run(f"  {printable(self._title, 120)}", STRONG),), (Run(keys, MUTED),), width)
        self._head.show([Line(title, "box"), Line((), "box")])
        below = self._below(width)
        left = max(0, size.height - _FRAME - 2)
        fields = max(1, min(len(self.inputs), left - min(_FEWEST, max(0, len(below) - 1))))
        self._fields.styles.height = fields
        lines = [Line(cut(line.runs, width), "box") for line in self._window(below, max(0, left - fields))]
        self._notes.styles.height = len(lines)
        self._notes.show(lines)

    def _window(self, lines: Sequence[Line], room: int) -> Sequence[Line]:
        """The lines there is room for, and where the others are."""
        if len(lines) <= room:
            self._above = 0
            return lines
        lines = lines[1:-1]
        if room <= _FEWEST:  # no room to say that there are more
            self._above = max(0, min(self._above, len(lines) - room))
            return lines[self._above : self._above + room]
        self._above = max(0, min(self._above, len(lines) - room + 1))
        shown = lines[self._above : self._above + room - 1]
        left = len(lines) - self._above - len(shown)
        more = f"  … {left} more lines: PgDn" if left else "  the end: PgUp goes back"
        return [*shown, Line((Run(more, MUTED),))]

    def _below(self, width: int) -> list[Line]:
        told = [Remark(self._problem, "bad")] if self._problem else []
        focused = self.focused
        if isinstance(focused, FormInput) and focused.field.help and not told:
            told = [Remark(focused.field.help, MUTED)]
        lines = [Line(())]
        said = self._tell(self.answers) if self._tell is not None else ()
        rest = sorted((*self._remarks, *said, *self._found), key=lambda each: each.tone != BAD)
        for remark in (*told, *rest):
            lines += [
                Line((Run(f"  {part}", remark.tone),)) for part in wrap(printable(remark.text, 400), max(8, width - 4))
            ]
        return [*lines, Line(())] if len(lines) > 1 else lines

    # ---- keys

    def action_step(self, by: int) -> None:
        """Another field."""
        if isinstance(self.focused, FormInput):
            at = (self.inputs.index(self.focused) + by) % len(self.inputs)
            self.set_focus(self.inputs[at])
            self._above = 0
            self._draw()

    def action_scroll_remarks(self, by: int) -> None:
        """The remarks that there was no room for."""
        self._above += by * 3
        self._draw()

    def on_input_changed(self) -> None:
        """Typed: what is said about it may be another."""
        self._problem = ""
        self._draw()
        self._ask()

    def on_input_submitted(self) -> None:
        """Enter: done, if all that must be filled in is."""
        self.action_done()

    def action_done(self) -> None:
        """Take it, or go to the first field that can't be taken and say why."""
        if not self.is_current:
            return
        for each in self.inputs:
            self._problem = each.problem
            if self._problem:
                self.set_focus(each)
                self._draw()
                return
        self._end(self.answers)

    def action_close(self) -> None:
        """Leave it."""
        if self.is_current:
            self._end(None)

    def _end(self, result: Answers | None) -> None:
        self._stop_looking()
        if self._then is None:
            self.dismiss(result)
        else:
            self.app.pop_screen()
            self._then(result)

    # ---- consequences

    def _ask(self) -> None:
        self._stop_looking()
        if self._look_up is not None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        if self._look_up is None:
            return
        await asyncio.sleep(_PAUSE_S)
        if any(each.problem for each in self.inputs):
            self._found = ()
        else:
            self._found = await self._look_up(self.answers)
        if self.is_current:
            self._draw()
