"""The status line: what is polled, how many are well, and what to know right now. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.format import age, printable
from quarterdeck.model.fleet import FleetSnapshot, State, is_well
from quarterdeck.tui.lines import (
    ACCENT,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    TITLE,
    WARN,
    Line,
    Run,
    cell_width,
    cut,
    spread,
    width_of,
)
from quarterdeck.tui.states import LOOKS

BRAND_FROM_WIDTH = 100
SMALL_WIDTH = 60
"""Narrower than this, what is wrong with the selected endpoint takes the place of counts and hints."""
_TAIL = 16
_CALM = (State.OK, State.SLEEPING)


class Status(NamedTuple):
    """What the status line tells."""

    fleet: FleetSnapshot
    interval: float
    paused: bool = False
    started: bool = True
    needle: str = ""
    shown: int = 0
    """Endpoints that the filter keeps."""
    about: str = ""
    """What is wrong with the selected endpoint, where the table has no room to say it."""
    marked: int = 0
    """Rows that are marked."""
    read_only: bool = False
    notice: str = ""
    """News for the next few seconds; takes the place of all that can wait."""
    hints: Sequence[tuple[str, str]] = ()
    """Keys and what they do, the most useful first."""
    replay: str = ""
    """What of a recording is played, and how."""


def status_line(status: Status, width: int) -> Line:
    """One line of ``width`` cells; what matters least is dropped first."""
    about = _about(status)
    runs, crowded = _first(status, width, width_of(about) if status.notice else 0)
    room = width - (0 if status.notice or width < SMALL_WIDTH else _first_hint(status))
    pace = [] if status.notice and not status.paused else _pace(status)
    if about and not status.paused and width_of([*runs, *pace, *about]) + 4 > room:
        pace = []
    parts = (_alerting(status), _working(status), _held(status), pace, [] if status.notice else _filter(status))
    for part in (pace if status.paused else [],) if crowded else parts:
        kept = _first_hint(status) if part is pace and width < SMALL_WIDTH and not status.paused else 0
        kept = width_of(about) + 2 if status.notice and not crowded else kept
        if part and width_of(runs) + width_of(part) + 2 + kept <= width:
            runs += [Run("  "), *part]
    if about and (status.notice or room - width_of(runs) > 20):
        left = room - width_of(runs) - 2
        runs += [Run("  " if runs else " "), *(_told(about, left) if status.notice else cut(about, left))]
    return Line(spread(cut(runs, width), _hints(status, width - width_of(runs) - 3), width), "head")


def _first(status: Status, width: int, news: int) -> tuple[list[Run], bool]:
    """What stands at the left, and whether news of so many cells leave room for nothing else."""
    brand = [Run("Quarterdeck", TITLE), Run("  ")] if width >= BRAND_FROM_WIDTH else []
    if status.replay:
        brand = [Run(status.replay, ACCENT), Run("  ")]
    wellness = _wellness(status, width // 2)
    runs = [Run(" "), *brand, *wellness]
    if not news or width_of(runs) + news + 3 <= width:
        return runs, False
    shorter = [Run(" "), *(brand if status.replay else wellness)]
    return (shorter if width_of(shorter) + news + 3 <= width else []), True


def _told(news: Sequence[Run], room: int) -> Sequence[Run]:
    """News in ``room`` cells; where they are cut, a short last part ("; 6 shows it") stays: it tells what to do."""
    text = "".join(run.text for run in news)
    before, _, last = text.rpartition("; ")
    tail = f"; {last}"
    if width_of(news) <= room or not before or cell_width(tail) > min(_TAIL, room // 2):
        return cut(news, room)
    return [*cut([Run(before, news[0].tone)], room - cell_width(tail)), Run(tail, news[0].tone)]


def seconds(interval: float) -> str:
    """An interval as people write it: "0.5 s", "2 s"."""
    return f"{interval:g} s"


def _wellness(status: Status, room: int) -> list[Run]:
    """How many are well, and how many are not; without the words of the lesser troubles where they don't fit ``room``."""
    fleet = status.fleet
    total = len(fleet.endpoints)
    if not total:
        return [Run("no endpoints", MUTED)]
    if all(view.state is None for view in fleet.endpoints):
        return [Run(f"asking {total} endpoint{'s' if total > 1 else ''} …", MUTED)]
    well = sum(is_well(view) for view in fleet.endpoints)
    runs = [Run(f"{well}/{total}", STRONG), Run(" well", PLAIN if well == total else MUTED)]
    if status.notice or (status.about and room < SMALL_WIDTH // 2):
        return runs
    counts = Counter(view.state for view in fleet.endpoints)
    troubles = [(seen, counts[state]) for state, seen in LOOKS.items() if counts[state] and state not in _CALM]
    worded = [Run(f"  {seen.glyph} {number} {seen.word}", seen.tone) for seen, number in troubles]
    if width_of(runs) + width_of(worded) > room:
        worded[1:] = [Run(f"  {seen.glyph} {number}", seen.tone) for seen, number in troubles[1:]]
    return runs + worded


def _pace(status: Status) -> list[Run]:
    if status.replay:
        return []
    if status.paused:
        paused = Run("PAUSED", "state-busy-word")
        return [paused] if status.notice else [paused, Run(" p resumes", MUTED)]
    if not status.started:
        return [Run("starting …", MUTED)]
    return [Run(f"every {seconds(status.interval)}", MUTED)]


def _alerting(status: Status) -> list[Run]:
    """How many alerts are open that nobody has acknowledged, in the tone of the worst."""
    unseen = [alert for alert in status.fleet.alerts if alert.open and alert.acknowledged is None]
    if not unseen:
        return []
    critical = any(alert.severity == "critical" for alert in unseen)
    text = f"{'▲' if critical else '△'} {len(unseen)} alert{'s' if len(unseen) > 1 else ''}"
    return [Run(text, "state-down-word" if critical else "state-busy-word")]


def _working(status: Status) -> list[Run]:
    """The jobs that go on, and how far the first of them is."""
    going = [job for job in status.fleet.jobs if not job.state.ended]
    if not going:
        return []
    done = going[0].progress.fraction
    left = going[0].progress.eta_s
    share = "" if done is None else f" {done:.0%}" + ("" if left is None else f", {age(left)} left")
    return [Run(f"{len(going)} job{'s' if len(going) > 1 else ''}{share}", ACCENT)]


def _held(status: Status) -> list[Run]:
    """What changes the meaning of keys: marks, and that nothing may be changed."""
    runs = [Run(f"{status.marked} marked", ACCENT)] if status.marked else []
    if status.read_only and not status.replay:
        runs += [Run("  " if runs else ""), Run("read-only", WARN)]
    return runs


def _filter(status: Status) -> list[Run]:
    if not status.needle:
        return []
    kept = f" {status.shown} of {len(status.fleet.endpoints)}"
    return [Run(f"/{printable(status.needle, 24)}", WARN), Run(kept, MUTED)]


def _about(status: Status) -> list[Run]:
    if status.notice:
        return [Run(printable(status.notice, 300), ACCENT)]
    return [Run(printable(status.about, 300), PLAIN)] if status.about else []


def _first_hint(status: Status) -> int:
    """The cells kept for the first hint."""
    return sum(len(text) + 1 for text in status.hints[0]) + 4 if status.hints else 0


def _hints(status: Status, room: int) -> list[Run]:
    runs: list[Run] = []
    if status.notice:
        return runs
    for key, label in status.hints:
        hint = [Run(f"{key} ", MUTED), Run(f"{label}  ", FAINT)]
        if width_of(runs) + width_of(hint) > room:
            break
        runs += hint
    return runs
