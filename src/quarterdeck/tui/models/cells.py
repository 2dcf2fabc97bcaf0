"""From a row of the models view to a line: what stands in each column, in which tone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.format import DASH, age, percent, printable, rate, size
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.models import ModelState
from quarterdeck.tui.columns import MARKER, Layout, Order, Place
from quarterdeck.tui.facts import spill
from quarterdeck.tui.lines import ACCENT, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cell_width, cut, fit
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.models.rows import Group, ModelRow, Shown
from quarterdeck.tui.states import look

if TYPE_CHECKING:
    from quarterdeck.model.chat.price import Price

_FOR_EVER_S = 100 * 365 * 86_400
_EXACT = 10_000_000
_SPILLED = "▲"
_IN_MEMORY = (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING)


class Known(NamedTuple):
    """What is known besides the rows: the time, licences that were told, and what jobs do."""

    unix: float = 0.0
    licences: Mapping[tuple[str, str], str] = {}
    """(endpoint, model) → licence."""
    jobs: Mapping[tuple[str, str], str] = {}
    """(endpoint, model) → what a job does to it, and how far it is."""


Cell = tuple[str, str]
"""Text and tone."""


def header(layout: Layout, order: Order) -> Line:
    """The titles, with an arrow at the column that sorts."""
    runs: list[Run] = []
    x = 0
    for place in layout.places:
        sorts = place.column.id == order.column
        title = place.column.title + (order.arrow if sorts else "")
        text = " " * (place.x - x) + fit(title, place.width, right=place.column.right)
        runs.append(Run(text, STRONG if sorts else MUTED))
        x = place.x + place.width
    return Line(tuple(runs), "head")


def row_line(shown: Shown, layout: Layout, known: Known, *, selected: bool, marked: bool) -> Line:
    """One row of the table."""
    marker = Run("✓  " if marked else "▌  " if selected else "   ", ACCENT)
    runs = _group_runs(shown.row, layout) if isinstance(shown.row, Group) else _model_runs(shown, layout, known)
    return Line(cut([marker, *runs], layout.width), "selected" if selected else "")


def _group_runs(group: Group, layout: Layout) -> list[Run]:
    """Name, on how many endpoints, and where it is on them."""
    endpoints = len({row.view.name for row in group.rows})
    on = f"on {endpoints} endpoint{'s' if endpoints > 1 else ''}"
    words = Counter(state_word(row) for row in group.rows)
    counts = ", ".join(f"{number} {word}" for word, number in words.items())
    room = max(4, layout.width - MARKER)
    name = printable(group.rows[0].model.label, 120)
    told = f"  {on}: {counts}"
    if cell_width(name) + cell_width(told) > room:
        told = f"  {counts}"
    return [Run(fit(name, max(8, min(cell_width(name), room - cell_width(told)))), STRONG), Run(told, MUTED)]


def _model_runs(shown: Shown, layout: Layout, known: Known) -> list[Run]:
    row = shown.row
    if isinstance(row, Group):
        return []
    runs: list[Run] = []
    x = MARKER
    for place in layout.places:
        gap = " " * (place.x - x)
        x = place.x + place.width
        if place.column.id == "state":
            glyph, word = _state_runs(row, place.width)
            runs += [Run(gap + glyph.text, glyph.tone), word]
            continue
        text, tone = _cell(shown, row, place, known)
        runs.append(Run(gap + fit(text, place.width, right=place.column.right), tone))
    return runs


def _cell(shown: Shown, row: ModelRow, place: Place, known: Known) -> Cell:
    column = place.column.id
    if column == "name":
        branch = fit(shown.branch, min(cell_width(shown.branch), place.width // 2))
        return branch + printable(row.model.label, 120), _toned(row, PLAIN if row.parent else STRONG)
    text, tone = _CELLS[column](row, known)
    return text, FAINT if text == DASH else _toned(row, tone)


def _toned(row: ModelRow, tone: str) -> str:
    """What an endpoint told that doesn't answer any more is paler; that it is external stays."""
    return MUTED if not row.answers and tone in (PLAIN, STRONG) else tone


def state_word(row: ModelRow) -> str:
    """Where a model is, in a word; of an endpoint that doesn't answer, the endpoint's state."""
    return model_look(row.model.state).word if row.answers else look(row.view.state).word


def _state_runs(row: ModelRow, width: int) -> tuple[Run, Run]:
    seen = model_look(row.model.state) if row.answers else look(row.view.state)
    news = row.model.state in (ModelState.FAILED, ModelState.LOADING) or not row.answers
    return Run(seen.glyph, seen.tone), Run(fit(f" {seen.word}", width - 1), f"{seen.tone}-word" if news else MUTED)


# ---- the cells


def size_text(row: ModelRow) -> str:
    """Bytes in memory, or on disk."""
    return size(row.model.size_bytes if row.model.size_bytes is not None else row.model.vram_bytes)


def gpu_share(row: ModelRow) -> Cell:
    """The part on GPUs; where the rest spilled into the machine's memory, that is marked. On disk, there is none."""
    model = row.model
    if model.state is ModelState.INSTALLED:
        return "", FAINT
    if model.vram_bytes is None or model.state not in _IN_MEMORY:
        return DASH, FAINT
    spilt = spill(model)
    if spilt is None:
        return percent(1.0) if model.size_bytes else DASH, MUTED
    return f"{_SPILLED}{percent(1 - spilt)}", WARN


