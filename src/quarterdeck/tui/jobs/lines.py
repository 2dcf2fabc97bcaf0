"""Jobs as rows, and the selected one in full. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from quarterdeck.format import age, percent, printable, size
from quarterdeck.model.actions import BY_ID
from quarterdeck.model.job import Job, JobState
from quarterdeck.tui.bars import bar
from quarterdeck.tui.columns import Order, titled
from quarterdeck.tui.helping.legend import Sign
from quarterdeck.tui.lines import (
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    WARN,
    Line,
    Run,
    cell_width,
    cut,
    fit,
    spread,
    width_of,
    wrap,
)

_STATE = 11
_ACTION = 15
_SHARE = 5
_AGE = 6
_FAR = 33
"""Cells of share, rate and time left."""
_FULL_FROM = 100
"""From this width on a row has its action in a column of its own, and a bar …"""
_BARE = 60
"""… and below this one only what is done and how far it is, or how it ended."""


class JobLook(NamedTuple):
    """A state of a job as people see it."""

    glyph: str
    word: str
    tone: str
    meaning: str


LOOKS = {
    JobState.RUNNING: JobLook("▶", "running", "accent", "Its worker is at it."),
    JobState.QUEUED: JobLook("…", "waiting", "muted", "Waits its turn: so many jobs at one time on one machine."),
    JobState.DEAD: JobLook("✗", "DEAD", "state-down", "Its worker is gone and left no result. R resumes it."),
    JobState.FAILED: JobLook("✗", "FAILED", "state-down", "It could not be done. R tries again."),
    JobState.CANCELLED: JobLook("○", "cancelled", "muted", "Somebody stopped it. R goes on."),
    JobState.DONE: JobLook("●", "done", "state-ok", "It was done."),
}


COLUMNS = (
    Sign("STATE", "How the job is, in a word."),
    Sign("ACTION", "What is done, as the menu calls it; on narrow terminals it stands before what it is done to."),
    Sign("WHAT", "To which model on which endpoint, or to which endpoint."),
    Sign("PROGRESS", "How much of it is done; in its place, how a job ended that has ended."),
    Sign("RATE", "Bytes a second; where there is none, what it does just now."),
    Sign("TIME LEFT", "At that rate."),
    Sign("AGE", "How long ago it was asked for."),
)
"""The titles, and what stands below each."""
FACTS = (
    Sign("phase", "What its worker does just now."),
    Sign("bytes", "How many of how many are there, how fast, and for how long still."),
    Sign("options", "What was asked for with it."),
    Sign("asked", "When, and by whom."),
    Sign("took", "How long its worker has been at it, or was."),
    Sign("worker", "The process that does it; it goes on without this console."),
    Sign("attempts", "How often it was begun: more than once after R."),
)
"""What is told of the selected one."""


def header(width: int, order: Order | None = None) -> Line:
    """The titles, with an arrow at the one that sorts."""

    def title(column: str, text: str, cells: int = 0, before: str = "", *, right: bool = False) -> Run:
        shown = titled(text, column, order)
        fitted = fit(shown, cells, right=right) if cells else shown
        return Run(before + fitted, STRONG if shown != text else MUTED)

    what = title("what", "WHAT", before="    " if width < _BARE else "")
    if width < _BARE:
        return Line(spread((what,), (title("state", "STATE"), Run(" ")), width), "head")
    left = [title("state", "STATE", _STATE, "   ")]
    if width >= _FULL_FROM:
        left.append(title("action", "ACTION", _ACTION))
    far = title("progress", "PROGRESS" if width < _FULL_FROM else "PROGRESS, RATE, TIME LEFT")
    return Line(spread((*left, what), (far, title("age", "AGE", _AGE, "  ", right=True), Run(" ")), width), "head")


_GOING = 1e12
_RANKS = {state: rank for rank, state in enumerate(LOOKS)}
ORDERS = (
    Order("time", "newest first", "age", lambda job: -job.created - (0.0 if job.state.ended else _GOING), turned_label="oldest first"),
    Order("state", "by state", "state", lambda job: _RANKS[job.state]),
    Order("name", "by name", "what", lambda job: job.order.about.casefold()),
    Order("action", "by action", "action", lambda job: label(job).casefold()),
    Order("done", "furthest first", "progress", lambda job: job.progress.fraction, None, True, "least done first"),
)  # fmt: skip
"""The newest first: those that go on before those that have ended."""
IN_TURN = 3
TITLES = {"STATE": "state", "ACTION": "action", "WHAT": "name", "PROGRESS": "done", "AGE": "time"}
"""The orders that titles stand for."""


def row_line(job: Job, width: int, unix: float, *, selected: bool) -> Line:
    """One job."""
    seen = LOOKS[job.state]
    if width < _BARE:
        return _bare(job, width, selected=selected)
    left = [
        Run("▌ " if selected else "  ", "accent"),
        Run(seen.glyph, seen.tone),
        Run(fit(" " + seen.word, _STATE), seen.tone if job.state in (JobState.FAILED, JobState.DEAD) else MUTED),
    ]
    what = printable(job.order.about, 120)
    old = Run(f"  {age(max(0.0, unix - job.created)):>{_AGE}} ", MUTED)
    full = width >= _FULL_FROM
    if full:
        left.append(Run(fit(label(job), _ACTION), PLAIN))
    room = max(8, width - width_of(left) - width_of((old,)) - 1)
    name = what if full else f"{label(job).lower()} {what}"
    right = (
        _outcome(job, room - cell_width(name) - 2)
        if job.state.ended and full
        else _far(job, room - cell_width(name), full=full)
    )
    left.append(Run(fit(name, max(8, min(cell_width(name), room - width_of(right)))), STRONG))
    gap = (Run("  "),) if job.state.ended and full else ()
    if gap:
        return Line(cut(spread((*left, *gap, *right), (old,), width), width), "selected" if selected else "")
    return Line(cut(spread(left, (*right, old), width), width), "selected" if selected else "")


def _bare(job: Job, width: int, *, selected: bool) -> Line:
    """One job where there is little room."""
    seen = LOOKS[job.state]
    bad = job.state in (JobState.FAILED, JobState.DEAD)
    going = job.state is JobState.RUNNING and job.progress.fraction is not None
    told = percent(job.progress.fraction) if going else seen.word
    right = Run(f" {told} ", STRONG if going else seen.tone if bad else MUTED)
    left = (Run("▌ " if selected else "  ", "accent"), Run(f"{seen.glyph} ", seen.tone))
    name = f"{label(job).lower()} {printable(job.order.about, 120)}"
    room = max(8, width - width_of((*left, right)) - 1)
    shown = Run(fit(name, min(room, cell_width(name))), STRONG)
    return Line(cut(spread((*left, shown), (right,), width), width), "selected" if selected else "")


def label(job: Job) -> str:
    """What is done, as the menu calls it."""
    action = BY_ID.get(job.order.action)
    return action.label if action is not None else printable(job.order.action, 20)


def _outcome(job: Job, room: int) -> tuple[Run, ...]:
    """How it ended, in ``room`` cells."""
    words = printable(job.words.split("\n")[0], 200)
    tone = WARN if job.state in (JobState.FAILED, JobState.DEAD) else MUTED
    return (Run(fit(words, min(room, cell_width(words))), tone),) if words and room > 3 else ()


def _far(job: Job, room: int, *, full: bool) -> tuple[Run, ...]:
    """How far it is: a share; where there is room a bar, the rate and the time left."""
    if job.state.ended:
        return ()
    progress = job.progress
    share = Run(f"{percent(progress.fraction)}" if progress.fraction is not None else "", STRONG)
    share = Run(f" {share.text:>{_SHARE}}", STRONG)
    if not full:
        return (share,)
    told = f"{size(progress.rate)}/s" if progress.rate is not None else fit(printable(progress.phase, 40), 24).rstrip()
    left = f"{age(progress.eta_s)} left" if progress.eta_s is not None else ""
    bars = max(6, min(20, room - _FAR - 2))
    return (Run(" "), *bar(progress.fraction, bars), share, Run(f"  {told:>12}", PLAIN), Run(f"  {left:>10}", MUTED))


def details(job: Job, width: int, unix: float, height: int) -> list[Line]:
    """Everything that is known of a job."""
    seen = LOOKS[job.state]
    name = [Run(f"  {label(job)} ", STRONG), Run(printable(job.order.about, 120), STRONG)]
    state = Run(f" {seen.glyph} {seen.word} ", seen.tone)
    named = [*name, Run(f"  {job.id}", FAINT)]
    room = width - width_of((state,)) - 1
    title = named if width_of(named) <= room else cut(name, max(8, room))
    lines = [Line(spread(title, (state,), width), "head"), *_words(job, width)]
    progress = job.progress
    if not job.state.ended:
        lines.append(
            Line(
                (
                    Run("  "),
                    *bar(progress.fraction, max(10, min(60, width - 40))),
                    Run(f"  {percent(progress.fraction)}", STRONG),
                )
            )
        )
    facts = [
        ("phase", printable(progress.phase, 200) if not job.state.ended else ""),
        ("bytes", _bytes(job)),
        ("options", ", ".join(f"{name} {printable(str(value), 60)}" for name, value in job.order.options.items())),
        ("asked", f"{_clock(job.created)} by {printable(job.user, 60) or '–'}"),
        ("took", _took(job, unix)),
        ("worker", f"process {job.worker}" if job.worker and not job.state.ended else ""),
        ("attempts", str(job.attempts) if job.attempts > 1 else ""),
    ]
    lines += [Line((Run(f"  {fit(name, 9)}", MUTED), Run(text, PLAIN))) for name, text in facts if text]
    return [Line(cut(line.runs, width), line.ground) for line in lines[:height]]


def _words(job: Job, width: int) -> list[Line]:
    """The result, or why it failed and what to try."""
    lines: list[Line] = []
    for place, text in enumerate(job.words.split("\n") if job.words else ()):
        tone = WARN if job.state in (JobState.FAILED, JobState.DEAD) and place == 0 else PLAIN
        lines += [Line((Run(f"  {part}", tone),)) for part in wrap(printable(text, 400), max(8, width - 4))]
    return lines


def _bytes(job: Job) -> str:
    progress = job.progress
    if progress.completed is None or (job.state.ended and not progress.completed):
        return ""
    total = f" of {size(progress.total)}" if progress.total is not None else ""
    pace = f", {size(progress.rate)}/s" if progress.rate is not None and not job.state.ended else ""
    left = f", {age(progress.eta_s)} left" if progress.eta_s is not None and not job.state.ended else ""
    return f"{size(progress.completed)}{total}{pace}{left}"


def _took(job: Job, unix: float) -> str:
    if job.started is None:
        return ""
    return age(max(0.0, (job.ended if job.ended is not None else unix) - job.started))


def _clock(unix: float) -> str:
    return datetime.fromtimestamp(unix).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def summary(jobs: Sequence[Job], width: int) -> Line:
    """How many there are of each state."""
    if not jobs:
        return Line((Run("  no jobs", MUTED),), "head")
    runs = [Run("  Jobs", STRONG)]
    for state, seen in LOOKS.items():
        number = sum(job.state is state for job in jobs)
        if number:
            runs.append(
                Run(f"   {seen.glyph} {number} {seen.word}", seen.tone if state is not JobState.DONE else MUTED)
            )
    return Line(cut(runs, width), "head")
