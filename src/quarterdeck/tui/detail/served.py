"""What an endpoint serves: models with their memory, LoRA adapters, the deployments of a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.format import percent, printable, size
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.parts import INDENT, Section, flow, wrapped
from quarterdeck.tui.facts import more_model_facts, spill
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, WARN, Line, Run, cell_width, fit, width_of
from quarterdeck.tui.model_states import model_look

if TYPE_CHECKING:  # the preview is part of the first frame
    from quarterdeck.model.reading import Deployment, LoraAdapter

_INDENTED = 14
_MOST = 200
_TROUBLE = {"partial outage": ("▲", WARN), "outage": ("✗", BAD), "unhealthy": ("✗", BAD), "cooldown": ("▲", WARN)}


def models_section(view: EndpointView, moment: Moment, width: int) -> Section:
    """State, name, memory on GPUs and outside them, context, what is left of the keep-alive."""
    models = view.models
    if not models:
        return Section("Models", [])
    longest = max(cell_width(printable(model.id, 120)) for model in models)
    sizes = 10 if any(_memory(model) is not None for model in models) else 0
    room = max(8, min(longest, width - 15 - sizes))
    lines: list[Line] = []
    for model in models[:_MOST]:
        lines += _model(model, moment, width, room, sizes)
    return Section("Models", [*lines, *_rest(models)], str(len(models)))


def adapters_section(view: EndpointView) -> Section:
    """LoRA adapters that have requests, out of how many fit."""
    if not view.adapters and view.max_adapters is None:
        return Section("LoRA adapters", [])
    lines = [_adapter(adapter) for adapter in view.adapters[:_MOST]]
    none = [Line((Run(f"{INDENT}none has requests now", MUTED),))]
    most = f"{view.max_adapters} at most at once" if view.max_adapters is not None else ""
    return Section("LoRA adapters", [*(lines or none), *_rest(view.adapters)], most)


def deployments_section(view: EndpointView, width: int) -> Section:
    """Where a gateway sends the requests for each model."""
    name = min(32, max((cell_width(printable(d.model, 60)) for d in view.deployments), default=0))
    lines = [line for deployment in view.deployments[:_MOST] for line in _deployment(deployment, name, width)]
    return Section("Deployments", [*lines, *_rest(view.deployments)], str(len(view.deployments)))


def _memory(model: ModelReading) -> int | None:
    return model.vram_bytes if model.vram_bytes is not None else model.size_bytes


def _what_is_counted(model: ModelReading) -> tuple[str, ...]:
    """What the size of a model in memory is, where it isn't what it takes there."""
    in_memory = model.state in (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING)
    return ("of weights",) if in_memory and model.vram_bytes is None and model.size_bytes is not None else ()


def _model(model: ModelReading, moment: Moment, width: int, room: int, sizes: int) -> list[Line]:
    seen = model_look(model.state)
    memory = _memory(model)
    head = (
        Run(f"{INDENT}{seen.glyph} ", seen.tone),
        Run(fit(seen.word, 10), MUTED),
        Run(fit(_name(model, room), room), PLAIN),
        Run(fit(size(memory) if memory is not None else "", sizes, right=True), PLAIN),
    )
    spilt = _spilt(model)
    facts = [
        (Run(fact, MUTED),) for fact in (*_what_is_counted(model), *more_model_facts(model, moment), *_parent(model))
    ]
    beside = flow([*([spilt] if spilt else []), *facts], 1 << 16, "  ")
    if not beside or width_of(head) + width_of(beside[0].runs) <= width:
        return [Line((*head, *(beside[0].runs if beside else ())))]
    return [Line(head), *flow([*([spilt] if spilt else []), *facts], width, " " * _INDENTED)]


def _name(model: ModelReading, room: int) -> str:
    """The id; where there is no room for a path, the file's name."""
    name = printable(model.id, 120)
    return name if cell_width(name) <= room else printable(model.label, 120)


def _spilt(model: ModelReading) -> tuple[Run, ...]:
    """How much of a loaded model lies outside the GPUs: slow, so that it stands out."""
    spilt = spill(model)
    if spilt is None or model.vram_bytes is None or model.size_bytes is None:
        return ()
    return (Run(f"+ {size(model.size_bytes - model.vram_bytes)} in RAM ({percent(spilt)} spilled)", WARN),)


def _parent(model: ModelReading) -> tuple[str, ...]:
    return (f"LoRA of {printable(model.parent, 60)}",) if model.parent else ()


def _adapter(adapter: LoraAdapter) -> Line:
    words = [word for word, is_so in (("running", adapter.running), ("waiting", adapter.waiting)) if is_so]
    tone = WARN if adapter.waiting and not adapter.running else MUTED
    return Line((Run(INDENT + fit(printable(adapter.name, 60), 30)), Run("  " + ", ".join(words), tone)))


def _deployment(deployment: Deployment, name: int, width: int) -> list[Line]:
    state = deployment.state or ""
    glyph, tone = _TROUBLE.get(state.casefold(), ("●", "state-ok") if state else ("·", FAINT))
    runs = (Run(f"{INDENT}{glyph} ", tone), Run(fit(printable(deployment.model, 60), name)))
    worded = (Run("  " + printable(state, 24), tone),) if state else ()
    backend = printable(deployment.backend, 160)
    if width_of((*runs, *worded)) + 2 + cell_width(backend) <= width:
        return [Line((*runs, *worded, Run("  " + backend, MUTED)))]
    indent = INDENT + "    "
    return [
        Line((*runs, *worded)),
        *(Line((Run(indent + part, MUTED),)) for part in wrapped(backend, max(8, width - 7))),
    ]


def _rest(things: Sequence[ModelReading | LoraAdapter | Deployment]) -> list[Line]:
    more = len(things) - _MOST
    return [Line((Run(f"{INDENT}… {more} more", MUTED),))] if more > 0 else []
