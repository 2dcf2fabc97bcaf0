"""From the tones and grounds of lines to the styles of the theme in force."""

from __future__ import annotations

from collections.abc import Mapping

from rich.color import Color as TerminalColor
from rich.color import ColorSystem
from rich.style import Style
from textual.color import Color

from quarterdeck.tui import lines

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

    def __init__(self, variables: Mapping[str, str], *, no_color: bool = False, few_colors: bool = False) -> None:
        """``variables`` are the theme's, as Textual resolves them; ``no_color`` marks by reversing what colour would.

        ``few_colors``: the terminal has 16 and takes the nearest, so a grey may come out as the background.
        """
        self._variables = variables
        self._no_color = no_color
        self._few_colors = few_colors
        self._styles: dict[tuple[str, str], Style] = {}

    def style(self, tone: str, ground: str) -> Style:
        """The style of a run with ``tone`` on a line with ``ground``."""
        found = self._styles.get((tone, ground))
        if found is None:
            found = self._styles[tone, ground] = self._made(tone, ground)
        return found

    def _made(self, tone: str, ground: str) -> Style:
        bold = tone in _BOLD_TONES or tone.endswith(_WORD)
        colour = tone.removesuffix(_WORD)
        colour = _COLOURS.get(colour, colour)
        behind = Color.parse(self._variables[_GROUNDS[ground]]).rich_color
        seen = Color.parse(self._variables[colour]).rich_color
        if self._few_colors:
            others = (Color.parse(self._variables[name]).rich_color for name in ("ink-muted", "ink", "ink-strong"))
            seen = next((other for other in (seen, *others) if _differ(other, behind)), seen)
        return Style(
            color=seen,
            bgcolor=behind,
            bold=bold or None,
            reverse=True if self._no_color and ground == "selected" else None,
        )


def _differ(one: TerminalColor, other: TerminalColor) -> bool:
    """Whether a terminal with 16 colours shows a difference."""
    return one.downgrade(ColorSystem.STANDARD).number != other.downgrade(ColorSystem.STANDARD).number
