"""Values of assertions, read as what they are needed for. Pure; what can't be raises ValueError."""

from __future__ import annotations

import json

from quarterdeck.model.cases.case import Json

QUOTED = 300
"""Characters of a value or an answer in a finding."""


def plain(value: Json) -> str:
    """As JavaScript writes it into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def text_of(value: Json) -> str:
    """A text, or a number as one."""
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return plain(value)
    raise ValueError("a text is needed as value")


def texts_of(value: Json) -> list[str]:
    """A list of texts."""
    if isinstance(value, list) and value:
        return [plain(each) for each in value]
    raise ValueError("a list of texts is needed as value")


def figure(value: Json) -> float:
    """A number, or a text that is one."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return float(value)
    raise ValueError("a number is needed as value")


def quoted(value: Json) -> str:
    """Short enough to be shown."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"


def split(text: str) -> list[str]:
    """ "a, b, \\"c, d\\"" → a | b | c, d. Raises ValueError for a quote that doesn't end."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace() or text[at] == ",":
            at += 1
        elif text[at] == '"':
            word, at = _in_quotes(text, at + 1)
            found.append(word)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            found.append(text[at:end].strip())
            at = end
    return found


def _in_quotes(text: str, at: int) -> tuple[str, int]:
    """A word up to its closing quote, and the place of the comma behind it; "" and \\" are a quote."""
    word: list[str] = []
    while at < len(text):
        pair = text[at : at + 2]
        if pair in ('""', '\\"', "\\\\"):
            word.append(pair[1])
            at += 2
        elif text[at] == '"':
            rest = text[at + 1 :].lstrip()
            if rest and not rest.startswith(","):
                raise ValueError("a comma is missing behind a closing quote")
            return "".join(word), len(text) - len(rest)
        else:
            word.append(text[at])
            at += 1
    raise ValueError("a quote is not closed")
