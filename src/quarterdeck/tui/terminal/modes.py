"""What is switched on in a terminal, and off again: no more than this kind of terminal understands or quietly ignores."""

from __future__ import annotations

from collections.abc import Mapping

_MOUSE = ("1000", "1002", "1006")
"""Buttons, dragging, and coordinates beyond 223. Not every motion: nothing here follows the pointer."""
_KITTY = 1 | 8 | 16
"""Keys that can be told apart, all of them, with the text they make: as Textual asks for them."""


class Modes:
    """The sequences for one terminal, told by its environment."""

    def __init__(self, environ: Mapping[str, str], *, mouse: bool = True) -> None:
        term = environ.get("TERM", "")
        self._dumb = term in ("", "dumb", "unknown")
        apple = environ.get("TERM_PROGRAM") == "Apple_Terminal"
        plain = self._dumb or term.startswith(("linux", "vt", "cons", "ansi", "sun", "wsvt"))
        screen = term.startswith("screen") and "TMUX" not in environ
        self._mouse = _MOUSE if mouse and not plain else ()
        self._kitty = not (plain or screen or apple)
        self.asks_for_synchronised = not (plain or screen or apple)
        """Whether it may be asked if it shows a frame at once (mode 2026): some print a part of the question."""
        self.asks_for_cursor = not self._dumb
        """Whether it may be asked where its cursor is: all do that since the VT100."""
        elsewhere = any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "MOSH_CONNECTION"))
        self.may_be_slow = elsewhere or plain
        """Whether a line may be between it and this machine: a connection from elsewhere, or a terminal with a serial port."""

    def on(self) -> str:
        """Another screen with nothing on it, without a cursor, lines not wrapped; mouse, pastes and keys told as what they are."""
        if self._dumb:
            return ""
        mouse = "".join(f"\x1b[?{mode}h" for mode in self._mouse)
        keys = f"\x1b[>{_KITTY}u" if self._kitty else ""
        asks = "\x1b[?2026$p" if self.asks_for_synchronised else ""
        return f"\x1b[?1049h\x1b[0m\x1b[H{asks}\x1b[2J\x1b[?25l\x1b[?7l\x1b[?2004h{mouse}{keys}"

    def off(self, *, synchronised: bool) -> str:
        """Everything as it was. The screen is cleared first: some terminals have no other one."""
        if self._dumb:
            return ""
        mouse = "".join(f"\x1b[?{mode}l" for mode in self._mouse)
        keys = "\x1b[<u" if self._kitty else ""
        shown = "\x1b[?2026l" if synchronised else ""
        return f"{shown}{mouse}{keys}\x1b[?2004l\x1b[?7h\x1b[0m\x1b[2J\x1b[H\x1b[?1049l\x1b[?25h"
