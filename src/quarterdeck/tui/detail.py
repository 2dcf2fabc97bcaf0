"""Everything known of one endpoint, as lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.format import DASH, age, count, duration, percent, printable, rate, size
from quarterdeck.model.fleet import EndpointView, ReplicaView, State
from quarterdeck.model.models import ModelReading
from quarterdeck.tui.bars import bar, chart
from quarterdeck.tui.cells import Moment, age_text, model_facts, reason_text
from quarterdeck.tui.lines import (
    ACCENT,
    EMPTY_LINE,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    TITLE,
    WARN,
    Line,
    Run,
    beside,
    cell_width,
    cut,
    fit,
    wrap,
)
from quarterdeck.tui.rows import engine_text
from quarterdeck.tui.states import look, model_look

INDENT = "  "
LABEL = 14
CHART_HEIGHT = 6
TWO_COLUMNS = 110
"""From so many cells on, the page has two columns."""


def detail_lines(view: EndpointView, moment: Moment, width: int) -> list[Line]:
    """The page of an endpoint; in two columns where there is room."""
    column = width if width < TWO_COLUMNS else width // 2
    title, *identity = _identity(view, moment, column)
    facts = [*identity, EMPTY_LINE, *_numbers(view, column)]
    rest = [
        *_history(view, column),
        *_replicas(view.replicas, column),
        *_models(view.models, moment, column),
        *_notes(view, column),
    ]
    body = [*facts, *rest] if width < TWO_COLUMNS else beside(facts, rest, column)
    return [Line(cut(line.runs, width), line.ground) for line in [title, *body]]


def heading(text: str, aside: str = "") -> list[Line]:
    """An empty line and a title."""
    return [EMPTY_LINE, Line((Run(INDENT + text, TITLE), Run(f"  {aside}" if aside else "", FAINT)))]


def _identity(view: EndpointView, moment: Moment, width: int) -> list[Line]:
    seen = look(view.state)
    since = "" if view.since is None else f" for {age(moment.now - view.since)}"
    title = (
        Run(f"{INDENT}{printable(view.name, 80)}  ", STRONG),
        Run(f"{seen.glyph} {seen.word if view.state else 'not polled yet'}", seen.tone + "-word"),
        Run(since, MUTED),
    )
    lines = [Line(title, "head"), EMPTY_LINE]
    reason = reason_text(view)
    if reason:
        lines += _worded("why", reason, width, PLAIN)
    if view.state not in (None, State.OK):
        lines += _worded("means", seen.meaning, width, MUTED)
    if seen.advice:
        lines += _worded("try", seen.advice, width, MUTED)
    lines += _worded("engine", engine_text(view) or DASH, width)
    lines += _worded("url", printable(view.url, 200), width)
    lines += _worded("host", printable(view.host or DASH, 80), width)
    reach = f"{view.boundary.value}{', protected' if view.protected else ''}"
    lines += _worded("boundary", reach, width)
    lines += _worded("polled", _polled(view, moment), width)
    return lines


def _polled(view: EndpointView, moment: Moment) -> str:
    fails = view.state in (State.DOWN, State.STALE, State.AUTH)
    every = f"every {view.interval:g} s" + (", less often while it fails" if fails else "")
    if view.answered is None:
        return f"{every}; has not answered yet"
    fresh = age_text(view, moment.now)
    answered = "just now" if fresh == "now" else f"{fresh} ago"
    took = f" in {duration(view.latency_s)}" if view.latency_s is not None else ""
    return f"{every}; answered {answered}{took}"


def _worded(label: str, text: str, width: int, tone: str = PLAIN) -> list[Line]:
    """A label and a text that wraps beside it."""
    parts = wrap(text, max(8, min(100, width - LABEL - 4))) or [""]
    labels = [label, *[""] * (len(parts) - 1)]
    return [
        Line((Run(INDENT + fit(name, LABEL), FAINT), Run(part, tone))) for name, part in zip(labels, parts, strict=True)
    ]


def _numbers(view: EndpointView, width: int) -> list[Line]:
    old = MUTED if view.state is not None and not view.state.answers else STRONG
    waiting = WARN if view.waiting and old == STRONG else old
    before = MUTED if view.state is State.STALLED else old
    cells = [
        ("running", count(view.running), old),
        ("waiting", count(view.waiting), waiting),
        ("tok/s", rate(view.generation_tps), old),
        ("prompt tok/s", rate(view.prompt_tps), old),
        ("TTFT p95", duration(view.ttft_p95_s), before),
        ("ITL p95", duration(view.itl_p95_s), before),
    ]
    columns = 3 if width >= 80 else 2 if width >= 50 else 1
    lines = []
    for first in range(0, len(cells), columns):
        runs: list[Run] = []
        for label, value, tone in cells[first : first + columns]:
            runs += [Run(INDENT + fit(label, LABEL), FAINT), Run(fit(value, 8), FAINT if value == DASH else tone)]
        lines.append(Line(tuple(runs)))
    kv = (
        (*bar(view.kv_used, max(4, min(30, width - LABEL - 12))), Run(f" {percent(view.kv_used)}", old))
        if view.kv_used is not None
        else (Run(DASH, FAINT),)
    )
    lines.append(Line((Run(INDENT + fit("KV cache", LABEL), FAINT), *kv)))
    lines.append(
        Line(
            (
                Run(INDENT + fit("GPU memory", LABEL), FAINT),
                Run(size(view.vram_bytes), FAINT if view.vram_bytes is None else old),
            )
        )
    )
    return lines


def _history(view: EndpointView, width: int) -> list[Line]:
    known = [value for value in view.tps_history if value is not None]
    room = min(120, width - 14)
    if not known or room < 10:
        return []
    shown = min(len(view.tps_history), room)
    lines = heading("tok/s", f"at the last {shown} polls, one column each; now every {view.interval:g} s")
    drawn = chart(view.tps_history, room, CHART_HEIGHT)
    top = max((value for value in view.tps_history[-room:] if value is not None), default=0.0)
    for place, text in enumerate(drawn):
        label = rate(top) if place == 0 else "0" if place == CHART_HEIGHT - 1 else ""
        lines.append(Line((Run(INDENT + fit(label, 6, right=True) + " ", FAINT), Run(text, "bar-used"))))
    return lines


def _replicas(replicas: Sequence[ReplicaView], width: int) -> list[Line]:
    if len(replicas) < 2:
        return []
    name, column = (12, 9) if width >= 56 else (7, 7)
    words = ("running", "waiting", "tok/s", "KV") if width >= 56 else ("run", "wait", "tok/s", "KV")
    titles = INDENT + fit("engine", name) + "".join(fit(word, column, right=True) for word in words)
    lines = [*heading("Replicas", str(len(replicas))), Line((Run(titles, FAINT),))]
    for replica in replicas:
        runs = (
            Run(INDENT + fit(printable(replica.engine, 40), name)),
            Run(fit(count(replica.running), column, right=True)),
            Run(fit(count(replica.waiting), column, right=True), WARN if replica.waiting else PLAIN),
            Run(fit(rate(replica.generation_tps), column, right=True)),
            Run(fit(percent(replica.kv_used), column, right=True)),
        )
        lines.append(Line(runs))
    return lines


def _models(models: Sequence[ModelReading], moment: Moment, width: int) -> list[Line]:
    if not models:
        return []
    lines = heading("Models", str(len(models)))
    longest = max(cell_width(printable(model.id, 120)) for model in models)
    sizes = [model.vram_bytes if model.vram_bytes is not None else model.size_bytes for model in models]
    size_width = 10 if any(known is not None for known in sizes) else 0
    room = max(8, min(longest, width - 15 - size_width))
    for model, memory in zip(models, sizes, strict=True):
        seen = model_look(model.state)
        facts = " · ".join(model_facts(model, moment))
        below = len(facts) > width - room - size_width - 17
        runs = (
            Run(f"{INDENT}{seen.glyph} ", seen.tone),
            Run(fit(seen.word, 10), MUTED),
            Run(fit(printable(model.id, 120), room), PLAIN),
            Run(fit(size(memory) if memory is not None else "", size_width, right=True), PLAIN),
            Run("" if below else f"  {facts}", MUTED),
        )
        lines.append(Line(runs))
        if below:
            lines += [Line((Run(" " * 14 + part, MUTED),)) for part in wrap(facts, max(8, width - 15))]
    return lines


def _notes(view: EndpointView, width: int) -> list[Line]:
    if not view.notes:
        return []
    lines = heading("Notes")
    for note in view.notes:
        parts = wrap(printable(note, 600), max(8, min(100, width - 6)))
        lines += [
            Line((Run(f"{INDENT}{'· ' if place == 0 else '  '}", ACCENT), Run(part, MUTED)))
            for place, part in enumerate(parts)
        ]
    return lines
