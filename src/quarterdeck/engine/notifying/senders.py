"""The ways to tell somebody: a webhook, a command, the terminal's bell, a notification on the desktop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Protocol

from quarterdeck.config.fleet import Auth
from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.notifying.notice import CLEARED, Notice, document, line
from quarterdeck.engine.notifying.outbox import NotDeliveredError
from quarterdeck.format import printable
from quarterdeck.model.alerts.alert import Severity

if TYPE_CHECKING:
    from quarterdeck.wire.failure import Failure
    from quarterdeck.wire.http import Fetch

_MOST_ANSWER = 64 * 1024
_MOST_SAID = 4096
_REFUSED_FOR_GOOD = (400, 413, 422)
"""It is the notice that the server doesn't want: another try changes nothing."""


class Sender(Protocol):
    """Tells one sink."""

    async def send(self, notice: Notice) -> None:
        """Tell it, within its deadline. Raises NotDeliveredError."""
        ...

    async def close(self) -> None:
        """Give up its connections."""
        ...


def sender_for(spec: SinkSpec) -> Sender:
    """The way that ``spec`` names. Opens nothing."""
    if spec.webhook is not None or spec.webhook_from is not None:
        return Webhook(spec)
    if spec.command:
        return Command(spec)
    return Bell(spec) if spec.bell else Desktop(spec)


def is_usable(spec: SinkSpec) -> bool:
    """Whether this program can use it where it runs: a bell needs a terminal, a notification a desktop."""
    if spec.bell:
        stream = sys.__stderr__
        return stream is not None and not stream.closed and stream.isatty()
    if spec.desktop:
        return _has_desktop()
    return True


def _has_desktop() -> bool:
    if sys.platform == "darwin":
        return shutil.which("osascript") is not None
    session = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"))
    return session and shutil.which("notify-send") is not None


class Webhook:
    """POSTs the notice as JSON. Any 2xx answer is a delivery; redirects are not followed."""

    def __init__(self, spec: SinkSpec) -> None:
        """Opens nothing."""
        self._spec = spec
        self._fetch: Fetch | None = None

    async def send(self, notice: Notice) -> None:
        """POST it."""
        from quarterdeck.wire.failure import Failure

        spec = self._spec
        try:
            fetch = self._fetch = self._fetch or await self._opened()
            await fetch.ready()
            async with (
                asyncio.timeout(spec.timeout),
                fetch.streaming("", document(notice, spec.name, platform.node()), most=_MOST_ANSWER),
            ):
                pass
        except TimeoutError:
            await self.close()
            raise NotDeliveredError(f"no answer in {spec.timeout:g} s") from None
        except Failure as failure:
            await self.close()  # the next try begins with a new connection, and asks for the key anew
            raise NotDeliveredError(self._words(failure), final=failure.status in _REFUSED_FOR_GOOD) from None

    async def _opened(self) -> Fetch:
        from quarterdeck.wire.http import Fetch, Target

        spec = self._spec
        url = spec.webhook or await self._secret_url()
        return Fetch(
            Target(url, timeout=spec.timeout, headers=spec.headers, auth=spec.auth, tls=spec.tls, proxy=spec.proxy)
        )

    async def _secret_url(self) -> str:
        from quarterdeck.wire.keys import Key

        found = self._spec.webhook_from
        if found is None:
            raise NotDeliveredError("it has no URL", final=True)
        _, url = await Key(Auth(found.env, found.file, found.command, scheme="")).header()
        if not url.startswith(("http://", "https://")) or "@" in url.partition("//")[2].partition("/")[0]:
            raise NotDeliveredError("webhook_from holds no http:// or https:// URL (its value is not shown)")
        return url

    def _words(self, failure: Failure) -> str:
        """Why; where the URL is a secret without the server's words, which may hold it."""
        if self._spec.webhook_from is not None and failure.status is not None:
            return f"the server answers {failure.status}"
        return failure.reason

    async def close(self) -> None:
        """Close the connection."""
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            await fetch.close()


