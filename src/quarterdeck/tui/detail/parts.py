"""What the parts of a page are made of: titles, labelled texts, grids of numbers, tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.tui.lines import EMPTY_LINE, FAINT, PLAIN, STRONG, TITLE, Line, Run, cell_width, fit, width_of

INDENT = "  "
LABEL = 13
WIDEST_TEXT = 100
"""Prose is not drawn out further than this."""
_GAP = 2
_UNITS = frozenset(("ms", "s", "B", "KiB", "MiB", "GiB", "TiB", "tok/s", "tokens", "tok/s:"))
"""What doesn't stand at the beginning of a line without its number."""


class Section(NamedTuple):
    """A part of the page that can be jumped to."""

    title: str
    lines: list[Line]
    """Without its title."""
    aside: str = ""
    """Beside the title."""

    @property
    def drawn(self) -> list[Line]:
        """With an empty line and its title on top; nothing where there is nothing."""
        return [*heading(self.title, self.aside), *self.lines] if self.lines else []


def heading(text: str, aside: str = "") -> list[Line]:
    """An empty line and a title."""
    return [EMPTY_LINE, Line((Run(INDENT + text, TITLE), Run(f"  {aside}" if aside else "", FAINT)))]


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells: a number stays with its unit, and what is longer than a line goes on below."""
    lines: list[str] = []
    line = ""
    for word in _words(text):
        joined = f"{line} {word}" if line else word
        if cell_width(joined) <= width:
            line = joined
            continue
        *full, line = [*([line] if line else []), *_pieces(word, width)]
        lines += full
    return [*lines, line] if line else lines


def _pieces(word: str, width: int) -> list[str]:
    """A word in pieces that fit."""
    pieces: list[str] = []
    while cell_width(word) > width and len(word) > 1:
        place = next(
            n for n in range(min(len(word) - 1, max(1, width)), 0, -1) if n == 1 or cell_width(word[:n]) <= width
        )
        pieces.append(word[:place])
        word = word[place:]
    return [*pieces, word]


def _words(text: str) -> list[str]:
    """The words, those that belong together as one."""
    words: list[str] = []
    for word in text.split():
        if words and word.rstrip(",;)") in _UNITS and words[-1][-1:].isdigit():
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def worded(label: str, text: str, width: int, tone: str = PLAIN, label_width: int = LABEL) -> list[Line]:
    """A label and a text that wraps beside it."""
    parts = wrapped(text, max(8, min(WIDEST_TEXT, width - label_width - 4))) or [""]
    labels = [label, *[""] * (len(parts) - 1)]
    return [
        Line((Run(INDENT + fit(name, label_width), FAINT), Run(part, tone)))
        for name, part in zip(labels, parts, strict=True)
    ]


def bulleted(bullet: Run, text: str, width: int, tone: str = PLAIN) -> list[Line]:
    """A text that wraps behind a bullet."""
    indent = INDENT + " " * (width_of((bullet,)) + 1)
    parts = wrapped(text, max(8, min(WIDEST_TEXT, width - len(indent) - 2))) or [""]
    first = Line((Run(INDENT), bullet, Run(" " + parts[0], tone)))
    return [first, *(Line((Run(indent + part, tone),)) for part in parts[1:])]


def flow(parts: Sequence[tuple[Run, ...]], width: int, indent: str = INDENT) -> list[Line]:
    """Parts one after the other, broken between them and not inside."""
    lines: list[Line] = []
    runs: list[Run] = []
    for part in parts:
        if runs and width_of(runs) + 3 + width_of(part) > width:
            lines.append(Line(tuple(runs)))
            runs = []
        runs += [Run(" · " if runs else indent, FAINT), *part]
    return [*lines, Line(tuple(runs))] if runs else lines


class Number(NamedTuple):
    """A labelled value of a grid."""

    label: str
    text: str
    tone: str = STRONG


def grid(numbers: Sequence[Number], width: int) -> list[Line]:
    """Labelled values in so many columns as ``width`` has room for, read from left to right."""
    value = max((len(number.text) for number in numbers), default=0)
    cell = LABEL + max(10, value) + _GAP
    across = max(1, min(4, width // cell))
    cell = min(width // across, LABEL + 20)
    lines: list[Line] = []
    for first in range(0, len(numbers), across):
        runs: list[Run] = []
        for number in numbers[first : first + across]:
            tone = FAINT if number.text == "–" else number.tone
            runs += [Run(INDENT + fit(number.label, LABEL), FAINT)]
            runs += [Run(fit(number.text, max(1, cell - LABEL - _GAP)), tone)]
        lines.append(Line(tuple(runs)))
    return lines


class Column(NamedTuple):
    """A column of a table."""

    title: str
    width: int
    right: bool = True


def table(columns: Sequence[Column], rows: Sequence[Sequence[Run]]) -> list[Line]:
    """A line of titles and one a row. Numbers stand to the right, two cells apart."""
    lines = [Line((Run(INDENT + "".join(_cell(c.title, c, i) for i, c in enumerate(columns)), FAINT),))]
    for row in rows:
        cells = enumerate(zip(row, columns, strict=True))
        runs = tuple(Run(_cell(run.text, column, place), _faint_dash(run)) for place, (run, column) in cells)
        lines.append(Line((Run(INDENT), *runs)))
    return lines


def _cell(text: str, column: Column, place: int) -> str:
    return (" " * _GAP if place else "") + fit(text, column.width, right=column.right)


def _faint_dash(run: Run) -> str:
    return FAINT if run.text == "–" else run.tone
