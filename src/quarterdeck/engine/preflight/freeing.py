"""What an order gives back: memory, disk. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.engine.preflight.check import OK, UNKNOWN, Check
from quarterdeck.format import size
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.models import ModelReading, ModelState

IN_MEMORY = (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING)


def unloading(models: Sequence[ModelReading]) -> list[Check]:
    """Of models that leave memory."""
    leaving = [each for each in models if each.state in IN_MEMORY]
    if not leaving:
        return []
    known = [(each.vram_bytes, each.size_bytes) for each in leaving]
    gpu = sum(vram or 0 for vram, _ in known)
    ram = sum(max(0, whole - vram) for vram, whole in known if vram is not None and whole is not None)
    untold = [each.label for each in leaving if each.vram_bytes is None]
    parts = [
        *([f"{size(gpu)} of GPU memory"] if gpu else []),
        *([f"{size(ram)} of system memory"] if ram else []),
    ]
    found = [Check(OK, f"frees {' and '.join(parts)}")] if parts else []
    if untold:
        found.append(Check(UNKNOWN, f"not known: how much memory {', '.join(untold[:4])} would free"))
    return found


def deleting(model: ModelReading | None, on_disk: int | None) -> list[Check]:
    """``on_disk``: bytes of its files."""
    freed = (
        Check(OK, f"frees up to {size(on_disk)} on disk; what other models share stays")
        if on_disk
        else Check(UNKNOWN, "not known: how much disk it frees")
    )
    return [freed, *(unloading([model]) if model is not None else [])]


def stopping(held: int | None, endpoint: str, action: str, level: str = "") -> list[Check]:
    """Of a server that is stopped, or put to sleep; ``held``: bytes of GPU memory that its processes hold."""
    if held is None:
        return [Check(UNKNOWN, f"not known: how much GPU memory it frees; no process of {endpoint} is seen on a GPU")]
    if action != "sleep":
        return [Check(OK, f"frees {size(held)} of GPU memory, which its processes hold")]
    where = "are discarded" if level == "2" else "move to system memory, as much as they are large"
    return [Check(OK, f"frees up to {size(held)} of GPU memory, which its processes hold; the weights {where}")]


def model_in(view: EndpointView | None, name: str | None) -> ModelReading | None:
    """The model of that name on an endpoint."""
    models = view.models if view is not None else ()
    return next((model for model in models if name in (model.id, model.label)), None)
