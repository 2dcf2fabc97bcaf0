"""How an endpoint is at the moment a prompt goes out, so that a slow answer can be explained later. Pure."""

from __future__ import annotations

from quarterdeck.model.chat.answer import Circumstances
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.models import ModelReading, ModelState


def circumstances(fleet: FleetSnapshot, view: EndpointView | None, model: str) -> Circumstances:
    """What is known of the endpoint ``view`` and of ``model`` there."""
    if view is None or view.state is None:
        return Circumstances()
    found = model_of(view, model)
    known = view.state.answers
    return Circumstances(
        state=view.state.value,
        running=view.running if known else None,
        waiting=view.waiting if known else None,
        kv_used=view.kv_used if known else None,
        vram_bytes=found.vram_bytes if found is not None and known else None,
        watts=_watts(fleet, view.host),
        loaded=_loaded(found),
        spilled=_spilled(found),
        context_length=found.context_length if found is not None else None,
    )


def model_of(view: EndpointView, model: str) -> ModelReading | None:
    """The model's row, by its id; Ollama means ":latest" where no tag is given."""
    names = {model, f"{model}:latest"}
    return next((one for one in view.models if one.id in names), None)


def _loaded(model: ModelReading | None) -> bool | None:
    if model is None or model.state is ModelState.FAILED:
        return None
    if model.state is ModelState.SERVED:
        return None
    return model.state is ModelState.LOADED


def _spilled(model: ModelReading | None) -> bool | None:
    if model is None or model.state is not ModelState.LOADED or model.vram_bytes is None or model.size_bytes is None:
        return None
    return 0 < model.vram_bytes < model.size_bytes


def _watts(fleet: FleetSnapshot, host: str | None) -> float | None:
    gpus = next((view.gpus for view in fleet.hosts if view.name == host), ()) or ()
    known = [gpu.power_w for gpu in gpus if gpu.power_w is not None]
    return sum(known) if known else None
