"""One ssh connection to one machine, kept, and opened again when it drops: for its host's readings and its endpoints' tunnels.

It is one ``ssh`` process with a multiplexing socket of its own; tunnels are added to it by ``ssh -O forward``. Nothing can ask for
a password: BatchMode, no terminal, standard input is ours. When this program dies, the process's input ends, and with it the
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import shutil
from collections import deque
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from quarterdeck.format import printable
from quarterdeck.hosts.child import Child
from quarterdeck.hosts.ssh.script import Answer, Answers, script
from quarterdeck.hosts.ssh.words import channel_words, hint, refuses_us, ssh_words
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

BACK_OFF_S = (1.0, 30.0)
"""The first and the longest wait before trying again; each failure doubles it …"""
REFUSED_BACK_OFF_S = (10.0, 120.0)
"""… and so where the other side refused us: it may lock out who knocks too often."""
OPEN_WITHIN_S = 30.0
_CONNECT_S = 10
_SETTLED_S = 10.0
"""A connection that held so long was a good one: the next failure is the first again."""
_SSHS_OWN = 255
"""ssh's exit status for its own failures; any other is the remote command's."""
_LOOK_AGAIN_S = 0.05
_TRY_WITHOUT_SHELL = "the account there has no shell"
_OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={_CONNECT_S}",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    "ControlMaster=yes",
    "ControlPersist=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "LogLevel=INFO",
)
"""``-o`` of the connection. What they leave open is ~/.ssh/config's: user, port, keys, agent, ProxyJump, host key checks."""


