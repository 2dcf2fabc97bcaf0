"""A filter, read once and then asked of many rows. Pure; no text makes it fail.

Terms are joined by AND. Unknown is neither above nor below: a comparison drops a row that doesn't have the number. ``!``
drops what the term is known to fit, so it keeps such a row: nobody knows that it is one of those.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple

from quarterdeck.format import printable
from quarterdeck.model.query.field import Around, Field, Row, Vocabulary
from quarterdeck.model.query.terms import LONGEST, MOST_TERMS, Term, is_too_long, parsed
from quarterdeck.model.query.values import UNITS, Kind, amount

_LONGEST_TOLD = 2000
"""Characters of a row's text that are looked at."""
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
Test = Callable[[Row, Around], bool]


class Problem(NamedTuple):
    """A term that can't be used; it counts as not there."""

    text: str
    """In words."""
    hint: str = ""
    """What could be asked for instead."""

    def __str__(self) -> str:
        """One line."""
        if not self.hint:
            return self.text
        return (
            f"{self.text} {self.hint[0].upper()}{self.hint[1:]}"
            if self.text.endswith("?")
            else f"{self.text}; {self.hint}"
        )


class Kept(NamedTuple, Generic[Row]):
    """The rows that a filter keeps, in their order, and what was wrong with it."""

    rows: list[Row]
    problems: tuple[Problem, ...] = ()


class Doubt(NamedTuple):
    """A term whose field isn't known: it is looked for as text ("qwen3:8b"); where nothing has that text, it is a problem."""

    needle: str
    inverse: bool
    problem: Problem


class Query(Generic[Row]):
    """A filter for the rows of one table; `query` keeps those that were asked for lately."""

    def __init__(self, text: str, vocabulary: Vocabulary[Row]) -> None:
        """Reads ``text``."""
        self.vocabulary = vocabulary
        self.problems: list[Problem] = []
        self.timed = False
        """Whether the passing of time alone changes what it keeps."""
        self._words: list[tuple[str, bool]] = []
        self._tests: list[tuple[Test[Row], bool]] = []
        self._doubts: list[Doubt] = []
        if is_too_long(text):
            read = f"only {LONGEST} characters and {MOST_TERMS} terms are read"
            self.problems.append(Problem("the filter is too long", read))
        for term in parsed(text):
            self._take(term)

    def __bool__(self) -> bool:
        """Whether it can drop anything."""
        return bool(self._words or self._tests or self._doubts)

    def keep(self, rows: Iterable[Row], around: Around) -> Kept[Row]:
        """The rows that fit every term."""
        kept = list(rows)
        if not self:
            return Kept(kept, tuple(self.problems))
        doubts, problems = self._settled(kept)
        words, tests = [*self._words, *doubts], self._tests
        for test, inverse in tests:
            kept = [row for row in kept if test(row, around) is not inverse]
        if words:
            kept = [row for row in kept if self._has(row, words)]
        return Kept(kept, (*self.problems, *problems))

    def _has(self, row: Row, words: Sequence[tuple[str, bool]]) -> bool:
        told = self._told(row)
        return all((word in told) is not inverse for word, inverse in words)

    def _told(self, row: Row) -> str:
        return folded("\n".join(text[:_LONGEST_TOLD] for text in self.vocabulary.words(row) if text))

    def _settled(self, rows: Sequence[Row]) -> tuple[list[tuple[str, bool]], list[Problem]]:
        """Terms whose field isn't known: words where any row has them, problems where none does."""
        if not self._doubts:
            return [], []
        told = [self._told(row) for row in rows]
        words, problems = [], []
        for doubt in self._doubts:
            if any(doubt.needle in text for text in told):
                words.append((doubt.needle, doubt.inverse))
            else:
                problems.append(doubt.problem)
        return words, problems

    def _take(self, term: Term) -> None:
        if not term.operator:
            self._words.append((folded(term.text), term.inverse))
            return
        field = self.vocabulary.by_name.get(term.field)
        if field is None:
            problem = unknown(term.field, self.vocabulary)
            self._doubts.append(Doubt(folded(term.text), term.inverse, problem))
        elif term.values:
            test = _test(term, field)
            if isinstance(test, Problem):
                self.problems.append(test)
            else:
                self._tests.append((test, term.inverse))
                self.timed |= field.timed
        else:
            self.problems.append(Problem(f"{term.field}{term.operator} what?", f"such as {field.example}"))


