"""Cells as a terminal can show them that knows no UTF-8, or whose font has few glyphs. Pure.

One cell stays one cell, so nothing moves. What differs by its glyph differs still; what a server wrote in other letters
becomes "?", a question mark for each cell.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, TypeVar

from textual.scrollbar import ScrollBarRender

Style = TypeVar("Style")

_STATES = {"✗": "X", "■": "#", "⊘": "@", "○": "o", "↻": "&", "◐": "%", "▲": "^", "◌": "z", "●": "*"}
_SIGNS = {
    "△": "'", "▼": "v", "▽": "v", "▶": ">", "⏵": ">", "‖": "|", "✓": "+", "›": ")", "⚙": "&", "·": ".", "•": "*",
    "▸": ">", "▾": "v", "▌": "|", "▍": "|", "▎": "|", "▏": "|", "▐": "|", "▕": "|",
    "←": "<", "→": ">", "↑": "^", "↓": "v", "⇧": "S", "…": ">",
}  # fmt: skip
_DASHES = {
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‚": "'",
    "≠": "#", "\xa0": " ",
}  # fmt: skip
_LETTERS = {
    "×": "x", "÷": "/", "°": " ", "µ": "u", "μ": "u", "±": "~", "≈": "~", "≤": "<", "≥": ">", "«": '"', "»": '"', "√": "V",
    "§": "S", "©": "c", "®": "r", "€": "E", "£": "L", "ß": "s", "æ": "a", "ø": "o", "đ": "d", "ł": "l", "ı": "i",
}  # fmt: skip
_LEVELS = dict(zip("▁▂▃▄▅▆▇█", "_.-:=+*#", strict=True))
"""Sparks and charts, a sign for each eighth."""
_BARS = {"━": "=", "╾": "+", "╼": "-", "─": "-", "╍": "~", "┄": ".", "┅": ".", "┈": ".", "┉": ".", "└": "`", "╌": "-"}
_UPRIGHT = "│┃║┆┇┊┋╎╏╵╷╹╻╽╿"
_LINES = range(0x2500, 0x2580)
_BLOCKS = range(0x2580, 0x25A0)
_TABLE: Mapping[str, str] = {
    **_LETTERS,
    **_DASHES,
    **_SIGNS,
    **_BARS,
    **_LEVELS,
    **_STATES,
    **dict.fromkeys(_UPRIGHT, "|"),
}
_LONE = "."
"""For "…" that stands alone, as in "starting …"; at the end of a word it says that the word goes on."""

_CP437 = frozenset("←→↑↓▲▼○■·•¶§°±≤≥≈÷√×µ«»│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀░▒▓▬►◄◘◙☺☻♥♦♣♠♂♀♪♫☼↕‼↨∟↔∞ⁿ²")
"""What the fonts of the Linux console have, of all that isn't a letter."""
_INSTEAD = {
    "━": "═", "╾": "═", "╍": "≈", "┄": "·", "╭": "┌", "╮": "┐", "╰": "└", "╯": "┘", "┃": "║", "▁": "_", "▂": "_", "▃": "▄",
    "●": "•", "▅": "▄", "▆": "█", "▇": "█", "▸": "►", "▶": "►", "⏵": "►", "▾": "▼", "▎": "▌", "▏": "▌", "▍": "▌",
}  # fmt: skip


SIGNS = (
    ("^ v < >", "Beside a key: the arrow keys. On a title: which way the column sorts."),
    (">  .", "At the end of a word: it goes on. Alone: more is to come, or there is more."),
    ("?", "A letter that ASCII doesn't have, a question mark for each cell."),
    ("_.-:=+*#", "In charts and trends, from low to high; blank is unknown."),
    ("===+---", "In bars: used, half a cell, free."),
    ("|  +", "Left of a row: it is selected; it is marked."),
)
"""What the help tells of them."""


class WholeCells(ScrollBarRender):
    """Scrollbars of reversed cells alone, with no half ones at the ends."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8


@lru_cache(maxsize=4096)
def ascii_of(character: str) -> str:
    """What stands for one cell's text in printable ASCII: one character, "?" where nothing does."""
    first = character[:1]
    if " " <= first <= "~":
        return first
    if (found := _TABLE.get(first)) is not None:
        return found
    code = ord(first) if first else 0
    if code in _LINES:
        return "+"
    if code in _BLOCKS:
        return "#"
    plain = [each for each in unicodedata.normalize("NFKD", first) if not unicodedata.combining(each)]
    return plain[0] if len(plain) == 1 and " " <= plain[0] <= "~" else "?"


def _is_lone(text: str, before: str) -> bool:
    return text == "…" and before in " (\"'"


def to_ascii(cells: Sequence[tuple[str, Style]]) -> list[tuple[str, Style]]:
    """Cells with nothing but printable ASCII in them; a wide character is two question marks."""
    if all(text.isascii() and text.isprintable() and text for text, _ in cells):
        return list(cells)
    made: list[tuple[str, Style]] = []
    before = " "
    for place, (text, style) in enumerate(cells):
        wide = text == "" or (place + 1 < len(cells) and cells[place + 1][0] == "")
        sign = "?" if wide else _LONE if _is_lone(text, before) else ascii_of(text)
        made.append((sign, style))
        before = text or before
    return made


@lru_cache(maxsize=4096)
def _console_sign(text: str) -> str:
    """One cell on the Linux console, whose fonts have 256 or 512 glyphs: its letters, some lines, few signs."""
    if text.isascii() or text in _CP437:
        return text
    if (found := _INSTEAD.get(text)) is not None:
        return found
    known = text in _TABLE or ord(text[0]) in _LINES or ord(text[0]) in _BLOCKS
    return ascii_of(text) if known and text not in _LETTERS else text


def to_console_font(cells: Sequence[tuple[str, Style]]) -> list[tuple[str, Style]]:
    """Cells in signs that the fonts of the Linux console have; letters stay, whatever the font makes of them."""
    if all(text.isascii() for text, _ in cells):
        return list(cells)
    befores = (" ", *(text for text, _ in cells))
    return [
        (_LONE if _is_lone(text, before) else _console_sign(text), style)
        for before, (text, style) in zip(befores, cells, strict=False)
    ]
