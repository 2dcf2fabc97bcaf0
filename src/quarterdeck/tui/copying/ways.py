"""The ways to a clipboard: a program of this machine where the user sits at it, tmux, the terminal, else a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from quarterdeck.errors import UsageError

WITHIN_S = 2.0
FILE = "clipboard.txt"
_REMOTE = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
Which = Callable[[str], str | None]


class Native(NamedTuple):
    """A program that takes the text on its standard input. ``name``: as it is told of."""

    name: str
    command: tuple[str, ...]
    encoding: str = "utf-8"


def native(environ: Mapping[str, str], platform: str = sys.platform, which: Which = shutil.which) -> Native | None:
    """The program of this machine's clipboard; ``None`` where the user sits elsewhere, or there is none. Pure but for ``which``."""
    if any(environ.get(name) for name in _REMOTE):
        return None
    known: list[Native] = []
    if platform == "darwin":
        known.append(Native("pbcopy", ("pbcopy",)))
    if environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"):
        known.append(Native("clip.exe", ("clip.exe",), "utf-16"))  # with its mark: otherwise it reads a code page
    if environ.get("WAYLAND_DISPLAY"):
        known.append(Native("wl-copy", ("wl-copy",)))
    if environ.get("DISPLAY"):
        known.append(Native("xclip", ("xclip", "-selection", "clipboard", "-in")))
        known.append(Native("xsel", ("xsel", "--clipboard", "--input")))
    return next((each for each in known if which(each.command[0])), None)


def of_tmux(environ: Mapping[str, str], which: Which = shutil.which) -> Native | None:
    """tmux itself: it keeps the text in a buffer and hands it to its terminal, whatever it makes of sequences."""
    if environ.get("TMUX") and which("tmux"):
        return Native("tmux", ("tmux", "load-buffer", "-w", "-"))
    return None


async def hand_over(program: Native, text: str, within: float = WITHIN_S) -> bool:
    """Give the text to a program; ``False`` where it fails or takes longer. What it leaves running (xclip) keeps the text."""
    try:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,  # it would be held open by what stays
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return False
    try:
        async with asyncio.timeout(within):
            await process.communicate(text.encode(program.encoding, "replace"))
    except (TimeoutError, OSError):
        return False
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode == 0


def to_file(text: str, folder: Path | None = None) -> Path:
    """Write the text where only this user reads it: always the same file of the state folder, else one of the temporary folder.

    Blocks. Raises UsageError where neither can be written.
    """
    if folder is None:
        from platformdirs import user_state_path

        folder = user_state_path("quarterdeck")
    data = text.encode("utf-8", "replace")
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _placed(data, folder)
    path = ""
    try:
        handle, path = tempfile.mkstemp(prefix="quarterdeck-", suffix=".txt")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(path).unlink(missing_ok=bool(path))
        raise UsageError(f"it can't be written to a file either: {error.strerror or 'no place for it'}") from None
    return Path(path)


def _placed(data: bytes, folder: Path) -> Path:
    """All of it or nothing, readable by its owner only."""
    handle, new = tempfile.mkstemp(prefix=".clipboard-", dir=folder)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return Path(new).replace(folder / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            Path(new).unlink()
        raise
