"""How the states of endpoints look: a word and a glyph always, a tone with them. Pure. (Models: `quarterdeck.tui.model_states`.)"""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.model.fleet import State


class Look(NamedTuple):
    """A state as people see it."""

    glyph: str
    word: str
    tone: str
    meaning: str
    """One sentence for the help screen."""


WAITING = Look("…", "…", "faint", "Not polled yet: waiting for the first answer.")

LOOKS: dict[State, Look] = {
    State.DOWN: Look(
        "✗",
        "DOWN",
        "state-down",
        "It can't be used: nobody answers, or the answer is an error.",
    ),
    State.STALLED: Look(
        "■",
        "STALLED",
        "state-stalled",
        "It answers, requests run or wait, but no token comes out.",
    ),
    State.AUTH: Look(
        "⊘",
        "AUTH",
        "state-auth",
        "401 or 403: the key is missing or wrong.",
    ),
    State.STALE: Look(
        "○",
        "STALE",
        "state-stale",
        "The last good answer is old; the numbers are of then.",
    ),
    State.RESTARTED: Look(
        "↻",
        "RESTARTED",
        "state-restarted",
        "It came back within the last minute; its counters began anew.",
    ),
    State.LOADING: Look("◐", "LOADING", "state-loading", "It starts, or its model is not ready yet."),
    State.BUSY: Look(
        "▲",
        "BUSY",
        "state-busy",
        "Requests wait, the KV cache is nearly full, or it turns requests away (429).",
    ),
    State.SLEEPING: Look(
        "◌",
        "SLEEPING",
        "state-sleeping",
        "Put to sleep on purpose: llama.cpp wakes at a request, vLLM when it is told to.",
    ),
    State.OK: Look("●", "OK", "state-ok", "It answers and has room."),
}
"""In order of severity, the worst first."""

_SEVERITY = {state: place for place, state in enumerate(LOOKS)}
UNPOLLED_SEVERITY = _SEVERITY[State.BUSY]
"""Where an endpoint stands that was not polled yet."""


def look(state: State | None) -> Look:
    """How an endpoint's state looks."""
    return WAITING if state is None else LOOKS[state]


def severity(state: State | None) -> int:
    """0 is the worst."""
    return UNPOLLED_SEVERITY if state is None else _SEVERITY[state]
