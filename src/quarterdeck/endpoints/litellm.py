"""LiteLLM's proxy: its models, the deployments behind them and their state, requests in flight, tokens and spend.

Never /health: that calls every model, which costs. Sources: GET /metrics/ at every poll (where ``callbacks`` has prometheus), else
/health/backlog; /health/readiness (needs no key), /v1/models and /model/info every 15 s; /health/readiness/details until it told
the version. A request without a good key counts as a failed one in its metrics, so a refused key is tried every 15 s only.
The proxy is one busy process: after the first poll what changes seldom is asked for one page a poll, and never at a poll's cost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from quarterdeck.endpoints.base import Cadence, Partly, openai_models
from quarterdeck.endpoints.litellm_page import Counted, LiteLLMPage
from quarterdeck.endpoints.metrics_page import AGAIN_EVERY_S
from quarterdeck.format import printable
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Deployment, Facts, Outcome
from quarterdeck.wire.body import LONGEST_TEXT, items, mapping, text, whole
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Fetch

NO_BACKLOG = "running and waiting are unknown: this LiteLLM has no /health/backlog"
NO_QUEUE = "waiting is unknown: LiteLLM has a queue only with admission control (max_in_flight_requests)"
UPPER_BOUND = "running counts every HTTP request that the proxy has in flight, but ours: an upper bound"
READINESS = "/health/readiness"
BACKLOG = "/health/backlog"
MODELS = "/v1/models"
KEY_WANTED = "key missing or wrong"
REFRESH_SHARE = 0.3
"""The part of a poll's time that asking again for what is known may take."""


