"""Just enough of a terminal to see what a console draws: moves, styles, modes, and answers to the questions it is asked."""

from __future__ import annotations

import codecs
import re

from rich.cells import cell_len

Cell = tuple[str, frozenset[str]]
BLANK: Cell = (" ", frozenset())
_TOKEN = re.compile(
    r"\x1b\[(?P<private>[?<=>]?)(?P<params>[\d;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|(?P<other>\x1b[^\[\]\x1b])|(?P<text>[^\x1b]+)"
)
_COLOURS = {"3": "fg", "9": "fg", "4": "bg", "10": "bg"}


class SmallTerminal:
    """A screen of ``columns`` × ``rows``. ``feed`` returns what the terminal answers."""

    def __init__(self, columns: int = 80, rows: int = 24, *, answers: bool = True) -> None:
        self.answers = answers
        self.modes: set[str] = set()
        self.odd: list[str] = []
        """Sequences that are neither moves nor styles nor modes."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._style: dict[str, str] = {}
        self._x = self._y = 0
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """As if the window had been dragged; what is on it then, nobody knows."""
        self.columns, self.rows = columns, rows
        self.cells: list[list[Cell]] = [[("?", frozenset())] * columns for _ in range(rows)]

    @property
    def text(self) -> str:
        return "\n".join("".join(character for character, _ in line) for line in self.cells)

    def line(self, y: int) -> str:
        return "".join(character for character, _ in self.cells[y])

    def feed(self, data: bytes) -> bytes:
        text = self._rest + self._decode(data)
        last = text.rfind("\x1b")
        whole = last if last >= 0 and not _TOKEN.match(text, last) else len(text)
        text, self._rest = text[:whole], text[whole:]
        answers, end = b"", 0
        for token in _TOKEN.finditer(text):
            if token.start() != end:
                self.odd.append(text[end : token.start()])
            end = token.end()
            if (plain := token["text"]) is not None:
                self._print(plain)
            elif token["final"] is None:
                self.odd.append(token[0])
            else:
                answers += self._control(token)
        return answers if self.answers else b""

    def _control(self, token: re.Match[str]) -> bytes:
        numbers = [int(part or 0) for part in token["params"].replace(":", ";").split(";")]
        match token["private"] + token["between"] + token["final"]:
            case "H":
                row, column = (*numbers, 1)[:2]
                self._y, self._x = max(row, 1) - 1, max(column, 1) - 1
            case "m":
                self._select(token["params"].split(";"))
            case "J":
                self.cells = [[BLANK] * self.columns for _ in range(self.rows)]
            case "?h":
                self.modes.update(token["params"].split(";"))
            case "?l":
                self.modes.difference_update(token["params"].split(";"))
            case "n" if numbers == [6]:
                return f"\x1b[{self._y + 1};{self._x + 1}R".encode()
            case "?$p" if numbers == [2026]:
                return b"\x1b[?2026;2$y"
            case ">u":
                self.modes.add("keys")
            case "<u":
                self.modes.discard("keys")
            case _:
                self.odd.append(token[0])
        return b""

    def _select(self, codes: list[str]) -> None:
        codes = list(codes)
        while codes:
            code = codes.pop(0)
            if code in ("", "0"):
                self._style.clear()
            elif code in ("38", "48"):
                count = 2 if codes[:1] == ["5"] else 4
                self._style["fg" if code == "38" else "bg"] = ";".join(codes[:count])
                del codes[:count]
            elif code in ("39", "49"):
                self._style.pop("fg" if code == "39" else "bg", None)
            elif (kind := _COLOURS.get(code[:-1])) is not None:
                self._style[kind] = code
            else:
                self._style[code] = code

    def _print(self, text: str) -> None:
        style = frozenset(f"{kind}={value}" for kind, value in self._style.items())
        for character in text:
            width = cell_len(character)
            if character == "\r":
                self._x = 0
            elif character == "\n":
                self._new_line()
            if not width or character in "\r\n":
                continue
            if self._y < self.rows and self._x < self.columns:
                line = self.cells[self._y]
                line[self._x : self._x + width] = [(character, style), ("", style)][:width]
                del line[self.columns :]
            self._x += width

    def _new_line(self) -> None:
        self._y += 1
        if self._y >= self.rows:
            self._y = self.rows - 1
            self.cells = [*self.cells[1:], [BLANK] * self.columns]