class Command:
    """Runs a program, in a process group of its own, with the notice as JSON on its standard input. No shell."""

    def __init__(self, spec: SinkSpec) -> None:
        """Starts nothing."""
        self._spec = spec

    async def send(self, notice: Notice) -> None:
        """Run it to its end; exit status 0 is a delivery."""
        told = json.dumps(document(notice, self._spec.name, platform.node()), ensure_ascii=False, allow_nan=False)
        await run_program(self._spec.command, f"{told}\n".encode("utf-8", "replace"), self._spec.timeout)

    async def close(self) -> None:
        """Nothing stays open."""


class Bell:
    """Rings the terminal this program runs on."""

    def __init__(self, spec: SinkSpec) -> None:
        """Rings nothing yet."""
        self._spec = spec

    async def send(self, notice: Notice) -> None:
        """Ring; what is over rings not."""
        if notice.word == CLEARED:
            return
        stream = sys.__stderr__
        try:
            if stream is None or not os.isatty(stream.fileno()):
                raise NotDeliveredError("this program has no terminal", final=True)
            os.write(stream.fileno(), b"\a")
        except (OSError, ValueError) as error:
            words = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise NotDeliveredError(f"the terminal can't be written to ({words})", final=True) from None

    async def close(self) -> None:
        """Nothing stays open."""


class Desktop:
    """Shows a notification, where the desktop has a program for that."""

    def __init__(self, spec: SinkSpec) -> None:
        """Shows nothing yet."""
        self._spec = spec

    async def send(self, notice: Notice) -> None:
        """Show it."""
        argv = desktop_argv(notice)
        if argv is None:
            raise NotDeliveredError("there is neither notify-send nor osascript on this machine", final=True)
        await run_program(argv, b"", self._spec.timeout)

    async def close(self) -> None:
        """Nothing stays open."""


def desktop_argv(notice: Notice) -> tuple[str, ...] | None:
    """The command that shows it; ``None`` where this machine has none. Text goes in as arguments, never as script or markup."""
    title = printable(line(notice), 120)
    body = printable(notice.alert.advice or notice.alert.cause, 200) if notice.word != CLEARED else ""
    if sys.platform == "darwin" and shutil.which("osascript"):
        script = "display notification (item 2 of argv) with title (item 1 of argv)"
        return ("osascript", "-e", "on run argv", "-e", script, "-e", "end run", "--", title, body)
    if not shutil.which("notify-send"):
        return None
    urgent = notice.alert.severity is Severity.CRITICAL and notice.word != CLEARED
    escaped = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    urgency = "--urgency=critical" if urgent else "--urgency=normal"
    return ("notify-send", "--app-name=quarterdeck", urgency, "--", title, escaped)


async def run_program(argv: tuple[str, ...], given: bytes, within: float) -> None:
    """Run a program with ``given`` as its input; it and all that it started is killed after ``within`` seconds.

    Files stand in for pipes, so that what it leaves running in the background keeps nobody waiting. Raises NotDeliveredError where it
    can't be started, takes longer, or ends with another status than 0.
    """
    name = printable(argv[0], 60)
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as said:
        source.write(given)
        source.seek(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=source, stdout=asyncio.subprocess.DEVNULL, stderr=said, start_new_session=True
            )
        except (OSError, ValueError) as error:
            words = (error.strerror if isinstance(error, OSError) else None) or "can't be run"
            raise NotDeliveredError(f"{name}: {words}") from None
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            raise NotDeliveredError(f"{name} took over {within:g} s and was ended") from None
        finally:
            await _end(process)
        if process.returncode:
            words = _last_words(said)
            raise NotDeliveredError(f"{name} ended with status {process.returncode}" + (f": {words}" if words else ""))


def _last_words(said: IO[bytes]) -> str:
    """The last line a program wrote."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _MOST_SAID))
    lines = [line for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return printable(lines[-1], 120) if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await process.wait()
