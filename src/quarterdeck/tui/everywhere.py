"""What can be asked for on every screen of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from quarterdeck.tui import themes
from quarterdeck.tui.commands import next_interval
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.terminal_app import TerminalApp

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.model.job import Job
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.contract import EngineLike
    from quarterdeck.tui.models.state import ModelsState
    from quarterdeck.tui.visits import Place, Visits


class Everywhere(TerminalApp):
    """The commands of the table that no screen has a ``do_ID`` of its own for."""

    config: FleetConfig
    engine: EngineLike | None
    locked: bool
    """Whether somebody has made this console read-only."""

    models_state: ModelsState | None = None
    """What the view of models remembers, once it was seen."""

    def redraw(self) -> None:
        """Have the screen that is seen draw now."""
        raise NotImplementedError

    def say(self, text: str, seconds: float = 5.0, *, topic: str = "") -> None:
        """Put news into the status line for a few seconds."""
        raise NotImplementedError

    visits: Visits
    """Where the operator was."""

    replay_bar = ""
    """Of a recording that is played: where it is, for the status line …"""
    replay_hints: ClassVar[tuple[tuple[str, str], ...]] = ()
    """… and its keys."""

    def refuses(self, command: str) -> bool:
        """Whether a command of the table can't be had here; that is said then."""
        return False

    @property
    def watched(self) -> FleetConfig:
        """The fleet file, and what was found since."""
        return self.engine.fleet if self.engine is not None else self.config

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of this user, the newest first."""
        return self.engine.snapshot().jobs if self.engine is not None else ()

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed from here."""
        return self.locked or self.config.console.read_only

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
        problem = self.choose_theme(wanted)
        self.say(problem[0] if problem else f"theme {self.theme}")

    def do_help(self) -> None:
        """Keys, states, columns."""
        from quarterdeck.tui.screens.help import HelpScreen

        screen = self.screen
        self.push_screen(HelpScreen(screen.where if isinstance(screen, ConsoleScreen) else "fleet"))

    def do_view_fleet(self) -> None:
        """The top view."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def do_view_gpus(self) -> None:
        """The GPU view."""
        from quarterdeck.tui.screens.gpus import GpusScreen

        if not isinstance(self.screen, GpusScreen):
            self.do_view_fleet()
            self.push_screen(GpusScreen())

    def do_view_models(self) -> None:
        """Every model on every endpoint."""
        from quarterdeck.tui.models.state import state_of
        from quarterdeck.tui.screens.models import ModelsScreen

        if not isinstance(self.screen, ModelsScreen):
            self.do_view_fleet()
            self.push_screen(ModelsScreen(state_of(self)))

    def open_endpoint(self, name: str) -> None:
        """The page of an endpoint."""
        from quarterdeck.tui.screens.endpoint import EndpointScreen

        self.do_view_fleet()
        self.push_screen(EndpointScreen(name))

    def do_palette(self) -> None:
        """Commands and endpoints by name."""
        from quarterdeck.tui.screens.palette import PaletteScreen, palette_entries

        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            screen.hold_selection()
            self.push_screen(PaletteScreen(palette_entries(screen)))

    def do_view_jobs(self) -> None:
        """What was asked for, and how far it is."""
        from quarterdeck.tui.screens.jobs import JobsScreen

        if not isinstance(self.screen, JobsScreen):
            self.do_view_fleet()
            self.push_screen(JobsScreen())

    def do_view_alerts(self) -> None:
        """What is wrong, and what happened."""
        from quarterdeck.tui.screens.alerts import AlertsScreen

        if not isinstance(self.screen, AlertsScreen):
            self.do_view_fleet()
            self.push_screen(AlertsScreen())

    def do_view_chat(self) -> None:
        """Ask models, side by side."""
        from quarterdeck.tui.chat.entering import open_chat

        open_chat(cast("ConsoleApp", self))

    def do_history_back(self) -> None:
        """To what was seen before."""
        self._go(self.visits.step(-1), "this is where it began")

    def do_history_forward(self) -> None:
        """To where one came back from."""
        self._go(self.visits.step(1), "nothing was seen after this")

    def _go(self, place: Place | None, at_the_end: str) -> None:
        if place is None:
            self.say(at_the_end)
            return
        from quarterdeck.tui.returning import go_to

        go_to(cast("ConsoleApp", self), place)

    def do_launch(self) -> None:
        """A form for a new vLLM."""
        from quarterdeck.tui.acting.launching import open_form

        open_form(cast("ConsoleApp", self))

    def do_audit(self) -> None:
        """Who did what."""
        from quarterdeck.tui.screens.audit import AuditScreen

        if not isinstance(self.screen, AuditScreen):
            self.push_screen(AuditScreen())

    def do_read_only(self) -> None:
        """Look, don't touch; or touch again, where the fleet file allows it."""
        if self.config.console.read_only:
            self.say("the fleet file says read_only; only that can be changed there")
            return
        self.locked = not self.locked
        self.say("read-only: nothing can be changed from here" if self.locked else "no longer read-only")
