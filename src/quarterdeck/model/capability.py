"""What can't be done to an endpoint or model, and why, in words. Pure."""

from __future__ import annotations

from quarterdeck.model.actions import Action, On
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.models import ModelReading, ModelState

_IN_MEMORY = (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING)
_NOT_NOW = (State.DOWN, State.AUTH, State.STALE)
_INSTEAD = {
    ("vllm", "pull"): "a vLLM serves the model it was started with",
    ("vllm", "load"): "a vLLM serves the model it was started with",
    ("vllm", "unload"): "a vLLM can't unload its model; sleep takes it off the GPUs",
    ("llamacpp", "pin"): "llama.cpp has no keep-alive",
    ("litellm", "load"): "LiteLLM is a gateway: act on the server behind it",
}


def why_not(action: Action, view: EndpointView, model: ModelReading | None) -> str:
    """Why ``action`` can't be done to ``view`` (or to ``model`` of it); "" where it can, as far as is known."""
    if action.on is On.DEPLOYMENT:
        return ""
    return _of_engine(action, view) or _of_state(view) or _of_told(action, view) or _of_model(action, model)


def _of_engine(action: Action, view: EndpointView) -> str:
    if view.engine is None:
        return (
            f"what serves at {view.name} is not known yet" if view.state is None else f"{view.name} is not recognised"
        )
    if view.engine in action.engines:
        return ""
    instead = _INSTEAD.get((view.engine, action.id))
    return instead or f"{view.engine} has no such thing; {_listed(action.engines)} can"


def _of_state(view: EndpointView) -> str:
    if view.state in _NOT_NOW:
        return f"{view.name} is {view.state.value}" + (f": {view.reason}" if view.reason else "")
    return ""


def _of_told(action: Action, view: EndpointView) -> str:
    if action.id in view.cannot:
        return view.cannot[action.id]
    if action.id == "wake" and view.state is not State.SLEEPING and view.state is not None:
        return f"{view.name} is not asleep"
    if action.id == "sleep" and view.state is State.SLEEPING:
        return f"{view.name} is asleep already"
    if action.id == "unload_all" and not any(model.state in _IN_MEMORY for model in view.models):
        return "no model is in memory"
    if action.id == "lora_unload" and not view.adapters and not any(model.parent for model in view.models):
        return "it has no adapter loaded"
    return ""


def _of_model(action: Action, model: ModelReading | None) -> str:
    if model is None:
        return ""
    if model.parent is not None:
        return f"{model.label} is a LoRA adapter of {model.parent}"
    if action.id in ("unload", "unpin") and model.state not in _IN_MEMORY:
        return f"{model.label} is not in memory"
    if action.id == "load" and model.state is ModelState.LOADING:
        return f"{model.label} is being loaded already"
    return ""


def _listed(engines: tuple[str, ...]) -> str:
    return " and ".join((", ".join(engines[:-1]), engines[-1])) if len(engines) > 1 else engines[0]
