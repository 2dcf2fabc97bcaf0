"""Reasoning that a model writes into its answer between <think> and </think>, where its server doesn't tell it apart."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class Thinking:
    """Tells answer and reasoning apart, piece by piece; a tag may be split over pieces. Line breaks next to tags are left out."""

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""
        self._trims = False
        """Whether nothing but line breaks has come since the last tag."""

    def feed(self, text: str) -> tuple[str, str]:
        """(answer, reasoning) of what can be told by now."""
        if self._state == "answer":
            return self._trimmed(text), ""
        self._held += text
        return self._started() if self._state == "start" else self._thinking()

    def rest(self) -> tuple[str, str]:
        """What was held back, at the end."""
        held, self._held = self._held, ""
        return ("", self._trimmed(held)) if self._state == "thinking" else (held, "")

    def _trimmed(self, text: str) -> str:
        if self._trims:
            text = text.lstrip("\n")
            self._trims = not text
        return text

    def _started(self) -> tuple[str, str]:
        begun = self._held.lstrip()
        if begun.startswith(_OPEN):
            self._state, self._held, self._trims = "thinking", begun[len(_OPEN) :], True
            return self._thinking()
        if _OPEN.startswith(begun):
            return "", ""
        held, self._held, self._state = self._held, "", "answer"
        return held, ""

    def _thinking(self) -> tuple[str, str]:
        thought, tag, answer = self._held.partition(_CLOSE)
        if tag:
            thought = self._trimmed(thought)
            self._held, self._state, self._trims = "", "answer", True
            return self._trimmed(answer), thought
        kept = next((n for n in range(len(_CLOSE) - 1, 0, -1) if self._held.endswith(_CLOSE[:n])), 0)
        thought, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return "", self._trimmed(thought)
