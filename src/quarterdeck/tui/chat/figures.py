"""Above and beneath an answer: whose it is, and its numbers. What there is no room for is dropped whole, never cut. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quarterdeck.engine.chat.columns import Column, Phase, Turn
from quarterdeck.format import DASH, count, duration, printable, rate
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.fairness import Spread
from quarterdeck.model.fleet import Boundary, EndpointView, State
from quarterdeck.model.models import ModelState
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cell_width, cut, fit, wrap

GAP = "  "
LETTERS = "ABCD"


class Figure(NamedTuple):
    """One number with its label; ``rank`` 0 is dropped last."""

    rank: int
    label: str
    value: str
    unit: str = ""
    tone: str = PLAIN

    @property
    def runs(self) -> tuple[Run, ...]:
        """As it stands in a line."""
        label = (Run(f"{self.label} ", MUTED),) if self.label else ()
        unit = (Run(f" {self.unit}", MUTED),) if self.unit else ()
        return (*label, Run(self.value, self.tone), *unit)

    @property
    def width(self) -> int:
        """Cells."""
        return sum(cell_width(run.text) for run in self.runs)


def in_line(figures: Sequence[Figure], width: int) -> tuple[Run, ...]:
    """Those of the lowest ranks that fit, in their order."""
    kept: list[Figure] = []
    left = width - 2
    for figure in sorted(figures, key=lambda one: one.rank):
        needed = figure.width + (len(GAP) if kept else 0)
        if needed <= left:
            kept.append(figure)
            left -= needed
    runs: list[Run] = [Run(" ")]
    for figure in figures:
        if figure in kept:
            runs += [*([Run(GAP)] if len(runs) > 1 else []), *figure.runs]
    return tuple(runs)


def in_lines(figures: Sequence[Figure], width: int, most: int) -> list[Line]:
    """All of them in up to ``most`` lines; only where those don't do, the higher ranks are dropped."""
    lines: list[Line] = []
    left = list(figures)
    while left:
        last = len(lines) + 1 >= most
        taken = 0 if last else _fitting(left, width)
        lines.append(Line(in_line(left if last else left[:taken], width), "head"))
        left = [] if last else left[taken:]
    return lines


def _fitting(figures: Sequence[Figure], width: int) -> int:
    """How many of the first ones fit into a line; one at least."""
    used = 1
    for place, figure in enumerate(figures):
        used += figure.width + (len(GAP) if place else 0)
        if used > width - 1:
            return max(1, place)
    return len(figures)


# ---- above


def head_line(
    column: Column,
    view: EndpointView | None,
    place: int,
    width: int,
    *,
    selected: bool,
    hidden: bool,
    boundary: Boundary | None,
) -> Line:
    """Model, endpoint, engine, boundary; of a blind column only its letter."""
    mark = Run("▌" if selected else " ", "accent")
    ground = "selected" if selected else "head"
    if hidden:
        return Line(
            (mark, Run(f"{LETTERS[place]}", STRONG), Run("  names are hidden until you vote: v", MUTED)), ground
        )
    external = boundary is Boundary.EXTERNAL
    told = [Run("EXTERNAL", "state-busy-word")] if external else []
    if boundary is not None and not external:
        told = [Run(boundary.value, MUTED)]
    engine = printable(view.engine, 20) if view is not None and view.engine else ""
    name, endpoint = printable(column.model, 120), printable(column.endpoint, 60)
    room = width - 1 - (sum(cell_width(run.text) for run in told) + 3 if told else 0)
    asides = [f"{endpoint} · {engine}" if engine else endpoint, endpoint, ""]
    shown = next((aside for aside in asides if cell_width(name) + len(GAP) + cell_width(aside) <= room), "")
    left = [mark, Run(fit(name, room) if cell_width(name) > room else name, STRONG)]
    if shown:
        left += [Run(GAP), Run(shown, MUTED)]
    elif room - cell_width(name) > 8:
        left += [Run(GAP), Run(fit(endpoint, room - cell_width(name) - 2), MUTED)]
    gap = width - sum(cell_width(run.text) for run in (*left, *told)) - 1
    return Line(cut((*left, Run(" " * max(0, gap)), *told), width), ground)


