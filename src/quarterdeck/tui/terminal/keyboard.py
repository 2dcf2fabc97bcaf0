"""Reads what is typed, in a thread that sleeps until there is some."""

from __future__ import annotations

import os
import select
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable

from textual import constants
from textual._xterm_parser import XTermParser
from textual.message import Message


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
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        patience: float | None = None
        while True:
            ready, _, _ = select.select([self._fd, self._wake], [], [], patience)
            if self._wake in ready:
                return
            if self._fd in ready:
                data = self._read()
                if not data:
                    self._gone()
                    return
                text = decode(data)
                for message in parser.feed(text) if text else ():  # nothing would be the end
                    self._told(message)
            for message in parser.tick():
                self._told(message)
            patience = constants.ESCAPE_DELAY + 0.01 if ready else None  # an escape sequence may be unfinished

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 4096)
        except OSError:
            return b""
