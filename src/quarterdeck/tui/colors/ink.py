"""From the tones and grounds of lines to the styles of the theme in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.style import Style
from textual.color import Color

from quarterdeck.tui import lines

if TYPE_CHECKING:
    from rich.color import ColorSystem

_BOLD_TONES = {lines.STRONG, lines.TITLE, lines.BAD}
_WORD = "-word"
"""Ending of the tone of a state's word: the state's colour, bold."""
_COLOURS = {
    lines.PLAIN: "ink",
    lines.MUTED: "ink-muted",
    lines.FAINT: "ink-faint",
    lines.STRONG: "ink-strong",
    lines.ACCENT: "ink-accent",
    lines.TITLE: "ink-accent",
    lines.WARN: "state-busy",
    lines.BAD: "state-down",
}
_GROUNDS = {"": "background", "head": "ground-head", "selected": "ground-selected", "box": "ground-head"}


class Ink:
    """The styles of one theme. Made anew when the theme changes."""

    def __init__(
        self, variables: Mapping[str, str], *, no_color: bool = False, colours: ColorSystem | None = None
    ) -> None:
        """``variables`` are the theme's, as Textual resolves them; ``no_color`` marks by reversing what colour would.

        ``colours``: of a terminal that has 16 or 256 and takes the nearest; what it could not show apart is changed.
        """
        self._variables = variables
        self._no_color = no_color
        self._colours = colours
        self._styles: dict[tuple[str, str], Style] = {}

    def style(self, tone: str, ground: str) -> Style:
        """The style of a run with ``tone`` on a line with ``ground``."""
        found = self._styles.get((tone, ground))
        if found is None:
            found = self._styles[tone, ground] = self._made(tone, ground)
        return found

    def _made(self, tone: str, ground: str) -> Style:
        bold = tone in _BOLD_TONES or tone.endswith(_WORD)
        name = tone.removesuffix(_WORD)
        name = _COLOURS.get(name, name)
        behind = Color.parse(self._variables[_GROUNDS[ground]])
        seen = Color.parse(self._variables[name])
        if self._colours is not None:
            from quarterdeck.tui.colors.legible import brightens, least, legible

            seen = legible(seen, [behind], self._colours, least(name))
            bold = (bold or self._is_plain_head(ground)) and not brightens(seen, behind, self._colours)
        return Style(
            color=seen.rich_color,
            bgcolor=behind.rich_color,
            bold=bold or None,
            reverse=True if ground == "selected" and (self._no_color or self._is_background(behind)) else None,
        )

    def _is_plain_head(self, ground: str) -> bool:
        return ground == "head" and self._is_background(Color.parse(self._variables["ground-head"]))

    def _is_background(self, ground: Color) -> bool:
        """Whether it can't be told from the rest of the screen, as in a theme that has only the terminal's own colours."""
        return ground == Color.parse(self._variables["background"])
