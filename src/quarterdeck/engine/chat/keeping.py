"""Prompts and answers that somebody wants kept (``[chat] save = true``): SQLite in the state folder, readable by its owner only.

Nothing here opens a file unless saving is on; what was saved can be searched, exported and deleted.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarterdeck.engine.database import open_private
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.chat.answer import Answer
from quarterdeck.model.chat.request import ChatRequest

FILE = "chats.db"
VERSION = 1
_BUSY_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    sitting TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    answer TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS exchange_at ON exchange (at);
"""


def chats_path() -> Path:
    """The user's file of chats."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / FILE


@dataclass(frozen=True, slots=True)
class Kept:
    """One exchange as it was saved. ``at``: Unix seconds; ``details``: messages, settings, numbers, as JSON values."""

    id: int
    at: float
    sitting: str
    endpoint: str
    model: str
    prompt: str
    answer: str
    details: dict[str, Any]


class Chats:
    """The file. Calls block: they are made in a thread. One connection a call, so that several consoles get along."""

    def __init__(self, path: Path | None = None, *, wall: Callable[[], float] = time.time) -> None:
        """Opens nothing."""
        self.path = path or chats_path()
        self._wall = wall
        self._lock = threading.Lock()

    def save(self, sitting: str, request: ChatRequest, answer: Answer) -> int:
        """Keep one exchange; returns its number. Raises QuarterdeckError where it can't be written."""
        prompt = request.messages[-1].text if request.messages else ""
        row = (
            self._wall(),
            sitting,
            _storable(answer.endpoint),
            _storable(answer.model),
            _storable(prompt),
            _storable(answer.text),
            json.dumps(details(request, answer)),
        )
        with self._writing() as base:
            cursor = base.execute(
                "INSERT INTO exchange (at, sitting, endpoint, model, prompt, answer, details) VALUES (?,?,?,?,?,?,?)",
                row,
            )
            return int(cursor.lastrowid or 0)

    def search(self, words: str = "", *, limit: int = 50) -> list[Kept]:
        """Those that hold every word (in prompt, answer, model or endpoint; case doesn't matter), the newest first."""
        if not self.path.exists():
            return []
        wanted = [f"%{_escaped(word)}%" for word in words.split()]
        clause = " AND ".join(
            ["(prompt || ' ' || answer || ' ' || model || ' ' || endpoint) LIKE ? ESCAPE '\\'"] * len(wanted)
        )
        where = f"WHERE {clause}" if clause else ""
        query = f"SELECT * FROM exchange {where} ORDER BY at DESC, id DESC LIMIT ?"  # noqa: S608  (no value in it)
        with self._opened() as base:
            return [_kept(row) for row in base.execute(query, (*wanted, limit))]

    def prompts(self, limit: int, longest: int = 20_000) -> list[str]:
        """The last prompts that were sent, each once, the newest last; none of more than ``longest`` characters."""
        if not self.path.exists():
            return []
        query = "SELECT prompt FROM exchange WHERE length(prompt) BETWEEN 1 AND ? GROUP BY prompt ORDER BY max(id) DESC LIMIT ?"
        with self._opened() as base:
            return [str(prompt) for (prompt,) in base.execute(query, (longest, limit))][::-1]

    def read(self, number: int) -> Kept | None:
        """One of them."""
        if not self.path.exists():
            return None
        with self._opened() as base:
            row = base.execute("SELECT * FROM exchange WHERE id = ?", (number,)).fetchone()
        return _kept(row) if row else None

    def delete(self, *, number: int | None = None, before: float | None = None) -> int:
        """Delete one, those before a time, or (without either) all; returns how many. Their bytes are overwritten, too."""
        if not self.path.exists():
            return 0
        with self._writing() as base:
            if number is not None:
                count = base.execute("DELETE FROM exchange WHERE id = ?", (number,)).rowcount
            elif before is not None:
                count = base.execute("DELETE FROM exchange WHERE at < ?", (before,)).rowcount
            else:
                count = base.execute("DELETE FROM exchange").rowcount
        with self._opened() as base:
            base.execute("VACUUM")
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(count)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as base:
            base.execute("BEGIN IMMEDIATE")
            try:
                yield base
            except BaseException:
                base.execute("ROLLBACK")
                raise
            base.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._in_words():
            base = open_private(self.path, self._prepare, busy_s=_BUSY_S)
            try:
                yield base
            finally:
                base.close()

    def _prepare(self, base: sqlite3.Connection) -> None:
        found = base.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise QuarterdeckError(f"{self.path} was written by a newer quarterdeck; it is left alone")
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA secure_delete = ON")
        if found < VERSION:
            base.executescript(_SCHEMA)
            base.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise QuarterdeckError(f"chats can't be kept in {self.path}: {said}") from None


def details(request: ChatRequest, answer: Answer) -> dict[str, Any]:
    """What else is kept of an exchange: settings, earlier turns, numbers. Pictures by name only."""
    sampling = {name: value for name in SETTINGS if (value := getattr(request.sampling, name)) is not None}
    return {
        "messages": [
            {"role": m.role.value, "text": _storable(m.text), "images": [image.name for image in m.images]}
            for m in request.messages
        ],
        "sampling": sampling,
        "reasoning": _storable(answer.reasoning),
        "ending": answer.ending.value if answer.ending else None,
        "reason": answer.reason,
        "finish": answer.finish,
        "ttft_s": answer.ttft_s,
        "total_s": answer.total_s,
        "decode_tps": answer.decode_tps,
        "prompt_tokens": answer.usage.prompt_tokens,
        "output_tokens": answer.output_tokens,
        "cost_usd": answer.cost,
        "cost_source": answer.cost_source,
        "notes": list(answer.notes),
    }


SETTINGS = ("temperature", "top_p", "max_tokens", "seed", "context_length", "effort", "schema", "stop")
"""Fields of `Sampling`."""


def _kept(row: tuple[Any, ...]) -> Kept:
    number, at, sitting, endpoint, model, prompt, answer, text = row
    told: object = None
    with contextlib.suppress(ValueError):
        told = json.loads(text)
    return Kept(number, at, sitting, endpoint, model, prompt, answer, told if isinstance(told, dict) else {})


def _storable(text: str) -> str:
    """Without half surrogates, which SQLite refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _escaped(word: str) -> str:
    """A word as LIKE takes it literally."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