def context_text(row: ModelRow) -> str:
    """Tokens, exact as far as a column has room."""
    context = row.model.context_length
    return DASH if context is None or context < 0 else str(context) if context < _EXACT else rate(float(context))


def stays_text(row: ModelRow, unix: float) -> str:
    """What is left of the keep-alive."""
    expires = row.model.expires_at
    if row.model.state is ModelState.INSTALLED:
        return ""
    if expires is None or not unix or row.model.state not in _IN_MEMORY:
        return DASH
    left = expires - unix
    return "forever" if left > _FOR_EVER_S else age(left) if left > 0 else "ending"


def boundary_cell(row: ModelRow) -> Cell:
    """How far a prompt travels."""
    boundary = row.view.boundary
    return ("EXTERNAL", WARN) if boundary is Boundary.EXTERNAL else (boundary.value, MUTED)


def dollars(value: float | None) -> str:
    """A price in at most 5 characters: "0.15", "2.50", "15", ".0004", "free"."""
    if value is None or not 0 <= value < 1e5:
        return DASH
    if value == 0:
        return "0"
    if value < 0.01:
        return f"{value:.4f}"[1:] if value >= 0.0001 else "<.001"
    return f"{value:.2f}" if value < 99.995 else f"{value:.0f}"


def price_of(row: ModelRow) -> Price | None:
    """What its provider lists."""
    return row.view.prices.get(row.model.id)


def price_text(row: ModelRow) -> str:
    """Prompt and answer; nothing where no provider has a list."""
    if not row.view.prices:
        return ""
    price = price_of(row)
    if price is None or (price.input is None and price.output is None):
        return DASH
    return f"{dollars(price.input)}/{dollars(price.output)}"


def licence_text(row: ModelRow, known: Known) -> str:
    """The licence, where somebody asked."""
    return printable(known.licences.get((row.view.name, row.model.id), ""), 60)


def note_cell(row: ModelRow, known: Known) -> Cell:
    """What else is to be known at a glance."""
    model = row.model
    if job := known.jobs.get((row.view.name, model.id)):
        return job, ACCENT
    if row.adapter is not None and (row.adapter.running or row.adapter.waiting):
        return " and ".join([*["requests run"] * row.adapter.running, *["requests wait"] * row.adapter.waiting]), PLAIN
    spilt = spill(model)
    if spilt is not None and model.size_bytes is not None and model.vram_bytes is not None:
        return f"{size(model.size_bytes - model.vram_bytes)} in RAM", WARN
    if model.parent is not None:
        return (f"LoRA of {printable(model.parent, 60)}" if model.parent != "?" else "LoRA adapter"), MUTED
    return "", PLAIN


_CELLS: dict[str, Callable[[ModelRow, Known], Cell]] = {
    "endpoint": lambda row, known: (printable(row.view.name, 60), PLAIN),
    "boundary": lambda row, known: boundary_cell(row),
    "size": lambda row, known: (size_text(row), PLAIN if row.model.state in _IN_MEMORY else MUTED),
    "gpu": lambda row, known: gpu_share(row),
    "quant": lambda row, known: (printable(row.model.quantization or DASH, 40), MUTED),
    "params": lambda row, known: (printable(row.model.parameters or DASH, 24), MUTED),
    "context": lambda row, known: (context_text(row), MUTED),
    "stays": lambda row, known: (stays_text(row, known.unix), PLAIN),
    "price": lambda row, known: (price_text(row), PLAIN),
    "licence": lambda row, known: (licence_text(row, known) or DASH, MUTED),
    "host": lambda row, known: (printable(row.view.host or DASH, 60), MUTED),
    "note": note_cell,
}


# ---- what the columns want


def wanted_widths(rows: list[ModelRow], known: Known) -> dict[str, int]:
    """How many cells the growing columns want for these rows."""
    wanted: dict[str, int] = {}
    texts: dict[str, set[str]] = {
        "name": {("└ " if row.parent else "") + printable(row.model.label, 120) for row in rows},
        "endpoint": {printable(row.view.name, 60) for row in rows},
        "host": {printable(row.view.host or "", 60) for row in rows},
        "quant": {printable(row.model.quantization or "", 40) for row in rows},
        "params": {printable(row.model.parameters or "", 24) for row in rows},
        "licence": {licence_text(row, known) for row in rows} if known.licences else set(),
        "note": {note_cell(row, known)[0] for row in rows},
    }
    for column, found in texts.items():
        wanted[column] = max(map(cell_width, found), default=0)
    return wanted


def told_columns(rows: list[ModelRow], known: Known) -> set[str]:
    """The columns for which there is anything to tell."""
    asked: dict[str, Callable[[ModelRow], bool]] = {
        "size": lambda row: size_text(row) != DASH,
        "gpu": lambda row: row.model.vram_bytes is not None,
        "quant": lambda row: bool(row.model.quantization),
        "params": lambda row: bool(row.model.parameters),
        "context": lambda row: row.model.context_length is not None,
        "stays": lambda row: row.model.expires_at is not None,
        "boundary": lambda row: row.view.boundary is not Boundary.LOCAL,
        "price": lambda row: bool(row.view.prices) and price_of(row) is not None,
        "licence": lambda row: bool(known.licences) and bool(licence_text(row, known)),
        "host": lambda row: row.view.host is not None,
        "note": lambda row: bool(note_cell(row, known)[0]),
    }
    return {column for column, tells in asked.items() if any(tells(row) for row in rows)}
