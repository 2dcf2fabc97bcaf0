"""An answer as lines to be read out while it comes: at line ends, else at the ends of sentences, else between words. Pure."""

from __future__ import annotations

import re

from quarterdeck.format import printable

LONGEST = 240
"""Characters after which a line ends at a space, whatever the sentence is about."""
SHORTEST = 40
"""A sentence shorter than this waits for the next one."""
_END = re.compile(r"[.!?](?=\s)|[。！？]")


class Lines:
    """Takes pieces in and gives whole lines out."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._rest = ""
        self._in_code = False

    def take(self, piece: str) -> list[str]:
        """The lines that are whole now."""
        self._rest += piece.replace("\r\n", "\n").replace("\r", "\n")
        found: list[str] = []
        while (cut := self._cut()) is not None:
            text, self._rest = self._rest[: cut[0]], self._rest[cut[1] :]
            found += self._out(text)
        return found

    def end(self) -> list[str]:
        """What is left."""
        text, self._rest = self._rest, ""
        return self._out(text)

    def _cut(self) -> tuple[int, int] | None:
        """Where a line ends, and where the next one begins: the same wherever the pieces were cut."""
        at = self._rest.find("\n")
        whole = self._rest if at < 0 else self._rest[:at]
        as_it_is = self._in_code or whole.lstrip().startswith(("```", "|"))
        longest = LONGEST * 4 if as_it_is else LONGEST
        found = None if as_it_is else _END.search(whole, SHORTEST, LONGEST + 1)
        if found is not None:
            return found.end(), found.end()
        if len(whole) > longest:
            space = whole.rfind(" ", SHORTEST, longest)
            return (space, space + 1) if space > 0 else (longest, longest)
        return (at, at + 1) if at >= 0 else None

    def _out(self, text: str) -> list[str]:
        """A line as it may be shown: code keeps its indentation; what is empty has nothing to be read."""
        body = text.lstrip(" \t")
        if body.startswith("```"):
            self._in_code = not self._in_code
        indent = text[: len(text) - len(body)].expandtabs(4) if self._in_code else ""
        clean = printable(body.rstrip(), LONGEST * 5)
        return [" " * len(indent) + clean] if clean else []
