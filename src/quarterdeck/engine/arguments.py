"""What an action is told, read from text: wrong values are found before anything is asked of a server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from quarterdeck.config.units import duration, duration_text
from quarterdeck.format import printable
from quarterdeck.model.actions import Action, Argument

if TYPE_CHECKING:
    from quarterdeck.model.job import Option

LONGEST = 4096
MOST_TOKENS = 1_000_000_000
MOST_WITHIN_S = 86_400.0


def value_of(argument: Argument, text: str) -> Option:
    """What ``text`` means. Raises ValueError, in words, where it means nothing that a server could take."""
    text = text.strip()
    if not text or len(text) > LONGEST or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"expected something such as {argument.example or 1}, got {printable(text, 40)!r}")
    if argument.choices and text not in argument.choices:
        raise ValueError(f"expected {' or '.join(argument.choices)}, got {printable(text, 40)!r}")
    if argument.name == "keep_alive":
        return _keep_alive(text)
    if argument.name == "context":
        return _tokens(text)
    if argument.name == "within":
        return _within(text)
    try:
        value: Option = argument.kind(text)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a number such as {argument.example or 1}, got {printable(text, 40)!r}") from None
    return value


def wrong(action: Action, options: Mapping[str, Option]) -> str:
    """The first option whose value can't be meant, and why, in words; "" where all can."""
    for argument in (*action.arguments, *action.more):
        given = options.get(argument.name)
        if given in (None, "") or argument.name == "model":
            continue
        try:
            value_of(argument, str(given))
        except ValueError as error:
            return f"its {argument.name.replace('_', ' ')}: {error}"
    return ""


def _keep_alive(text: str) -> str:
    from quarterdeck.endpoints.acting.names import keep_alive

    try:
        keep_alive(text)
    except ValueError as error:
        unloads = "unload" in str(error)
        wanted = "more than 0, which would unload it at once" if unloads else "a time like 30m or 24h, or forever"
        raise ValueError(f"expected {wanted}, got {printable(text, 40)!r}") from None
    return text


def _tokens(text: str) -> int:
    """ "32768", or "32k" for as much."""
    digits, unit = (text[:-1], 1024) if text[-1] in "kK" else (text, 1)
    tokens = int(digits) * unit if digits.isascii() and digits.isdecimal() and len(digits) < 12 else 0
    if not 0 < tokens <= MOST_TOKENS:
        raise ValueError(f"expected a number of tokens such as 32768 or 32k, got {printable(text, 40)!r}")
    return tokens


def _within(text: str) -> str:
    seconds = duration(f"{text}s" if text.isascii() and text.isdecimal() else text)
    if seconds is None or seconds > MOST_WITHIN_S:
        raise ValueError(f"expected a time of up to a day such as 30s or 5m, got {printable(text, 40)!r}")
    return duration_text(seconds) or text
