"""A timed request of our own to an endpoint, on somebody's word: which model it goes to, and what forbids it."""

from __future__ import annotations

from quarterdeck.engine.engine import Engine
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.format import duration, rate
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.own import OwnRequest

_READY = (ModelState.LOADED, ModelState.SERVED)
_SILENT = (State.DOWN, State.AUTH, State.LOADING, State.SLEEPING)


def probed_model(view: EndpointView, wanted: str | None = None) -> ModelReading:
    """The model to ask: the one called ``wanted``, else the first that is in memory. Raises UsageError with what to do."""
    if view.state in _SILENT:
        raise UsageError(f"{view.name} is {view.state.value}: {view.reason}", hint="A request would fail, or wake it.")
    if wanted is not None:
        found = next((model for model in view.models if wanted in (model.id, model.label)), None)
        if found is None:
            names = ", ".join(model.label for model in view.models[:5]) or "none"
            raise UsageError(f"{view.name} has no model {wanted!r}", hint=f"It has {names}.")
        if found.state not in _READY:
            raise UsageError(f"{found.label} is not in memory", hint="A request would load it.")
        return found
    ready = ready_models(view)
    if not ready:
        raise UsageError(f"{view.name} has no model in memory", hint="A request would load one.")
    return ready[0]


def ready_models(view: EndpointView) -> list[ModelReading]:
    """Those that answer without being loaded first; none of an endpoint that a request would wake, or that can't answer."""
    if view.state in _SILENT:
        return []
    return [model for model in view.models if model.state in _READY]


async def probe(
    engine: Engine, name: str, wanted: str | None = None, *, most_tokens: int | None = None
) -> tuple[ModelReading, OwnRequest]:
    """Send one small request and time it; ``most_tokens``: how long the answer may be, unless it is the usual length.

    Raises UsageError where it can't or must not be sent, QuarterdeckError where it fails.
    """
    spec = next((spec for spec in engine.fleet.endpoints if spec.name == name), None)
    view = next((view for view in engine.snapshot().endpoints if view.name == name), None)
    if spec is None or view is None:
        names = ", ".join(spec.name for spec in engine.fleet.endpoints[:8]) or "none"
        raise UsageError(f"no endpoint is called {name!r}", hint=f"There are {names}.")
    if engine.fleet.console.read_only:
        raise UsageError("the fleet file says read_only", hint="A request costs the server work.")
    model = probed_model(view, wanted)
    from quarterdeck.endpoints.probe import MOST_TOKENS, timed
    from quarterdeck.wire.failure import Failure

    clock = engine.clock
    tunnel = engine.opening.tunnel(spec, clock)
    try:
        request = await timed(
            spec,
            view.engine or "openai",
            model,
            monotonic=clock.monotonic,
            wall=clock.wall,
            tunnel=tunnel,
            most_tokens=most_tokens or MOST_TOKENS,
        )
    except Failure as failure:
        raise QuarterdeckError(f"{name} did not answer: {failure.reason}") from None
    engine.note_own(name, request)
    return model, request


def in_words(request: OwnRequest) -> str:
    """ "TTFT 420 ms, 41 tok/s (16 tokens)"."""
    tokens = f" ({request.tokens} tokens)" if request.tokens is not None else ""
    return f"TTFT {duration(request.ttft_s)}, {rate(request.decode_tps)} tok/s{tokens}"
