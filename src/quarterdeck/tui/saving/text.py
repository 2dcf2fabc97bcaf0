"""A view as plain text: what is on the screen, and of what scrolls all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.tui.lines import Line, cell_width

if TYPE_CHECKING:
    from quarterdeck.tui.screens.base import ConsoleScreen

_APART = 2
"""Cells between two blocks that stand side by side."""


class Block(NamedTuple):
    """Lines that belong together, and where they stand on the screen, in cells."""

    x: int
    y: int
    height: int
    lines: Sequence[Line]


def joined(blocks: Sequence[Block]) -> list[str]:
    """The blocks from top to bottom; those that stand side by side, side by side, each as wide as it must be. Pure."""
    lines: list[str] = []
    for band in _bands(blocks):
        lines += _beside([_texts(block) for block in sorted(band, key=lambda each: each.x)])
    return lines


def _bands(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks that share lines of the screen."""
    bands: list[list[Block]] = []
    end = 0
    for block in sorted(blocks, key=lambda each: (each.y, each.x)):
        if not bands or block.y >= end:
            bands.append([])
        bands[-1].append(block)
        end = max(end, block.y + block.height)
    return bands


def _texts(block: Block) -> list[str]:
    """Without what pads them; of the empty lines at the end one stays."""
    texts = [line.text.rstrip() for line in block.lines]
    while len(texts) > 1 and not texts[-1] and not texts[-2]:
        texts.pop()
    return texts


def _beside(columns: Sequence[list[str]]) -> list[str]:
    if len(columns) == 1:
        return columns[0]
    widths = [max(map(cell_width, column), default=0) + _APART for column in columns]
    lines = []
    for place in range(max(map(len, columns))):
        cells = [column[place] if place < len(column) else "" for column in columns]
        parts = [cell + " " * (width - cell_width(cell)) for cell, width in zip(cells, widths, strict=True)]
        lines.append("".join(parts).rstrip())
    return lines


def view_text(screen: ConsoleScreen, title: str) -> str:
    """The view with a line on top that says what it is and of when."""
    from quarterdeck.tui.widgets.lines_view import LinesView

    seen = [view for view in screen.query(LinesView) if view.display and view.region.height and view.region.width]
    blocks = [Block(view.region.x, view.region.y, view.region.height, view.every_line()) for view in seen]
    return "\n".join([title, "", *joined(blocks)]) + "\n"
