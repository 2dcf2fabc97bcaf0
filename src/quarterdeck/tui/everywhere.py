"""What can be asked for on every screen of the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from quarterdeck.tui.commands import keys_shown, next_interval
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.terminal_app import TerminalApp

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.model.job import Job
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.contract import EngineLike
    from quarterdeck.tui.keys.keymap import KeyTable
    from quarterdeck.tui.tour.guide import Tour
    from quarterdeck.tui.visits import Place, Visits

Kept = TypeVar("Kept")


class Everywhere(TerminalApp):
    """The commands of the table that no screen has a ``do_ID`` of its own for."""

    config: FleetConfig
    engine: EngineLike | None
    locked: bool
    """Whether somebody has made this console read-only."""

    key_table: KeyTable | None = None
    """The keys in force, where somebody wants others than the command table's."""

    def keys_of(self, command: str) -> str:
        """The first key of a command on the screen that is seen, as people read it; "" where it has none."""
        screen = self.screen
        where = screen.where if isinstance(screen, ConsoleScreen) else "fleet"
        return keys_shown(command, where, self.key_table).partition(" ")[0]

    _states: dict[type, object] | None = None

    def kept(self, kind: type[Kept]) -> Kept:
        """What a view remembers while others are seen: one of a kind, made when it is first asked for."""
        if self._states is None:
            self._states = {}
        if kind not in self._states:
            self._states[kind] = kind()
        return cast("Kept", self._states[kind])

    def redraw(self) -> None:
        """Have the screen that is seen draw now."""
        raise NotImplementedError

    def say(self, text: str, seconds: float = 5.0, *, topic: str = "") -> None:
        """Put news into the status line for a few seconds."""
        raise NotImplementedError

    visits: Visits
    """Where the operator was."""
    tour: Tour | None
    """The tour, while it goes on."""

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

    def copy_to_clipboard(self, text: str) -> None:
        """What is cut or copied in a line that is typed in."""
        from quarterdeck.tui.copying.doing import Copyable, put

        put(cast("ConsoleApp", self), Copyable("what was marked", text))

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
            self.say(f"every {interval:g} s")

    def _running_engine(self) -> EngineLike | None:
        if self.engine is None:
            self.say("still starting; try again in a moment")
        return self.engine

    def do_theme(self) -> None:
        """A list of themes, each seen at once."""
        from quarterdeck.tui.screens.themes import ThemesScreen

        self.push_screen(ThemesScreen(self))

    _steady_theme = ""
    """The one in force, while another is previewed."""

    def preview_theme(self, name: str) -> None:
        """Show a theme, for now; "" = the one in force again."""
        self._steady_theme = self._steady_theme or self.theme
        wanted = name or self._steady_theme
        if wanted != self.theme:
            self.choose_theme(wanted)
        if not name:
            self._steady_theme = ""

    def take_theme(self, name: str) -> None:
        """Use a theme, and remember it for the next runs; a broken one is told of, and changes nothing."""
        from quarterdeck.tui.colors.theme_choice import remember_theme

        if problem := self.choose_theme(name):
            self.say(problem[0], 15.0)
            return
        self._steady_theme = ""
        not_kept = remember_theme(name, self.config)
        self.say(f"theme {name}" + (f", for this run: it can't be remembered ({not_kept})" if not_kept else ""))

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
        from quarterdeck.tui.widgets.gpu_table import GpusState

        if not isinstance(self.screen, GpusScreen):
            self.do_view_fleet()
            self.push_screen(GpusScreen(self.kept(GpusState)))

    def do_view_models(self) -> None:
        """Every model on every endpoint."""
        from quarterdeck.tui.models.state import ModelsState
        from quarterdeck.tui.screens.models import ModelsScreen

        if not isinstance(self.screen, ModelsScreen):
            self.do_view_fleet()
            self.push_screen(ModelsScreen(self.kept(ModelsState)))

    def open_endpoint(self, name: str) -> None:
        """The page of an endpoint."""
        from quarterdeck.tui.screens.endpoint import EndpointScreen

        self.do_view_fleet()
        self.push_screen(EndpointScreen(name))

    def do_palette(self) -> None:
        """Commands by words or typed in full, endpoints by name."""
        from quarterdeck.tui.verbs.history import VerbHistory
        from quarterdeck.tui.verbs.screen import VerbScreen

        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            screen.hold_selection()
            self.push_screen(VerbScreen(screen, self.kept(VerbHistory)))

    def do_view_jobs(self) -> None:
        """What was asked for, and how far it is."""
        from quarterdeck.tui.screens.jobs import JobsScreen
        from quarterdeck.tui.widgets.job_table import JobsState

        if not isinstance(self.screen, JobsScreen):
            self.do_view_fleet()
            self.push_screen(JobsScreen(self.kept(JobsState)))

    def do_view_alerts(self) -> None:
        """What is wrong, and what happened."""
        from quarterdeck.tui.screens.alerts import AlertsScreen
        from quarterdeck.tui.widgets.alert_table import AlertsState

        if not isinstance(self.screen, AlertsScreen):
            self.do_view_fleet()
            self.push_screen(AlertsScreen(self.kept(AlertsState)))

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

    def do_tour(self) -> None:
        """Be shown around; from the beginning."""
        from quarterdeck.tui.tour.guide import Tour

        if self.tour is not None:
            self.tour.end()
        self.tour = Tour(cast("ConsoleApp", self))
        self.tour.begin()

    def take_keys(self, keys: Mapping[str, str]) -> None:
        """Give keys an action, for a while: also in dialogs, and while somebody types."""
        for key, action in keys.items():
            self._bindings.bind(key, action, priority=True)

    def leave_keys(self, keys: Iterable[str]) -> None:
        """They have none any more."""
        for key in keys:
            self._bindings.key_to_bindings.pop(key, None)

    def action_tour(self, way: str) -> None:
        """A key of the tour."""
        if self.tour is not None:
            self.tour.go(way)

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
