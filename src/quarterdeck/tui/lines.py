"""A line of the screen as data: runs of text with a tone. Pure, so that everything that is shown is tested without a screen.

A tone is a name ("muted", "state-down", …) that `quarterdeck.tui.colors.ink` turns into a style of the theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

PLAIN = ""
"""The tone of ordinary text."""
MUTED = "muted"
FAINT = "faint"
STRONG = "strong"
ACCENT = "accent"
TITLE = "title"
WARN = "warn"
BAD = "bad"


class Run(NamedTuple):
    """Text in one tone. The text is safe to write: no control characters, never parsed as markup."""

    text: str
    tone: str = PLAIN


class Line(NamedTuple):
    """One line of the screen; ``ground`` names its background ("", "selected", "head", …)."""

    runs: tuple[Run, ...] = ()
    ground: str = ""

    @property
    def text(self) -> str:
        """The line without its tones."""
        return "".join(run.text for run in self.runs)


EMPTY_LINE = Line()


@lru_cache(maxsize=8192)
def fit(text: str, width: int, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells: padded, or cut with "…". Wide characters count as two cells."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    pad = " " * (width - length)
    return pad + text if right else text + pad


def cell_width(text: str) -> int:
    """Cells that ``text`` takes on a terminal."""
    return cell_len(text)


def width_of(runs: Iterable[Run]) -> int:
    """Cells taken by ``runs``."""
    return sum(cell_len(run.text) for run in runs)


def cut(runs: Sequence[Run], width: int) -> tuple[Run, ...]:
    """``runs`` in at most ``width`` cells; what is cut ends with "…"."""
    left = width
    kept: list[Run] = []
    for run in runs:
        length = cell_len(run.text)
        if length > left:
            if left > 0:
                kept.append(Run(fit(run.text, left), run.tone))
            break
        kept.append(run)
        left -= length
    return tuple(kept)


def spread(left: Sequence[Run], right: Sequence[Run], width: int) -> tuple[Run, ...]:
    """``left`` and ``right`` at the two ends of ``width`` cells; ``right`` is dropped where both don't fit."""
    space = width - width_of(left) - width_of(right)
    if space < 1 or not right:
        return cut(left, width)
    return (*left, Run(" " * space), *right)


def beside(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Two blocks of lines side by side, the right one from ``width`` on."""
    lines: list[Line] = []
    for place in range(max(len(left), len(right))):
        first = cut(left[place].runs if place < len(left) else (), width)
        second = right[place].runs if place < len(right) else ()
        pad = (Run(" " * (width - width_of(first))),) if second else ()
        lines.append(Line((*first, *pad, *second)))
    return lines


def empty_block(texts: Sequence[str], width: int) -> list[Line]:
    """What a list without rows says, broken to ``width``: the first text is what there is to know, the others how and where."""
    lines = [EMPTY_LINE, EMPTY_LINE]
    for place, text in enumerate(texts):
        lines += [Line((Run(f"  {part}", MUTED if place else STRONG),)) for part in wrap(text, max(8, width - 4))]
    return lines


def shortened(lines: Sequence[Line], height: int, how: str) -> Sequence[Line]:
    """``lines``, or in ``height`` lines their beginning and how many more there are; ``how`` tells where to see them."""
    if len(lines) <= height:
        return lines
    more = len(lines) - height + 1
    return [*lines[: height - 1], Line((Run(f"  … {more} more lines; {how}", MUTED),))]


def wrap(text: str, width: int) -> list[str]:
    """``text`` broken at spaces into lines of at most ``width`` cells; as it is where it fits."""
    if cell_len(text) <= width:
        return [text] if text else []
    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width or not line:
            line = joined
        else:
            lines.append(line)
            line = word
    return [fit(part, width).rstrip() for part in [*lines, line]] if line else lines


def changed_spans(old: Line | None, new: Line) -> list[tuple[int, int]]:
    """The (x, width) of what differs between two lines; everything where the backgrounds differ or there is no ``old``.

    Runs are compared one by one while they have the same places; from the first that moved on, all the rest counts.
    """
    whole = [(0, ALL)]
    if old is None or old.ground != new.ground:
        return whole
    spans: list[tuple[int, int]] = []
    x = 0
    for before, after in zip(old.runs, new.runs, strict=False):
        width = cell_len(after.text)
        if before != after:
            if cell_len(before.text) != width:
                return [*spans, (x, ALL)]
            spans.append((x, width))
        x += width
    if len(old.runs) != len(new.runs):
        spans.append((x, ALL))
    return spans


ALL = 1 << 16
"""As a width: up to the end of the line."""
