"""Keys by reference: read where they are kept, sent to the one endpoint they were written for, shown nowhere."""

from __future__ import annotations

import asyncio
import os

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
        self._resolved_at: float | None = None

    @property
    def value(self) -> str | None:
        """The bare key, for redaction only."""
        return self._value

    async def header(self) -> tuple[str, str]:
        """Name and value of the header to send. Raises Failure(AUTH) where the key can't be had."""
        if self._value is None:
            self._value = _checked(await self._resolve(), self._where())
            self._resolved_at = asyncio.get_running_loop().time()
        scheme = self._auth.scheme
        return self._auth.header, f"{scheme} {self._value}" if scheme else self._value

    def refused(self) -> bool:
        """The server refused the key: forget it if it may have been renewed since. Whether a retry makes sense."""
        now = asyncio.get_running_loop().time()
        if self._auth.env is not None or self._resolved_at is None or now - self._resolved_at < _AGAIN_AFTER_S:
            return False
        self._value = None
        return True

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
            try:
                with auth.file.open(encoding="utf-8") as file:
                    return file.read(LONGEST_KEY + 1)
            except (OSError, UnicodeDecodeError) as error:
                words = error.strerror if isinstance(error, OSError) and error.strerror else "not text"
                raise Failure(Outcome.AUTH, f"key missing: file {auth.file}: {words}") from None
        return await _output_of(auth.command or ())


async def _output_of(command: tuple[str, ...]) -> str:
    name = command[0] if command else "?"
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "can't be run"
        raise Failure(Outcome.AUTH, f"key missing: command {name}: {words}") from None
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        raise Failure(Outcome.AUTH, f"key missing: command {name} took over {COMMAND_TIMEOUT_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Failure(Outcome.AUTH, f"key missing: command {name} ended with status {process.returncode}")
    return out.decode("utf-8", "replace")


def _checked(value: str, where: str) -> str:
    """The key without surrounding white space; refused where no HTTP header could carry it."""
    value = value.strip()
    if not value:
        raise Failure(Outcome.AUTH, f"key missing: {where} is empty")
    if len(value) > LONGEST_KEY or not value.isascii() or not value.isprintable():
        raise Failure(Outcome.AUTH, f"key unusable: {where} holds more than one line of plain ASCII")
    return value
