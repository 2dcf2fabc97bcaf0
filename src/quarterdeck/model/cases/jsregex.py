"""Regular expressions as JavaScript has them (promptfoo's are), for Python's `re`. Pure."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"\\k<(\w+)>|\\u\{([0-9a-fA-F]+)\}|\\[pP]\{[^}]*\}|\\c[A-Za-z]|\\.|\[\^?\]|\(\?<(?![=!])|\$|\[|\]", re.DOTALL
)
_INLINE = re.compile(r"\(\?([a-z]+)\)")


def python_pattern(pattern: str) -> str:
    """The same expression for ``re.compile(…, re.ASCII)``. Raises ValueError for what has no counterpart."""
    inside = False
    out: list[str] = []
    at = 0
    for match in _PIECE.finditer(pattern):
        out.append(pattern[at : match.start()])
        at = match.end()
        piece = match[0]
        if piece == "[" and inside:
            piece = r"\["
        elif piece == "[":
            inside = True
        elif piece == "]":
            inside = False
        else:
            piece = _piece(match, inside=inside)
        out.append(piece)
    return "".join(out) + pattern[at:]


def _piece(match: re.Match[str], *, inside: bool) -> str:
    piece = match[0]
    if piece.startswith((r"\p", r"\P", r"\c")) and len(piece) > 2:
        raise ValueError(f"{piece} is not supported in a regex")
    if match[1] is not None:
        return f"(?P={match[1]})"
    if match[2] is not None:
        return re.escape(chr(int(match[2], 16)))
    if inside:
        return piece
    return {"[]": r"(?!)", "[^]": r"[\s\S]", "(?<": "(?P<", "$": r"\Z", r"\/": "/", r"\d": "[0-9]"}.get(piece, piece)


def compiled(pattern: str) -> re.Pattern[str]:
    """Ready to search. Raises ValueError in words."""
    try:
        return re.compile(python_pattern(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"it is no regular expression: {error}") from None
