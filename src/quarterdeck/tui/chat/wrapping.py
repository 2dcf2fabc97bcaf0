"""A stranger's text as lines of a terminal while it comes in: made safe, then broken at spaces. Pure.

Lines are broken greedily, so what is appended changes the last line only: nothing before it is ever looked at again.
"""

from __future__ import annotations

import re
import unicodedata

from rich.cells import get_character_cell_size

TAB = "    "
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS and their kin, with their text
    r"|\x1b[ -/]*[0-~]?"  # any other escape
)
_OPEN_ESCAPE = re.compile(
    r"(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*\x1b?|\x1b[ -/]*)\Z"
)
_LONGEST_ESCAPE = 256
"""What goes on longer is no escape sequence that is still coming in."""
_INSTEAD = {"Cs": "�", "Cn": "�", "Co": "�", "Zl": "\n", "Zp": "\n", "Zs": " ", "Cc": "", "Cf": ""}
"""What is shown for characters of a category."""
_MOST_MARKS = 2
"""Accents on one character; more of them would run over the lines above and below."""


class Cleaner:
    """Makes the pieces of one text safe: escape sequences vanish, also those that come in two pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._marks = 0
        self._return = False

    def take(self, piece: str) -> str:
        """The next piece, safe to show: line breaks stay, tabs become spaces, what has no glyph becomes "�"."""
        if not self._held and not self._return and piece.isascii() and not _UNSAFE.search(piece):
            return piece.expandtabs(4) if "\t" in piece else piece
        text = self._held + piece
        self._held = ""
        opened = _OPEN_ESCAPE.search(text, max(0, len(text) - _LONGEST_ESCAPE))
        if opened is not None:
            text, self._held = text[: opened.start()], opened[0]
        if self._return and text:  # "\r" at the end of the piece before
            text, self._return = ("" if text[0] == "\n" else "\n") + text, False
        if text.endswith("\r"):
            text, self._return = text[:-1], True
        text = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        return "".join(map(self._shown, text))

    def _shown(self, character: str) -> str:
        if character.isascii():
            self._marks = 0
            if character == "\t":
                return TAB
            return character if " " <= character <= "~" or character == "\n" else ""
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            self._marks += 1
            return character if self._marks <= _MOST_MARKS and not "\ufe00" <= character <= "\ufe0f" else ""
        self._marks = 0
        if character == "\x85":
            return "\n"
        return _INSTEAD.get(category, character)


def clean(text: str) -> str:
    """A whole text made safe."""
    return Cleaner().take(text)


def next_break(text: str, start: int, end: int, width: int) -> tuple[int, int] | None:
    """Where the line that begins at ``start`` ends and the next one begins; ``None`` where all up to ``end`` fits."""
    window = text[start : min(end, start + width + 1)]
    if window.isascii():
        if end - start <= width:
            return None
        return _at_space(text, start, start + width)
    place, left = start, width
    while place < end:
        left -= get_character_cell_size(text[place])
        if left < 0:
            break
        place += 1
    else:
        return None
    if place == start:  # wider than the line
        return start + 1, start + 1
    if max(get_character_cell_size(text[place]), get_character_cell_size(text[place - 1])) > 1:
        return place, place  # such scripts have no spaces
    return _at_space(text, start, place)


def _at_space(text: str, start: int, full: int) -> tuple[int, int]:
    """The last space at which the line can end; in the middle of a word only where it has none."""
    cut = text.rfind(" ", start, full + 1)
    if cut <= start or not text[start:cut].strip(" "):
        return full, full
    return cut, cut + 1


class Wrapped:
    """A text that grows, in lines of at most ``width`` cells."""

    def __init__(self, width: int) -> None:
        self.width = max(1, width)
        self.lines: list[str] = []
        """Those that change no more …"""
        self.tail = ""
        """… and the last one."""

    def __len__(self) -> int:
        return len(self.lines) + (1 if self.tail or self.lines else 0)

    def line(self, place: int) -> str:
        """A line."""
        return self.lines[place] if place < len(self.lines) else self.tail

    def append(self, text: str) -> None:
        """Add text that is safe to show."""
        if not text:
            return
        text = self.tail + text
        start = 0
        while (end := text.find("\n", start)) >= 0:
            start = self._break(text, start, end)
            self.lines.append(text[start:end].rstrip(" "))
            start = end + 1
        self.tail = text[self._break(text, start, len(text)) :]

    def _break(self, text: str, start: int, end: int) -> int:
        """Take all full lines off one paragraph; where the last begins."""
        lines, width = self.lines, self.width
        while (found := next_break(text, start, end, width)) is not None:
            lines.append(text[start : found[0]])
            start = found[1]
        return start


def wrapped(text: str, width: int) -> list[str]:
    """A whole text that is safe to show, as lines."""
    all_of_it = Wrapped(width)
    all_of_it.append(text)
    return [*all_of_it.lines, all_of_it.tail] if all_of_it.tail else all_of_it.lines
