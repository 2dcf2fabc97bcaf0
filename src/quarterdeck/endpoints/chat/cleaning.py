"""What a server says, fit for a screen: without control characters, and without the key that was sent to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quarterdeck.model.chat.answer import Piece, ToolCall

_KEPT = "\n\t"
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""They turn text around, so that it reads otherwise than it is."""
_DROPPED = {
    code: None for code in (*range(0x20), *range(0x7F, 0xA0), *_BIDI, 0x2028, 0x2029, 0xFEFF) if chr(code) not in _KEPT
} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


class Cleaning:
    """Cleans the pieces of one answer. A key that is split over pieces is found too: what may be its beginning waits for the next."""

    def __init__(self, secret: str, redacted: Callable[[str], str]) -> None:
        """``secret``: the endpoint's key, "" where there is none; ``redacted`` takes it out of a text."""
        self._secret = secret
        self._redacted = redacted
        self._text = self._reasoning = ""

    def piece(self, piece: Piece) -> Piece | None:
        """``piece`` cleaned; ``None`` where all of it waits."""
        text, self._text = self._cleaned(self._text + piece.text)
        reasoning, self._reasoning = self._cleaned(self._reasoning + piece.reasoning)
        clean = piece._replace(
            text=text,
            reasoning=reasoning,
            tools=tuple(self._tool(call) for call in piece.tools),
            finish=self._plain(piece.finish),
            model=self._plain(piece.model),
            note=self._plain(piece.note) or "",
        )
        return None if clean == _NOTHING else clean

    def rest(self) -> Piece | None:
        """What waited for a next piece that doesn't come."""
        rest = Piece(text=self._text, reasoning=self._reasoning)
        self._text = self._reasoning = ""
        return rest if rest.is_token else None

    def _cleaned(self, text: str) -> tuple[str, str]:
        """What can be shown, and what waits."""
        if not text:
            return "", ""
        if not text.isprintable():
            text = text.translate(_DROPPED)
        if not self._secret:
            return text, ""
        text = self._redacted(text)
        longest = min(len(self._secret) - 1, len(text))
        for length in range(longest, 0, -1):
            if self._secret.startswith(text[-length:]):
                return text[:-length], text[-length:]
        return text, ""

    def _plain(self, text: str | None) -> str | None:
        return None if text is None else self._redacted(text.translate(_DROPPED))[:300]

    def _tool(self, call: ToolCall) -> ToolCall:
        name, arguments = self._plain(call.name) or "", self._redacted(call.arguments.translate(_DROPPED))
        return replace(call, name=name, arguments=arguments, id=self._plain(call.id) or "")


_NOTHING = Piece()
