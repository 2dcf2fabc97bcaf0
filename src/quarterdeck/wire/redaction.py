"""Keeps a key out of what its server says, in any of the spellings that an honest server or proxy echoes it in."""

from __future__ import annotations

import base64
import re
from functools import cache

REDACTED = "[key]"
SHORTEST_SECRET = 4
_REDACTED = REDACTED.encode()
_SHORTEST_IN_BASE64 = 8
_HEAD = 24
_ELLIPSIS = "…"
_SIGNS = (b"\\", b"%", b"&")
"""Without one of them nothing is escaped, and a plain search is enough."""


class Redactor:
    """Replaces one key: plain, JSON-escaped, percent-encoded, as HTML entities, in base64, and its start before a cut."""

    def __init__(self, secret: str) -> None:
        """``secret``: plain ASCII, at least ``SHORTEST_SECRET`` characters."""
        self.secret = secret
        self._plain = tuple(plain.encode() for plain in (secret, *_in_base64(secret)))
        # A pattern for a whole key of some kilobytes would take a second to compile.
        self._head = re.compile(b"".join(_spellings(character) for character in secret[:_HEAD]))
        self._tail = secret[_HEAD:]

    def text(self, text: str) -> str:
        """``text`` without the key; one that was cut ("sk-ab…") without the key's start."""
        given = text.encode("utf-8", "surrogatepass")
        clean = self.body(given)
        if clean is not given:
            text = clean.decode("utf-8", "surrogatepass")
        return self._without_start(text) if _ELLIPSIS in text else text

    def body(self, body: bytes) -> bytes:
        """An answer's body without the key; the same object where it holds none."""
        if any(sign in body for sign in _SIGNS):  # first: of "\\/…" the plain search would leave a lone backslash
            body = self._without_escaped(body)
        for plain in self._plain:
            if plain in body:
                body = body.replace(plain, _REDACTED)
        return body

    def _without_escaped(self, body: bytes) -> bytes:
        kept: list[bytes] = []
        at = 0
        while (head := self._head.search(body, at)) is not None:
            kept += body[at : head.start()], _REDACTED
            at = head.end()
            for character in self._tail:
                following = _spelling(character).match(body, at)
                if following is None:
                    break
                at = following.end()
        return b"".join([*kept, body[at:]]) if kept else body

    def _without_start(self, text: str) -> str:
        parts = text.split(_ELLIPSIS)
        for index, part in enumerate(parts[:-1]):
            for length in range(min(len(self.secret), len(part)), SHORTEST_SECRET - 1, -1):
                if part.endswith(self.secret[:length]):
                    parts[index] = part[:-length] + REDACTED
                    break
        return _ELLIPSIS.join(parts)


@cache
def _spellings(character: str) -> bytes:
    """A pattern for every way to write ``character``. Repeats are bounded: a hostile page must not make the search slow."""
    import html  # it knows all entities by name, which takes time where no key is looked for

    plain = re.escape(character)
    code = ord(character)
    ways = [
        plain,
        rf"\\{{1,3}}u00(?i:{code:02x})",
        rf"%(?:25)?(?i:{code:02x})",
        rf"&#(?:0?{code:02d}|[xX](?i:{code:02x}));",
    ]
    if not character.isalnum():
        ways.append(rf"\\{{1,3}}{plain}")
    if (named := html.escape(character)) != character:
        ways.insert(0, re.escape(named))
    return f"(?:{'|'.join(ways)})".encode()


@cache
def _spelling(character: str) -> re.Pattern[bytes]:
    return re.compile(_spellings(character))


def _in_base64(secret: str) -> tuple[str, ...]:
    """What every base64 text that holds ``secret`` contains: it may start at any of three offsets ("Bearer " is before it)."""
    if len(secret) < _SHORTEST_IN_BASE64:
        return ()
    found: list[str] = []
    for offset in range(3):
        raw = b"\0" * offset + secret.encode()
        encoded = base64.b64encode(raw[: len(raw) // 3 * 3])[(offset * 8 + 5) // 6 :].decode()
        found += {encoded, encoded.replace("+", "-").replace("/", "_")}
    return tuple(found)
