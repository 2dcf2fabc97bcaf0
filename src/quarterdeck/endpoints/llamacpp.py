"""llama.cpp's llama-server: one model, or a router over several.

Sources: GET /metrics (needs --metrics), /slots (live tokens), /props, /v1/models; as a router /models and per loaded model
/metrics?model=…&autoload=false. Two traps shape the code: /slots keeps a server with --sleep-idle-seconds awake, so it is read
only while /metrics shows requests in progress; and a router's per-model pages load that model unless autoload=false is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from quarterdeck.endpoints.base import Cadence, openai_models
from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts
from quarterdeck.wire.body import items, mapping, number, parse, text, whole
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Answer, Fetch
from quarterdeck.wire.prometheus import PageReader

METRICS = MetricMap(
    {
        "running": ("llamacpp:requests_processing",),
        "waiting": ("llamacpp:requests_deferred",),
        "generation_tokens": ("llamacpp:tokens_predicted_total",),
        "prompt_tokens": ("llamacpp:prompt_tokens_total",),
        "steps": ("llamacpp:n_decode_total",),
    }
)
NO_METRICS = "no load numbers: start llama-server with --metrics to see requests and tokens"
MOST_ROUTED = 8
CONSISTENT_TRIES = 3
_ROUTER_STATES = {
    "loaded": ModelState.LOADED,
    "loading": ModelState.LOADING,
    "downloading": ModelState.LOADING,
    "sleeping": ModelState.SLEEPING,
    "unloaded": ModelState.INSTALLED,
}


@dataclass(slots=True)
class _LoadPages:
    """Reads the load of one model process, directly or through a router (``query`` names the model then)."""

    fetch: Fetch
    query: str
    reader: PageReader
    pages: EnginePages

    @classmethod
    def of(cls, fetch: Fetch, query: str = "") -> _LoadPages:
        return cls(fetch, query, PageReader(METRICS.wanted), EnginePages(METRICS))

    async def read(self, label: str) -> EngineReading | None:
        """``None`` where the server runs without --metrics."""
        reading = await self._counters(label)
        if reading is None:
            return None
        for tries_left in reversed(range(CONSISTENT_TRIES)):
            if not reading.running:
                # The counters hold finished requests only; while nothing runs there is nothing beside them.
                return replace(reading, unfinished_tokens=0.0, unfinished_prompt_tokens=0.0)
            slots = await self.fetch.optional("/slots" + self.query)
            after = await self._counters(label)
            if slots is None or after is None:
                return reading
            if _same_counters(reading, after):  # no request ended in between: each token is in one of the two
                return _with_slots(after, slots)
            if (
                not tries_left
            ):  # requests end all the time: those that did just now are missed rather than counted twice
                return _with_slots(reading, slots)
            reading = after
        return reading

    async def _counters(self, label: str) -> EngineReading | None:
        answer = await self.fetch.optional("/metrics" + self.query)
        if answer is None:
            return None
        engines = self.pages.engines(self.reader.read(answer.body))
        return replace(engines[0], label=label, started=_started(answer.headers)) if engines else None


def _same_counters(one: EngineReading, other: EngineReading) -> bool:
    return (one.generation_tokens, one.prompt_tokens) == (other.generation_tokens, other.prompt_tokens)


def _started(headers: Mapping[str, str]) -> float | None:
    """What the server calls its start (microseconds since the machine's, in fact): the same as long as the process lives."""
    try:
        started = float(headers.get("process-start-time-unix", ""))
    except ValueError:
        return None
    return started if 0 <= started < 1e18 else None


def _with_slots(reading: EngineReading, answer: Answer) -> EngineReading:
    """Adds the tokens of running requests, which the counters miss until a request ends."""
    decoded = prompted = 0.0
    for entry in items(answer.json(), 4096):
        slot = mapping(entry)
        if slot.get("is_processing") is not True:
            continue
        following = slot.get("next_token")
        first = mapping(following[0]) if isinstance(following, list) and following else mapping(following)
        so_far = max(0.0, number(first.get("n_decoded")) or 0.0)
        decoded += so_far
        if not so_far:  # the prompt counter takes a prompt when its first token comes
            prompted += max(0.0, number(slot.get("n_prompt_tokens_processed")) or 0.0)
    return replace(reading, unfinished_tokens=decoded, unfinished_prompt_tokens=prompted)


class LlamaCpp:
    """One llama-server."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._identity_due = Cadence(monotonic)
        self._is_router = False
        self._version: str | None = None
        self._context: int | None = None
        self._sleeping = False
        self._models: tuple[ModelReading, ...] = ()
        self._load = _LoadPages.of(fetch)
        self._routed: dict[str, _LoadPages] = {}

    async def read(self) -> Facts:
        """Raises Failure(LOADING) while the model loads (every page answers 503 then)."""
        if self._identity_due.due():
            await self._identify()
            self._identity_due.done()
        return await self._routed_facts() if self._is_router else await self._single_facts()

    async def _identify(self) -> None:
        props = mapping((await self._fetch.get("/props")).json())
        if "build_info" not in props and "total_slots" not in props and "default_generation_settings" not in props:
            raise foreign("llama.cpp")
        self._is_router = props.get("role") == "router"
        self._version = text(props.get("build_info"))
        self._context = whole(mapping(props.get("default_generation_settings")).get("n_ctx"))
        self._sleeping = props.get("is_sleeping") is True
        if not self._is_router:
            listing = await self._fetch.optional("/v1/models")
            self._models = (openai_models(listing.body, ModelState.LOADED) or ()) if listing else ()

    async def _single_facts(self) -> Facts:
        engine = await self._load.read("0")
        if engine is not None and engine.running:
            self._sleeping = False
        state = ModelState.SLEEPING if self._sleeping else ModelState.LOADED
        models = tuple(replace(m, state=state, context_length=self._context or m.context_length) for m in self._models)
        return Facts(
            "llamacpp",
            version=self._version,
            engines=(engine,) if engine else (),
            models=models,
            sleeping=self._sleeping,
            measured_at=self._fetch.middle,
            notes=() if engine else (NO_METRICS,),
        )

    async def _routed_facts(self) -> Facts:
        listing = parse((await self._fetch.get("/models")).body)
        models = tuple(
            m for entry in items(mapping(listing).get("data")) if (m := _routed_model(mapping(entry))) is not None
        )
        engines, notes = await self._loads([m.id for m in models if m.state is ModelState.LOADED])
        return Facts(
            "llamacpp",
            version=self._version,
            engines=engines,
            models=models,
            measured_at=self._fetch.middle,
            notes=notes,
        )

    async def _loads(self, loaded: list[str]) -> tuple[tuple[EngineReading, ...], tuple[str, ...]]:
        """Load of each loaded model, and notes. One that isn't read has no numbers, so that no sum is taken for the whole."""
        self._routed = {
            name: self._routed.get(name) or _LoadPages.of(self._fetch, _model_query(name))
            for name in loaded[:MOST_ROUTED]
        }
        answers = await asyncio.gather(*(_load_of(name, pages) for name, pages in self._routed.items()))
        read: dict[str, EngineReading | None] = dict.fromkeys(loaded)
        for name, answer in zip(self._routed, answers, strict=True):
            if not isinstance(answer, Failure):
                read[name] = answer
            elif answer.status is None:
                raise answer
            elif answer.status == 400:  # unloaded between the listing and now: "model is not loaded"
                del read[name]
        known = sum(engine is not None for engine in read.values())
        if not known and not any(isinstance(answer, Failure) for answer in answers):
            return (), (NO_METRICS,) if read else ()
        notes = () if known == len(read) else (f"load of {known} of {len(read)} loaded models is known",)
        return tuple(engine or EngineReading(label=name) for name, engine in read.items()), notes


async def _load_of(name: str, pages: _LoadPages) -> EngineReading | Failure | None:
    try:
        return await pages.read(name)
    except Failure as failure:
        return failure


def _model_query(name: str) -> str:
    return f"?model={quote(name, safe='')}&autoload=false"


def _routed_model(entry: Mapping[str, object]) -> ModelReading | None:
    name = text(entry.get("id"))
    if name is None:
        return None
    status = mapping(entry.get("status"))
    state = _ROUTER_STATES.get(text(status.get("value")) or "", ModelState.SERVED)
    if status.get("failed") is True and state is ModelState.INSTALLED:
        state = ModelState.FAILED
    meta = mapping(entry.get("meta"))
    return ModelReading(
        name,
        state,
        size_bytes=whole(meta.get("size")),
        context_length=whole(meta.get("n_ctx")),
        quantization=text(meta.get("ftype")),
    )
