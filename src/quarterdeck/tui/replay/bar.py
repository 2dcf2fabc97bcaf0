"""Where a recording is, in one line. Pure."""

from __future__ import annotations

from datetime import datetime


def bar(*, playing: bool, speed: float, time: float, position: float, seconds: float) -> str:
    """ "⏵ 2x 14:03:21 · 12m/60m · REPLAY": ``time`` is Unix seconds, the others seconds."""
    clock = datetime.fromtimestamp(time).astimezone().strftime("%H:%M:%S")
    return f"{'▶' if playing else '‖'} {speed:g}x {clock} · {short(position)}/{short(seconds)} · REPLAY"


def short(seconds: float) -> str:
    """ "45s", "12m", "1h05"."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    return f"{minutes}m" if minutes < 100 else f"{minutes // 60}h{minutes % 60:02}"
