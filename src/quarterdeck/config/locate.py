"""On which line of a TOML source each key stands. tomllib doesn't tell, so messages ask here, after it has read the text.

Only run when a line is wanted; expects text that tomllib accepts. On any other it stops early and tells what it has seen.
"""

from __future__ import annotations

import re
from bisect import bisect
from contextlib import suppress

from quarterdeck.config.problem import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\[\]{}#\n\"']+")


class _LostError(Exception):
    """The text is not what tomllib would accept."""


def line_map(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every table, key and list element, by path."""
    scanner = _Scanner(text)
    with suppress(_LostError, RecursionError):
        scanner.document()
    return scanner.lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of ``path``, or of the nearest thing around it; ``None`` where there is none."""
    for length in range(len(path), 0, -1):
        line = lines.get(path[:length])
        if line is not None:
            return line
    return None


class _Scanner:
    """Walks over the text once, remembering where it saw what."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._counts: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Every statement of the text."""
        table: KeyPath = ()
        while self._skip_blank():
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        start = self._at
        repeated = self._peek("[[")
        self._at += 2 if repeated else 1
        path: KeyPath = ()
        parts = self._key()
        for index, part in enumerate(parts):
            path = (*path, part)
            self._note(path, start)
            if repeated and index == len(parts) - 1:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
                self._note(path, start)
        self._take("]]" if repeated else "]")
        return path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._take("=")
        self._skip_space()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._peek("["):
            self._list(path)
        elif self._peek("{"):
            self._inline_table(path)
        else:
            match = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = self._end(match)

    def _list(self, path: KeyPath) -> None:
        self._take("[")
        index = 0
        while self._more("]"):
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._take("{")
        while self._more("}"):
            self._pair(path)

    def _more(self, end: str) -> bool:
        """Whether another element follows; steps over commas, and over the end."""
        while self._skip_blank() and self._peek(","):
            self._at += 1
        if not self._peek(end):
            return True
        self._at += len(end)
        return False

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip_space()
            quoted = _STRING.match(self._text, self._at) if self._peek('"') or self._peek("'") else None
            match = quoted or _BARE_KEY.match(self._text, self._at)
            self._at = self._end(match)
            parts.append(_plain(quoted.group()) if quoted else self._text[match.start() : self._at] if match else "")
            self._skip_space()
            if not self._peek("."):
                return parts
            self._at += 1

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> None:
        if not self._peek(text):
            raise _LostError
        self._at += len(text)

    def _end(self, match: re.Match[str] | None) -> int:
        if match is None:
            raise _LostError
        return match.end()

    def _skip_space(self) -> None:
        self._at = self._end(_SPACE.match(self._text, self._at))

    def _skip_blank(self) -> bool:
        """Over white space, line ends and comments; False at the end of the text."""
        match = _BLANK.match(self._text, self._at)
        if match:
            self._at = match.end()
        return self._at < len(self._text)

    def _note(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, bisect(self._breaks, at) + 1)


def _plain(quoted: str) -> str:
    """The key that a quoted key stands for."""
    if quoted[0] == "'" or "\\" not in quoted:
        return quoted[1:-1]
    import tomllib

    try:
        return str(tomllib.loads(f"key = {quoted}")["key"])
    except tomllib.TOMLDecodeError:
        raise _LostError from None
