"""How the states of models look: a word and a glyph always, a tone with them. Pure."""

from __future__ import annotations

from quarterdeck.model.models import ModelState
from quarterdeck.tui.states import Look

_MODELS: dict[ModelState, Look] = {
    ModelState.LOADED: Look("●", "loaded", "state-ok", "In memory."),
    ModelState.LOADING: Look("◐", "loading", "state-loading", "Being loaded."),
    ModelState.SLEEPING: Look("◌", "sleeping", "state-sleeping", "Weights are out of GPU memory until it is woken."),
    ModelState.INSTALLED: Look("·", "on disk", "faint", "On disk, not in memory."),
    ModelState.SERVED: Look("●", "served", "muted", "Listed by a server that doesn't tell more."),
    ModelState.FAILED: Look("✗", "failed", "state-down", "It could not be loaded."),
}


def model_look(state: ModelState) -> Look:
    """How a model's state looks."""
    return _MODELS[state]
