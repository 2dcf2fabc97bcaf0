"""Under which paths a file lies: links, ``..``, bind mounts and another case must not take it out of a rule of ``[policy] paths``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePath

_MAGIC = re.compile(r"[*?\[]")


def aliases(globs: Iterable[str], path: str) -> tuple[str, ...]:
    """``path``, and what it would be called below each glob's folder, where that is the same folder under another name. Blocks."""
    found = {os.path.normpath(path): None, path: None}
    above = _above(path)
    for glob in globs:
        stem = _folder(glob)
        rest = above.get(_identity(stem)) if stem else None
        if rest is not None:
            found[f"{stem}/{rest}" if rest else stem] = None
    return tuple(found)


def _folder(glob: str) -> str:
    """Its fixed part: the folders before the first pattern, or all of it; "" = none."""
    magic = _MAGIC.search(glob)
    stem = glob if magic is None else glob[: magic.start()].rpartition("/")[0]
    return stem.rstrip("/")


def _above(path: str) -> dict[tuple[int, int] | None, str]:
    """Device and inode of the file and of every folder above it → the rest of the path below that."""
    parts = PurePath(path)
    found = {_identity(str(parent)): str(parts.relative_to(parent)) for parent in reversed(parts.parents)}
    found[_identity(path)] = ""
    found.pop(None, None)
    return found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        told = os.stat(path)  # noqa: PTH116  (through links: that is the point)
    except (OSError, ValueError):
        return None
    return told.st_dev, told.st_ino
