"""What a run has asked and been answered: one line each, only ever appended. After a kill at any byte it goes on where it was.

A line says that a pair is sent, before it is; another what came of it, on disk (fsync) before it counts. So nothing that
was answered is asked again, and at most what was on its way is. A line that was cut off is none.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quarterdeck.engine.comparing.lines import from_line, to_line
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.cases.result import Result

VERSION = 1
MOST_BYTES = 2**30
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 6
SUFFIX = ".jsonl"


def ledgers_path() -> Path:
    """The user's folder of runs."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / "compare"


@dataclass(slots=True)
class Standing:
    """What a ledger tells when it is read."""

    head: dict[str, Any]
    results: dict[str, Result] = field(default_factory=dict)
    """By pair; the latest."""
    asked: dict[str, int] = field(default_factory=dict)
    """How often each pair was sent."""
    flying: set[str] = field(default_factory=set)
    """Sent, and never answered: on their way when the run broke off."""
    end: int = 0
    """Bytes up to the last whole line."""
    broken: int = 0
    """Lines that can't be read."""


class Ledger:
    """One run's file, held by this process alone."""

    def __init__(self, path: Path, descriptor: int, standing: Standing) -> None:
        """Use `begin` or `resume`."""
        self.path = path
        self.standing = standing
        self._descriptor: int | None = descriptor

    @property
    def id(self) -> str:
        """What it is called."""
        return str(self.standing.head.get("id", self.path.stem))

    @property
    def keeps_texts(self) -> bool:
        """Whether answers are written into it."""
        return bool(self.standing.head.get("texts"))

    def asking(self, pair: str) -> None:
        """``pair`` is sent now."""
        standing = self.standing
        standing.asked[pair] = standing.asked.get(pair, 0) + 1
        standing.flying.add(pair)
        self._append({"ask": pair})

    def answered(self, pair: str, result: Result) -> None:
        """On disk when it returns. Blocks. Raises QuarterdeckError where it can't be written."""
        self._append({"got": pair, **to_line(result, texts=self.keeps_texts)}, sync=True)
        self.standing.results[pair] = result
        self.standing.flying.discard(pair)

    def again(self, pairs: Iterable[str]) -> None:
        """These count as not answered."""
        named = sorted(pairs)
        self._append({"again": named}, sync=True)
        for pair in named:
            self.standing.results.pop(pair, None)

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: Mapping[str, Any], *, sync: bool = False) -> None:
        if self._descriptor is None:
            raise QuarterdeckError(f"{self.path} is closed")
        data = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self.path, error) from None


def begin(
    head: Mapping[str, Any], path: Path | None = None, *, texts: bool, wall: Callable[[], float] = time.time
) -> Ledger:
    """A new ledger at ``path``, or in the state folder. Raises UsageError where there is a file, QuarterdeckError where none can be."""
    target = path if path is not None else _fresh(ledgers_path())
    told = {"v": VERSION, "id": target.stem if path is None else str(path), "begun": wall(), "texts": texts, **head}
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageError(
            f"{target} exists", hint=f"--resume {target} goes on with it; nothing is overwritten."
        ) from None
    except OSError as error:
        raise _unwritable(target, error) from None
    _lock(target, descriptor)
    ledger = Ledger(target, descriptor, Standing(dict(told)))
    try:
        ledger._append({"run": told}, sync=True)  # noqa: SLF001
        _sync_folder(target.parent)
    except BaseException:
        ledger.close()
        raise
    return ledger


def resume(path: Path) -> Ledger:
    """Go on with a ledger; what was cut off at its end is taken away. Raises UsageError, QuarterdeckError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise UsageError(f"there is no run {path}", hint="`quarterdeck compare --runs` lists them.") from None
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        _check_file(path, descriptor)
        _lock(path, descriptor)
        standing = read(path)
        os.ftruncate(descriptor, standing.end)
    except OSError as error:
        os.close(descriptor)
        raise _unwritable(path, error) from None
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    return Ledger(path, descriptor, standing)


def read(path: Path) -> Standing:
    """What a ledger tells. Raises UsageError where it is none, OSError where it can't be read."""
    if path.stat().st_size > MOST_BYTES:
        raise UsageError(f"{path} is too large to be a run")
    standing: Standing | None = None
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                line = None
            if standing is None:
                standing = Standing(_head(line, path))
            else:
                _take(standing, line)
            standing.end += len(raw)
    if standing is None:
        raise UsageError(f"{path} is no run: it broke off before it began", hint="Begin a new one.")
    return standing


def _head(line: object, path: Path) -> dict[str, Any]:
    head = line.get("run") if isinstance(line, dict) else None
    if not isinstance(head, dict):
        raise UsageError(f"{path} is no run of `quarterdeck compare`")
    if head.get("v") != VERSION:
        raise UsageError(f"{path} was written by another version of quarterdeck")
    return head


def _take(standing: Standing, line: object) -> None:
    if not isinstance(line, dict):
        standing.broken += 1
    elif isinstance(pair := line.get("ask"), str):
        standing.asked[pair] = standing.asked.get(pair, 0) + 1
        standing.flying.add(pair)
    elif isinstance(pair := line.get("got"), str):
        result = from_line(line, asked=standing.asked.get(pair, 1))
        if result is None:
            standing.broken += 1
            return
        standing.results[pair] = result
        standing.flying.discard(pair)
    elif isinstance(pairs := line.get("again"), list):
        for each in pairs:
            standing.results.pop(str(each), None)
    else:
        standing.broken += 1


def found(name: str) -> Path:
    """The file of a run: by its path, or its id (or the only one that begins so). Raises UsageError."""
    if "/" in name or name.endswith(SUFFIX) or Path(name).is_file():
        return Path(name).expanduser()
    matching = [path for path in all_runs() if path.stem == name] or [
        path for path in all_runs() if name and path.stem.startswith(name)
    ]
    if len(matching) != 1:
        raise UsageError(
            f"{len(matching) or 'no'} run{'s begin' if len(matching) > 1 else ' is called'} {name[:40]!r}",
            hint="`quarterdeck compare --runs` lists them.",
        )
    return matching[0]


def all_runs() -> list[Path]:
    """The files in the state folder, the newest first."""
    try:
        entries = [Path(entry.path) for entry in os.scandir(ledgers_path()) if entry.name.endswith(SUFFIX)]
        return sorted(entries, key=lambda path: (-path.stat().st_mtime, path.name))
    except OSError:
        return []


def _fresh(folder: Path) -> Path:
    try:
        for each in (folder.parent, folder):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(folder, error) from None
    while True:
        path = folder / ("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) + SUFFIX)
        if not path.exists():
            return path


def _check_file(path: Path, descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise UsageError(f"{path} is no file")


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UsageError(f"{path} is in use: another quarterdeck runs it") from None


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> QuarterdeckError:
    return QuarterdeckError(
        f"the run can't be kept in {path}: {error.strerror or type(error).__name__}",
        hint="XDG_STATE_HOME or --out says where it is kept.",
    )
