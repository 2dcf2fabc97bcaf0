"""`quarterdeck events`: what happened in the fleet. Reads what consoles and `watch` wrote; asks no server."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from quarterdeck.cli.filtering import checked, kept, sieved
from quarterdeck.config.units import duration
from quarterdeck.engine.timeline.reading import Row, read, read_after
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.report.events import document

if TYPE_CHECKING:
    from quarterdeck.model.query.field import Vocabulary

LOOK_EVERY_S = 1.0
_WIDEST = 40
_NOTHING = "nothing happened; consoles and `quarterdeck watch` write down what does"
_LOOKED_THROUGH = 10_000
"""Events that a filter looks through, the latest."""


def run(arguments: argparse.Namespace) -> int:
    """0. Raises QuarterdeckError where the file can't be read, UsageError for a time or filter that is none."""
    topics = tuple(Topic(name) for name in arguments.topic or ())
    globs = tuple(arguments.endpoint or ())
    since, asked = _since(arguments.since), arguments.filter
    if asked is not None:
        checked(asked, _vocabulary())
    most = arguments.limit if asked is None else max(arguments.limit, _LOOKED_THROUGH)
    rows, last = read(since=since, topics=topics, subjects=globs, most=most)
    happened = [row.happening for row in rows]
    if asked is not None:
        happened = kept(asked, _vocabulary(), happened)[-arguments.limit :]
    printer = Printer(as_json=arguments.json)
    printer.show(happened)
    if not happened and not arguments.follow and not arguments.json:
        none = "nothing that happened fits the filter"
        sys.stderr.write(f"{none if rows else _NOTHING}\n")
    while arguments.follow:
        time.sleep(LOOK_EVERY_S)
        new: list[Row] = read_after(None, last, topics, globs)
        if new:
            last = new[-1].id
            news = [row.happening for row in new]
            printer.show(news if asked is None else sieved(asked, _vocabulary(), news).rows)
    return 0


def _vocabulary() -> Vocabulary[Happening]:
    from quarterdeck.model.query.of_events import HAPPENINGS

    return HAPPENINGS


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    back = duration(text)
    if back is None:
        raise UsageError(f"--since {printable(text, 40)!r} is no time", hint='Such as "1h" or "7d".')
    return max(0.0, time.time() - back)


class Printer:
    """Writes happenings to stdout, a line each; columns never become narrower."""

    def __init__(self, *, as_json: bool) -> None:
        """Writes nothing yet."""
        self._as_json = as_json
        self._widths = [0, 0, 0]

    def show(self, happenings: Sequence[Happening]) -> None:
        """Write them at once."""
        if self._as_json:
            text = "".join(json.dumps(document(one), ensure_ascii=False) + "\n" for one in happenings)
        else:
            cells = [_cells(one) for one in happenings]
            self._widths = [
                max([width, *(len(row[place]) for row in cells)]) for place, width in enumerate(self._widths)
            ]
            text = "".join(
                "  ".join([local(one.at), *(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))])
                + f"  {printable(one.text, 300)}".rstrip()
                + "\n"
                for one, row in zip(happenings, cells, strict=True)
            )
        sys.stdout.write(text)
        sys.stdout.flush()


def _cells(one: Happening) -> tuple[str, str, str]:
    return one.topic.value, printable(one.subject, _WIDEST), printable(one.word, _WIDEST)


def local(at: float) -> str:
    """Unix seconds as ISO 8601, by this machine's clock."""
    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(timespec="seconds")
