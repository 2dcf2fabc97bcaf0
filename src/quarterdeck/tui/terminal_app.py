"""How the console sits in its terminal: themes, what is sent to the screen, how it is suspended and how it ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from quarterdeck.tui import themes
from quarterdeck.tui.ink import Ink
from quarterdeck.tui.screen_diff import ScreenDiff
from quarterdeck.tui.signals import ending_signals


class TerminalApp(App[None]):
    """An app that sends little, uses the console's themes, and gives the terminal back however it ends."""

    def __init__(self, *, theme: str, theme_folders: Sequence[Path] | None = None) -> None:
        """``theme_folders``: where themes are looked for, in this order (default: the user's own, then the program's)."""
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)  # else its NO_COLOR means grey
        self.animation_level = "none"
        self._screen_diff = ScreenDiff()
        self._ink: Ink | None = None
        self._theme_folders = theme_folders
        self._disable_tooltips = self._disable_notifications = True  # news stand in the status line
        self.theme_problems = self._first_theme(theme)
        """What is wrong with the theme that was asked for, if anything."""

    async def wind_down(self) -> None:
        """Leave nothing running. Called at the end, however that came; more than once."""

    # ---- themes

    def _folders(self) -> Sequence[Path]:
        if self._theme_folders is None:
            self._theme_folders = (themes.user_folder(), themes.packaged_folder())
        return self._theme_folders

    def _first_theme(self, name: str) -> tuple[str, ...]:
        """As `choose_theme`, but before anything is styled: setting ``theme`` would parse all CSS a second time."""
        loaded = themes.load(name, self._folders())
        self.register_theme(loaded.theme)
        self.set_reactive(App.theme, loaded.theme.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(loaded.theme.dark, "-dark-mode", update=False)
        self.set_class(not loaded.theme.dark, "-light-mode", update=False)
        return (loaded.problem,) if loaded.problem else ()

    def choose_theme(self, name: str) -> tuple[str, ...]:
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
        super()._watch_theme(theme_name)
        self.get_css_variables()  # Textual does that later: what is painted until then would keep the old colours
        self._ink = None

    @property
    def ink(self) -> Ink:
        """The styles of the theme in force."""
        if self._ink is None:
            variables = self.theme_variables or self.get_css_variables()
            few = self.console.color_system == "standard"
            self._ink = Ink(variables, no_color=self.no_color, few_colors=few)
        return self._ink

    # ---- beginning and end

    async def run_async(self, **options: Any) -> None:
        """Run in the terminal until told to end, by whomever."""
        with ending_signals(lambda status: self.exit(return_code=status)):
            try:
                return await super().run_async(**options)
            finally:
                await self.wind_down()

    def on_mount(self) -> None:
        """What was on the screen before a suspension is not there after it."""
        self.app_resume_signal.subscribe(self, lambda _: self.do_repaint())

    async def on_unmount(self) -> None:
        """The regular end."""
        await self.wind_down()

    def _fatal_error(self) -> None:
        """A bug: say where, but print no variables (they may hold what servers sent, or a key)."""
        from rich.segment import Segments
        from rich.traceback import Traceback

        traceback = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(traceback, self.console.options)))
        self._close_messages_no_wait()

    # ---- the screen

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = self._screen_diff.cut_down(renderable, self.size)
        super()._display(screen, renderable)

    def do_repaint(self) -> None:
        """Send the whole screen again: somebody else wrote on the terminal."""
        self._screen_diff.forget()
        self.screen.refresh()

    def do_suspend(self) -> None:
        """Give the terminal back to the shell until `fg`."""
        self.action_suspend_process()
