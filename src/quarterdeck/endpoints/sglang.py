"""SGLang, by /v1/loads, which answers without --enable-metrics. Never /health: that generates a token.

Sources: GET /v1/loads?include=core at every poll; /server_info is large, so version and models come from /v1/loads and /v1/models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quarterdeck.endpoints.base import Cadence, first_owner, openai_models
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts
from quarterdeck.wire.body import fraction, items, mapping, number, text, whole
from quarterdeck.wire.failure import foreign
from quarterdeck.wire.http import Fetch

NO_LOADS = "no load numbers: this SGLang has no /v1/loads; update it to 0.5 or newer"
REPORTED = "tok/s is SGLang's own figure (gen_throughput), not measured from a counter"


class SGLang:
    """One SGLang server with all its data-parallel ranks."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._identity_due = Cadence(monotonic)
        self._models: tuple[ModelReading, ...] = ()
        self._known = False

    async def read(self) -> Facts:
        """Load of every rank."""
        answer = await self._fetch.optional("/v1/loads?include=core")
        body = mapping(answer.json()) if answer else {}
        if self._identity_due.due():
            listing = await self._fetch.optional("/v1/models")
            self._models = (openai_models(listing.body, ModelState.LOADED) or ()) if listing else ()
            self._known = first_owner(listing.body) == "sglang" if listing else False
            self._identity_due.done()
        if "loads" not in body:
            if not self._known:
                raise foreign("SGLang")
            return Facts("sglang", models=self._models, notes=(NO_LOADS,))
        engines = tuple(_engine(mapping(entry), index) for index, entry in enumerate(items(body["loads"], 1024)))
        return Facts(
            "sglang", version=text(body.get("version")), engines=engines, models=self._models, notes=(REPORTED,)
        )


def _engine(load: Mapping[str, object], index: int) -> EngineReading:
    rank = whole(load.get("dp_rank"))
    tps = number(load.get("gen_throughput"))
    running = whole(load.get("num_running_reqs"))
    if running == 0:
        tps = 0.0  # the server keeps its last figure when it falls idle
    return EngineReading(
        label=str(index if rank is None else rank),
        running=running,
        waiting=whole(load.get("num_waiting_reqs")),
        kv_used=fraction(load.get("token_usage")),
        reported_tps=tps if tps is not None and 0 <= tps < 1e9 else None,
    )
