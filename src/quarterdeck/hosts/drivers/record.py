"""What is remembered of a process that was started: one small private file for each deployment. Stdlib only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

FOLDER = "deployments"
_PLAIN_NAME = r"[a-z0-9][a-z0-9_.-]*"


@dataclass(frozen=True, slots=True)
class Record:
    """A start, and how it ended where that is known."""

    pid: int
    """The server's first process; the leader of its session and group ``pgid``."""
    identity: str
    create_time: float
    """Unix seconds when it was started."""
    pgid: int
    keeper: int
    """Our process that waits for its end; 0 = none."""
    keeper_identity: str
    launch: str
    """The value of $QUARTERDECK_LAUNCH, by which its descendants are found."""
    argv: tuple[str, ...]
    log: str
    status: int | None = None
    """Its exit code; -9 = ended by signal 9. ``None`` = it runs, or nobody saw its end."""
    ended: float | None = None


def file_stem(name: str) -> str:
    """A deployment's name as a file's: itself where it is plain, else made plain, with a mark that keeps it apart."""
    if re.fullmatch(_PLAIN_NAME, name):
        return name
    plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:40]
    return f"{plain}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def folder_in(state: Path) -> Path:
    """The drivers' folder, private, made where missing. Raises OSError."""
    folder = state / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def read_record(path: Path) -> Record | None:
    """The record; ``None`` where there is none that can be read. Never raises for what the file holds."""
    try:
        given = json.loads(path.read_bytes())
        values: dict[str, Any] = {field.name: given[field.name] for field in fields(Record) if field.name in given}
        record = Record(**{**values, "argv": tuple(map(str, values["argv"]))})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if _sound(record) else None


def _sound(record: Record) -> bool:
    """Whether signals may be sent by it: no pid in it is one that means many."""
    numbers = (record.pid, record.pgid, record.keeper)
    texts = (record.identity, record.keeper_identity, record.launch, record.log)
    plain = all(type(number) is int for number in numbers) and all(isinstance(text, str) for text in texts)
    ends = type(record.status) in (int, type(None)) and isinstance(record.ended, float | int | None)
    begins = isinstance(record.create_time, float | int)
    return plain and ends and begins and record.pid > 1 and record.pgid > 1 and bool(record.launch)


def write_record(path: Path, record: Record) -> None:
    """Put it there in one step, for this user only. Raises OSError; then what was there is untouched."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(asdict(record), stream)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
