"""The lines that were run in this session. In memory only. Pure."""

from __future__ import annotations

MOST = 200


class VerbHistory:
    """The lines, the newest last."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """A line was run; one that was run before is the newest now."""
        line = line.strip()
        if line:
            self.lines = [*(each for each in self.lines if each != line), line][-MOST:]

    def before(self, line: str) -> str | None:
        """The line that was run before ``line`` ("" = the newest); ``None`` where there is none."""
        at = len(self.lines) if not line else self.lines.index(line) if line in self.lines else 0
        return self.lines[at - 1] if at > 0 else None

    def after(self, line: str) -> str:
        """The line that was run after it; "" after the newest."""
        at = self.lines.index(line) if line in self.lines else len(self.lines)
        return self.lines[at + 1] if at + 1 < len(self.lines) else ""

    def found(self, text: str) -> list[str]:
        """Those that have every word of ``text``, the newest first."""
        words = text.casefold().split()
        return [line for line in reversed(self.lines) if all(word in line.casefold() for word in words)]
