"""The load of an Ollama, which exports none: the best source that answers at this poll, each number labelled with its own.

1. its /metrics page, if it has one; 2. its runners' /slots, when it runs on this machine; 3. the established connections to its port,
an upper bound; 4. the access log, for requests a minute. What none of them tells stays unknown, with how to get it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from quarterdeck.endpoints.ollama_metrics import OllamaMetrics
from quarterdeck.endpoints.ollama_runners import Runners, RunnersLoad
from quarterdeck.model.models import ModelReading
from quarterdeck.model.ollama import Connections, Sight
from quarterdeck.model.rates import total
from quarterdeck.model.reading import AccessLog, EngineReading
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch

T = TypeVar("T")
NO_LOAD = "running, waiting and tok/s are unknown: Ollama exports no load numbers"
REMOTE = "run quarterdeck on its machine, or put a metrics proxy in front of it"
NO_QUEUE = "waiting is unknown: Ollama tells no queue; a metrics proxy in front of it would, or OLLAMA_METRICS=1 where it knows that"
METERED = "tok/s is at least this: counted from the slots, which forget what a request made after the last look at it"
BOUND = "running is at most this: the open connections to its port, idle ones included"
OWN_TIMES = "TTFT and ITL are known of this console's own requests only"
IDLE = "no model loaded"
NO_RUNNERS = "a model is loaded, but no runner of it is among the processes"
SLOW = "no answer in time"
_FIELDS = ("running", "waiting", "generation_tokens", "prompt_tokens")
_FIELD_OF = {
    NO_QUEUE: "waiting",
    METERED: "generation_tokens",
    "generation_tps": "generation_tokens",
    "prompt_tps": "prompt_tokens",
}
"""Which field of a reading a note or an estimate is about; all others are about the requests that run."""
_METRICS_SHARE, _LOOK_SHARE, _SLOTS_SHARE, _COUNT_SHARE = 0.3, 0.3, 0.4, 0.15
"""Parts of a poll's time, the first two of them at once, so that a source that hangs leaves time for the next."""


class Local(Protocol):
    """What this machine tells of an Ollama on it (`quarterdeck.hosts.ollama.local`). Never raises."""

    async def look(self, names: Sequence[str], loaded: int) -> Sight:
        """Its runners and its access log. ``names``: its models, of which the first ``loaded`` are in memory."""
        ...

    async def connections(self) -> Connections:
        """How many are connected to its port."""
        ...


@dataclass(frozen=True, slots=True)
class Load:
    """What is known of the load at one poll."""

    engines: tuple[EngineReading, ...] = ()
    notes: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    estimates: frozenset[str] = frozenset()
    loading: tuple[str, ...] = ()
    """Names of models on their way into memory."""
    access_log: AccessLog | None = None
    measured_at: float | None = None


