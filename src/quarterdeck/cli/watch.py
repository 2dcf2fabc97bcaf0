"""`quarterdeck watch`: polls, raises alerts, notifies, and writes what happens to stdout, until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from quarterdeck.cli.fleets import Chosen, chosen, searched
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.jobs.board import JobBoard
from quarterdeck.engine.timeline.witness import Witness
from quarterdeck.errors import ConfigError, QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.happening import Happening
from quarterdeck.report.events import document

if TYPE_CHECKING:
    from quarterdeck.cli.recording import Recorded

LOOK_EVERY_S = 1.0
_ENDING = (signal.SIGTERM, signal.SIGINT)
T = TypeVar("T")


def run(arguments: argparse.Namespace) -> int:
    """Watch until a signal comes; 0 then. Raises ConfigError for a fleet file of which nothing can be used."""
    choice = _chosen(arguments)
    if choice.problems and not choice.fleet.endpoints:
        raise ConfigError(choice.problems)
    with _recording(arguments.record, choice) as recording:
        asyncio.run(watch(choice, lambda: _chosen(arguments), recording))
    return 0


def _recording(path: str | None, choice: Chosen) -> contextlib.AbstractContextManager[Recorded | None]:
    """The file to record to, if any. Raises UsageError."""
    if path is None:
        return contextlib.nullcontext()
    from quarterdeck.cli.recording import recorded

    return recorded(path, choice.fleet, "quarterdeck watch")


def _chosen(arguments: argparse.Namespace) -> Chosen:
    choice = chosen(arguments)
    interval = getattr(arguments, "interval", None)
    if interval is None:
        return choice
    console = replace(choice.fleet.console, poll=interval)
    return choice._replace(fleet=replace(choice.fleet, console=console))


async def watch(choice: Chosen, choose: Callable[[], Chosen], recording: Recorded | None = None) -> None:
    """Watch that fleet; at each SIGHUP the one that ``choose`` finds then."""
    with _signals() as asked:
        while True:
            for problem in choice.problems:
                say(f"{problem} (everything else in the file is used)")
            if await _one_fleet(choice, asked, recording):
                return
            choice = _again(choice, choose)


async def _one_fleet(choice: Chosen, asked: Asked, recording: Recorded | None = None) -> bool:
    """Watch a fleet until something is asked; whether that is to stop."""
    asked.reload.clear()
    found = await _unless(asked, searched(choice))
    if found is None:
        return asked.stopping
    fleet, puzzles = found
    for puzzle in puzzles:
        say(puzzle)
    if not fleet.endpoints:
        say("there is no model server to watch: only the machine itself is watched")
    news: list[Happening] = []
    witness = Witness(fleet, headless=True)
    witness.timeline.listen(news.extend)
    engine = Engine(fleet, board=JobBoard(), witness=witness)
    try:
        await engine.start()
        if recording is not None:
            recording.begin(engine, say)
        say(f"watching {len(fleet.endpoints)} endpoints" + (f", {len(fleet.sinks)} sinks" if fleet.sinks else ""))
        tell_systemd("READY=1")
        await _unless(asked, look(engine, witness, news))
    finally:
        tell_systemd("STOPPING=1" if asked.stopping else "STATUS=reading the fleet file again")
        if recording is not None:
            recording.end()
        await engine.stop()
    log(news)
    return asked.stopping


async def look(
    engine: Engine,
    witness: Witness,
    news: list[Happening],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Take a snapshot each second, in which all that happens is found (it comes into ``news``), and log it.

    Says once what is wrong with the disk. Raises OSError where nobody reads the log.
    """
    said: tuple[str, ...] = ()
    while True:
        engine.snapshot()
        log(news)
        notes = (*witness.notes, *(engine.alarms.notes if engine.alarms is not None else ()))
        for note in notes:
            if note not in said:
                say(note)
        said = notes
        tell_systemd("WATCHDOG=1")
        await pause(LOOK_EVERY_S)


async def _unless(asked: Asked, work: Coroutine[Any, Any, T]) -> T | None:
    """Do it until something is asked; ``None`` then. Raises what it raises."""
    working = asyncio.ensure_future(work)
    waiting = [asyncio.ensure_future(event.wait()) for event in (asked.stop, asked.reload)]
    await asyncio.wait({working, *waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if working.done():
        return working.result()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return None


def _again(choice: Chosen, choose: Callable[[], Chosen]) -> Chosen:
    """The fleet file as it is now; as it was where nothing of it can be used."""
    try:
        found = choose()
    except QuarterdeckError as error:
        say(f"{error.message}; the fleet stays as it was")
        return choice._replace(problems=())
    if found.problems and not found.fleet.endpoints:
        for problem in found.problems:
            say(problem)
        say("nothing of the file can be used; the fleet stays as it was")
        return choice._replace(problems=())
    say("the fleet file was read again")
    return found


class Asked:
    """What signals ask for."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.stop, self.reload = asyncio.Event(), asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether it is time to end."""
        return self.stop.is_set()


@contextlib.contextmanager
def _signals() -> Iterator[Asked]:
    loop, asked = asyncio.get_running_loop(), Asked()
    for number in _ENDING:
        loop.add_signal_handler(number, asked.stop.set)
    loop.add_signal_handler(signal.SIGHUP, asked.reload.set)
    try:
        yield asked
    finally:
        for number in (*_ENDING, signal.SIGHUP):
            loop.remove_signal_handler(number)


def log(news: list[Happening]) -> None:
    """Write what is new to stdout, a line of JSON each, and forget it. Raises OSError where nobody reads."""
    lines = [json.dumps(document(one), ensure_ascii=False) + "\n" for one in news]
    news.clear()
    if lines:
        sys.stdout.write("".join(lines))
        sys.stdout.flush()


def say(text: str) -> None:
    """Tell whoever looks after this program."""
    sys.stderr.write(f"quarterdeck watch: {printable(text, 400)}\n")
    sys.stderr.flush()


def tell_systemd(text: str) -> None:
    """What systemd wants to know of a service of Type=notify (sd_notify); nothing where it isn't asked for. Never raises."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place[:1] not in ("/", "@"):
        return
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.setblocking(False)
        channel.sendto(text.encode(), "\0" + place[1:] if place[0] == "@" else place)
