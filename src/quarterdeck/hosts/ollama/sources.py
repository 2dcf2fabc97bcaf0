"""Where an Ollama's access log is read: the systemd journal, or a file. Reading never waits long and never raises."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from quarterdeck.hosts.ollama.log import WINDOW_S, Entry, parse, summary
from quarterdeck.model.reading import AccessLog

Found = tuple[AccessLog | None, str]
TAIL_BYTES = 512 * 1024
"""How much of a file's end is read at first; an access line has about 100 bytes."""
MOST_BYTES = 4 * 2**20
"""How much is read at once later on; what came on top of that is passed over."""
MOST_ENTRIES = 100_000
LIVE_S = 30.0
ZONE_STEP_S = 1800.0
"""Time zones differ by half hours and more."""
JOURNAL_EVERY_S = 10.0
"""journalctl takes some 20 ms of a processor."""
JOURNAL_WITHIN_S = 5.0
JOURNAL_LINES = 10_000
JOURNAL_BYTES = 8 * 2**20
_LONGEST_REST = 16 * 1024
_GROUP = "the journal may not be read by this user: add it to the group systemd-journal, or set access_log to a file"


class Source(Protocol):
    """An access log."""

    def read(self) -> Found:
        """The last minute of it, or why that can't be told."""
        ...


class LogFile:
    """A file that grows, is rotated, truncated or not there. It is opened for each reading: what is lost shows at once."""

    def __init__(self, path: str, wall: Callable[[], float]) -> None:
        """``wall``: Unix seconds."""
        self._path = Path(path)
        self._wall = wall
        self._identity: tuple[int, int] | None = None
        self._offset = 0
        self._rest = b""
        self._entries: list[Entry] = []
        self._since = 0.0
        self._skew = 0.0
        self._read_at = 0.0

    def read(self) -> Found:
        """Reads what has come since the last time."""
        try:
            self._take()
        except OSError as error:
            return None, f"{self._path} can't be read: {_words(error)}; see access_log in fleet.toml"
        now = self._read_at = self._wall()
        self._since = min(self._since, now)  # the clock may have been set back
        self._entries = [entry for entry in self._entries[-MOST_ENTRIES:] if entry.at > now - 2 * WINDOW_S]
        return summary(self._entries, self._since, now, str(self._path))

    def _take(self) -> None:
        # Opening a FIFO would wait for its writer.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is not a regular file")
            identity, size = (status.st_dev, status.st_ino), status.st_size
            if self._identity is None or (identity == self._identity and size - self._offset > MOST_BYTES):
                self._identity, self._offset = identity, max(0, size - TAIL_BYTES)
                self._begin(self._next(stream))
                return
            if identity != self._identity or size < self._offset:  # rotated, or truncated
                self._identity, self._offset, self._rest = identity, 0, b""
            self._entries += self._added(self._rest + self._next(stream))

    def _next(self, stream: BinaryIO) -> bytes:
        stream.seek(self._offset)
        data = stream.read(MOST_BYTES)
        self._offset += len(data)
        return data

    def _begin(self, data: bytes) -> None:
        """Start with the end of the file, if the times in it fit ours: a log may come from another time zone."""
        entries = self._parsed(data)  # half a first line is no access line
        now = self._wall()
        fits = bool(entries) and abs(entries[-1].at - now) <= WINDOW_S
        self._entries, self._since = (entries, entries[0].at) if fits else ([], now)

    def _added(self, data: bytes) -> list[Entry]:
        """What came since the last reading. If that was just now, the newest line tells how far the log's clock is off."""
        entries = self._parsed(data)
        now = self._wall()
        if entries and 0 <= now - self._read_at <= LIVE_S:
            self._skew = round((entries[-1].at - now) / ZONE_STEP_S) * ZONE_STEP_S
        return [entry._replace(at=entry.at - self._skew) for entry in entries] if self._skew else entries

    def _parsed(self, data: bytes) -> list[Entry]:
        now = self._wall()
        *lines, rest = data.split(b"\n")
        self._rest = rest if len(rest) <= _LONGEST_REST else b""
        return [entry for line in lines if (entry := parse(line, now)) is not None]


def _words(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "this user may not"
    return (error.strerror or str(error)).lower()


class Journal:
    """A unit's lines in the systemd journal, asked for every ten seconds in a thread: journalctl may take its time."""

    def __init__(
        self, unit: str, wall: Callable[[], float], monotonic: Callable[[], float], *, of_user: bool = False
    ) -> None:
        """``of_user``: a unit of the user's own service manager."""
        self._option = f"--user-unit={unit}" if of_user else f"--unit={unit}"
        self._origin = f"journal of {unit}"
        self._wall = wall
        self._monotonic = monotonic
        self._due = float("-inf")
        self._thread: threading.Thread | None = None
        self._found: Found = (None, "the journal is being read")

    def read(self) -> Found:
        """What was found last; looks again where that is due."""
        if self._monotonic() >= self._due and (self._thread is None or not self._thread.is_alive()):
            self._due = self._monotonic() + JOURNAL_EVERY_S
            self._thread = threading.Thread(target=self._look, name="quarterdeck-journal", daemon=True)
            self._thread.start()
        return self._found

    def settle(self) -> None:
        """Wait for a look under way."""
        if self._thread is not None:
            self._thread.join(2 * JOURNAL_WITHIN_S)

    def _look(self) -> None:
        try:
            self._found = self._counted(*_journal(self._option))
        except OSError as error:
            self._found = None, f"journalctl can't be run: {_words(error)}"
        except Exception as error:  # noqa: BLE001  (a failure is a reading)
            self._found = None, f"the journal can't be read ({type(error).__name__})"

    def _counted(self, said: bytes, complaint: str) -> Found:
        now = self._wall()
        lines = said.split(b"\n")
        entries = [entry for line in lines if (entry := parse(line, now)) is not None]
        if not entries and "permission" in complaint.lower():
            return None, _GROUP
        if not entries and "not seeing messages" in complaint:
            return None, _GROUP
        cut = len(lines) > JOURNAL_LINES or len(said) >= JOURNAL_BYTES
        return summary(entries, entries[0].at if cut and entries else 0.0, now, self._origin)


def _journal(option: str) -> tuple[bytes, str]:
    """The unit's lines of the last minute, newest last, and what journalctl complained of. Raises OSError."""
    command = ["journalctl", option, "--output=short-unix", "--no-pager", f"--lines={JOURNAL_LINES}"]
    command.append(f"--since=-{WINDOW_S + 5:.0f}s")
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "XDG_RUNTIME_DIR")}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"LC_ALL": "C", "SYSTEMD_COLORS": "0"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        end = threading.Timer(JOURNAL_WITHIN_S, process.kill)
        end.daemon = True
        end.start()
        try:
            said = process.stdout.read(JOURNAL_BYTES)
            process.stdout.close()  # it has said enough, or all
            process.kill()
            return said, process.stderr.read(4096).decode("utf-8", "replace")
        finally:
            end.cancel()
            process.kill()


def has_journal() -> bool:
    """Whether this machine has a systemd journal."""
    import shutil

    return shutil.which("journalctl") is not None
