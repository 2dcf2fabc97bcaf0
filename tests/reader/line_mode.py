"""The line mode in a test: commands with a fake engine, and the whole program as a process that is talked to by pipes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from chat_fakes import FakeDesk
from quarterdeck.errors import QuarterdeckError
from quarterdeck.reader.doing import do
from quarterdeck.reader.ears import Ears
from quarterdeck.reader.here import Here
from quarterdeck.reader.voice import Voice

LONGEST_S = 40.0
SHOWABLE = {"\n"}


class Spoken(list[str]):
    """What was written, as lines."""

    @property
    def lines(self) -> list[str]:
        return "".join(self).splitlines()


class Talk:
    """Commands given to a reader that nobody runs: its engine is a fake, its input a list of answers."""

    def __init__(self, desk: FakeDesk, *answers: str, prompt: str = "") -> None:
        chunks = [f"{answer}\n".encode() for answer in answers]
        self.desk = desk
        self.spoken = Spoken()
        self.here = Here(
            cast(Any, desk),
            Voice(self.spoken.append, prompt=prompt),
            Ears(lambda: chunks.pop(0) if chunks else b""),
            snapshot=desk.newest,
        )
        self._listening = False

    async def says(self, command: str) -> list[str]:
        """What a command is answered with; what can't be done is a line with "!" before it."""
        if not self._listening:
            self.here.ears.listen()
            self._listening = True
        before = len(self.spoken.lines)
        try:
            await do(self.here, command)
        except QuarterdeckError as error:
            await self.here.voice.say([f"! {error.message}", *([f"! {error.hint}"] if error.hint else [])])
        return self.spoken.lines[before:]


class Program:
    """`quarterdeck --reader` as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    def type(self, *lines: str) -> None:
        """Commands."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    async def until(self, *texts: str) -> str:
        """Read until a line has all of ``texts``; that line."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(LONGEST_S):
                while line := await self.process.stdout.readline():
                    self._take(line)
                    if all(text in self.lines[-1] for text in texts):
                        return self.lines[-1]
        except TimeoutError:
            raise AssertionError(f"{texts} never came: {self.lines[-30:]}") from None
        raise AssertionError(f"ended without {texts}: {self.lines[-30:]}")

    async def ends(self) -> int:
        """Close its input and read to its end; the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.ended()

    async def ended(self) -> int:
        """Read to its end; the exit status."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LONGEST_S):
            while line := await self.process.stdout.readline():
                self._take(line)
            return await self.process.wait()

    def _take(self, line: bytes) -> None:
        text = line.decode()
        assert text.endswith("\n")
        assert all(sign.isprintable() for sign in text[:-1]), f"a control character in {text!r}"
        self.lines.append(text[:-1])


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Nobody's settings."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "LC_ALL")}
    return kept | {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "TERM": "dumb"} | more


@asynccontextmanager
async def program(folder: Path, *arguments: str, **more: str) -> AsyncIterator[Program]:
    """Run it in ``folder``."""
    with (folder / "stderr").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "quarterdeck", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=environment(folder, **more),
            limit=1 << 22,
        )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
    assert (folder / "stderr").read_text() == ""
