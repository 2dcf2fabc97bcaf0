"""Keeps the file of events within its age and its size, and gives the room back to the disk."""

from __future__ import annotations

import sqlite3

from quarterdeck.config.fleet import EventSettings

EVERY = 200
"""Rows between two looks."""
LOG_BYTES = 256 * 2**10
"""What SQLite's write-ahead log is cut back to."""
_SPARE = EVERY * 1024 + 2 * LOG_BYTES
"""What may come until the next look, and the log beside."""
_SHARE = 0.1
"""Of all rows so many go at one time."""


def prune(base: sqlite3.Connection, settings: EventSettings, now: float) -> None:
    """Delete what is older than ``keep``, and the oldest until the file fits; ``now``: Unix seconds. Raises sqlite3.Error."""
    base.execute("DELETE FROM happening WHERE at < ?", (now - settings.keep,))
    most = max(settings.most - _SPARE, settings.most // 3)
    while _used(base) > most:
        count = base.execute("SELECT count(*) FROM happening").fetchone()[0]
        if not count:
            break
        some = max(1, int(count * _SHARE))
        base.execute("DELETE FROM happening WHERE id IN (SELECT id FROM happening ORDER BY id LIMIT ?)", (some,))
    base.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only: it has no rows to go through
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _used(base: sqlite3.Connection) -> int:
    """Bytes of pages that hold something."""
    pages, free, size = (
        int(base.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