class Ladder:
    """The sources of one Ollama, tried anew at each poll: falling off a rung shows at the next."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float], local: Local | None) -> None:
        """``local``: ``None`` where it runs elsewhere."""
        self._timeout = fetch.target.timeout
        self._metrics = OllamaMetrics(fetch, monotonic)
        self._runners = Runners(monotonic, self._timeout * _SLOTS_SHARE)
        self._local = local

    async def read(self, loaded: Sequence[ModelReading], installed: Sequence[ModelReading]) -> Load:
        """``loaded``: the models in memory. Raises nothing but cancellation."""
        names = [model.id for model in (*loaded, *installed)]
        (page, trouble), sight = await asyncio.gather(self._page(), self._look(names, len(loaded)))
        notes = (trouble,) if trouble else ()
        if page is not None and page.running is not None and page.generation_tokens is not None:
            load = Load((page,), origins=self._metrics.origins, measured_at=self._metrics.measured_at)
        else:
            load = _filled(page, await self._beside(sight, loaded), self._metrics.origins, self._metrics.measured_at)
        return _with_log(replace(load, notes=(*notes, *load.notes)), sight)

    async def _page(self) -> tuple[EngineReading | None, str]:
        try:
            async with asyncio.timeout(self._timeout * _METRICS_SHARE):
                return await self._metrics.read(), ""
        except TimeoutError:
            return None, f"/metrics: {SLOW}"
        except Failure as failure:
            return None, f"/metrics: {failure.reason}"

    async def _look(self, names: Sequence[str], loaded: int) -> Sight | None:
        if self._local is None:
            return None
        late = Sight(reason=f"its processes: {SLOW}", log_reason=f"the access log: {SLOW}")
        return await _within(self._timeout * _LOOK_SHARE, self._local.look(names, loaded), late)

    async def _beside(self, sight: Sight | None, loaded: Sequence[ModelReading]) -> Load:
        """Rungs two and three."""
        if self._local is None or sight is None:
            return Load(notes=(f"{NO_LOAD}; {REMOTE}",))
        if sight.runners is None:
            return await self._counted(self._local, sight.reason)
        if not sight.runners and loaded:
            return await self._counted(self._local, NO_RUNNERS)
        if not sight.runners:
            idle = EngineReading(IDLE, running=0, generation_tokens=0.0, prompt_tokens=0.0, started=sight.began)
            return Load((idle,), (NO_QUEUE, OWN_TIMES), {"running": "its processes: no runner"})
        told = await self._runners.read(sight.runners, sight.began, loaded)
        if not told.told and told.engines:
            return replace(await self._counted(self._local, told.reason), loading=told.loading)
        return await self._told(self._local, told)

    async def _told(self, local: Local, told: RunnersLoad) -> Load:
        """The runners' numbers. A single one that doesn't tell has at most the connections that the others don't explain."""
        engines, notes = told.engines, [METERED] if told.metered else []
        estimates = {"generation_tps", "prompt_tps"} if told.metered else set()
        origins = {name: told.origin for name in ("running", "generation_tokens", "prompt_tokens") if told.told}
        if told.told < len(engines):
            notes.insert(0, f"load of {told.told} of {len(engines)} runners is known: {told.reason}")
        if told.told == len(engines) - 1:
            count = (await self._connections(local)).count
            if count is not None:
                rest = max(0, count - sum(engine.running or 0 for engine in engines))
                engines = tuple(replace(e, running=rest) if e.running is None else e for e in engines)
                estimates.add("running")
                origins["running"] += ", and the rest of the connections to its port"
                notes.insert(0, BOUND)
        return Load(
            engines,
            (*notes, NO_QUEUE, OWN_TIMES),
            origins,
            frozenset(estimates),
            told.loading,
            measured_at=told.measured_at,
        )

    async def _counted(self, local: Local, reason: str) -> Load:
        """The connections, ``reason`` being why the runners tell nothing."""
        found = await self._connections(local)
        if found.count is None:
            others = f"; {found.reason}" if found.reason != reason else ""
            return Load(notes=(f"{NO_LOAD}: {reason}{others}",))
        return Load(
            (EngineReading(running=found.count),),
            (BOUND, f"tok/s is unknown: {reason}", NO_QUEUE, OWN_TIMES),
            {"running": "established connections to its port, an upper bound"},
            frozenset({"running"}),
        )

    async def _connections(self, local: Local) -> Connections:
        late = Connections(reason=f"its connections: {SLOW}")
        return await _within(self._timeout * _COUNT_SHARE, local.connections(), late)


async def _within(seconds: float, work: Coroutine[Any, Any, T], late: T) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return late


def _filled(page: EngineReading | None, load: Load, origins: dict[str, str], measured_at: float | None) -> Load:
    """``load``, or the metrics page with what it lacks from there."""
    if page is None:
        return load
    lacking = {name for name in _FIELDS if getattr(page, name) is None}
    below: dict[str, Any] = {name: total([getattr(engine, name) for engine in load.engines]) for name in lacking}
    below |= {name: int(below[name]) for name in ("running", "waiting") if below.get(name) is not None}
    if page.started is None:  # a sum over runners falls when one of them goes: that is no restart
        below["started"] = next((engine.started for engine in load.engines), None)
    return replace(
        load,
        engines=(replace(page, **below),),
        notes=tuple(note for note in load.notes if _FIELD_OF.get(note, "running") in lacking),
        origins={**load.origins, **origins},
        estimates=frozenset(name for name in load.estimates if _FIELD_OF.get(name, name) in lacking),
        measured_at=measured_at,
    )


def _with_log(load: Load, sight: Sight | None) -> Load:
    """The fourth rung, which stands beside the others."""
    if sight is None:
        return load
    if sight.access_log is None:
        reason = f"requests a minute are unknown: {sight.log_reason}"
        return replace(load, notes=(*load.notes, reason)) if sight.log_reason else load
    origins = {**load.origins, "access_log": sight.access_log.origin}
    return replace(load, access_log=sight.access_log, origins=origins)
