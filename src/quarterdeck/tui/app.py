"""The console: an app that shows an engine's snapshots and passes on what is asked of it.

Before its first frame it imports no engine and opens nothing: what is seen first is the fleet file as it stands.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import var

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot
from quarterdeck.model.host import HostView
from quarterdeck.tui.contract import EngineLike, Frame, MakeEngine, Notice, Prepare, TakesText, same_fleet
from quarterdeck.tui.everywhere import Everywhere
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.signals import terminal_is_gone

STOP_WITHIN_S = 1.0
NOTICE_S = 5.0
SHORTEST_PAINT_S = 0.5
NOTHING_WATCHED = ("Nothing is watched yet.", "", "quarterdeck --url http://HOST:PORT watches a server.")


class ConsoleApp(Everywhere):
    """The console of a fleet."""

    TITLE = "Quarterdeck"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "end", "Quit", show=False, priority=True)]

    fleet: var[FleetSnapshot] = var(EMPTY_FLEET, init=False)
    """The newest snapshot; the screen on top draws it. What it holds is compared by identity, see `EngineLike.snapshot`."""

    def __init__(
        self,
        fleet: FleetConfig,
        *,
        make_engine: MakeEngine,
        prepare: Prepare | None = None,
        problems: Sequence[str] = (),
        looking_for: str = "",
        clock: Clock = SYSTEM_CLOCK,
        theme_folders: Sequence[Path] | None = None,
        on_started: Callable[[], None] | None = None,
    ) -> None:
        """``make_engine`` and ``prepare`` run after the first frame, ``on_started`` when the engine runs.

        ``problems`` (of the fleet file) stand in a banner; ``looking_for`` is what an empty table says meanwhile.
        """
        super().__init__(theme=fleet.console.theme, theme_folders=theme_folders)
        self.config = fleet
        self.engine: EngineLike | None = None
        self.welcome: tuple[str, ...] = (looking_for,) if looking_for else NOTHING_WATCHED
        self._make_engine = make_engine
        self._prepare = prepare
        self._clock = clock
        self._on_started = on_started
        self._problems = (*problems, *self.theme_problems)
        self.locked = False
        self.timing: set[str] = set()
        """Endpoints to which a request is being timed."""
        self._notice = ("", 0.0)
        self._drawn: tuple[FleetSnapshot, int] | None = None
        self.set_reactive(ConsoleApp.fleet, configured(fleet, clock))

    # ---- life

    def get_default_screen(self) -> FleetScreen:
        """The top view."""
        return FleetScreen(self._problems)

    def on_mount(self) -> None:
        """The first frame comes before everything that takes time."""
        self.call_after_refresh(self.start)

    def start(self) -> None:
        """After the first frame: make the engine, and draw whatever it finds from now on."""
        self.set_interval(max(SHORTEST_PAINT_S, self.config.console.paint), self.tick)
        self.run_worker(self._launch(), exit_on_error=True)

    async def _launch(self) -> None:
        engine = self._make_engine(self.config)
        self.engine = engine
        await engine.start()
        if self._on_started is not None:
            self._on_started()
        self.fleet = engine.snapshot()
        self.redraw()
        if self._prepare is None:
            return
        try:
            notice = await self._prepare(engine)
        except QuarterdeckError as error:
            notice = Notice(
                error.message, tuple(line for line in (error.message, "", error.hint) if line or error.hint)
            )
        if notice is not None:
            self.welcome = notice.lines or (notice.text,)
            if self.fleet.endpoints:
                self.say(notice.text)
        self.fleet = engine.snapshot()
        self.redraw()

    async def wind_down(self) -> None:
        """Stop the engine, within a second."""
        engine, self.engine = self.engine, None
        if engine is None:
            return
        stopping = asyncio.ensure_future(engine.stop())
        await asyncio.wait({stopping}, timeout=STOP_WITHIN_S)
        stopping.cancel()

    # ---- frames

    def tick(self) -> None:
        """The frame timer: take the newest snapshot; the screen draws it if something changed, ages once a second."""
        if terminal_is_gone():
            self.exit(return_code=129)
            return
        if self.engine is not None:
            self.fleet = self.engine.snapshot()
        if self._notice[0] and self._clock.monotonic() >= self._notice[1]:
            self._notice = ("", 0.0)
            self._drawn = None
        now = math.floor(self._clock.monotonic())
        if self._drawn is None or self._drawn[1] != now or not same_fleet(self._drawn[0], self.fleet):
            self.redraw()

    def redraw(self) -> None:
        """Have the screen on top draw now."""
        screen = self.screen
        if isinstance(screen, ConsoleScreen) and screen.is_attached:
            now = self._clock.monotonic()
            self._drawn = (self.fleet, math.floor(now))
            screen.draw(Frame(self.fleet, now, self._clock.wall()))

    @property
    def notice(self) -> str:
        """The news in the status line."""
        return self._notice[0]

    def say(self, text: str, seconds: float = NOTICE_S) -> None:
        """Put news into the status line for a few seconds."""
        self._notice = (text, self._clock.monotonic() + seconds)
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        """Keys that nobody took: what was typed ahead goes where it was meant for, not to the commands."""
        screen = self.screen
        if (
            event.is_printable
            and event.character
            and isinstance(screen, TakesText)
            and screen.takes_text(event.character)
        ):
            event.prevent_default()


def configured(config: FleetConfig, clock: Clock) -> FleetSnapshot:
    """The fleet file as a snapshot in which nothing is known yet."""
    poll = config.console.poll
    endpoints = tuple(
        EndpointView(
            name=spec.name,
            url=spec.url,
            host=spec.host,
            boundary=spec.boundary,
            protected=spec.protected,
            interval=spec.interval(poll),
            engine=None if spec.engine == "auto" else spec.engine,
        )
        for spec in config.endpoints
    )
    hosts = tuple(HostView(name=spec.name, source=spec.gpus) for spec in config.hosts)
    return FleetSnapshot(at=clock.monotonic(), time=clock.wall(), endpoints=endpoints, hosts=hosts)
