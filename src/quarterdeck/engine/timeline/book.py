"""What happened, on the disk: SQLite in the state folder, readable by its owner only, bounded by age and size.

Several consoles and watchers write into it at one time. Each sees the fleet by itself, so what one tells another has often written
already. Two observers see a change within their poll intervals of each other: a state, restart, model or alert that somebody else
wrote within that time is the same one. Jobs and deeds have times of their own, which all see alike. All of it is decided inside one
write transaction, of which SQLite lets one happen at a time. Times are the observer's wall clock; all observers are on this machine,
so it is one clock (a state folder on a network share is not supported: neither is SQLite's log there).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from quarterdeck.config.fleet import EventSettings
from quarterdeck.engine.database import open_private
from quarterdeck.engine.timeline import pruning
from quarterdeck.engine.timeline.reading import (
    BUSY_S,
    FIELDS,
    Row,
    events_path,
    in_words,
    latest,
    row_of,
    storable,
    where,
)
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.happening import Happening, Topic

VERSION = 1
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS happening (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, topic TEXT NOT NULL, subject TEXT NOT NULL, word TEXT NOT NULL,
        text TEXT NOT NULL, severity TEXT NOT NULL, key TEXT NOT NULL, seer TEXT NOT NULL, within REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS happening_at ON happening (at)",
    "CREATE INDEX IF NOT EXISTS happening_what ON happening (topic, subject, at)",
)
_SEEN = frozenset({Topic.STATE, Topic.RESTART, Topic.MODEL, Topic.ALERT})
"""What each observer sees with eyes of its own; of the others all read the same record."""
_NEAR_S = 3600.0
"""No two observers see one thing further apart than this."""


class Entry(NamedTuple):
    """A happening to be written, and how many seconds sooner or later others may have seen it."""

    happening: Happening
    within: float = 0.0
    found: bool = False
    """A state in which an endpoint was found: who knew it to be like that already learns nothing."""


class Book:
    """The file. Calls block: they are made in a thread, one at a time."""

    def __init__(self, settings: EventSettings, path: Path | None = None, *, seer: str | None = None) -> None:
        """Opens nothing. ``seer``: who writes; default a name that nobody else has."""
        self.path = path or events_path()
        self.seer = seer or os.urandom(8).hex()
        self._settings = settings
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._until_pruning = 0

    def add(self, entries: Sequence[Entry], now: float) -> None:
        """Write those that nobody has written; ``now``: Unix seconds. Raises QuarterdeckError where that can't be."""
        with self._lock, self._in_words():
            base = self._opened()
            added = 0
            base.execute("BEGIN IMMEDIATE")
            try:
                for entry in entries:
                    added += self._add(base, entry)
            except BaseException:
                with suppress(sqlite3.Error):
                    base.execute("ROLLBACK")
                raise
            base.execute("COMMIT")
            self._until_pruning -= added
            if self._until_pruning <= 0:
                pruning.prune(base, self._settings, now)
                self._until_pruning = pruning.EVERY

    def _add(self, base: sqlite3.Connection, entry: Entry) -> bool:
        one = entry.happening
        if _is_known(base, entry, self.seer) or (entry.found and _was_so(base, one)):
            return False
        values = (one.at, one.topic.value, *map(storable, (one.subject, one.word, one.text, one.severity, one.key)))
        base.execute(
            "INSERT INTO happening (at, topic, subject, word, text, severity, key, seer, within) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, self.seer, entry.within),
        )
        return True

    def after(self, number: int, topics: Collection[Topic] = (), *, others: bool = False, most: int = 500) -> list[Row]:
        """Those written after the one with that number, in the order they were written; ``others``: by somebody else."""
        query = f"SELECT {FIELDS} FROM happening WHERE {where('id > ?', topics)}"  # noqa: S608  (no value in it)
        query += " AND seer != ?" if others else ""
        with self._lock, self._in_words():
            given = (number, *(topic.value for topic in topics), *((self.seer,) if others else ()), most)
            return [row_of(each) for each in self._opened().execute(f"{query} ORDER BY id LIMIT ?", given)]

    def begin(self, most: int) -> tuple[tuple[Happening, ...], int]:
        """The latest there are, the newest last, and the number of the row that was written last (0: none)."""
        with self._lock, self._in_words():
            base = self._opened()
            base.execute("BEGIN")
            try:
                found = tuple(row.happening for row in latest(base, most=most))
                return found, int(base.execute("SELECT coalesce(max(id), 0) FROM happening").fetchone()[0])
            finally:
                base.execute("COMMIT")

    def close(self) -> None:
        """Close it; it opens again when it is needed."""
        with self._lock:
            self._close()

    # ---- the connection

    def _opened(self) -> sqlite3.Connection:
        if self._base is not None and not self._moved():
            return self._base
        self._close()
        base = open_private(self.path, partial(_prepare, path=self.path), busy_s=BUSY_S)
        found = self.path.stat()
        self._base, self._file = base, (found.st_dev, found.st_ino)
        return base

    def _moved(self) -> bool:
        """Whether somebody took the file away, or put another one in its place."""
        try:
            found = self.path.stat()
        except OSError:
            return True
        return (found.st_dev, found.st_ino) != self._file

    def _close(self) -> None:
        base, self._base = self._base, None
        self._until_pruning = 0
        if base is not None:
            with suppress(sqlite3.Error):
                base.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._close()
            raise QuarterdeckError(f"events are kept in memory only: {in_words(error, self.path)}") from None
        except QuarterdeckError:
            self._close()
            raise


def _was_so(base: sqlite3.Connection, one: Happening) -> bool:
    """Whether the state it tells of is the last that was written of the endpoint."""
    query = "SELECT word FROM happening WHERE topic = ? AND subject = ? ORDER BY at DESC, id DESC LIMIT 1"
    last = base.execute(query, (one.topic.value, storable(one.subject))).fetchone()
    return last is not None and last[0] == one.word


def _is_known(base: sqlite3.Connection, entry: Entry, seer: str) -> bool:
    """Whether somebody has written it already."""
    one = entry.happening
    if one.topic is Topic.SINK:
        return False
    what = (one.topic.value, storable(one.subject), one.word, storable(one.key))
    query = "SELECT 1 FROM happening WHERE topic = ? AND subject = ? AND word = ? AND key = ? "
    if one.topic not in _SEEN:  # an action's time is the audit log's; of a job the word comes once
        query += "AND at = ? AND text = ? LIMIT 1" if one.topic is Topic.ACTION else "LIMIT 1"
        more: tuple[object, ...] = (one.at, storable(one.text)) if one.topic is Topic.ACTION else ()
        return base.execute(query, (*what, *more)).fetchone() is not None
    query += "AND at BETWEEN ? AND ? AND abs(at - ?) <= max(within, ?) AND seer != ? "
    values: tuple[object, ...] = (*what, one.at - _NEAR_S, one.at + _NEAR_S, one.at, entry.within, seer)
    if one.topic is Topic.MODEL:
        query, values = query + "AND text = ? ", (*values, storable(one.text))
    return base.execute(query + "LIMIT 1", values).fetchone() is not None


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    found = base.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise QuarterdeckError(
            f"{path} was written by a newer quarterdeck: it is only read, and events are kept in memory"
        )
    if found < VERSION:
        base.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before anything is written
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = NORMAL")
    base.execute("PRAGMA wal_autocheckpoint = 64")
    base.execute(f"PRAGMA journal_size_limit = {pruning.LOG_BYTES}")
    if found < VERSION:
        base.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            base.execute(statement)
        base.execute(f"PRAGMA user_version = {VERSION}")
        base.execute("COMMIT")
