"""What is known of a model, a few words each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.format import age, percent, printable
from quarterdeck.model.models import ModelReading

if TYPE_CHECKING:
    from quarterdeck.tui.cells import Moment

_FOR_EVER_S = 100 * 365 * 86_400


def model_facts(model: ModelReading, moment: Moment) -> list[str]:
    """What else is known of a model, a few words each."""
    spilt = spill(model)
    facts = [] if spilt is None else [f"{percent(1 - spilt)} on GPU"]
    return facts + more_model_facts(model, moment)


def spill(model: ModelReading) -> float | None:
    """The fraction of a loaded model that lies in the machine's memory instead of a GPU's; ``None`` where there is none."""
    if model.vram_bytes is None or not model.size_bytes or model.vram_bytes >= model.size_bytes:
        return None
    return 1 - model.vram_bytes / model.size_bytes


def more_model_facts(model: ModelReading, moment: Moment) -> list[str]:
    """Context, quantisation, size, and when it is unloaded."""
    facts: list[str] = []
    if model.context_length is not None:
        facts.append(f"ctx {model.context_length}")
    facts += [printable(text, 24) for text in (model.quantization, model.parameters) if text]
    if model.expires_at is not None and moment.unix:
        left = model.expires_at - moment.unix
        facts.append("stays loaded" if left > _FOR_EVER_S else f"unloads in {age(left)}" if left > 0 else "unloading")
    return facts
