"""Where lines go: whole, at once, never between two letters of another one. No control character but the line break."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

Write = Callable[[str], None]
"""Writes text, all of it; may block. Raises OSError where nobody reads."""


class Voice:
    """Says lines. Writing is done in a thread: a terminal that takes nothing (Ctrl+S) stops neither polls nor the end."""

    def __init__(self, write: Write, *, prompt: str = "") -> None:
        """``prompt`` stands where a line can be typed; "" where nobody types (a pipe)."""
        self._write = write
        self._prompt = prompt
        self._lock = asyncio.Lock()
        self._open = ""
        """What stands in the last line, which has no end yet: a prompt, or a question."""

    async def say(self, lines: Iterable[str]) -> None:
        """Lines of an answer. Raises OSError where nobody reads."""
        text = "".join(f"{line}\n" for line in lines)
        if text:
            async with self._lock:
                await self._out(("\n" if self._open else "") + text)
                self._open = ""

    async def news(self, lines: Sequence[str]) -> None:
        """Lines that nobody asked for: on lines of their own, and the prompt again below them."""
        if lines:
            async with self._lock:
                before = self._open
                await self._out(("\n" if before else "") + "".join(f"{line}\n" for line in lines) + before)

    async def prompt(self) -> None:
        """A command can be typed."""
        if self._prompt:
            async with self._lock:
                await self._out(self._prompt)
                self._open = self._prompt

    async def question(self, text: str) -> None:
        """Something is to be answered: at the end of its line, or for a program, which reads lines, on a line of its own."""
        async with self._lock:
            before = "\n" if self._open else ""
            await self._out(f"{before}{text} " if self._prompt else f"{before}{text}\n")
            self._open = f"{text} " if self._prompt else ""

    def entered(self) -> None:
        """Enter was pressed: the terminal has ended the line by itself."""
        self._open = ""

    def broken(self) -> None:
        """The terminal wrote something else behind what stands there, such as ^C."""
        self._open = self._open or " "

    async def end(self) -> None:
        """End the line that stands there, for whoever writes next."""
        async with self._lock:
            if self._open:
                await self._out("\n")
            self._open = ""

    async def _out(self, text: str) -> None:
        await asyncio.to_thread(self._write, text)


def writer(stream: TextIO) -> Write:
    """Writes to the file below ``stream`` without its buffer, so that nothing is left in it at the end."""
    encoding = stream.encoding or "utf-8"
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a stream of a test, without a file

        def plainly(text: str) -> None:
            stream.write(text)
            stream.flush()

        return plainly
    stream.flush()
    return lambda text: _all(descriptor, text.encode(encoding, "replace"))


def _all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # somebody made the terminal non-blocking
            select.select((), (descriptor,), ())
