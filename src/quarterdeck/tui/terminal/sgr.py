"""Cells as escape sequences: the cursor is moved, and of the style only what changes is sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

Codes = tuple[str, str, str]
"""Attributes, foreground and background as SGR parameters; "" = the terminal's own."""
PLAIN: Codes = ("", "", "")
RESET = "\x1b[0m"


class Pen:
    """Writes pieces one after the other; begins and ends with the terminal's own style."""

    def __init__(self, colours: ColorSystem) -> None:
        self._colours = colours
        self._codes = PLAIN
        self._out: list[str] = []
        self.written = 0
        """Characters so far."""

    def write(self, y: int, x: int, cells: Sequence[tuple[str, Style | None]]) -> None:
        """Cells from a place on."""
        before = len(self._out)
        self._out.append(f"\x1b[{y + 1};{x + 1}H")
        text: list[str] = []
        current: Style | None = cells[0][1] if cells else None
        self._use(current)
        for character, style in cells:
            if style is not current and style != current:
                self._out.append(_in_place(text, y, x))
                x += len(text)
                text.clear()
                current = style
                self._use(style)
            text.append(character)
        self._out.append(_in_place(text, y, x))
        self.written += sum(map(len, self._out[before:]))

    def _use(self, style: Style | None) -> None:
        codes = PLAIN if style is None else codes_of(style, self._colours)
        if codes != self._codes:
            self._out.append(change(self._codes, codes))
            self._codes = codes

    def finish(self) -> str:
        """All of it."""
        if self._codes != PLAIN:
            self._out.append(RESET)
        return "".join(self._out)


def _in_place(text: Sequence[str], y: int, x: int) -> str:
    """Cells as text. Of what is joined or made an emoji, terminals differ in how wide it is: what follows is put at its place."""
    joined = "".join(text)
    if "\ufe0f" not in joined and "\u200d" not in joined:
        return joined
    parts: list[str] = []
    for place, character in enumerate(text, x):
        if "\ufe0f" in character or "\u200d" in character:
            wide = text[place - x + 1 : place - x + 2] == [""]
            blank = f"{' ' * (1 + wide)}\x1b[{y + 1};{place + 1}H"
            parts.append(f"{blank}{character}\x1b[{y + 1};{place + 2 + wide}H")
        else:
            parts.append(character)
    return "".join(parts)


@lru_cache(maxsize=4096)
def codes_of(style: Style, colours: ColorSystem) -> Codes:
    """The SGR parameters of a style, taken apart."""
    attributes: list[str] = []
    colour = {"3": "", "4": ""}
    left = [code for code in Strip.render_ansi(style, colours).split(";") if code]
    while left:
        code = left.pop(0)
        if code in ("38", "48"):
            count = 2 if left[:1] == ["5"] else 4
            colour[code[0]] = ";".join((code, *left[:count]))
            del left[:count]
        elif len(code) > 1 and code[-2] in "39":
            colour["3"] = code
        elif len(code) > 1 and code[-2] in "40" and code != "4":
            colour["4"] = code
        else:
            attributes.append(code)
    return ";".join(attributes), "" if colour["3"] == "39" else colour["3"], "" if colour["4"] == "49" else colour["4"]


@lru_cache(maxsize=4096)
def change(before: Codes, after: Codes) -> str:
    """The sequence that turns one style into another."""
    if before[0] != after[0] and before[0]:
        return f"\x1b[{';'.join(code for code in ('0', *after) if code)}m"
    parts = [after[0]] if before[0] != after[0] else []
    parts += [after[1] or "39"] if before[1] != after[1] else []
    parts += [after[2] or "49"] if before[2] != after[2] else []
    step = f"\x1b[{';'.join(parts)}m"
    anew = f"\x1b[{';'.join(code for code in ('0', *after) if code)}m"
    return min(step, anew, key=len)
