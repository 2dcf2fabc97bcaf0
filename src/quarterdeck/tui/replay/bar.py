"""Where a recording is, in one line. Pure."""

from __future__ import annotations

from datetime import datetime

LONG_S = 600.0
"""Recordings shorter than this are told to the second."""


def bar(*, playing: bool, speed: float, time: float, position: float, seconds: float) -> str:
    """ "⏵ 2x 14:03:21 · 12m/60m · REPLAY": ``time`` is Unix seconds, the others seconds."""
    clock = datetime.fromtimestamp(time).astimezone().strftime("%H:%M:%S")
    write = short if seconds >= LONG_S else exact
    return f"{'▶' if playing else '‖'} {speed:g}x {clock} · {write(position)}/{write(seconds)} · REPLAY"


def exact(seconds: float) -> str:
    """ "0:45", "9:59"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def short(seconds: float) -> str:
    """ "0m", "12m", "1h45"."""
    minutes = int(seconds) // 60
    return f"{minutes}m" if minutes < 100 else f"{minutes // 60}h{minutes % 60:02}"
