"""From what is typed to terms. Pure; never fails: what is half typed is marked as such."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

LONGEST = 500
"""Characters of a filter that are read."""
MOST_TERMS = 24
_OPERATOR = re.compile(r"(?P<field>[^\W\d_][\w./-]{0,40})(?P<operator>:?(?:>=|<=|>|<)|!=|==?|:)")
_QUOTED = "\0"
"""Stands for a character between quotes where operators, commas and the "!" are looked for."""


class Term(NamedTuple):
    """One term: a word (``field`` and ``operator`` are ""), or a field and what is asked of it."""

    text: str
    """As it was typed, without "!" and quotes."""
    inverse: bool = False
    field: str = ""
    operator: str = ""
    """One of ``: = > >= < <=``."""
    values: tuple[str, ...] = ()
    """Any of them; empty while none is typed. An empty one was quoted: it asks for what isn't known."""


class _Token(NamedTuple):
    """Characters between blanks."""

    text: str
    bare: str
    """The same, with `_QUOTED` for each quoted character."""
    quotes: tuple[int, ...]
    """Where quotes opened."""


def parsed(text: str) -> list[Term]:
    """The terms of a filter, no more than `MOST_TERMS`. A "!" that stands alone belongs to the term after it."""
    return _terms(text)[:MOST_TERMS]


def is_too_long(text: str) -> bool:
    """Whether `parsed` leaves something of it out."""
    return len(text.rstrip()) > LONGEST or len(_terms(text)) > MOST_TERMS


def _terms(text: str) -> list[Term]:
    terms: list[Term] = []
    pending = False
    for token in _tokens(text[:LONGEST]):
        inverse = token.bare.startswith("!")
        body = _Token(token.text[1:], token.bare[1:], tuple(at - 1 for at in token.quotes)) if inverse else token
        if not body.text and not body.quotes:
            pending = True
            continue
        term = _term(body)
        turned = (inverse or pending) is not (term.operator == "!=")
        terms.append(term._replace(inverse=turned, operator="=" if term.operator == "!=" else term.operator))
        pending = False
    return terms


def _term(token: _Token) -> Term:
    found = _OPERATOR.match(token.bare)
    if found is None:
        return Term(token.text)
    operator, start = found["operator"], found.end()
    operator = "=" if operator == "==" else operator.lstrip(":") or ":"
    quoted = any(at >= start for at in token.quotes)
    value, bare = token.text[start:], token.bare[start:]
    parts = _split(value, bare) if operator in (":", "=", "!=") else [value.strip()]
    values = tuple(part for part in parts if part) or (("",) if quoted else ())
    return Term(token.text, False, found["field"].casefold(), operator, values)


def _split(value: str, bare: str) -> list[str]:
    """At commas that aren't quoted."""
    cuts = [-1, *(at for at, character in enumerate(bare) if character == ","), len(bare)]
    return [value[before + 1 : after].strip() for before, after in pairwise(cuts)]


def _tokens(text: str) -> list[_Token]:
    """Split at blanks; a quote that nothing closes reaches to the end."""
    tokens: list[_Token] = []
    shown: list[str] = []
    bare: list[str] = []
    quotes: list[int] = []
    within = False

    def end() -> None:
        if shown or quotes:
            tokens.append(_Token("".join(shown), "".join(bare), tuple(quotes)))
        for part in (shown, bare, quotes):
            part.clear()

    for character in text:
        if character == '"':
            within = not within
            if within:
                quotes.append(len(shown))
        elif character.isspace() and not within:
            end()
        else:
            shown.append(" " if character.isspace() else character)
            bare.append(_QUOTED if within else character)
    end()
    return tokens
