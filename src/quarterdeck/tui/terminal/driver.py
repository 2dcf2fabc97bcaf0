"""The terminal below Textual: raw mode and its sequences, keys in, frames out through a `Link`, stopped and continued.

Textual's own driver queues what the terminal doesn't read, blocks where the queue is full, waits for it at the end, wakes ten
times a second, and takes a continued process for one that gave its terminal back.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import time
from typing import TYPE_CHECKING, Any, cast

from rich.console import COLOR_SYSTEMS
from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message
from textual.messages import InBandWindowResize, TerminalSupportsSynchronizedOutput

from quarterdeck.tui.terminal.keyboard import Keyboard
from quarterdeck.tui.terminal.link import Link
from quarterdeck.tui.terminal.modes import Modes
from quarterdeck.tui.terminal.outlet import Outlet
from quarterdeck.tui.terminal.pacing import LOCAL_BPS, SERIAL_BPS, Pacing

if TYPE_CHECKING:
    from quarterdeck.tui.terminal_app import TerminalApp

LAST_WORDS_S = 0.6
"""For a terminal to take what gives it back."""
ANSWER_S = 0.3
"""For an answer that would else be typed into the shell."""
STOPS_S = 0.3
"""For the system to stop us; it takes far less."""
RESIZE_S = 0.05
"""Sizes that follow each other faster are not drawn one by one."""


class ConsoleDriver(LinuxDriver):
    """What an app uses as its terminal."""

    def __init__(
        self, app: Any, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.link: Link | None = None
        """The way out; ``None`` while somebody else has the terminal."""
        self._outlet: Outlet | None = None
        self._modes = Modes(os.environ, mouse=mouse)
        self._file = next((file for file in (sys.__stderr__, sys.__stdout__) if _is_terminal(file)), sys.__stderr__)
        self._keyboard: Keyboard | None = None
        self._answered_at = 0.0
        self._resizing = False
        self._synchronised = False
        self._continued = 0

    @property
    def _console(self) -> TerminalApp:
        return cast("TerminalApp", self._app)

    # ---- out

    def write(self, data: str) -> None:
        """Send what is no part of the screen. Frames go through the `link`."""
        if self.link is not None:
            self.link.control(data)

    def _later(self, seconds: float, call: Any) -> object:
        return self._loop.call_later(seconds, call)

    def _open(self) -> None:
        assert self._file is not None
        self._outlet = Outlet(self._file.fileno(), self._later, drained=self._go_on, gone=self._console.terminal_gone)
        self.link = Link(
            self._console.screen_diff,
            self._outlet,
            Pacing(asks=self._modes.asks_for_cursor, silent_bps=SERIAL_BPS if self._modes.may_be_slow else LOCAL_BPS),
            later=self._later,
            clock=time.monotonic,
            encoding=self._file.encoding or "utf-8",
        )
        self.link.synchronised = self._synchronised
        self.link.colours = COLOR_SYSTEMS[self._app.console.color_system or "truecolor"]

    def _go_on(self) -> None:
        if self.link is not None:
            self.link.pump()

    # ---- the terminal is ours

    def start_application_mode(self) -> None:
        """Take the terminal. In the background nothing is taken: the system stops us until we are in front again."""
        if self.link is None and self._take():
            self._open()
            self._begin()

    def _begin(self) -> None:
        assert self.link is not None
        self.link.control(self._modes.on(), ask=True)
        self._keyboard = Keyboard(self.fileno, self.process_message, self._gone_in_thread, debug=self._debug)
        self._measure()
        if self._must_signal_resume:
            self._must_signal_resume = False
            self.send_message(self.SignalResume())

    def _take(self) -> bool:
        """Raw mode; whether it could be had."""
        signal.signal(signal.SIGTTOU, self._stop_again)
        signal.signal(signal.SIGTTIN, self._stop_again)
        try:
            attributes = termios.tcgetattr(self.fileno)
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)  # in the background: SIGTTOU
            if self.attrs_before is None:
                self.attrs_before = [*attributes]
            raw = [*self.attrs_before]
            raw[3] = self._patch_lflag(raw[3])
            raw[0] = self._patch_iflag(raw[0])
            raw[6] = [*raw[6]]
            raw[6][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, raw)
        except termios.error:
            return False
        finally:
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            signal.signal(signal.SIGTTIN, signal.SIG_DFL)
        signal.signal(signal.SIGWINCH, self._resized)
        return True

    @staticmethod
    def _stop_again(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    # ---- stopped and continued

    def suspend(self) -> bool:
        """Give the terminal back and stop, with all that runs in our process group (such as `uv run`), until `fg`.

        Returns ``False`` at once where nobody could continue us: the system stops no orphans.
        """
        self._give_back()
        before = self._continued
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(0, signal.SIGTSTP)
        end = time.monotonic() + STOPS_S
        while self._continued == before and time.monotonic() < end:
            time.sleep(0.01)
        signal.signal(signal.SIGTSTP, self._sigtstp_application)
        if self._continued == before:
            self._come_back()
            return False
        return True

    def _give_back(self) -> None:
        if self._auto_restart and self.link is not None:
            self.stop_application_mode()
            self._must_signal_resume = True

    def _sigtstp_application(self, *_: object) -> None:
        """Somebody else stops us."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        self._continued += 1
        self._loop.call_soon_threadsafe(self._come_back)

    def _come_back(self) -> None:
        """Take the terminal again. After SIGSTOP it was never given back, and the shell may have changed it."""
        if not self._auto_restart or self._app._exit:  # noqa: SLF001
            return
        if self.link is None:
            self.start_application_mode()
        elif self._in_front() and self._take():
            self.link.control(self._modes.on(), ask=True)
            self._measure()
        else:
            self._let_go()
            os.kill(os.getpid(), signal.SIGTTIN)

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return False

    def _let_go(self) -> None:
        """The terminal is somebody else's: write and read no more, and leave it as it is."""
        outlet, self._outlet, self.link = self._outlet, None, None
        if outlet is not None:
            outlet.close()
        self._stop_reading()

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was, also where it reads nothing."""
        self.disable_input()
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            self.attrs_before = None
        outlet, self._outlet, self.link = self._outlet, None, None
        if outlet is not None:
            outlet.finish(self._modes.off(synchronised=self._synchronised).encode(), LAST_WORDS_S)
            outlet.close()

    def close(self) -> None:
        """Nothing is left to be closed."""

    # ---- size

    def _get_terminal_size(self) -> tuple[int, int]:
        for file in (self._file, sys.__stdin__):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                width, height = os.get_terminal_size(file.fileno())  # type: ignore[union-attr]
                if width and height:
                    return width, height
        return super()._get_terminal_size()

    def _resized(self, *_: object) -> None:
        """SIGWINCH: what the terminal shows now nobody knows; it may get another size at once."""
        if not self._resizing:
            self._resizing = True
            self._loop.call_soon_threadsafe(self._later, RESIZE_S, self._measure)

    def _measure(self) -> None:
        self._resizing = False
        if self.link is None:
            return
        self._size = self._get_terminal_size()
        size = Size(*self._size)
        screen = self._console.screen_diff
        if size == screen.size:
            self.link.forget()
        else:
            screen.resize(size)
        self.send_message(events.Resize(size, size))

    # ---- keys

    def disable_input(self) -> None:
        """Read no more keys."""
        if self._keyboard is None:
            return
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        self._await_answer()
        self._stop_reading()
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)

    def _stop_reading(self) -> None:
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.stop()

    def _gone_in_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._console.terminal_gone)

    def _await_answer(self) -> None:
        """What the terminal was asked just now it may still answer; the shell is not to get that."""
        asked = self.link.asked_at if self.link is not None else None
        while asked is not None and self._answered_at < asked and time.monotonic() - asked < ANSWER_S:
            time.sleep(0.01)

    def process_message(self, message: Message) -> None:
        """Answers are for the link, all else for the app. Runs in the thread that reads."""
        if isinstance(message, events.CursorPosition):
            self._answered_at = time.monotonic()
            self._loop.call_soon_threadsafe(self._answered, self._answered_at)
        elif isinstance(message, TerminalSupportsSynchronizedOutput):
            self._loop.call_soon_threadsafe(self._synchronise)
        elif not isinstance(message, InBandWindowResize):
            super().process_message(message)

    def _answered(self, at: float) -> None:
        if self.link is not None:
            self.link.answered(at)

    def _synchronise(self) -> None:
        self._synchronised = True
        if self.link is not None:
            self.link.synchronised = True


def _is_terminal(file: Any) -> bool:
    try:
        return file is not None and os.isatty(file.fileno())
    except (OSError, ValueError):
        return False
