"""How far a run is: a bar on a terminal, a line at each tenth on a pipe. On stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

from quarterdeck.engine.comparing.run import Progress
from quarterdeck.format import age

_BAR = 24
_EVERY_S = 0.1
_STEPS = 10


class Shower(Protocol):
    """Shows it."""

    def take(self, progress: Progress) -> None:
        """Something has changed."""
        ...

    def end(self) -> None:
        """Nothing more comes."""
        ...


def shower(clock: Callable[[], float] = time.monotonic) -> Shower:
    """The right one for stderr."""
    return _Bar(clock) if sys.stderr.isatty() else _Lines(clock)


def words(progress: Progress, took_s: float) -> str:
    """ "120 of 400, 97 passed, 3 errors, 4.1/s, 1m left"."""
    parts = [f"{progress.done} of {progress.total}"]
    parts += [f"{count} {name}" for count, name in ((progress.passed, "passed"), (progress.failed, "failed")) if count]
    if progress.errors:
        parts.append(f"{progress.errors} error{'s' if progress.errors > 1 else ''}")
    now = progress.done - progress.before
    if now > 0 and took_s > 0:
        rate = now / took_s
        parts.append(f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f}/min")
        if progress.done < progress.total:
            parts.append(f"{age((progress.total - progress.done) / rate)} left")
    return ", ".join(parts)


class _Lines:
    """A line at each tenth, and the last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._step = 0
        self._newest: Progress | None = None
        self._said = ""

    def take(self, progress: Progress) -> None:
        """Say it where a tenth is full."""
        self._newest = progress
        step = progress.done * _STEPS // max(1, progress.total)
        if step > self._step and progress.done > progress.before:
            self._step = step
            self._say(progress)

    def end(self) -> None:
        """The last words."""
        if self._newest is not None:
            self._say(self._newest)

    def _say(self, progress: Progress) -> None:
        text = words(progress, self._clock() - self._began)
        if text != self._said:
            self._said = text
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


class _Bar:
    """One line, drawn over."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._drawn_at = -1.0
        self._newest: Progress | None = None
        self._open = False

    def take(self, progress: Progress) -> None:
        """Draw it, ten times a second at most."""
        self._newest = progress
        now = self._clock()
        if now - self._drawn_at >= _EVERY_S:
            self._drawn_at = now
            self._draw(progress)

    def end(self) -> None:
        """The last state stays."""
        if self._newest is not None:
            self._draw(self._newest)
        if self._open:
            sys.stderr.write("\n")
            self._open = False

    def _draw(self, progress: Progress) -> None:
        text = words(progress, self._clock() - self._began)
        width = _columns()
        length = _BAR if width >= _BAR + len(text) + 4 else 8
        full = progress.done * length // max(1, progress.total)
        line = f"{'━' * full}{'─' * (length - full)}  {text}"
        sys.stderr.write(f"\r{line[: width - 1]}\x1b[K")
        sys.stderr.flush()
        self._open = True


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
