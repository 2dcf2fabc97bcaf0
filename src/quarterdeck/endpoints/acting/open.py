"""The actor of an endpoint, by its engine. Opens no connection and imports no client until something is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.acting.base import Actor
    from quarterdeck.endpoints.base import Tunnel


def actor_for(spec: EndpointSpec, engine: str, *, tunnel: Tunnel | None = None) -> Actor:
    """Who acts on the server ``spec`` names, with that endpoint's own key, TLS, proxy and way.

    ``engine``: as its last reading told. ``tunnel``: the way to a server that doesn't listen where we are.
    Raises Failure in words for an engine that nothing can be done to.
    """
    match engine:
        case "ollama":
            from quarterdeck.endpoints.acting.ollama import OllamaActor

            return OllamaActor(spec, tunnel)
        case "lmstudio":
            from quarterdeck.endpoints.acting.lmstudio import LMStudioActor

            return LMStudioActor(spec, tunnel)
        case "llamacpp":
            from quarterdeck.endpoints.acting.llama_router import RouterActor

            return RouterActor(spec, tunnel)
        case "llama-swap":
            from quarterdeck.endpoints.acting.llama_swap import LlamaSwapActor

            return LlamaSwapActor(spec, tunnel)
        case "vllm":
            from quarterdeck.endpoints.acting.vllm import VllmActor

            return VllmActor(spec, tunnel)
        case _:
            raise Failure(Outcome.FAILED, f"nothing can be done to a server of {engine or 'an unknown engine'}")
