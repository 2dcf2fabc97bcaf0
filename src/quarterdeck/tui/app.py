"""The console: an app that shows an engine's snapshots and passes on what is asked of it.

Before its first frame it imports no engine and opens nothing: what is seen first is the fleet file as it stands.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import var
from textual.screen import Screen

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot, HostView
from quarterdeck.tui import themes
from quarterdeck.tui.commands import next_interval
from quarterdeck.tui.contract import EngineLike, Frame, MakeEngine, Notice, Prepare, TakesText
from quarterdeck.tui.ink import Ink
from quarterdeck.tui.screen_diff import ScreenDiff
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.signals import ending_signals, terminal_is_gone

STOP_WITHIN_S = 1.0
NOTICE_S = 5.0
SHORTEST_PAINT_S = 0.5
NOTHING_WATCHED = ("Nothing is watched yet.", "", "quarterdeck --url http://HOST:PORT watches a server.")


class ConsoleApp(App[None]):
    """The console of a fleet."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "end", "Quit", show=False, priority=True)]

    fleet: var[FleetSnapshot] = var(EMPTY_FLEET, init=False)
    """The newest snapshot. Compared by identity; the screen on top draws it."""

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
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)  # else its NO_COLOR means grey
        self.animation_level = "none"
        self.config = fleet
        self.engine: EngineLike | None = None
        self.welcome: tuple[str, ...] = (looking_for,) if looking_for else NOTHING_WATCHED
        self._make_engine = make_engine
        self._prepare = prepare
        self._clock = clock
        self._screen_diff = ScreenDiff()
        self._on_started = on_started
        self._theme_folders = theme_folders
        self._disable_tooltips = self._disable_notifications = True  # news stand in the status line
        self._problems = (*problems, *self._first_theme(fleet.console.theme))
        self._notice = ("", 0.0)
        self._drawn: tuple[FleetSnapshot, int] | None = None
        self._ink: Ink | None = None
        self.set_reactive(ConsoleApp.fleet, configured(fleet, clock))

    # ---- themes

    def _folders(self) -> Sequence[Path]:
        if self._theme_folders is None:
            self._theme_folders = (themes.user_folder(), themes.packaged_folder())
        return self._theme_folders

    def _first_theme(self, name: str) -> tuple[str, ...]:
        """As `_choose_theme`, but before anything is styled: setting ``theme`` would parse all CSS a second time."""
        loaded = themes.load(name, self._folders())
        self.register_theme(loaded.theme)
        self.set_reactive(App.theme, loaded.theme.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(loaded.theme.dark, "-dark-mode", update=False)
        self.set_class(not loaded.theme.dark, "-light-mode", update=False)
        return (loaded.problem,) if loaded.problem else ()

    def _choose_theme(self, name: str) -> tuple[str, ...]:
        """Use a theme; what is wrong with it, if anything."""
        loaded = themes.load(name, self._folders())
        self.register_theme(loaded.theme)
        self.theme = loaded.theme.name
        return (loaded.problem,) if loaded.problem else ()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The console's own colours, for themes that don't set them."""
        theme = self.current_theme
        return {} if theme.variables.keys() >= themes.VARIABLES else themes.derived_variables(theme)

    def _watch_theme(self, theme_name: str) -> None:
        self._ink = None
        super()._watch_theme(theme_name)

    @property
    def ink(self) -> Ink:
        """The styles of the theme in force."""
        if self._ink is None:
            variables = self.theme_variables or self.get_css_variables()
            self._ink = Ink(variables, no_color=self.no_color)
        return self._ink

    # ---- life

    def get_default_screen(self) -> FleetScreen:
        """The top view."""
        return FleetScreen(tuple(self._problems))

    async def run_async(self, **options: Any) -> None:
        """Run in the terminal until told to end, by whomever."""
        with ending_signals(lambda status: self.exit(return_code=status)):
            try:
                return await super().run_async(**options)
            finally:
                await self._stop_engine()

    def on_mount(self) -> None:
        """The first frame comes before everything that takes time."""
        self.app_resume_signal.subscribe(self, self._on_resumed)
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
        self.tick()
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

    async def on_unmount(self) -> None:
        """Leave nothing running."""
        await self._stop_engine()

    async def _stop_engine(self) -> None:
        engine, self.engine = self.engine, None
        if engine is None:
            return
        stopping = asyncio.ensure_future(engine.stop())
        await asyncio.wait({stopping}, timeout=STOP_WITHIN_S)
        stopping.cancel()

    def _fatal_error(self) -> None:
        """A bug: say where, but print no variables (they may hold what servers sent, or a key)."""
        from rich.segment import Segments
        from rich.traceback import Traceback

        traceback = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(traceback, self.console.options)))
        self._close_messages_no_wait()

    # ---- frames

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = self._screen_diff.cut_down(renderable, self.size)
        super()._display(screen, renderable)

    def do_repaint(self) -> None:
        """Send the whole screen again: somebody else wrote on the terminal."""
        self._screen_diff.forget()
        self.screen.refresh()

    def _on_resumed(self, _: App[Any]) -> None:
        self._screen_diff.forget()

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
        if self._drawn is None or self._drawn[1] != now or self._drawn[0] is not self.fleet:
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

    def say(self, text: str) -> None:
        """Put news into the status line for a few seconds."""
        self._notice = (text, self._clock.monotonic() + NOTICE_S)
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

    # ---- what can be asked for everywhere

    @property
    def paused(self) -> bool:
        """Whether polling is stopped."""
        return self.engine is not None and self.engine.paused

    @property
    def interval(self) -> float:
        """Seconds between two polls."""
        return self.engine.interval if self.engine is not None else self.config.console.poll

    def do_quit(self) -> None:
        """End."""
        self.exit()

    def action_end(self) -> None:
        """End, whatever has the keys."""
        self.do_quit()

    def do_pause(self) -> None:
        """Stop polling, or go on."""
        if engine := self._running_engine():
            engine.pause(not engine.paused)
            self.redraw()

    def do_refresh(self) -> None:
        """Ask everybody now."""
        if engine := self._running_engine():
            engine.refresh()
            self.say("asking all endpoints now")

    def refresh_endpoint(self, name: str) -> None:
        """Ask one now."""
        if engine := self._running_engine():
            engine.refresh(name)
            self.say(f"asking {name} now")

    def do_slower(self) -> None:
        """A longer interval."""
        self._change_interval(1, "60 s is the longest interval")

    def do_faster(self) -> None:
        """A shorter interval."""
        self._change_interval(-1, "0.5 s is the shortest interval")

    def _change_interval(self, step: int, at_the_end: str) -> None:
        engine = self._running_engine()
        if engine is None:
            return
        interval = next_interval(engine.interval, step)
        if interval is None:
            self.say(at_the_end)
        else:
            engine.set_interval(interval)
            self.redraw()

    def _running_engine(self) -> EngineLike | None:
        if self.engine is None:
            self.say("still starting; try again in a moment")
        return self.engine

    def do_theme(self) -> None:
        """The other theme."""
        wanted = themes.LIGHT_THEME if self.current_theme.dark else themes.DEFAULT_THEME
        problem = self._choose_theme(wanted)
        self.say(problem[0] if problem else f"theme {self.theme}")

    def do_help(self) -> None:
        """Keys, states, columns."""
        from quarterdeck.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    def open_endpoint(self, name: str) -> None:
        """The page of an endpoint."""
        from quarterdeck.tui.screens.endpoint import EndpointScreen

        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(EndpointScreen(name))

    def do_palette(self) -> None:
        """Commands and endpoints by name."""
        from quarterdeck.tui.screens.palette import PaletteScreen, palette_entries

        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            self.push_screen(PaletteScreen(palette_entries(screen)))


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
