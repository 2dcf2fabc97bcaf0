"""Reads what is typed, in a thread that sleeps until there is some."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.message import Message

_START, _END = "\x1b[200~", "\x1b[201~"
"""What a terminal sends before and after what is pasted."""
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ESCAPE = re.compile("(?=\x1b)")


class Typed:
    """What a terminal sends, as messages.

    Textual's parser takes what follows an escape character within a paste for keys, and fails at numbers that are no
    characters; so pastes are kept from it, and after a failure another one goes on.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._parser = XTermParser(debug)
        self._tail = ""
        """The last characters: a mark may have begun in them."""
        self._pasted: list[str] | None = None

    def feed(self, text: str) -> list[Message]:
        """The messages of some more text."""
        found: list[Message] = []
        while text:
            text = self._type(text, found) if self._pasted is None else self._paste(text, found)
        return found

    def tick(self) -> list[Message]:
        """Those of an escape sequence that doesn't go on."""
        return self._tried(self._parser.tick())

    def _type(self, text: str, found: list[Message]) -> str:
        """Up to the mark before a paste; what is left behind it."""
        joined = self._tail + text
        at = joined.find(_START)
        end = len(text) if at < 0 else at + len(_START) - len(self._tail)
        for piece in _ESCAPE.split(text[:end]):
            found += self._tried(self._parser.feed(piece)) if piece else ()  # nothing would be the end
        if at < 0:
            self._tail = joined[1 - len(_START) :]
        else:
            self._renew()  # it would keep the paste for itself
            self._tail, self._pasted = "", []
        return text[end:]

    def _paste(self, text: str, found: list[Message]) -> str:
        """Up to the mark after it; what is left behind that. Nobody wants escape sequences and control characters of a paste."""
        assert self._pasted is not None
        joined = self._tail + text
        at = joined.find(_END)
        end = max(0, len(joined) - len(_END) + 1) if at < 0 else at
        self._pasted.append(joined[:end])
        if at < 0:
            self._tail = joined[end:]
            return ""
        found.append(events.Paste(_SEQUENCES.sub("", "".join(self._pasted))))
        self._tail, self._pasted = "", None
        return joined[end + len(_END) :]

    def _tried(self, messages: Iterable[Message]) -> list[Message]:
        """All up to a failure. Sizes are measured, not believed."""
        found: list[Message] = []
        try:
            for message in messages:
                if isinstance(message, events.Resize):
                    self._parser.mouse_pixels = False
                else:
                    found.append(message)
        except Exception:  # noqa: BLE001  (nobody could type any more)
            self._renew()
        return found

    def _renew(self) -> None:
        before, self._parser = self._parser, XTermParser(self._debug)
        self._parser.last_x, self._parser.last_y = before.last_x, before.last_y


class Keyboard:
    """Keys, mouse, pastes and answers of a terminal, as messages."""

    def __init__(
        self, fd: int, told: Callable[[Message], None], gone: Callable[[], None], *, debug: bool = False
    ) -> None:
        """``told`` and ``gone`` (there is no terminal any more) are called in the thread."""
        self._fd, self._told, self._gone, self._debug = fd, told, gone, debug
        self._wake, self._end = os.pipe()
        self._thread = threading.Thread(target=self._run, name="quarterdeck-keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more; returns when that is so."""
        os.write(self._end, b"x")
        self._thread.join()
        os.close(self._wake)
        os.close(self._end)

    def _run(self) -> None:
        typed = Typed(debug=self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        patience: float | None = None
        while True:
            ready = _ready((self._fd, self._wake), patience)
            if self._wake in ready:
                return
            if self._fd in ready:
                data = self._read()
                if data is None:
                    continue
                if not data:
                    self._gone()
                    return
                for message in typed.feed(decode(data)):
                    self._told(message)
            for message in typed.tick():
                self._told(message)
            patience = constants.ESCAPE_DELAY + 0.01 if ready else None  # an escape sequence may be unfinished

    def _read(self) -> bytes | None:
        """What was typed; b"" where there is no terminal any more, ``None`` where somebody else took it first."""
        try:
            return os.read(self._fd, 4096)
        except BlockingIOError:  # somebody made the terminal non-blocking
            return None
        except OSError:
            return b""


def _ready(fds: Iterable[int], seconds: float | None) -> list[int]:
    """Those that can be read now, or have ended. `select` takes no numbers above 1023; elsewhere `poll` knows no terminals."""
    if not sys.platform.startswith("linux"):
        return select.select(list(fds), [], [], seconds)[0]
    waiting = select.poll()
    for fd in fds:
        waiting.register(fd, select.POLLIN)
    return [fd for fd, _ in waiting.poll(None if seconds is None else seconds * 1000)]
