"""Reads the file of events: for the time line, and for those who only look."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.happening import Happening, Topic

FILE = "events.db"
BUSY_S = 3.0
FIELDS = "id, at, topic, subject, word, text, severity, key"


def events_path() -> Path:
    """The user's file of events."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / FILE


class Row(NamedTuple):
    """A happening that was written, and its number."""

    id: int
    happening: Happening


def read(
    path: Path | None = None,
    *,
    since: float | None = None,
    topics: Collection[Topic] = (),
    subjects: Sequence[str] = (),
    most: int = 500,
) -> tuple[list[Row], int]:
    """The latest that fit, the newest last, and the number of the newest row there is; changes nothing.

    ``since``: Unix seconds; ``subjects``: globs. Raises QuarterdeckError where it can't be read; where there is no file, nothing
    happened.
    """
    path = path or events_path()
    if is_empty(path):
        return [], 0
    try:
        with closing(_to_read(path)) as base:
            base.execute("BEGIN")  # both of one moment
            rows = latest(base, since=since, topics=topics, subjects=subjects, most=most)
            last = base.execute("SELECT coalesce(max(id), 0) FROM happening").fetchone()[0]
            return rows, int(last)
    except (sqlite3.Error, OSError) as error:
        raise QuarterdeckError(in_words(error, path)) from None


def read_after(
    path: Path | None, number: int, topics: Collection[Topic] = (), subjects: Sequence[str] = ()
) -> list[Row]:
    """Those that were written after the one with that number. Raises QuarterdeckError where they can't be read."""
    path = path or events_path()
    if is_empty(path):
        return []
    query = f"SELECT {FIELDS} FROM happening WHERE {where('id > ?', topics)} ORDER BY id"  # noqa: S608
    try:
        with closing(_to_read(path)) as base:
            rows = map(row_of, base.execute(query, (number, *(topic.value for topic in topics))))
            return [row for row in rows if _fits(row, subjects)]
    except (sqlite3.Error, OSError) as error:
        raise QuarterdeckError(in_words(error, path)) from None


def is_empty(path: Path) -> bool:
    """Whether nothing was ever written there."""
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True
    except OSError:
        return False  # what is wrong shows when it is opened


def _to_read(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDONLY))  # says why not, which SQLite doesn't
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        base.execute("SELECT 1 FROM happening LIMIT 1").fetchall()
    except sqlite3.OperationalError:  # a folder that can't be written to, where SQLite wants to make its index
        base.close()
        base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return base


def latest(
    base: sqlite3.Connection,
    *,
    since: float | None = None,
    topics: Collection[Topic] = (),
    subjects: Sequence[str] = (),
    most: int,
) -> list[Row]:
    """The latest that fit, the newest last. Raises sqlite3.Error."""
    query = f"SELECT {FIELDS} FROM happening WHERE {where('at >= ?', topics)} ORDER BY at DESC, id DESC"  # noqa: S608
    begins = since if since is not None else -1e300
    found: list[Row] = []
    for each in base.execute(query, (begins, *(topic.value for topic in topics))):
        row = row_of(each)
        if _fits(row, subjects):
            found.append(row)
            if len(found) >= most:
                break
    found.reverse()
    return found


def where(clause: str, topics: Collection[Topic]) -> str:
    """``clause``, and a place for each topic there may be."""
    return f"{clause} AND topic IN ({', '.join('?' * len(topics))})" if topics else clause


def _fits(row: Row, subjects: Sequence[str]) -> bool:
    return not subjects or any(fnmatchcase(row.happening.subject, glob) for glob in subjects)


def row_of(found: tuple[object, ...]) -> Row:
    """A row of `FIELDS`."""
    number, at, topic, *texts = found
    subject, word, text, severity, key = map(str, texts)
    known = Topic(str(topic)) if str(topic) in _BY_VALUE else Topic.STATE
    return Row(int(str(number)), Happening(float(str(at)), known, subject, word, text, severity, key))


_BY_VALUE = frozenset(topic.value for topic in Topic)


def in_words(error: sqlite3.Error | OSError, path: Path) -> str:
    """Why the file can't be used, and what to do about it."""
    if isinstance(error, OSError):
        return f"{path}: {error.strerror or type(error).__name__}"
    said = str(error)
    if "not a database" in said or "malformed" in said:
        return f"{path} is damaged; move it away, and a new one is begun"
    return f"{path}: {said}"


def storable(text: str) -> str:
    """A text without half surrogates, which SQLite refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")