# ---- while it comes


def waiting_words(turn: Turn, view: EndpointView | None, now: float) -> str:
    """What it waits for, and for how long."""
    answer = turn.answer
    seconds = int(max(0.0, now - answer.sent_at))
    if turn.phase is Phase.QUEUED:
        return "waits for its turn"
    if turn.phase is Phase.WARMING:
        return f"warming up {seconds} s"
    loading = view is not None and (
        view.state is State.LOADING
        or any(one.id == answer.model and one.state is ModelState.LOADING for one in view.models)
    )
    if loading or answer.circumstances.loaded is False:
        return f"loading the model {seconds} s"
    queued = view.waiting if view is not None and view.state is not None and view.state.answers else None
    return f"waiting {seconds} s" + (f"; {queued} queued there" if queued else "")


def _coming(turn: Turn, view: EndpointView | None, now: float) -> list[Figure]:
    answer = turn.answer
    runs = [Figure(3, "run", f"{len(turn.answers)} of {turn.repeat}")] if turn.repeat > 1 else []
    if answer.first_at is None:
        return [Figure(0, "", waiting_words(turn, view, now), tone="state-loading"), *runs]
    word = "thinking" if answer.text_at is None and answer.thoughts else "answering"
    figures = [
        Figure(0, word, f"{int(max(0.0, now - answer.sent_at))} s", tone="state-ok"),
        Figure(1, "TTFT", duration(answer.ttft_s)),
        *runs,
    ]
    took = (answer.last_at or 0.0) - answer.first_at
    if took > 1.0:
        figures.append(Figure(2, "", f"~{rate((answer.pieces - 1) / took)}", "pieces/s"))
    return figures


# ---- when it is there


def figures_of(answer: Answer) -> list[Figure]:
    """What we measured and what was counted."""
    queue = answer.circumstances.waiting
    cold = {True: "cold", False: "warm", None: ""}[answer.cold]
    figures = [
        Figure(0, "TTFT", duration(answer.ttft_s)),
        Figure(1, "", rate(answer.decode_tps), "tok/s"),
        Figure(4, "in", count(answer.usage.prompt_tokens)),
        Figure(3, "out", count(answer.output_tokens)),
        Figure(2, "total", duration(answer.total_s)),
        Figure(5, "", money(answer.cost, answer.cost_source), tone=PLAIN if answer.cost is not None else FAINT),
    ]
    if answer.finish:
        odd = answer.finish not in ("stop", "tool_calls")
        figures.append(Figure(6, "", printable(answer.finish, 16), tone=WARN if odd else MUTED))
    if cold:
        figures.append(Figure(7, "", cold, tone=WARN if answer.cold else MUTED))
    if queue is not None:
        figures.append(Figure(8, "queue", count(queue)))
    return figures


def money(dollars: float | None, source: str = "") -> str:
    """US dollars, so that small sums keep two digits that say something; "~" where it is a share."""
    if dollars is None:
        return f"$ {DASH}"
    mark = "~" if source.startswith("~") else ""
    if 0 < dollars < 0.0001:
        return f"{mark}$ {dollars:.6f}".rstrip("0") if dollars >= 0.000001 else f"{mark}< $ 0.000001"
    return f"{mark}$ {dollars:.4f}" if dollars < 1 else f"{mark}$ {dollars:,.2f}"


def server_figures(answer: Answer) -> list[Figure]:
    """What the server says of itself."""
    told = answer.timings
    if told is None:
        return []
    figures = [Figure(0, "it says", f"{rate(told.decode_tps)}", "tok/s")]
    if told.prompt_s is not None:
        figures.append(Figure(1, "prompt", duration(told.prompt_s)))
    if told.total_s is not None:
        figures.append(Figure(2, "total", duration(told.total_s)))
    if told.load_s is not None and told.load_s > 0.05:
        figures.append(Figure(3, "load", duration(told.load_s)))
    return [*figures, Figure(4, "", f"({printable(told.source, 40)})", tone=FAINT)]


