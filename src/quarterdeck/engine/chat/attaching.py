"""Files named in a prompt (``@path``): read, bounded, and told from what can't be sent."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from quarterdeck.errors import UsageError
from quarterdeck.format import printable, size
from quarterdeck.model.chat.request import Image

NOTHING: Mapping[str, str] = MappingProxyType({})
MOST_TEXT = 512 * 1024
MOST_IMAGE = 10 * 1024 * 1024
MOST_FILES = 8
_NAMED = re.compile(r'(?<!\S)@(?:"([^"\n]+)"|(\S+))')
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Attached:
    """One file. Either ``text`` or ``image`` is there."""

    path: str
    """Absolute, without links: what a policy's globs are held against."""
    bytes: int
    text: str | None = None
    image: Image | None = None

    @property
    def about(self) -> str:
        """In words: path, size, kind."""
        kind = self.image.media_type if self.image is not None else "text"
        return f"{self.path} ({size(self.bytes)}, {kind})"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent of one thing that was typed."""

    typed: str
    """As it was typed, with its ``@path``."""
    text: str
    """As it goes out, with the text of the files."""
    attached: tuple[Attached, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Their resolved paths."""
        return tuple(one.path for one in self.attached)

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures among them."""
        return tuple(one.image for one in self.attached if one.image is not None)


def names_files(typed: str) -> bool:
    """Whether files may have to be read."""
    return "@" in typed and _NAMED.search(typed) is not None


def prompt_of(typed: str, pasted: Mapping[str, str] = NOTHING) -> Prompt:
    """Read the files that a prompt names. Blocks. Raises UsageError where one can't be sent.

    ``pasted``: texts by what stands for them in ``typed``; files are not looked for in them (somebody else wrote them).
    ``@word`` without slash or dot is no file unless there is one of that name. ``@"a b.txt"`` names one with spaces.
    """
    attached: dict[str, Attached] = {}
    for match in _NAMED.finditer(typed):
        path = _path(match[1] or match[2], quoted=match[1] is not None)
        if path is None or str(path) in attached:
            continue
        if len(attached) == MOST_FILES:
            raise UsageError(f"more than {MOST_FILES} files are attached")
        attached[str(path)] = read(path)
    files = tuple(attached.values())
    for stand_in, text in pasted.items():
        typed = typed.replace(stand_in, text)
    return Prompt(typed, typed + "".join(_quoted(one) for one in files if one.text is not None), files)


def read(path: Path) -> Attached:
    """One file; ``path`` is resolved. Raises UsageError."""
    shown = printable(str(path), 200)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UsageError(f"{shown} is no file")
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(MOST_IMAGE + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror or 'cannot be read'}") from None
    media = next((kind for magic, at, kind in _MAGIC if data[at : at + len(magic)] == magic), None)
    if media is not None:
        if len(data) > MOST_IMAGE:
            raise UsageError(f"{shown} is larger than {size(MOST_IMAGE)}, the most for a picture")
        return Attached(str(path), len(data), image=Image(path.name, media, data))
    if len(data) > MOST_TEXT:
        raise UsageError(f"{shown} is larger than {size(MOST_TEXT)}, the most for a text")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{shown} is neither text (UTF-8) nor a PNG, JPEG, GIF or WebP picture")
    return Attached(str(path), len(data), text=text)


def _path(name: str, *, quoted: bool) -> Path | None:
    """The file that is meant; ``None`` where it is just a word."""
    for text in (name, name.rstrip(".,;:!?)")):
        try:
            path = Path(text).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            continue
        if path.is_file() or quoted or "/" in text:
            return path
    if quoted or name.startswith(("/", "./", "../", "~")):
        raise UsageError(f"there is no file {printable(name, 200)}")
    return None


def _quoted(one: Attached) -> str:
    """A text in a fence that is longer than any in it. The name only: where it lies is nobody's business."""
    text = one.text or ""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"\n\n{Path(one.path).name}:\n{fence}\n{text.rstrip()}\n{fence}"