def query(text: str, vocabulary: Vocabulary[Any]) -> Query[Any]:
    """A filter, read once for each text."""
    return _read(text[: 2 * LONGEST], vocabulary)


@lru_cache(maxsize=32)
def _read(text: str, vocabulary: Vocabulary[Any]) -> Query[Any]:
    return Query(text, vocabulary)


def folded(text: str) -> str:
    """As texts are compared: without regard to case, and to how accents are put together."""
    if text.isascii():
        return text.lower()
    import unicodedata  # most text never needs it

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def unknown(name: str, vocabulary: Vocabulary[Any]) -> Problem:
    """The problem of a field that there isn't here."""
    import difflib

    near = difflib.get_close_matches(name, vocabulary.by_name, n=1, cutoff=0.6)
    begun = [known for known in vocabulary.by_name if known.startswith(name)] if len(name) > 1 else []
    meant = f", did you mean {(near or begun)[0]}?" if near or begun else ""
    return Problem(f"no field {printable(name, 24)} here{meant}", f"there are {', '.join(vocabulary.names)}")


def _test(term: Term, field: Field[Row]) -> Test[Row] | Problem:
    """What a term asks of a row."""
    if term.values == ("",):
        return _is_unknown(field)
    if term.operator in _COMPARED:
        return _comparison(term, field)
    if field.texts is not None:
        return _texts(term, field)
    return _equality(term, field)


def _is_unknown(field: Field[Row]) -> Test[Row]:
    """``field=""``: nothing is known of it."""
    number, texts = field.number, field.texts

    def test(row: Row, around: Around) -> bool:
        if texts is not None:
            return not any(texts(row, around))
        return number is None or number(row, around) is None

    return test


def _texts(term: Term, field: Field[Row]) -> Test[Row]:
    wanted = tuple(folded(value) for value in term.values)
    exact, texts = term.operator == "=", field.texts
    assert texts is not None

    def test(row: Row, around: Around) -> bool:
        for text in texts(row, around):
            if text:
                told = folded(text[:_LONGEST_TOLD])
                if told in wanted if exact else any(value in told for value in wanted):
                    return True
        return False

    return test


def _comparison(term: Term, field: Field[Row]) -> Test[Row] | Problem:
    text = term.values[0]
    if field.number is None:
        return Problem(f"{field.name} is text", f"such as {field.example}")
    typed = amount(text, field.kind, field.unit)
    read = _read_by(field, typed.share) if typed is not None else None
    if typed is None or read is None:
        return _unreadable(text, field)
    compare, limit = _COMPARED[term.operator], typed.value

    def test(row: Row, around: Around) -> bool:
        number = read(row, around)
        return number is not None and compare(number, limit)

    return test


def _equality(term: Term, field: Field[Row]) -> Test[Row] | Problem:
    """``wait=0``, ``kv:50%,60%``: to the digits that were typed."""
    wanted = []
    for text in term.values:
        typed = amount(text, field.kind, field.unit)
        read = _read_by(field, typed.share) if typed is not None else None
        if typed is None or read is None:
            return _unreadable(text, field)
        wanted.append((typed, read))

    def test(row: Row, around: Around) -> bool:
        return any((number := read(row, around)) is not None and typed.equals(number) for typed, read in wanted)

    return test


def _read_by(field: Field[Row], share: bool) -> Callable[[Row, Around], float | None] | None:
    """What a number is compared with; ``None`` where the field has no share."""
    return field.number if not share or field.kind is Kind.SHARE else field.share


def _unreadable(text: str, field: Field[Row]) -> Problem:
    told = printable(text, 24)
    bare = amount(text, Kind.COUNT)
    if field.kind in UNITS and bare is not None and not bare.share:
        return Problem(f"{field.name} {told}: {UNITS[field.kind]}", f"such as {field.example}")
    return Problem(f"{told} is no value of {field.name}", f"such as {field.example}")
