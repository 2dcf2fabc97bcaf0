"""``--filter`` of commands that list something: the language of the console's filter. What is wrong with it is an error here.

The parser imports this for its option; the language is imported where there is a filter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from quarterdeck.errors import UsageError

if TYPE_CHECKING:
    from quarterdeck.model.fleet import FleetSnapshot
    from quarterdeck.model.query.field import Vocabulary
    from quarterdeck.model.query.query import Kept, Problem

Row = TypeVar("Row")


def add(parser: argparse.ArgumentParser, example: str) -> None:
    """The option."""
    text = f"only what it keeps, such as '{example}'; docs/filters.md has the language"
    parser.add_argument("--filter", metavar="FILTER", help=text)


def checked(text: str, vocabulary: Vocabulary[Row]) -> None:
    """Raises UsageError for what can be known to be wrong before there is anything to be filtered."""
    from quarterdeck.model.query.query import query

    for problem in query(text, vocabulary).problems:
        raise _error(problem)


def kept(text: str, vocabulary: Vocabulary[Row], rows: Iterable[Row], fleet: FleetSnapshot | None = None) -> list[Row]:
    """The rows that a filter keeps. Raises UsageError where a term can't be used; of no rows, none is wrong."""
    listed = list(rows)
    found = sieved(text, vocabulary, listed, fleet)
    for problem in found.problems if listed else ():
        raise _error(problem)
    return found.rows


def sieved(
    text: str, vocabulary: Vocabulary[Row], rows: Iterable[Row], fleet: FleetSnapshot | None = None
) -> Kept[Row]:
    """The same; what is wrong is told, not raised."""
    from quarterdeck.model.fleet import EMPTY_FLEET
    from quarterdeck.model.query.field import Around
    from quarterdeck.model.query.query import query

    seen = EMPTY_FLEET if fleet is None else fleet
    return query(text, vocabulary).keep(rows, Around(seen, seen.at, seen.time or time.time()))


def _error(problem: Problem) -> UsageError:
    hint = f"{problem.hint[:1].upper()}{problem.hint[1:]}." if problem.hint else ""
    return UsageError(f"--filter: {problem.text}", hint=hint)