class LiteLLM:
    """One LiteLLM proxy."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._page = LiteLLMPage(fetch, monotonic)
        self._readiness_due, self._models_due = Cadence(monotonic), Cadence(monotonic)
        self._steps = (
            (self._readiness_due, self._ready),
            (self._models_due, self._list_models),
            (Cadence(monotonic), self._list_deployments),
            (Cadence(monotonic), self._tell_version),
        )
        self._backlog_again = Cadence(monotonic, AGAIN_EVERY_S)
        self._backlog_note = ""
        self._identity = Facts("litellm")
        self._deployments: tuple[tuple[str, Deployment], ...] = ()
        self._notes: dict[str, str] = {}
        self._refusal: Failure | None = None
        self._knows = False
        self._measured_at: float | None = None

    async def read(self) -> Facts:
        """Raises Partly where the proxy is ready and wants a key: all that is public is known then."""
        knew = self._knows
        if not knew:
            await self._learn()
        backlog, counted = await self._load()
        self._measured_at = self._fetch.middle
        if knew:
            await self._refresh()
        return self._facts(backlog, counted)

    async def _learn(self) -> None:
        """Everything that changes seldom, for the first time: over several polls where the proxy is slow.

        A refused key is tried again when it is due; until then only what is public is asked for.
        """
        if self._refusal is not None:
            await self._ready()
            self._readiness_due.done()
            if not self._models_due.due():
                raise Partly(self._refusal, self._identity)
            self._refusal = None
        for cadence, step in self._steps:
            if cadence.due():
                await step()
                cadence.done()
            if self._refusal is not None:
                raise Partly(self._refusal, self._identity)
        self._knows = True

    async def _refresh(self) -> None:
        """One of it, the first that is due, once more."""
        due = next((one for one in self._steps if one[0].due()), None)
        if due is None:
            return
        cadence, step = due
        cadence.done()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._fetch.target.timeout * REFRESH_SHARE):
                await step()
        if self._refusal is not None:
            self._knows = False
            raise Partly(self._refusal, self._identity)

    async def _ready(self) -> None:
        try:
            body = mapping((await self._fetch.get(READINESS)).json())
        except Failure as failure:
            if failure.status == 503:
                raise Failure(
                    Outcome.FAILED, "503: not ready: shutting down, or without its database", status=503
                ) from None
            if failure.status in (404, 405):
                raise foreign("LiteLLM") from None
            raise
        if "status" not in body:
            raise foreign("LiteLLM")
        database = text(body.get("db"))
        kept = tuple(pair for pair in self._identity.identity if pair[0] != "database")
        told = (("database", database),) if database is not None else ()
        self._identity = replace(self._identity, identity=told + kept, measured_at=self._fetch.middle)

    async def _list_models(self) -> None:
        """Or why not: as a matter of the key, or a note where they are known already."""
        self._notes.pop(MODELS, None)
        try:
            listing = await self._fetch.optional(MODELS)
        except Failure as failure:
            if self._is_about_the_key(failure):
                reason = failure.reason if failure.outcome is Outcome.AUTH else f"{failure.status}: {KEY_WANTED}"
                self._refusal = Failure(Outcome.AUTH, reason, status=failure.status)
                self._identity = replace(self._identity, models=())
            elif failure.status is None or not self._knows:
                raise
            else:
                self._notes[MODELS] = f"{MODELS}: {failure.reason}"
            return
        models = (openai_models(listing.body, ModelState.SERVED) or ()) if listing else ()
        self._identity = replace(self._identity, models=models)

    async def _list_deployments(self) -> None:
        self._deployments = deployments_of(await self._tried("/model/info"))

    async def _tell_version(self) -> None:
        if self._identity.version is None:
            details = await self._tried(f"{READINESS}/details")
            self._identity = replace(self._identity, version=text(details.get("litellm_version")))

    def _is_about_the_key(self, failure: Failure) -> bool:
        """Whether a (better) key is wanted: without a database the proxy says 400 to a wrong one, 500 to none."""
        if failure.outcome is Outcome.AUTH or failure.status == 400:
            return True
        return failure.status == 500 and self._fetch.target.auth is None

    async def _tried(self, path: str) -> Mapping[str, object]:
        """The object at ``path``; empty, and a note, where the server has or allows none."""
        self._notes.pop(path, None)
        try:
            answer = await self._fetch.optional(path)
        except Failure as failure:
            if failure.status is None:
                raise
            self._notes[path] = f"{path}: {failure.reason}"
            return {}
        return mapping(answer.json()) if answer else {}

    async def _load(self) -> tuple[Mapping[str, object], Counted]:
        """In-flight and queued requests from /health/backlog where the metrics page lacks them (asked once a minute if that fails)."""
        counted = await self._page.read()
        self._backlog_note = ""
        if counted.engine.running is not None:
            self._notes.pop(BACKLOG, None)
            return {}, counted
        body = await self._tried(BACKLOG) if self._backlog_again.due() else {}
        if "in_flight_requests" not in body:
            self._backlog_note = "" if BACKLOG in self._notes else NO_BACKLOG
            if self._backlog_again.due():
                self._backlog_again.done()
        return body, counted

    def _facts(self, backlog: Mapping[str, object], counted: Counted) -> Facts:
        by_page = counted.engine.running is not None
        in_flight = counted.engine.running if by_page else whole(backlog.get("in_flight_requests"))
        waiting = counted.engine.waiting if by_page else whole(backlog.get("queued_requests"))
        running = None if in_flight is None else max(0, in_flight - 1)  # the one that asks is among them
        engine = replace(counted.engine, running=running, waiting=waiting)
        about_load = (
            "" if running is None else UPPER_BOUND,
            NO_QUEUE if by_page and waiting is None else self._backlog_note,
        )
        deployments = tuple(replace(one, state=counted.states.get(key)) for key, one in self._deployments)
        notes = (*_ailing(deployments), *self._notes.values(), *about_load, *counted.notes)
        return replace(
            self._identity,
            engines=(engine,) if running is not None or engine.generation_tokens is not None else (),
            measured_at=self._measured_at,
            notes=tuple(note for note in notes if note),
            origins={**counted.origins, **_origins(by_page, counted)},
            estimates=frozenset(("running",)),
            deployments=deployments,
            spend=counted.spend,
        )


def _origins(by_page: bool, counted: Counted) -> dict[str, str]:
    """Where it came from what a page alone doesn't tell."""
    in_flight = "/metrics/ litellm_in_flight_requests" if by_page else "/health/backlog in_flight_requests"
    return {
        "running": f"{in_flight}, less our own",
        "deployments": "/model/info, /metrics/ litellm_deployment_state",
        "models": MODELS,
        "version": f"{READINESS}/details",
        **({} if by_page else {"waiting": "/health/backlog queued_requests"}),
        **({} if counted.spend is None else {"spend": counted.spend.origin}),
    }


def _ailing(deployments: tuple[Deployment, ...]) -> tuple[str, ...]:
    """A note that names the deployments that are not well."""
    ailing = [
        f"{one.backend} for {one.model}: {one.state}" for one in deployments if one.state not in (None, "healthy")
    ]
    more = f" and {len(ailing) - 3} more" if len(ailing) > 3 else ""
    return (f"{len(ailing)} of {len(deployments)} deployments ail: {'; '.join(ailing[:3])}{more}",) if ailing else ()


def deployments_of(info: Mapping[str, object]) -> tuple[tuple[str, Deployment], ...]:
    """The deployments of a /model/info answer, each with the id under which its state is counted."""
    found = []
    for entry in map(mapping, items(info.get("data"))):
        model = text(entry.get("model_name"))
        if model is None:
            continue
        parameters = mapping(entry.get("litellm_params"))
        named = (text(parameters.get("model")), _address(text(parameters.get("api_base"))))
        backend = printable(" at ".join(part for part in named if part), LONGEST_TEXT)
        found.append((text(mapping(entry.get("model_info")).get("id")) or "", Deployment(model, backend)))
    return tuple(found)


def _address(url: str | None) -> str:
    """Scheme, host, port and path: credentials and query, where keys can be, stay out."""
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host:
        return ""
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + (f":{port}" if port is not None else "") + parts.path
