"""The numbers of now, with their units; "~" before what is a bound or an estimate, and below how it was come by."""

from __future__ import annotations

from quarterdeck.format import DASH, age, count, duration, percent, printable, rate, size, tokens_per_second
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.tui.bars import bar
from quarterdeck.tui.cells import NEARLY_FULL, Moment, estimated
from quarterdeck.tui.detail.parts import INDENT, LABEL, Number, Section, grid, worded
from quarterdeck.tui.lines import FAINT, MUTED, STRONG, WARN, Line, Run, fit

_MISTAKES = ("abort", "aborted", "error", "errors", "failed", "cancelled")
"""Reasons for which a request ends that nobody wants."""
_REFUSALS = ("HTTP 4", "HTTP 5")
_WORDS = {"generation_tps": "generating", "prompt_tps": "prompts", "kv_capacity_tokens": "KV tokens"}
_MADE_OF = {"generation_tps": "generation_tokens", "prompt_tps": "prompt_tokens"}
"""Rates → the counters that they are made of, which have the sources."""


def now_lines(view: EndpointView, moment: Moment, width: int) -> list[Line]:
    """Everything that is one number."""
    old = MUTED if view.state is not None and not view.state.answers else STRONG
    lines = grid([*_load(view, old), *_extras(view, moment, old)], width)
    lines.append(_kv(view, width, old))
    memory = size(view.vram_bytes)
    lines.append(Line((_label("GPU memory"), Run(memory, FAINT if memory == DASH else old))))
    waits = [f"{count(number)} {printable(reason, 30)}" for reason, number in view.waiting_by_reason if number]
    if waits:
        lines += worded("waiting for", ", ".join(waits), width, old)
    return lines


def estimate_lines(view: EndpointView, width: int) -> list[Line]:
    """How each number with a "~" was come by."""
    lines: list[Line] = []
    for name in sorted(view.estimates):
        word = _WORDS.get(name, printable(name, LABEL - 3))
        origin = view.origins.get(name) or view.origins.get(_MADE_OF.get(name, ""), "an estimate")
        lines += worded(f"~ {word}", printable(origin, 200), width, MUTED)
    return lines


def requests_section(view: EndpointView, width: int) -> Section:
    """Requests ended per second, by reason."""
    if not view.finished_ps:
        return Section("", [])
    numbers = [
        Number(printable(reason, LABEL - 1), f"{rate(per_second)}/s", _ended_tone(reason, per_second))
        for reason, per_second in view.finished_ps
    ]
    if len(numbers) > 1:
        total = sum(per_second for _, per_second in view.finished_ps)
        numbers.insert(0, Number("all", f"{rate(total)}/s"))
    return Section("Requests ended", grid(numbers, width), "per second since the last poll")


def _load(view: EndpointView, old: str) -> list[Number]:
    """What is always shown, known or not."""
    waiting = WARN if view.waiting and old == STRONG else old
    before = MUTED if view.state is State.STALLED else old  # of tokens that came before
    return [
        Number("running", estimated(view, "running", count(view.running)), old),
        Number("waiting", estimated(view, "waiting", count(view.waiting)), waiting),
        Number("generating", estimated(view, "generation_tps", tokens_per_second(view.generation_tps)), old),
        Number("prompts", estimated(view, "prompt_tps", tokens_per_second(view.prompt_tps)), old),
        Number("TTFT p95", duration(view.ttft_p95_s), before),
        Number("ITL p95", duration(view.itl_p95_s), before),
    ]


def _extras(view: EndpointView, moment: Moment, old: str) -> list[Number]:
    """What some servers tell; left out where it isn't known."""
    found: list[Number] = []
    if view.cached_tps is not None:
        found.append(Number("from cache", tokens_per_second(view.cached_tps), old))
    if view.cache_hit_rate is not None:
        found.append(Number("cache hits", percent(view.cache_hit_rate), old))
    if view.preemptions_ps is not None:
        tone = WARN if view.preemptions_ps > 0 and old == STRONG else old
        found.append(Number("preemptions", f"{rate(view.preemptions_ps)}/s", tone))
    if view.acceptance is not None:
        found.append(Number("drafts taken", percent(view.acceptance), old))
    if view.spend is not None:
        found.append(Number("spent", f"${view.spend.dollars:,.2f}", old))
    if view.active_at is not None:
        found.append(Number("last active", f"{age(moment.now - view.active_at)} ago", old))
    return found


def _kv(view: EndpointView, width: int, old: str) -> Line:
    if view.kv_used is None and view.kv_capacity_tokens is None:
        return Line((_label("KV cache"), Run(DASH, FAINT)))
    tone = WARN if view.kv_used is not None and view.kv_used >= NEARLY_FULL and old == STRONG else old
    capacity = estimated(view, "kv_capacity_tokens", rate(view.kv_capacity_tokens))
    total = f" of {capacity} tokens" if view.kv_capacity_tokens is not None else ""
    cells = bar(view.kv_used, max(4, min(30, width - LABEL - 10 - len(total))))
    return Line((_label("KV cache"), *cells, Run(f" {percent(view.kv_used)}", tone), Run(total, MUTED)))


def _label(text: str) -> Run:
    return Run(INDENT + fit(text, LABEL), FAINT)


def _ended_tone(reason: str, per_second: float) -> str:
    if per_second <= 0:
        return MUTED
    return WARN if reason.casefold() in _MISTAKES or reason.startswith(_REFUSALS) else STRONG
