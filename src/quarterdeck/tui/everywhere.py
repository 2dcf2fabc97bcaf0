"""What can be asked for on every screen of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from quarterdeck.tui.commands import keys_shown, next_interval
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.viewing import Viewing

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.model.job import Job
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.contract import EngineLike
    from quarterdeck.tui.keys.keymap import KeyTable


class Everywhere(Viewing):
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

    def redraw(self) -> None:
        """Have the screen that is seen draw now."""
        raise NotImplementedError

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

    def do_palette(self) -> None:
        """Commands by words or typed in full, endpoints by name."""
        from quarterdeck.tui.verbs.history import VerbHistory
        from quarterdeck.tui.verbs.screen import VerbScreen

        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            screen.hold_selection()
            self.push_screen(VerbScreen(screen, self.kept(VerbHistory)))

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
