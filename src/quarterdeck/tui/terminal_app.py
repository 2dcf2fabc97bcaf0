"""How the console sits in its terminal: themes, what is sent to the screen, how it is suspended and how it ends."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from quarterdeck.tui.colors import themes
from quarterdeck.tui.colors.ink import Ink
from quarterdeck.tui.terminal import charset
from quarterdeck.tui.terminal.driver import ConsoleDriver
from quarterdeck.tui.terminal.screen_diff import Part, ScreenDiff
from quarterdeck.tui.terminal.signals import ending_signals

if TYPE_CHECKING:
    from rich.color import ColorSystem
    from textual.theme import Theme

    from quarterdeck.tui.terminal.link import Link

ECHO_S = 0.06
"""What is drawn next after a key is its echo, or what was about to be drawn, and the echo comes so soon after it."""


class TerminalApp(App[None]):
    """An app that sends little, uses the console's themes, and gives the terminal back however it ends."""

    def __init__(
        self, *, theme: str, theme_folders: Sequence[Path] | None = None, ascii_only: bool | None = None
    ) -> None:
        """``theme_folders``: where themes are looked for, in this order (default: the user's own, then the program's).

        ``ascii_only``: whether nothing but ASCII is sent (default: where the terminal can't show more).
        """
        charset.tell_all_colours(os.environ)
        no_color = True if "NO_COLOR" in os.environ else None  # else Textual's NO_COLOR means grey
        super().__init__(driver_class=ConsoleDriver, ansi_color=no_color)
        self.animation_level = "none"
        self.glyphs = charset.glyphs(os.environ, sys.__stdout__, ascii_only)
        """What cells become where the terminal can't show every glyph."""
        self.screen_diff = ScreenDiff(self.glyphs)
        """What the terminal shows, and what it should show."""
        self._pressed, self._pressed_at = False, -math.inf
        """Whether somebody waits for an echo, and since when (monotonic)."""
        self._sending = False
        """Whether what was drawn is about to be sent."""
        self._ink: Ink | None = None
        self._theme_folders = theme_folders
        self._disable_tooltips = self._disable_notifications = True  # news stand in the status line
        self.theme_problems = self._first_theme(theme)
        """What is wrong with the theme that was asked for, if anything."""

    async def wind_down(self) -> None:
        """Leave nothing running. Called at the end, however that came; more than once."""

    # ---- themes

    @property
    def theme_folders(self) -> Sequence[Path]:
        """Where themes are looked for, in this order."""
        return self._folders()

    def _folders(self) -> Sequence[Path]:
        if self._theme_folders is None:
            self._theme_folders = (themes.user_folder(), themes.packaged_folder())
        return self._theme_folders

    @property
    def ascii_only(self) -> bool:
        """Whether nothing but ASCII is sent."""
        return charset.is_ascii(self.glyphs)

    @property
    def _few_colours(self) -> ColorSystem | None:
        """Those of the terminal, where it has no more than 16 or 256."""
        if self.console.color_system in (None, "truecolor") or self.no_color:
            return None
        from quarterdeck.tui.colors.legible import few

        return few(self.console.color_system)

    def _as_shown(self, theme: Theme) -> Theme:
        """A theme in colours that this terminal has."""
        if (colours := self._few_colours) is None:
            return theme
        from quarterdeck.tui.colors.few_colors import adapted

        return adapted(theme, colours)

    def _first_theme(self, name: str) -> tuple[str, ...]:
        """As `choose_theme`, but before anything is styled: setting ``theme`` would parse all CSS a second time."""
        theme, problem = themes.load(name, self._folders())
        self.register_theme(self._as_shown(theme))
        self.set_reactive(App.theme, theme.name)
        self._themed = True
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(theme.dark, "-dark-mode", update=False)
        self.set_class(not theme.dark, "-light-mode", update=False)
        return (problem,) if problem else ()

    def choose_theme(self, name: str) -> tuple[str, ...]:
        """Use a theme, read anew; what is wrong with it, if anything: then the one in force stays."""
        try:
            theme = themes.find(name, self._folders())
        except themes.ThemeError as error:
            return (str(error),)
        self.register_theme(self._as_shown(theme))
        if name == self.theme:
            self._watch_theme(name)
        self.theme = name
        return ()

    _themed = False

    def get_css_variables(self) -> dict[str, str]:
        """The colours of the theme in force. Textual asks for those of its own theme first, which nobody will see."""
        return super().get_css_variables() if self._themed else {}

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The console's own colours, for themes that don't set them."""
        return themes.all_variables(self.current_theme)

    def _watch_theme(self, theme_name: str) -> None:
        super()._watch_theme(theme_name)
        self.get_css_variables()  # Textual does that later: what is painted until then would keep the old colours
        self._ink = None
        self.call_next(self._draw_all)

    def _draw_all(self) -> None:
        """What is seen of every screen: lines whose text is the same are in other colours now."""
        for screen in self.screen_stack:
            for widget in (screen, *screen.query("*")):
                widget.refresh()

    @property
    def ink(self) -> Ink:
        """The styles of the theme in force."""
        if self._ink is None:
            variables = self.theme_variables or self.get_css_variables()
            self._ink = Ink(variables, no_color=self.no_color, colours=self._few_colours)
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

    @property
    def link(self) -> Link | None:
        """The way to the terminal, while we have one."""
        return self._driver.link if isinstance(self._driver, ConsoleDriver) else None

    @property
    def link_behind(self) -> bool:
        """Whether the terminal has not taken yet what was drawn: what nobody waits for had better be drawn later."""
        link = self.link
        return link is not None and link.behind

    async def on_event(self, event: events.Event) -> None:
        """As Textual, and note when somebody began to wait for an echo."""
        if isinstance(event, (events.Key, events.Paste, events.MouseEvent)):
            self._pressed, self._pressed_at = True, time.monotonic()
        await super().on_event(event)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """What Textual would send only says what should be on the screen; the `link` sends what differs, when it can."""
        if not isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            super()._display(screen, renderable)
        elif self._running and not self._closed and not self._batch_count:
            self._take_in(renderable)
            self.post_display_hook()

    def _take_in(self, update: LayoutUpdate | ChopsUpdate) -> None:
        link, size = self.link, self.size
        if link is not None and size != self.screen_diff.size:
            return  # drawn for a size that the terminal has no longer
        urgent = self._is_echo()
        self.screen_diff.put(update, size, urgent=urgent, first=self._looked_at() if urgent else None)
        if link is not None:
            link.cursor = self.screen.outer_size.clamp_offset(self.cursor_position)
            link.pump()

    def send_parts(self, parts: Sequence[Part]) -> bool:
        """Have these parts of lines sent with whatever else changes now; ``False`` where there is no screen for them."""
        link = self.link
        drawn_for_it = self.size == self.screen_diff.size
        if link is None or not drawn_for_it or not self._running or self._closed or self._batch_count:
            return False
        urgent = self._is_echo()
        self.screen_diff.put_parts(parts, urgent=urgent, first=self._looked_at() if urgent else None)
        if not self._sending:
            self._sending = True
            asyncio.get_running_loop().call_soon(self._send)
        return True

    def _send(self) -> None:
        self._sending = False
        if self.link is not None and not self._closed:
            self.link.pump()

    def _is_echo(self) -> bool:
        """Whether somebody waits for what is drawn now."""
        urgent = self._pressed or time.monotonic() - self._pressed_at < ECHO_S
        self._pressed = False
        return urgent

    def _looked_at(self) -> range | None:
        """The lines of what has the keys, or of what is selected."""
        widget = self.focused or getattr(self.screen, "table", None)
        if not isinstance(widget, Widget) or not widget.is_attached:
            return None
        top, lines = widget.region.y, getattr(widget, "looked_at", range(widget.size.height))
        return range(top + lines.start, top + lines.stop)

    def terminal_gone(self) -> None:
        """The terminal was hung up: end, as SIGHUP would."""
        self.exit(return_code=129)

    def _set_pointer_shape(self, shape: str) -> None:
        """Not sent: nobody needs it, and some terminals print it."""

    def own_clipboard(self, text: str) -> None:
        """What is pasted into lines of this app."""
        self._clipboard = text

    def write_to_terminal(self, sequence: str) -> bool:
        """Send what is no part of the screen: between two frames, which go the same way. ``False`` without a terminal."""
        if self._driver is None:
            return False
        self._driver.write(sequence)
        return True

    def do_repaint(self) -> None:
        """Send the whole screen again: somebody else wrote on the terminal."""
        self.screen_diff.forget()
        self.screen.refresh()

    def do_suspend(self) -> None:
        """Give the terminal back to the shell until `fg`."""
        self.action_suspend_process()

    def action_suspend_process(self) -> None:
        """Stop, where a shell could continue us."""
        if isinstance(self._driver, ConsoleDriver):
            self.app_suspend_signal.publish(self)
            if not self._driver.suspend():
                self.could_not_suspend()

    def could_not_suspend(self) -> None:
        """Called when nobody could continue us, so that we were not stopped."""
