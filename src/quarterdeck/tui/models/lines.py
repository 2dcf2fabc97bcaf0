"""What stands above and below the models: how many there are, all that is known of the selected one, why there is none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from quarterdeck.format import DASH, percent, printable
from quarterdeck.model.fleet import Boundary, EndpointView, FleetSnapshot
from quarterdeck.model.models import ModelState
from quarterdeck.tui.detail.parts import flow
from quarterdeck.tui.facts import spill
from quarterdeck.tui.lines import EMPTY_LINE, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cell_width, spread, wrap
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.models.cells import (
    Known,
    context_text,
    licence_text,
    note_cell,
    price_of,
    price_text,
    size_text,
    state_word,
    stays_text,
)
from quarterdeck.tui.models.rows import Group, ModelRow, Shown
from quarterdeck.tui.models.state import ModelsState
from quarterdeck.tui.states import look

_COUNTED = (ModelState.FAILED, ModelState.LOADING, ModelState.LOADED, ModelState.SLEEPING)
_EXTERNAL = ": a prompt leaves your machines"
_ROOMY = 76


def summary_line(rows: Sequence[ModelRow], kept: int, state: ModelsState, width: int) -> Line:
    """How many models there are and where; at the right the filter, the order and the mode."""
    endpoints = len({row.view.name for row in rows})
    words = Counter(row.model.state for row in rows if row.answers)
    left = [Run(" Models ", STRONG), Run(f" {len(rows)} on {endpoints} endpoint{'s' * (endpoints != 1)}", MUTED)]
    left += [
        Run(f"  {model_look(each).glyph} {words[each]} {model_look(each).word}", model_look(each).tone)
        for each in _COUNTED
        if words[each]
    ]
    how = [f"by name, {state.order.words}" if state.grouped else state.order.words]
    if state.needle.strip():
        found = Run(f"/{printable(state.needle.strip(), 24)} {kept} of {len(rows)} ", WARN)
        for right in ((found, Run(f" {how[0]} ", FAINT)), (found,)):
            line = spread(left, right, width)
            if line[-1] == right[-1]:
                return Line(line, "head")
        return Line(spread(left[:1], (found,), width), "head")
    return Line(spread(left, (Run(f"{how[0]} ", FAINT),), width), "head")


def details(shown: Shown, known: Known, width: int, height: int) -> list[Line]:
    """All that is known of the selected row, in at most ``height`` lines."""
    if isinstance(shown.row, Group):
        parts = [_on(row) for row in shown.row.rows]
        head: tuple[Run, ...] = (Run(printable(shown.row.rows[0].model.label, 120), STRONG),)
    else:
        head = (Run(printable(shown.row.model.id, 120), STRONG), *_on(shown.row))
        parts = _facts(shown.row, known, width)
    if height == 1 and not isinstance(shown.row, Group):  # the row says its name and where it is
        return flow([*parts, head], max(8, width - 2), "  ")[:1]
    lines = flow([head, *parts], max(8, width - 2), "  ")
    return lines[:height]


def _on(row: ModelRow) -> tuple[Run, ...]:
    seen = model_look(row.model.state) if row.answers else look(row.view.state)
    return (
        Run(f" on {printable(row.view.name, 60)} ", PLAIN),
        Run(seen.glyph, seen.tone),
        Run(f" {state_word(row)}", MUTED),
    )


def _facts(row: ModelRow, known: Known, width: int) -> list[tuple[Run, ...]]:
    model = row.model
    found: list[tuple[Run, ...]] = []
    if row.view.boundary is not Boundary.LOCAL:
        external = row.view.boundary is Boundary.EXTERNAL
        found.append(
            (
                Run(
                    f"EXTERNAL{_EXTERNAL if width >= _ROOMY else ''}" if external else row.view.boundary.value,
                    WARN if external else MUTED,
                ),
            )
        )
    if not row.answers and row.view.reason:
        found.append((Run(f"{printable(row.view.name, 60)}: {printable(row.view.reason, 120)}", PLAIN),))
    note, tone = note_cell(row, known)
    spilt = spill(model)
    texts = [
        (_sized(row), PLAIN),
        (f"{percent(1 - spilt)} on GPU" if spilt is not None else "", WARN),
        (note, tone),
        (printable(model.parameters or "", 24), MUTED),
        (printable(model.quantization or "", 40), MUTED),
        (f"context {context_text(row)}" if model.context_length is not None else "", MUTED),
        (_stays(row, known), PLAIN),
        (_price(row, width), PLAIN),
        (licence_text(row, known), MUTED),
        (f"on {printable(row.view.host, 60)}" if row.view.host else "", MUTED),
    ]
    return found + [(Run(text, tone),) for text, tone in texts if text]


def _sized(row: ModelRow) -> str:
    text = size_text(row)
    if text == DASH:
        return ""
    return f"{text} on disk" if row.model.state is ModelState.INSTALLED else text


def _stays(row: ModelRow, known: Known) -> str:
    text = stays_text(row, known.unix)
    if text in ("", DASH):
        return ""
    return {"forever": "stays in memory", "ending": "is being unloaded"}.get(text, f"stays {text}")


def _price(row: ModelRow, width: int) -> str:
    price = price_of(row)
    if price is None or price_text(row) in ("", DASH):
        return ""
    source = f", by {printable(price.source, 60)}" if price.source else ""
    return f"$ {price_text(row)} per 1M tokens in/out{source}" if width >= _ROOMY else f"$ {price_text(row)}"


def empty_lines(fleet: FleetSnapshot, needle: str, welcome: Sequence[str], width: int) -> list[Line]:
    """Why there is nothing to see, and what to do."""
    if needle.strip():
        texts = ["no model matches the filter", "Esc clears it"]
    elif not fleet.endpoints:
        texts = list(welcome) or ["Nothing is watched yet."]
    elif any(view.state is None for view in fleet.endpoints):
        texts = ["no endpoint has told of a model yet", "waiting for the first answers"]
    else:
        texts = [
            "no endpoint tells of any model",
            *_why(fleet.endpoints),
            "",
            "1 shows the endpoints; P there pulls a model",
        ]
    parts = [(part, place) for place, text in enumerate(texts) for part in (wrap(text, max(8, width - 4)) or [""])]
    return [_centred(part, width, STRONG if place == 0 else MUTED) for part, place in parts]


def _why(endpoints: Sequence[EndpointView]) -> list[str]:
    """The first few reasons."""
    told = [f"{printable(view.name, 40)}: {printable(view.reason, 80)}" for view in endpoints if view.reason]
    more = len(told) - 3
    return [*told[:3], *([f"and {more} more"] if more > 0 else [])]


def _centred(text: str, width: int, tone: str) -> Line:
    return Line((Run(" " * max(0, (width - cell_width(text)) // 2) + text, tone),)) if text else EMPTY_LINE