class SshConnection:
    """The connection to ``destination``. Opens nothing before ``ready``."""

    def __init__(
        self,
        destination: str,
        socket: Callable[[], Path],
        monotonic: Callable[[], float],
        *,
        program: str = "ssh",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``socket``: names a new socket in a private folder, another at each call. ``jitter``: a number from 0 to 1."""
        self.destination = destination
        self.generation = 0
        """Counts connections: what was set up on an earlier one is gone."""
        self.listeners: list[Callable[[Answer], None]] = []
        """Who gets the answers to what is sent; while nobody does, a machine that gives us no shell is good enough."""
        self.watchers: list[Callable[[], None]] = []
        """Who is told when the connection is gone."""
        self.numbers = count(1)
        """Of requests."""
        self._socket = socket
        self._monotonic = monotonic
        self._program = program
        self._jitter = jitter
        self._process: Child | None = None
        self._control: Path | None = None
        self._forwarded: list[Path] = []
        self._opened: asyncio.Future[str] | None = None
        self._run: asyncio.Task[None] | None = None
        self._answers = Answers("")
        self.without_shell = False
        """Whether the account there runs no commands for us: then it can only carry tunnels."""
        self._closed = False
        self._failures = 0
        self._retry_at = float("-inf")
        self._up_at: float | None = None
        self._reason = ""
        self._refused = asyncio.Event()
        self._refusals: deque[tuple[float, str]] = deque(maxlen=8)

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        return self._up_at is not None

    @property
    def system(self) -> str:
        """What `uname` says there; "" while that isn't known."""
        return printable(self._answers.system or "", 40)

    async def ready(self) -> None:
        """Connected, or Failure with ssh's words. What takes longer than the caller waits goes on without it."""
        if self.up:
            return
        if self._closed:
            raise self._failure("closed")
        if self._opened is None:
            if self._monotonic() < self._retry_at:
                raise self._failure(self._reason)
            self._opened = asyncio.get_running_loop().create_future()
            self._run = asyncio.get_running_loop().create_task(self._survived(self._opened))
        reason = await asyncio.shield(self._opened)
        if reason == _TRY_WITHOUT_SHELL:
            await self.ready()
        elif reason:
            raise self._failure(reason)

    def send(self, request: bytes) -> None:
        """Ask the program on the other side; nothing happens while not connected."""
        if self._process is not None and self.up and not self.without_shell:
            self._process.write(request)

    async def forward(self, host: str, port: int) -> Path:
        """A socket here that leads to ``host:port`` as seen from there. Raises Failure. ``ready`` comes first."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # Without the user's configuration: its own forwardings would be asked for again.
        control = (self._program, "-F", "/dev/null", "-S", str(self._control), "-O", "forward")
        try:
            path = self._socket()
            self._forwarded.append(path)
            process = await Child.start((*control, "-L", f"{path}:{target}", "--", "quarterdeck"), _ignore, _ignore)
        except OSError as error:
            raise self._failure(_not_started(error, self._program)) from None
        try:
            await asyncio.wait({process.ended}, timeout=_CONNECT_S)
        finally:
            await process.stop()
        if process.status != 0:
            raise self._failure(f"no tunnel: {ssh_words(tuple(process.said), process.status)}")
        return path

    async def refusal_since(self, moment: float, wait: float) -> str | None:
        """Why a tunnel's target could not be reached from there after ``moment`` (monotonic seconds), where ssh says so.

        It may say so up to ``wait`` seconds from now.
        """
        for seconds in (wait, 0.0):
            found = next((words for at, words in reversed(self._refusals) if at >= moment), None)
            if found is not None or not seconds:
                return found
            self._refused.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._refused.wait(), seconds)
        return None

    async def close(self) -> None:
        """End it. Never raises."""
        self._closed = True
        if self._process is not None:
            await self._process.stop()
        if self._run is not None:
            self._run.cancel()
        self._down("closed")

    def _failure(self, words: str) -> Failure:
        return Failure(Outcome.FAILED, f"ssh {self.destination}: {words or 'not connected'}")

    async def _survived(self, opened: asyncio.Future[str]) -> None:
        """`_live`; whatever goes wrong in there, nobody waits for it in vain."""
        try:
            await self._live(opened)
        except Exception as error:  # noqa: BLE001
            self._down(f"can't be used ({type(error).__name__})")

    async def _live(self, opened: asyncio.Future[str]) -> None:
        """One connection from its beginning to its end, which `_down` notes."""
        mark = f"qd-{secrets.token_hex(6)}"
        self._answers = Answers(mark)
        try:
            self._control = self._socket()
            process = await Child.start(self._command(self._control), self._heard, self._noted)
        except OSError as error:
            self._down(_not_started(error, self._program))
            return
        self._process = process
        if not self.without_shell:
            process.write(script(mark))
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                await self._until_opened(opened, process)
        except TimeoutError:
            await process.stop()
            self._down(f"no {'connection' if self.without_shell else 'shell'} there in {OPEN_WITHIN_S:g} s")
            return
        await process.ended
        await process.stop()
        if not self._closed:
            self._ended(process)

    async def _until_opened(self, opened: asyncio.Future[str], process: Child) -> None:
        """Until it is connected or has ended. Without a shell nothing says so but the control socket."""
        while self.without_shell and not process.ended.done():
            if self._control is not None and self._control.exists():
                self._came_up()
                return
            await asyncio.wait({process.ended}, timeout=_LOOK_AGAIN_S)
        either: set[asyncio.Future[Any]] = {opened, process.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    def _command(self, control: Path) -> tuple[str, ...]:
        options = [part for option in (*_OPTIONS, f"ControlPath={control}") for part in ("-o", option)]
        if not self.without_shell:
            return (self._program, "-T", "-a", "-x", *options, "--", self.destination, "exec /bin/sh")
        # Nothing of it would end with this program, should that be killed.
        leash = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
        return (*leash, self._program, "-N", "-T", "-a", "-x", *options, "--", self.destination)

    def _heard(self, data: bytes) -> None:
        for answer in self._answers.feed(data):
            for listener in self.listeners:
                listener(answer)
        if not self.up and self._answers.system is not None and not self._closed:
            self._came_up()
        if self._answers.foreign and self._process is not None:
            self._process.hang_up()

    def _noted(self, line: str) -> None:
        words = channel_words(line)
        if words is not None:
            self._refusals.append((self._monotonic(), words))
            self._refused.set()

    def _came_up(self) -> None:
        self.generation += 1
        self._up_at = self._monotonic()
        self._reason = ""
        if self._opened is not None and not self._opened.done():
            self._opened.set_result("")

    def _ended(self, process: Child) -> None:
        """ssh has ended by itself."""
        no_shell = not self.up and 0 <= (process.status or 0) < _SSHS_OWN
        if self._answers.foreign:
            words = "what answers there is no shell"
        elif no_shell:
            if not self.listeners and not self.without_shell:
                self.without_shell = True
                self._down(_TRY_WITHOUT_SHELL, at_once=True)
                return
            words = f"no shell there: {self._answers.greeting or ssh_words(tuple(process.said), process.status)}"
        else:
            words = ssh_words(tuple(process.said), process.status)
        more = hint(words, self.destination)
        self._down(f"{words} ({more})" if more else words)

    def _down(self, reason: str, *, at_once: bool = False) -> None:
        now = self._monotonic()
        if self._up_at is not None and now - self._up_at >= _SETTLED_S:
            self._failures = 0
        shortest, longest = REFUSED_BACK_OFF_S if refuses_us(reason) else BACK_OFF_S
        wait = min(longest, shortest * 2 ** min(self._failures, 10)) * (0.8 + 0.4 * self._jitter())
        self._retry_at = now if at_once else now + wait
        self._failures += 0 if at_once else 1
        self._process, self._up_at, self._reason = None, None, reason
        self._tidy()
        opened, self._opened = self._opened, None
        if opened is not None and not opened.done():
            opened.set_result(reason)
        for watcher in self.watchers:
            watcher()

    def _tidy(self) -> None:
        """Remove the sockets of a connection that is gone; ssh leaves those of its tunnels."""
        paths, self._forwarded = [*self._forwarded, *filter(None, (self._control,))], []
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()


def _ignore(_: object) -> None:
    """What a helper process prints on the way."""


def _not_started(error: OSError, program: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"the program {program} is not installed here"
    return f"{program} can't be started: {(error.strerror or 'unknown reason').lower()}"
