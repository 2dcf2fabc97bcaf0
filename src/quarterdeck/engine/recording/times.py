"""When in a recording: ISO 8601, HH:MM[:SS], +10m from its beginning, -5m from its end. Pure."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from quarterdeck.config.units import duration
from quarterdeck.engine.recording.reader import Recording
from quarterdeck.errors import UsageError
from quarterdeck.format import printable

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
HINT = 'A time is "2026-11-23T14:03", "14:03:21", "+10m" (from the beginning) or "-5m" (from the end).'


def position_of(text: str, recording: Recording) -> float:
    """Seconds since the first sample, within the recording. Raises UsageError for what is no time, or lies outside of it."""
    text = text.strip()
    if text[:1] in ("+", "-"):
        seconds = duration(text[1:])
        if seconds is None:
            raise UsageError(f"{printable(text, 40)!r} is no time", hint=HINT)
        found = seconds if text[0] == "+" else recording.seconds - seconds
        return min(max(0.0, found), recording.seconds)
    unix = _unix(text, recording)
    first, last = recording.times[0], recording.times[-1]
    if not int(first) <= unix <= last + 1:
        raise UsageError(
            f"{printable(text, 40)} is not in the recording: it goes from {_said(first)} to {_said(last)}", hint=HINT
        )
    place = recording.place_of_time(unix)
    later = max(0.0, unix - recording.times[place])
    end = recording.ats[place + 1] if place + 1 < len(recording) else recording.ats[-1]
    return min(recording.ats[place] + later, end) - recording.ats[0]


def _unix(text: str, recording: Recording) -> float:
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return _of_clock(time(int(clock[1]), int(clock[2]), int(clock[3] or 0)), recording)
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else moment.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{printable(text, 40)!r} is no time", hint=HINT) from None


def _of_clock(wanted: time, recording: Recording) -> float:
    """That time of day, local: the first one that lies in the recording, else on the day it began."""
    day = datetime.fromtimestamp(recording.times[0]).astimezone().date()
    several = [datetime.combine(day + timedelta(days=more), wanted).astimezone().timestamp() for more in (0, 1)]
    within = [unix for unix in several if int(recording.times[0]) <= unix <= recording.times[-1] + 1]
    return within[0] if within else several[0]


def _said(unix: float) -> str:
    return datetime.fromtimestamp(unix).astimezone().strftime("%Y-%m-%d %H:%M:%S")
