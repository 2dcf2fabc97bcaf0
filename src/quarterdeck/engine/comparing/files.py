"""Case files from disk: bounded, text only, and no others than those that are named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from quarterdeck.errors import UsageError
from quarterdeck.format import printable, size
from quarterdeck.model.cases.parts import MOST_BYTES
from quarterdeck.model.cases.reading import Found

MOST_FILES = 1000


class Files:
    """Reads them, each once. Blocks."""

    def __init__(self) -> None:
        """Opens nothing."""
        self._read: dict[Path, str] = {}

    def found(self, name: str, folder: Path | None = None) -> Found:
        """The file ``name``, which starts at ``folder`` where it isn't absolute. Raises UsageError."""
        shown = printable(name, 200)
        try:
            path = Path(name).expanduser()
            path = (path if folder is None else folder / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else "cannot be read"
            raise UsageError(f"{shown}: {said}") from None
        if path not in self._read:
            if len(self._read) == MOST_FILES:
                raise UsageError(f"more than {MOST_FILES} files are named")
            self._read[path] = _text(path, shown)
        return Found(shown, str(path), self._read[path])

    def fetch(self, name: str, base: str) -> Found:
        """As `quarterdeck.model.cases.reading.Fetch`."""
        return self.found(name, Path(base).parent)


def _text(path: Path, shown: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UsageError(f"{shown} is no file")
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror or 'cannot be read'}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{shown} is larger than {size(MOST_BYTES)}")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}:{line}: not UTF-8") from None
