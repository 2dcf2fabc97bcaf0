"""The life of a reader: it says what is there, tells what changes, takes commands, and ends at once when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from quarterdeck.engine.threads import use_daemon_threads
from quarterdeck.errors import QuarterdeckError
from quarterdeck.reader import jobs
from quarterdeck.reader.here import Here
from quarterdeck.reader.opening import HOW, opening, watched
from quarterdeck.reader.speech import sentence, spoken

if TYPE_CHECKING:
    from quarterdeck.engine.engine import Engine
    from quarterdeck.reader.ears import Ears
    from quarterdeck.reader.voice import Voice

LOOK_EVERY_S = 1.0
FIRST_LOOK_S = 3.0
"""So long the opening waits for the first answers."""
_FIRST_EVERY_S = 0.05
_LAST_WORDS_S = 0.3
_STOP_S = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class Notice(Protocol):
    """What was found while everything was prepared."""

    @property
    def text(self) -> str:
        """In a line."""
        ...

    @property
    def lines(self) -> tuple[str, ...]:
        """In full; () = the line says it."""
        ...


Prepare = Callable[["Engine"], Awaitable[Notice | None]]
"""Discovery, or starting the demo fleet. May call ``engine.add``."""


class Reader:
    """One run of it."""

    def __init__(
        self,
        engine: Engine,
        voice: Voice,
        ears: Ears,
        *,
        interactive: bool,
        prepare: Prepare | None = None,
        first: Sequence[str] = (),
        problems: Sequence[str] = (),
        beside: Callable[[Engine, Callable[[str], None]], None] | None = None,
    ) -> None:
        """Nothing is asked or said yet. ``interactive``: somebody types at a terminal. ``first``: said before anything else.

        ``beside`` is called when the engine runs, with it and with what takes news of other kinds.
        """
        self.here = Here(engine, voice, ears, tuple(problems))
        self._interactive = interactive
        self._prepare = prepare
        self._first = first
        self._beside = beside
        self._notes: list[str] = []
        self._noted: set[str] = set()
        self._ended: asyncio.Future[int]
        self._doing: asyncio.Task[bool] | None = None

    async def run(self) -> int:
        """Until the end of input, quit, or a signal; the exit status. Raises OSError where nobody reads any more."""
        use_daemon_threads()  # what is written may wait for a terminal that takes nothing: nobody is to wait for that
        self._ended = asyncio.get_running_loop().create_future()
        with _signals(self._signal):
            living = asyncio.ensure_future(self._live())
            try:
                await asyncio.wait((living, self._ended), return_when=asyncio.FIRST_COMPLETED)
                if living.done():
                    living.result()
                    return 0
                return self._ended.result()
            finally:
                living.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await living
                await self._wind_down()

    async def _live(self) -> None:
        here = self.here
        await here.voice.say(self._first)
        await here.engine.start()
        if self._beside is not None:
            self._beside(here.engine, self._notes.append)
        here.ears.listen()
        await self._begin()
        news = asyncio.ensure_future(self._news())
        commands = asyncio.ensure_future(self._commands())
        try:
            await asyncio.wait({news, commands}, return_when=asyncio.FIRST_COMPLETED)
            for task in (news, commands):
                if task.done():
                    task.result()
        finally:
            news.cancel()
            commands.cancel()
            await asyncio.gather(news, commands, return_exceptions=True)  # both may have found that nobody reads

    # ---- the beginning

    async def _begin(self) -> None:
        """What is watched, and how it is."""
        here, engine = self.here, self.here.engine
        if self._prepare is not None:
            try:
                found = await self._prepare(engine)
            except QuarterdeckError as error:
                await here.voice.say(_error(error))
            else:
                told = _found(found, nothing=not engine.fleet.endpoints) if found is not None else ()
                await here.voice.say([sentence(spoken(line[:1].upper() + line[1:])) for line in told if line])
        await here.voice.say([*map(_problem, here.problems), watched(engine.fleet, engine.interval)])
        await self._first_look()
        here.snapshot = engine.snapshot()
        await here.voice.say([*opening(here.snapshot), *([HOW] if self._interactive else [])])

    async def _first_look(self) -> None:
        """Until everything was asked once, but not for long."""
        engine = self.here.engine
        for _ in range(int(FIRST_LOOK_S / _FIRST_EVERY_S)):
            seen = engine.snapshot()
            if all(view.state is not None for view in seen.endpoints) and all(
                host.at is not None or host.reason for host in seen.hosts
            ):
                return
            await asyncio.sleep(_FIRST_EVERY_S)

    # ---- meanwhile

    async def _news(self) -> None:
        """What changes, each second."""
        here = self.here
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            here.look()
            await here.voice.news([*self._fresh_notes(), *here.news()])
            here.ticked.set()

    def _fresh_notes(self) -> list[str]:
        """What is wrong with the disk, or with the recording, each once."""
        engine = self.here.engine
        notes = [*self._notes, *(engine.witness.notes if engine.witness is not None else ())]
        notes += engine.alarms.notes if engine.alarms is not None else ()
        self._notes.clear()
        fresh = [note for note in notes if note not in self._noted]
        self._noted.update(fresh)
        return [sentence(spoken(note)) for note in fresh]

    async def _commands(self) -> None:
        """One after the other, until there are no more."""
        here = self.here
        while True:
            if not here.ears.waiting and here.left_over is None:
                await here.voice.prompt()
            line = await here.line()
            if line is None:
                return
            if not await self._do(line):
                return

    async def _do(self, line: str) -> bool:
        """One command; whether another one may follow. Ctrl+C ends it and nothing else."""
        from quarterdeck.reader.doing import do

        self._doing = asyncio.ensure_future(do(self.here, line))
        try:
            return await self._doing
        except QuarterdeckError as error:
            await self.here.voice.say(_error(error))
            return True
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._doing.cancel()
                raise
            self.here.voice.broken()
            await self.here.voice.say(["Stopped. Ctrl+C again ends the reader."])
            return True
        finally:
            self._doing = None

    # ---- the end

    def _signal(self, number: int) -> None:
        """Ctrl+C while something is done stops that; all else ends the reader."""
        doing = self._doing
        if number == signal.SIGINT and self._interactive and doing is not None and not doing.done():
            doing.cancel()
        elif not self._ended.done():
            self._ended.set_result(128 + number)

    async def _wind_down(self) -> None:
        """Say what goes on without us, where somebody hears it, and stop asking."""
        here = self.here
        left = jobs.left_behind(here.snapshot.jobs, here.own)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await here.voice.say([left] if left else [])
                await here.voice.end()
        stopping = asyncio.ensure_future(here.engine.stop())
        await asyncio.wait({stopping}, timeout=_STOP_S)
        stopping.cancel()


def _error(error: QuarterdeckError) -> list[str]:
    """What can't be done, and what to do about it."""
    return [sentence(spoken(error.message)), *([sentence(spoken(error.hint))] if error.hint else [])]


def _found(notice: Notice, *, nothing: bool) -> tuple[str, ...]:
    """What was found, and what was puzzling; where there is ``nothing``, what to do about it."""
    return notice.lines or (notice.text,) if nothing else (notice.text, *notice.lines)


def _problem(text: str) -> str:
    return f"{sentence(spoken(text))} Everything else in the file is used, and nothing is changed from here until it is right."


@contextlib.contextmanager
def _signals(tell: Callable[[int], None]) -> Iterator[None]:
    """Signals that end a program call ``tell``."""
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []
    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, tell, int(number))
            installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
