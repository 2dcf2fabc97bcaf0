"""The sequence that asks a terminal to put text on its clipboard (OSC 52), through what may stand between. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from enum import StrEnum

MOST = 74_000
"""Characters of base64: terminals cut longer sequences off (xterm, hterm at 100,000 bytes, others at 74,994), some say nothing."""
_CHUNK = 240
"""GNU screen passes strings of at most 256 bytes on, in its oldest builds that are still around."""
_SILENT = re.compile(r"(?:linux.*|dumb.*|unknown|ansi|cons25|vt\d.*|)", re.IGNORECASE)
"""Terminals that would print it, or hang on it."""


class Between(StrEnum):
    """What stands between the program and the terminal."""

    NOTHING = ""
    TMUX = "tmux"
    SCREEN = "screen"


def between(environ: Mapping[str, str]) -> Between:
    """What the environment tells. TERM=screen without STY is most often a tmux farther away, which takes the plain sequence."""
    term = environ.get("TERM", "")
    if environ.get("TMUX") or term.startswith("tmux"):
        return Between.TMUX
    return Between.SCREEN if environ.get("STY") else Between.NOTHING


def understood(environ: Mapping[str, str]) -> bool:
    """Whether the terminal may be sent the sequence: the Linux console and the like print it."""
    return bool(environ.get("TMUX")) or _SILENT.fullmatch(environ.get("TERM", "")) is None


def sequence(text: str, through: Between = Between.NOTHING) -> str | None:
    """What to send; ``None`` where ``text`` is too long for terminals.

    tmux takes the plain sequence where ``set-clipboard`` is on, and passes the wrapped one on where ``allow-passthrough`` is:
    both are sent. GNU screen passes on what stands in device control strings.
    """
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    if len(encoded) > MOST:
        return None
    plain = f"\x1b]52;c;{encoded}\x07"
    if through is Between.TMUX:
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if through is Between.SCREEN:
        return "".join(f"\x1bP{plain[at : at + _CHUNK]}\x1b\\" for at in range(0, len(plain), _CHUNK))
    return plain
