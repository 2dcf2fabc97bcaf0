"""The console: an app that shows an engine's snapshots and passes on what is asked of it.

Before its first frame it imports no engine and opens nothing: what is seen first is the fleet file as it stands.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import var

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot
from quarterdeck.tui.colors.theme_choice import theme_at_start
from quarterdeck.tui.contract import EngineLike, Frame, MakeEngine, Notice, Prepare, TakesText, same_fleet
from quarterdeck.tui.everywhere import Everywhere
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.terminal.signals import terminal_is_gone
from quarterdeck.tui.visits import Visits

if TYPE_CHECKING:
    from textual.timer import Timer

    from quarterdeck.config.fleet import HostSpec
    from quarterdeck.model.host import HostView
    from quarterdeck.model.job import Job
    from quarterdeck.tui.chat.sitting import Sitting
    from quarterdeck.tui.copying.doing import Copied
    from quarterdeck.tui.first_run import FirstRun
    from quarterdeck.tui.news import News
    from quarterdeck.tui.tour.guide import Tour

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
        theme = theme_at_start(fleet)
        super().__init__(theme=theme, theme_folders=theme_folders, ascii_only=fleet.console.ascii)
        self.config = fleet
        self.engine: EngineLike | None = None
        self.welcome: tuple[str, ...] = (looking_for,) if looking_for else NOTHING_WATCHED
        self._make_engine = make_engine
        self._prepare = prepare
        self._clock = clock
        self._on_started = on_started
        self._problems = tuple(problems)
        if fleet.keys:
            from quarterdeck.tui.keys.keymap import key_table

            self.key_table = key_table(fleet.keys)
            self._problems += self.key_table.problems
        self.locked = False
        self.visits = Visits()
        self.tour: Tour | None = None
        self.first_run: FirstRun | None = None
        self.timing: set[str] = set()
        """Endpoints to which a request is being timed."""
        self.chat: Sitting | None = None
        """The conversation, once one was begun; it goes on while other screens are seen."""
        self.copied: Copied | None = None
        self.saved_in: Path | None = None
        """Where the last view was saved, where that is another folder than the current one."""
        self._news: News | None = None
        self._said: dict[str, tuple[str, float]] = {}
        """What stands in the status line, and until when, by topic; the newest is last."""
        self._frame_timer: Timer | None = None
        self._frame_every_s = 0.0
        self._drawn: tuple[FleetSnapshot, int] | None = None
        self.set_reactive(ConsoleApp.fleet, configured(fleet, clock))

    # ---- life

    def get_default_screen(self) -> FleetScreen:
        """The top view."""
        return FleetScreen(self._problems, self.theme_problems)

    def on_mount(self) -> None:
        """The first frame comes before everything that takes time."""
        self.call_after_refresh(self.start)

    def start(self) -> None:
        """After the first frame: make the engine, and draw whatever it finds from now on."""
        self._time_frames()
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
        """Stop the chat and the engine, within a second each."""
        chat, self.chat = self.chat, None
        if chat is not None:
            await chat.stop()
        engine, self.engine = self.engine, None
        if engine is None:
            return
        stopping = asyncio.ensure_future(engine.stop())
        await asyncio.wait({stopping}, timeout=STOP_WITHIN_S)
        stopping.cancel()

    # ---- frames

    def _time_frames(self) -> None:
        """Have frames drawn as often as polls bring something, once or twice a second: a timer wakes the process also for nothing."""
        every_s = max(SHORTEST_PAINT_S, self.config.console.paint, min(1.0, self.interval))
        if every_s != self._frame_every_s:
            if self._frame_timer is not None:
                self._frame_timer.stop()
            self._frame_every_s = every_s
            self._frame_timer = self.set_interval(every_s, self.frame)

    def frame(self) -> None:
        """The frame timer."""
        self._time_frames()
        self.tick()

    def tick(self) -> None:
        """A frame: take the newest snapshot; the screen draws it if something changed, ages once a second."""
        if terminal_is_gone():
            self.exit(return_code=129)
            return
        if self.engine is not None:
            self.fleet = self.engine.snapshot()
        self._forget_what_was_said()
        self._tell_news()
        if self.link_behind:
            return  # the next tick has newer numbers
        now = math.floor(self.moment[0])
        if self._drawn is None or self._drawn[1] != now or not same_fleet(self._drawn[0], self.fleet):
            self.redraw()

    @property
    def moment(self) -> tuple[float, float]:
        """When what is drawn is drawn: monotonic and Unix seconds."""
        return self._clock.monotonic(), self._clock.wall()

    @property
    def in_view(self) -> ConsoleScreen | None:
        """The screen that is seen: the one on top, or the one that dialogs stand over."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ConsoleScreen):
                return screen
            if not screen.is_modal:
                break
        return None

    def redraw(self) -> None:
        """Have the screen that is seen draw now; a dialog over it leaves most of it in view."""
        screen = self.in_view
        if screen is not None and screen.is_attached:
            if self._news is not None and self._news.all_seen(screen.shows_job):
                self._said.pop("jobs", None)  # it stands on the screen
            if (place := screen.place) is not None:
                self.visits.visit(place)
            now, unix = self.moment
            self._drawn = (self.fleet, math.floor(now))
            if self.tour is not None:
                self.tour.attach(screen)
            screen.draw(Frame(self.fleet, now, unix))
            for dialog in self.screen_stack[self.screen_stack.index(screen) + 1 : -1]:
                dialog.refresh()  # of what it lets through it keeps a copy; the one on top is told by Textual

    @property
    def notice(self) -> str:
        """The news in the status line."""
        return next((text for text, _ in reversed(self._said.values())), "")

    def say(self, text: str, seconds: float = NOTICE_S, *, topic: str = "") -> None:
        """Put news into the status line for a few seconds. What was said of another ``topic`` comes back if there is time left."""
        self._said.pop(topic, None)
        self._said[topic] = (text, self._clock.monotonic() + seconds)
        self.redraw()

    def _forget_what_was_said(self) -> None:
        now = self._clock.monotonic()
        old = [topic for topic, (_, until) in self._said.items() if now >= until]
        for topic in old:
            del self._said[topic]
            self._drawn = None

    def could_not_suspend(self) -> None:
        """Started by `ssh -t box quarterdeck`, for instance."""
        self.say("no shell waits for this console; q quits")

    def follow_job(self, job: Job) -> None:
        """Say how a job that was begun here ends, unless somebody looks at it then."""
        if self._news is None:
            from quarterdeck.tui.news import News

            self._news = News()
        self._news.follow(job)

    def _tell_news(self) -> None:
        if self._news is None:
            return
        from quarterdeck.tui.news import READ_S

        screen = self.in_view
        text = self._news.look(
            self.fleet.jobs, self._clock.monotonic(), lambda job: screen is not None and screen.shows_job(job)
        )
        if text:
            self._said.clear()  # such as "is job abcde": older than its end
            self.say(text, READ_S, topic="jobs")

    async def on_event(self, event: events.Event) -> None:
        """The hint of the first starts goes at the first key."""
        if self.first_run is not None and isinstance(event, events.Key):
            self.first_run.pressed()
        await super().on_event(event)

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
    hosts = tuple(map(_unread, config.hosts))
    return FleetSnapshot(at=clock.monotonic(), time=clock.wall(), endpoints=endpoints, hosts=hosts)


def _unread(spec: HostSpec) -> HostView:
    from quarterdeck.model.host import HostView

    return HostView(name=spec.name, source=spec.gpus)
