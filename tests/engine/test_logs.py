"""Following logs: whatever a command prints, little is kept, the keys are answered, and nothing is left running."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.logs import LONGEST_LINE, Follower, LogSource, clean, of_endpoint, of_file
from quarterdeck.errors import UsageError

MIB = 1 << 20
FLOOD = "import os\nwhile True: os.write(1, (b'%098d\\n' % 7) * 10_000)"
NEVER_A_LINE = "import os\nwhile True: os.write(1, b'x' * 65536)"
EMPTY_LINES = "import os\nwhile True: os.write(1, b'\\n' * 65536)"


def python(code: str, *words: str) -> LogSource:
    return LogSource("x", (sys.executable, "-c", code, *words))


class Watched:
    """A follower, and a way to wait until something is true of it."""

    def __init__(self, source: LogSource, most: int = 5000) -> None:
        self._came = asyncio.Event()
        self.follower = Follower(source, most=most, news=self._came.set)
        self.running = asyncio.create_task(self.follower.run())

    async def until(self, true: Callable[[Follower], bool]) -> None:
        async with asyncio.timeout(60):
            while not true(self.follower):
                self._came.clear()
                await self._came.wait()

    async def ends(self) -> str:
        async with asyncio.timeout(60):
            await self.running
        return self.follower.ended

    async def cancel(self) -> None:
        self.running.cancel()
        async with asyncio.timeout(60):
            await asyncio.wait({self.running})


@pytest.mark.parametrize("code", [FLOOD, NEVER_A_LINE, EMPTY_LINES], ids=["lines", "no line", "empty lines"])
async def test_a_flood_is_bounded_and_keeps_nobody_waiting(code: str) -> None:
    before = psutil.Process().memory_info().rss
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watched, beside = Watched(python(code), most=300), asyncio.create_task(others())
    reads = 0

    def enough(follower: Follower) -> bool:
        nonlocal reads
        reads += 1
        return reads > 200

    await watched.until(enough)
    await watched.cancel()
    beside.cancel()
    assert len(watched.follower.lines) <= 300
    assert max(map(len, watched.follower.lines)) <= LONGEST_LINE
    assert turns >= reads, "others have their turn after each piece"
    assert psutil.Process().memory_info().rss - before < 64 * MIB


async def test_a_flood_is_counted_whole() -> None:
    watched = Watched(python("import sys\nfor i in range(100_000): print(i)"), most=100)
    assert await watched.ends() == "the log ends here"
    assert watched.follower.came == 100_000
    assert list(watched.follower.lines) == [str(i) for i in range(99_900, 100_000)]


async def test_anything_may_be_in_a_log() -> None:
    watched = Watched(python("import os\nos.write(1, bytes(range(256)) * 300); os.write(1, b'\\nlast')"))
    await watched.ends()
    assert watched.follower.lines[-1] == "last", "though no line break ends it"
    assert all(line.isprintable() for line in watched.follower.lines)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b[31mERROR\x1b[0m bad\r\n", "ERROR bad"),
        (b"\x1b]0;title\x07here", "here"),
        (b"10%\r20%\r30%\r", "30%"),
        (b"a\tb", "a   b"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"", ""),
        (b"x" * 100_000, "x" * (LONGEST_LINE - 1) + "…"),
    ],
)
def test_a_line_is_shown_as_it_was_meant(raw: bytes, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/no/such/program",), "/no/such/program can't be run (No such file or directory)"),
        (("a\0b",), "ab can't be run (embedded null byte)"),
        ((sys.executable, "-c", "print('a'); raise SystemExit(3)"), f"{sys.executable} ended with exit code 3"),
    ],
)
async def test_how_it_ended_is_said(command: tuple[str, ...], words: str) -> None:
    assert await Watched(LogSource("x", command)).ends() == words


async def test_a_command_that_is_killed_is_said() -> None:
    watched = Watched(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert await watched.ends() == f"{sys.executable} was killed by SIGKILL"


async def test_cancelled_it_leaves_no_process() -> None:
    """Not even what the command itself started, such as the tail of a pipe."""
    child = "import signal; signal.pause()"
    code = (
        "import os, subprocess, sys\n"
        f"one = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "print(os.getpid(), one.pid, flush=True)\none.wait()"
    )
    watched = Watched(python(code))
    await watched.until(lambda follower: bool(follower.lines))
    processes = [psutil.Process(int(word)) for word in watched.follower.lines[0].split()]
    assert len(processes) == 2
    await watched.cancel()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, processes, 20)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]  # pid 1 reaps it, or not yet
    assert left == []
    assert gone


async def test_a_file_is_followed_by_its_name_whatever_that_is(tmp_path: Path) -> None:
    path = tmp_path / "-n 5; touch x"
    path.write_text("one\ntwo\nthree\n")
    watched = Watched(of_file("x", path, lines=2))
    await watched.until(lambda follower: len(follower.lines) == 2)
    with path.open("a") as file:
        file.write("four\n")
    await watched.until(lambda follower: len(follower.lines) == 3)
    await watched.cancel()
    assert list(watched.follower.lines) == ["two", "three", "four"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("deployments", "words"),
    [
        ((), "the log of e is not known"),
        ((DeploymentSpec("d", "e", run=("x",)),), "deployment d has no log"),
        ((DeploymentSpec("d", "e", driver="docker", container="-x"),), "."),
    ],
)
def test_no_log_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deployments: tuple[DeploymentSpec, ...], words: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=words):
        of_endpoint(FleetConfig(deployments=deployments), "e")


def test_the_log_of_a_server_is_its_deployments(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.touch()
    fleet = FleetConfig(deployments=(DeploymentSpec("d", "e", run=("x",), log=str(log)),))
    assert of_endpoint(fleet, "e", 7) == ("d (process)", ("tail", "-n", "7", "-F", "--", str(log)))
