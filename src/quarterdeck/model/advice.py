"""What to try when an endpoint is not as it should be, by its state. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.model.fleet import State

ADVICE: Mapping[State, str] = {
    State.DOWN: "Is the server running, and does the url name the right port? A vLLM that still loads its model refuses, too.",
    State.STALLED: "Look at the server's log and its GPUs; a hung engine needs a restart.",
    State.AUTH: 'Give the endpoint its key in the fleet file: auth = { env = "NAME" }, { file = … } or { command = … }.',
    State.STALE: "The server may be frozen or the line slow; a longer timeout helps where answers take long.",
    State.RESTARTED: "If nobody restarted it, its log has the reason.",
    State.LOADING: "Wait.",
    State.BUSY: "It works at its limit; send requests elsewhere or add a replica.",
}
