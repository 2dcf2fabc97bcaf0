"""A typed line as words, each with its place. Pure."""

from __future__ import annotations

from typing import NamedTuple

QUOTES = "'\""


class Token(NamedTuple):
    """A word of a line. ``start`` and ``end``: where it stands, with its quotes."""

    text: str
    start: int
    end: int
    quote: str = ""
    """What it is quoted with; "" = nothing. Quoted words are never options."""


def tokens(line: str) -> list[Token]:
    """The words of a line, parted by spaces; one that begins with a quote goes on to the next such quote, or to the end."""
    found: list[Token] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif line[at] in QUOTES:
            closed = line.find(line[at], at + 1)
            end = len(line) if closed < 0 else closed
            found.append(Token(line[at + 1 : end], at, min(len(line), end + 1), line[at]))
            at = end + 1
        else:
            end = next((place for place in range(at, len(line)) if line[place].isspace()), len(line))
            found.append(Token(line[at:end], at, end))
            at = end
    return found


def ended(line: str) -> bool:
    """Whether the last word is done: what is typed next begins another one."""
    words = tokens(line)
    if not words or words[-1].end < len(line):
        return True
    last = words[-1]
    return bool(last.quote) and last.end - last.start >= 2 and line[last.end - 1] == last.quote


def quoted(word: str) -> str:
    """A word as it has to be typed; where it holds both kinds of quotes and spaces, without the double ones."""
    if word and not any(character.isspace() for character in word) and word[0] not in f"{QUOTES}-":
        return word
    if '"' not in word:
        return f'"{word}"'
    return f"'{word}'" if "'" not in word else '"' + word.replace('"', "") + '"'