def spread_figures(turn: Turn) -> list[Figure]:
    """Of repeated answers: the median, and from where to where the middle half lies."""
    ttft, tps = turn.spreads()
    counted = max(ttft.count if ttft else 0, tps.count if tps else 0)
    figures = [Figure(0, f"{counted} of {len(turn.answers)} runs: TTFT", _range(ttft, duration))]
    return [*figures, Figure(1, "", _range(tps, rate), "tok/s")]


def _range(found: Spread | None, word: Callable[[float | None], str]) -> str:
    return DASH if found is None else f"{word(found.median)} ({word(found.low)} – {word(found.high)})"


def foot_lines(turn: Turn | None, view: EndpointView | None, now: float, width: int, most: int) -> list[Line]:
    """The numbers beneath a column, in at most ``most`` lines."""
    if turn is None:
        return []
    answer = turn.answer
    if not turn.ended:
        return [Line(in_line(_coming(turn, view, now), width), "head")]
    if answer.ending is Ending.FORBIDDEN:
        return [Line((Run(" not sent", BAD),), "head")]
    word = {Ending.FAILED: Figure(0, "", "FAILED", tone=BAD), Ending.CANCELLED: Figure(0, "", "cancelled", tone=WARN)}
    ended = [word[answer.ending]] if answer.ending in word else []
    known = [one for one in figures_of(answer) if not ended or DASH not in one.value]
    lines = in_lines([*ended, *known], width, 2 if most > 2 else 1)
    if turn.repeat > 1 and len(turn.answers) > 1:
        lines.append(Line(in_line(spread_figures(turn), width), "head"))
    if told := server_figures(answer):
        lines.append(Line(in_line(told, width), "head"))
    if answer.usage.reasoning_tokens or answer.usage.cached_tokens:
        lines.append(Line(in_line(_parts(answer), width), "head"))
    return [*lines, *_notes(answer, width, most - len(lines))][: max(1, most)]


def hidden_foot(turn: Turn) -> list[Line]:
    """Of a blind column only how it ended: numbers tell who it is."""
    answer = turn.answer
    going = "waiting" if answer.first_at is None else "answering"
    return [
        Line((Run(f" {answer.ending.value if turn.ended and answer.ending is not None else going}", MUTED),), "head")
    ]


def _parts(answer: Answer) -> list[Figure]:
    figures = []
    if answer.usage.reasoning_tokens:
        figures.append(Figure(0, "thinking", count(answer.usage.reasoning_tokens), "of out"))
    if answer.usage.cached_tokens:
        figures.append(Figure(1, "cached", count(answer.usage.cached_tokens), "of in"))
    return figures


def _notes(answer: Answer, width: int, room: int) -> list[Line]:
    """What has to be known to judge the numbers; last, where the price comes from."""
    told = [(f"· {printable(note, 300)}", WARN) for note in answer.notes]
    if answer.cost is not None and answer.cost_source:
        told.append((f"price: {printable(answer.cost_source, 100)}", FAINT))
    lines = [Line((Run(f" {part}", tone),), "head") for text, tone in told for part in wrap(text, max(8, width - 2))]
    if len(lines) <= max(0, room):
        return lines
    if room <= 0:
        return []
    more = len(lines) - room + 1
    return [*lines[: room - 1], Line((Run(f" … {more} more: o shows them", MUTED),), "head")]


# ---- on top


def title_line(*, names: Sequence[str], at: int, hidden: bool, asides: Sequence[tuple[str, str]], width: int) -> Line:
    """The columns as tabs where not all are in view, and what holds for all: the most important at the right."""
    left: list[Run] = [Run(" Chat ", STRONG)]
    if hidden:
        for place, name in enumerate(names):
            chosen = place == at
            left += [
                Run(
                    f" {'▌' if chosen else ' '}{place + 1} {fit(name, min(18, cell_width(name)))}",
                    STRONG if chosen else MUTED,
                )
            ]
    right: list[Run] = []
    room = width - sum(cell_width(run.text) for run in left)
    for text, tone in asides:
        if cell_width(text) + 2 + sum(cell_width(run.text) for run in right) < room:
            right += [Run(f"  {text}", tone)]
    gap = width - sum(cell_width(run.text) for run in (*left, *right)) - 1
    return Line(cut((*left, Run(" " * max(0, gap)), *right), width), "head")
