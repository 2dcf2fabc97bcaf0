"""llama.cpp's llama-server: one model, or a router over several.

Sources: GET /metrics (needs --metrics), /slots (live tokens), /props, /v1/models; as a router /models and per loaded model
/metrics?model=…&autoload=false. Two traps shape the code: /slots keeps a server with --sleep-idle-seconds awake, so it is read
only while /metrics shows requests in progress; and a router's per-model pages load that model unless autoload=false is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from quarterdeck.endpoints.base import Cadence, openai_models
from quarterdeck.endpoints.llama_pages import LoadPages
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts
from quarterdeck.wire.body import items, mapping, parse, text, whole
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Fetch

NO_METRICS = (
    "no load numbers: start llama-server with --metrics to see requests and tokens; /slots alone is not asked, as that"
    " keeps a server awake that is to sleep when it is idle"
)
NO_LATENCIES = (
    "no latency percentiles and no requests/s: llama-server counts neither; timings are those of our own requests"
)
NO_CACHE = "how full its KV cache is, llama-server no longer tells"
NOTHING_LOADED = (
    "no load numbers: no model is in memory, and a router counts nothing itself; they come with the first request"
)
STILL_LOADING = "no load numbers yet: {} is being loaded"
NO_ROUTER = "this llama-server serves one model: started without -m, as a router, it loads and unloads by request"
_CANNOT = dict.fromkeys(("pull", "load", "unload", "unload_all", "delete"), NO_ROUTER)
CAPACITY_ORIGIN = {"kv_capacity_tokens": "/props default_generation_settings.n_ctx"}
IDENTITY_ORIGINS = {"version": "/props build_info", "models": "/v1/models, /props"}
SLEEPING_ORIGIN = {"sleeping": "/props is_sleeping"}
ROUTER_ORIGINS = {"version": "/props build_info", "models": "/models"}
MOST_ROUTED = 8
_ROUTER_STATES = {
    "loaded": ModelState.LOADED,
    "loading": ModelState.LOADING,
    "downloading": ModelState.LOADING,
    "sleeping": ModelState.SLEEPING,
    "unloaded": ModelState.INSTALLED,
}


class LlamaCpp:
    """One llama-server."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._identity_due = Cadence(monotonic)
        self._is_router = False
        self._version: str | None = None
        self._context: int | None = None
        self._slots: int | None = None
        self._told: tuple[tuple[str, str], ...] = ()
        self._sleeping = False
        self._models: tuple[ModelReading, ...] = ()
        self._load = LoadPages(fetch)
        self._routed: dict[str, LoadPages] = {}

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
        self._slots = whole(props.get("total_slots"))
        self._sleeping = props.get("is_sleeping") is True
        self._told = _of_router(props) if self._is_router else _of_server(props)
        if not self._is_router:
            listing = await self._fetch.optional("/v1/models")
            self._models = (openai_models(listing.body, ModelState.LOADED) or ()) if listing else ()

    async def _single_facts(self) -> Facts:
        engine = await self._load.read("0")
        if engine is not None and engine.running:
            self._sleeping = False
        if engine is not None and self._slots == 1:  # several may share one cache or split it: /props doesn't tell
            engine = replace(engine, kv_capacity_tokens=self._context or None)
        state = ModelState.SLEEPING if self._sleeping else ModelState.LOADED
        models = tuple(replace(m, state=state, context_length=self._context or m.context_length) for m in self._models)
        origins = IDENTITY_ORIGINS | self._load.origins | (SLEEPING_ORIGIN if self._sleeping else {})
        if engine is not None and engine.kv_capacity_tokens is not None:
            origins |= CAPACITY_ORIGIN
        return Facts(
            "llamacpp",
            version=self._version,
            engines=(engine,) if engine else (),
            models=models,
            sleeping=self._sleeping,
            measured_at=self._fetch.middle,
            notes=(NO_METRICS,) if engine is None else _missing(engine),
            cannot=_CANNOT,
            origins=origins,
            identity=self._told + _slots_in_use(engine, self._slots),
        )

    async def _routed_facts(self) -> Facts:
        listing = parse((await self._fetch.get("/models")).body)
        models = tuple(
            m for entry in items(mapping(listing).get("data")) if (m := _routed_model(mapping(entry))) is not None
        )
        engines, notes = await self._loads([m.id for m in models if m.state is ModelState.LOADED])
        if not engines and not notes:
            loading = next((m.id for m in models if m.state is ModelState.LOADING), None)
            notes = (NOTHING_LOADED if loading is None else STILL_LOADING.format(loading),)
        return Facts(
            "llamacpp",
            version=self._version,
            engines=engines,
            by_model=True,
            models=models,
            measured_at=self._fetch.middle,
            notes=notes + (_missing(*engines) if engines else ()),
            origins=ROUTER_ORIGINS | next((pages.origins for pages in self._routed.values()), {}),
            identity=self._told,
        )

    async def _loads(self, loaded: list[str]) -> tuple[tuple[EngineReading, ...], tuple[str, ...]]:
        """Load of each loaded model, and notes. One that isn't read has no numbers, so that no sum is taken for the whole."""
        self._routed = {
            name: self._routed.get(name) or LoadPages(self._fetch, _model_query(name)) for name in loaded[:MOST_ROUTED]
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


def _missing(*engines: EngineReading) -> tuple[str, ...]:
    """What no llama-server tells of its load; how full the cache is, older builds do."""
    told = any(engine.kv_used is not None for engine in engines)
    return (NO_LATENCIES,) if told else (NO_CACHE, NO_LATENCIES)


async def _load_of(name: str, pages: LoadPages) -> EngineReading | Failure | None:
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


def _of_server(props: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """What /props tells of one model's server besides its load."""
    path = (text(props.get("model_path")) or "").replace("\\", "/").rpartition("/")[2]
    context = whole(mapping(props.get("default_generation_settings")).get("n_ctx"))
    kinds = [name for name, can in mapping(props.get("modalities")).items() if can is True]
    told = (
        ("model file", path or None),
        ("file type", text(props.get("model_ftype"))),
        ("context per slot", f"{context} tokens" if context else None),
        ("modalities", text(", ".join(["text", *kinds])) if "modalities" in props else None),
    )
    return tuple((name, value) for name, value in told if value is not None)


def _of_router(props: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    most, autoload = whole(props.get("max_instances")), props.get("models_autoload")
    told = (
        ("most models at once", None if most is None else str(most)),
        (
            "loads on demand",
            {True: "yes", False: "no"}.get(autoload) if isinstance(autoload, bool) else None,
        ),
    )
    return tuple((name, value) for name, value in told if value is not None)


def _slots_in_use(engine: EngineReading | None, slots: int | None) -> tuple[tuple[str, str], ...]:
    if slots is None:
        return ()
    running = engine.running if engine is not None else None
    return (("slots", str(slots) if running is None else f"{min(running, slots)} of {slots} in use"),)
