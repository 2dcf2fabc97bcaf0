"""What this terminal can show: which glyphs, by its locale and kind, and whether it has more colours than it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from quarterdeck.tui.terminal.screen_diff import Glyphs

_PLAIN_LOCALES = ("C", "POSIX")
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself writes into LC_CTYPE in the locale C (PEP 538): the terminal knows nothing of that."""
_ALL_COLOURS = ("alacritty", "contour", "foot", "rio", "wezterm", "xterm-ghostty", "xterm-kitty")
"""By TERM, terminals with all colours. They say so in COLORTERM too, but ssh doesn't carry that."""


def glyphs(environ: Mapping[str, str], out: TextIO | None, ascii_only: bool | None) -> Glyphs | None:
    """What cells have to become, if anything. ``ascii_only``: ``None`` = as the locale says, or else what ``out`` encodes."""
    if ascii_only or (ascii_only is None and knows_no_utf8(environ, out)):
        from quarterdeck.tui.terminal.plain import to_ascii

        return to_ascii
    if environ.get("TERM") == "linux":
        from quarterdeck.tui.terminal.plain import to_console_font

        return to_console_font
    return None


def is_ascii(made: Glyphs | None) -> bool:
    """Whether it leaves nothing but ASCII."""
    if made is None:
        return False
    from quarterdeck.tui.terminal.plain import to_ascii

    return made is to_ascii


def knows_no_utf8(environ: Mapping[str, str], out: TextIO | None = None) -> bool:
    """Whether the locale says that the terminal has another encoding. One that says nothing is taken for UTF-8."""
    encoding = getattr(out, "encoding", None)
    if encoding and not _is_utf8(encoding):
        return True
    own = environ.get("LC_CTYPE", "")
    if own in _COERCED and not environ.get("LC_ALL"):
        own = _as_begun("LC_CTYPE", own)
    name = environ.get("LC_ALL") or own or environ.get("LANG") or ""
    charset = name.partition("@")[0].rpartition(".")[2] if "." in name else ""
    return name in _PLAIN_LOCALES or bool(charset and not _is_utf8(charset))


def _is_utf8(charset: str) -> bool:
    return charset.lower().replace("-", "").replace("_", "") == "utf8"


def _as_begun(name: str, value: str) -> str:
    """A variable as this process was given it; ``value`` where that can't be told."""
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return value
    return next(
        (each.partition(b"=")[2].decode("ascii", "replace") for each in given if each.startswith(name.encode() + b"=")),
        "",
    )


def tell_all_colours(environ: MutableMapping[str, str]) -> None:
    """Have COLORTERM say what TERM says already."""
    term = environ.get("TERM", "")
    if term in _ALL_COLOURS or term.endswith("-direct"):
        environ["COLORTERM"] = environ.get("COLORTERM") or "truecolor"
