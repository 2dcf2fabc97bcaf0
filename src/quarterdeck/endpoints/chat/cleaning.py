"""What a server says, fit for a screen: without terminal sequences and control characters, and without the key that was sent to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from quarterdeck.model.chat.answer import MOST_CALLS, Piece, ToolCall
from quarterdeck.wire.redaction import REDACTED, SHORTEST_SECRET

_KEPT = "\n\t"
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""They turn text around, so that it reads otherwise than it is."""
_DROPPED = {
    code: None for code in (*range(0x20), *range(0x7F, 0xA0), *_BIDI, 0x2028, 0x2029, 0xFEFF) if chr(code) not in _KEPT
} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_CSI = r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+"
_STRING = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*+"
"""Nothing is looked at twice (``*+``, and no beginning inside): hostile text must not make the search slow."""
_ESCAPES = re.compile(
    rf"{_CSI}[@-~]"  # colours, cursor moves
    rf"|{_STRING}(?:\x07|\x1b\\|\x9c)"  # titles, clipboard, links, with their text
    r"|\x1b[ -/]*+[0-OQ-WYZ\\`-~]"  # any other
)
_BEGUN = re.compile(rf"(?:{_CSI}|{_STRING}\x1b?|\x1b[ -/]*+)\Z")
"""A sequence whose end may come with the next piece."""
_LONGEST_ESCAPE = 256
"""What goes on longer is text: nothing is held back for ever."""


class _Channel:
    """Text that comes in parts. What may be the beginning of a sequence, or of the key, waits for the next part."""

    def __init__(self, secret: str, redacted: Callable[[str], str]) -> None:
        self._secret = secret
        self._redacted = redacted
        self._escape = self._held = ""

    def feed(self, text: str) -> str:
        """What can be shown by now."""
        if not text:
            return ""
        if self._escape or not text.isprintable():
            text = self._without_escapes(self._escape + text)
        return self._without_key(self._held + text) if self._secret else text

    def rest(self) -> str:
        """What waited. A sequence without an end is none of it, and half a key is taken out, too."""
        held, self._held, self._escape = self._held, "", ""
        return REDACTED if len(held) >= max(SHORTEST_SECRET, len(self._secret) // 2) else held

    def _without_escapes(self, text: str) -> str:
        text = _ESCAPES.sub("", text)
        begun = _BEGUN.search(text)
        self._escape = ""
        if begun is not None and len(begun[0]) <= _LONGEST_ESCAPE:
            text, self._escape = text[: begun.start()], begun[0]
        return text.translate(_DROPPED)

    def _without_key(self, text: str) -> str:
        text = self._redacted(text)
        for length in range(min(len(self._secret) - 1, len(text)), 0, -1):
            if self._secret.startswith(text[-length:]):
                self._held = text[-length:]
                return text[:-length]
        self._held = ""
        return text


class Cleaning:
    """Cleans the pieces of one answer. A key or a terminal sequence that is split over pieces is found too."""

    def __init__(self, secret: str, redacted: Callable[[str], str]) -> None:
        """``secret``: the endpoint's key, "" where there is none; ``redacted`` takes it out of a text."""
        self._secret = secret
        self._redacted = redacted
        self._text, self._reasoning = self._channel(), self._channel()
        self._arguments: dict[int, _Channel] = {}

    def piece(self, piece: Piece) -> Piece | None:
        """``piece`` cleaned; ``None`` where all of it waits."""
        clean = piece._replace(
            text=self._text.feed(piece.text),
            reasoning=self._reasoning.feed(piece.reasoning),
            tools=tuple(self._tool(call) for call in piece.tools if self._takes(call)),
            finish=self._plain(piece.finish),
            model=self._plain(piece.model),
            note=self._plain(piece.note) or "",
        )
        return None if clean == _NOTHING else clean

    def rest(self) -> Piece | None:
        """What waited for a next piece that doesn't come."""
        held = {index: channel.rest() for index, channel in self._arguments.items()}
        calls = tuple(ToolCall(index, "", arguments) for index, arguments in held.items() if arguments)
        rest = Piece(self._text.rest(), self._reasoning.rest(), calls)
        return rest if rest.is_token else None

    def _channel(self) -> _Channel:
        return _Channel(self._secret, self._redacted)

    def _plain(self, text: str | None) -> str | None:
        return None if text is None else self._redacted(_ESCAPES.sub("", text).translate(_DROPPED))[:300]

    def _takes(self, call: ToolCall) -> bool:
        """One more than an answer takes is let through, so that it says so."""
        return call.index in self._arguments or len(self._arguments) <= MOST_CALLS

    def _tool(self, call: ToolCall) -> ToolCall:
        channel = self._arguments.setdefault(call.index, self._channel())
        name, arguments = self._plain(call.name) or "", channel.feed(call.arguments)
        return replace(call, name=name, arguments=arguments, id=self._plain(call.id) or "")


_NOTHING = Piece()
