"""Keys by reference: read where they are kept, sent to the one endpoint they were written for, shown nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from pathlib import Path

from quarterdeck.config.fleet import Auth
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

COMMAND_TIMEOUT_S = 5.0
LONGEST_KEY = 16 * 1024
_AGAIN_AFTER_S = 30.0


class Key:
    """One endpoint's key: resolved when first needed, kept in memory, asked for again after a 401 (keys are rotated)."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._value: str | None = None
        self._tried_at: float | None = None
        self._failure: Failure | None = None

    @property
    def value(self) -> str | None:
        """The bare key, for redaction only."""
        return self._value

    async def header(self) -> tuple[str, str]:
        """Name and value of the header to send. Raises Failure(AUTH) where the key can't be had."""
        if self._value is None:
            self._value = await self._fresh()
        scheme = self._auth.scheme
        return self._auth.header, f"{scheme} {self._value}" if scheme else self._value

    def refused(self) -> bool:
        """The server refused the key: forget it if it may have been renewed since. Whether a retry makes sense now.

        A command is left to the next poll, where it has its own time: inside a request's deadline it would be killed half-way.
        """
        if self._auth.env is not None or self._tried_lately():
            return False
        self._value = None
        return self._auth.file is not None

    def _tried_lately(self) -> bool:
        return self._tried_at is not None and asyncio.get_running_loop().time() - self._tried_at < _AGAIN_AFTER_S

    async def _fresh(self) -> str:
        """The key, asked for anew. A command that failed (it may ask its user something) is not run again at every poll."""
        if self._failure is not None and self._auth.command is not None and self._tried_lately():
            raise Failure(self._failure.outcome, self._failure.reason)
        self._tried_at = asyncio.get_running_loop().time()
        try:
            value = _checked(await self._resolve(), self._where())
        except Failure as failure:
            self._failure = failure
            raise
        self._failure = None
        return value

    def _where(self) -> str:
        auth = self._auth
        if auth.env is not None:
            return f"environment variable {auth.env}"
        return f"file {auth.file}" if auth.file is not None else f"command {(auth.command or ('?',))[0]}"

    async def _resolve(self) -> str:
        auth = self._auth
        if auth.env is not None:
            value = os.environ.get(auth.env)
            if value is None:
                raise Failure(Outcome.AUTH, f"key missing: environment variable {auth.env} is not set")
            return value
        if auth.file is not None:
            return _content_of(auth.file)
        return await _output_of(auth.command or ())


def _content_of(path: Path) -> str:
    """What a small file holds; a pipe or device, which could block everything, is refused."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Failure(Outcome.AUTH, f"key missing: {path} is not a file")
            return file.read(LONGEST_KEY + 8).decode("utf-8-sig")
    except OSError as error:
        raise Failure(Outcome.AUTH, f"key missing: file {path}: {error.strerror or 'unreadable'}") from None
    except ValueError:
        raise Failure(Outcome.AUTH, f"key unusable: file {path} is not text") from None


async def _output_of(command: tuple[str, ...]) -> str:
    name = command[0] if command else "?"
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # it can't draw over the console, and ends with its children
        )
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "can't be run"
        raise Failure(Outcome.AUTH, f"key missing: command {name}: {words}") from None
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            out = await _start_of(process.stdout)
            if len(out) <= LONGEST_KEY:
                await process.wait()
    except TimeoutError:
        raise Failure(Outcome.AUTH, f"key missing: command {name} took over {COMMAND_TIMEOUT_S:g} s") from None
    finally:
        await _end(process)
    if process.returncode and len(out) <= LONGEST_KEY:
        raise Failure(Outcome.AUTH, f"key missing: command {name} ended with status {process.returncode}")
    return out.decode("utf-8", "replace")


async def _start_of(stream: asyncio.StreamReader | None) -> bytes:
    """Everything ``stream`` holds, or a little more than any key may have."""
    out = b""
    while stream is not None and len(out) <= LONGEST_KEY:
        chunk = await stream.read(LONGEST_KEY)
        if not chunk:
            break
        out += chunk
    return out


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await process.wait()


def _checked(value: str, where: str) -> str:
    """The key without surrounding white space; refused where no HTTP header could carry it."""
    value = value.strip()
    if not value:
        raise Failure(Outcome.AUTH, f"key missing: {where} is empty")
    if len(value) > LONGEST_KEY or not value.isascii() or not value.isprintable():
        raise Failure(Outcome.AUTH, f"key unusable: {where} holds more than one line of plain ASCII")
    return value
