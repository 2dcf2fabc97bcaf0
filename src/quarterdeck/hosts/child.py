"""A program that we started (ssh, for one): in a session of its own, without a terminal, ended with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence

MOST_SAID = 60
MOST_OUTPUT = 2**20
_LONGEST_SAID = 500
_LAST_WORDS_S = 0.2
"""So long after its end its last words may still be on their way."""
_GENTLY_S = 0.2
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Child(asyncio.SubprocessProtocol):
    """A running program. ``said``: the last lines of its standard error; ``status``: exit status, ``None`` while it runs."""

    def __init__(self, on_output: Callable[[bytes], None], on_said: Callable[[str], None]) -> None:
        """``on_output`` gets what it prints, ``on_said`` each line of its standard error."""
        self.said: deque[str] = deque(maxlen=MOST_SAID)
        self.status: int | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it has ended and its last words are in ``said``."""
        self._on_output = on_output
        self._on_said = on_said
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = b""

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        on_output: Callable[[bytes], None],
        on_said: Callable[[str], None],
    ) -> Child:
        """Start it. Raises OSError where there is no such program."""
        loop = asyncio.get_running_loop()
        _, process = await loop.subprocess_exec(
            lambda: cls(on_output, on_said), *command, start_new_session=True, env=_environment()
        )
        return process

    def write(self, data: bytes) -> None:
        """Send it to its standard input."""
        pipe = self._transport.get_pipe_transport(_STDIN) if self._transport is not None else None
        if isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write(data)

    def end_input(self) -> None:
        """Nothing more will be sent to it."""
        pipe = self._transport.get_pipe_transport(_STDIN) if self._transport is not None else None
        if isinstance(pipe, asyncio.WriteTransport):
            pipe.close()

    async def stop(self) -> None:
        """End it and all that it started, within half a second; leaves no zombie."""
        if not self.ended.done():
            self._signal(signal.SIGTERM)
            await asyncio.wait({self.ended}, timeout=_GENTLY_S)
        if not self.ended.done():
            self._signal(signal.SIGKILL)
            await asyncio.wait({self.ended}, timeout=_GENTLY_S)
        if self._transport is not None:
            self._transport.close()

    def hang_up(self) -> None:
        """Ask it to end, and don't wait."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        pid = self._transport.get_pid() if self._transport is not None else None
        if pid is not None and pid > 1:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it runs."""
        if isinstance(transport, asyncio.SubprocessTransport):
            self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """asyncio: it printed something."""
        if fd == _STDOUT:
            self._on_output(data)
        elif fd == _STDERR:
            lines = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
            self._rest = lines.pop()[-_LONGEST_SAID:]
            for line in lines:
                self._note(line)

    def _note(self, line: bytes) -> None:
        text = line[:_LONGEST_SAID].decode("utf-8", "replace")
        if text.strip():
            self.said.append(text)
            self._on_said(text)

    def process_exited(self) -> None:
        """asyncio: it has ended; what it started (a ProxyJump's ssh) goes too."""
        self._signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._settle)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it has ended and closed everything."""
        self._settle()

    def _settle(self) -> None:
        if self.ended.done():
            return
        self.status = self._transport.get_returncode() if self._transport is not None else None
        if self._rest:
            self._note(self._rest)
        self.ended.set_result(None)


def _environment() -> dict[str, str]:
    """Ours, without what makes ssh (or the one that it starts for a ProxyJump) open a window to ask for a password."""
    kept = {name: value for name, value in os.environ.items() if name != "SSH_ASKPASS"}
    return {**kept, "SSH_ASKPASS_REQUIRE": "never"}


async def output_of(*command: str, timeout: float) -> tuple[int | None, str]:  # noqa: ASYNC109  (a deadline to keep)
    """Exit status and output (at most `MOST_OUTPUT` bytes) of a program that needs no input.

    The status is ``None`` where there is no such program, or it took longer than ``timeout`` seconds and was ended.
    """
    chunks: list[bytes] = []
    room = MOST_OUTPUT

    def take(data: bytes) -> None:
        nonlocal room
        chunks.append(data[:room])
        room -= len(chunks[-1])

    try:
        child = await Child.start(command, take, lambda _: None)
    except OSError:
        return None, ""
    try:
        child.end_input()
        await asyncio.wait({child.ended}, timeout=timeout)
        status = child.status
    finally:
        await child.stop()
    return status, b"".join(chunks).decode("utf-8", "replace")
