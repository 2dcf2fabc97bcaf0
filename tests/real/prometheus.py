"""A Prometheus that scrapes one server: its own arithmetic, and every page of the server as it stored it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .install import prometheus
from .servers import HOST, Reaper, Server, free_port
from .waiting import STEP_S

SCRAPE_S = 0.5
READY_S = 30.0
SCRAPED_WITHIN_S = 30.0
MARGIN_S = 0.01
"""Prometheus moves the time of a scrape by up to 2 ms, so that it compresses better."""
JOB = '{job="server"}'
Labels = Mapping[str, str]


@dataclass(slots=True)
class Page:
    """One page of the server; it was made between ``at`` and ``at + took``, Unix seconds."""

    at: float
    took: float = 0.0
    values: dict[str, list[tuple[Labels, float]]] = field(default_factory=dict)
    """Sample name → labels and value."""

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of that name that have these labels; KeyError where there is none."""
        matching = [value for found, value in self.values.get(name, []) if labels.items() <= found.items()]
        if not matching:
            raise KeyError(name, labels)
        return sum(matching)

    def buckets(self, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Rising bounds of a histogram and its cumulative counts, summed over all other labels."""
        sums: dict[float, float] = {}
        for labels, value in self.values[name]:
            bound = float(labels["le"])
            sums[bound] = sums.get(bound, 0.0) + value
        return tuple(sorted(sums)), tuple(sums[bound] for bound in sorted(sums))


def around(pages: Sequence[Page], begin: float, end: float) -> tuple[Page, Page]:
    """The last page that was complete before ``begin``, and the first that was begun after ``end``."""
    before = [page for page in pages if page.at + page.took <= begin - MARGIN_S]
    after = [page for page in pages if page.at >= end + MARGIN_S]
    assert before, "Prometheus has no page from before that"
    assert after, "Prometheus has no page from after that"
    return before[-1], after[0]


class Prometheus:
    """Asks a running Prometheus. Times are Unix seconds."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=10.0, trust_env=False)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def value(self, expression: str, at: float) -> float | None:
        """The only value of an expression; ``None`` where there is none. NaN is NaN."""
        result = await self._query(expression, at)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    async def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Any answer of its API, with its status."""
        answer: dict[str, Any] = (await self._client.get(path, params=parameters)).json()
        return answer

    async def pages(self, since: float, until: float) -> list[Page]:
        """What was scraped with success in between, oldest first, without the ``_created`` series."""
        span = f"[{max(1, round((until - since) * 1000))}ms]"
        found: dict[float, Page] = {}
        for series in await self._query('{job="server",__name__!~".+_created"}' + span, until):
            labels = dict(series["metric"])
            name = labels.pop("__name__")
            for at, text in series["values"]:
                page = found.setdefault(at, Page(at))
                page.values.setdefault(name, []).append((labels, float(text)))
        for page in found.values():
            page.took = page.total("scrape_duration_seconds")
        return [found[at] for at in sorted(found) if found[at].total("up") == 1]

    async def pages_past(self, since: float, until: float) -> list[Page]:
        """The pages since ``since``, as soon as the last of them was begun after ``until``."""
        await self._scraped(1, until + MARGIN_S)
        return await self.pages(since, time.time())

    async def settled(self) -> None:
        """Return after two scrapes from now on: the page before what is asked then is no older than now."""
        await self._scraped(2, time.time() + MARGIN_S)

    async def _scraped(self, count: int, since: float) -> None:
        deadline = time.monotonic() + SCRAPED_WITHIN_S
        while True:
            series = await self._query(f"up{JOB}[60s]", time.time())
            if sum(at >= since and text == "1" for one in series for at, text in one["values"]) >= count:
                return
            assert time.monotonic() < deadline, "Prometheus scrapes nothing"
            await asyncio.sleep(STEP_S)

    async def _query(self, expression: str, at: float) -> list[dict[str, Any]]:
        answer = await self._client.post("/api/v1/query", data={"query": expression, "time": f"{at:.3f}"})
        body = answer.json()
        assert body["status"] == "success", body
        result: list[dict[str, Any]] = body["data"]["result"]
        return result


Scraping = Callable[..., contextlib.AbstractAsyncContextManager[Prometheus]]
"""`scraping` of a server, without ``folder`` and ``reaper``."""


@contextlib.asynccontextmanager
async def scraping(
    server: Server,
    folder: Path,
    reaper: Reaper,
    *,
    page: str = "/metrics",
    query: Mapping[str, str] | None = None,
    rules: Path | None = None,
) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes ``server`` twice a second, as long as the block; it has a page already when that begins.

    It evaluates the file of ``rules`` as often.
    """
    port, name = free_port(), f"prometheus-{server.name}-{time.monotonic_ns()}"
    job: dict[str, object] = {
        "job_name": "server",
        "metrics_path": page,
        "params": {name: [value] for name, value in (query or {}).items()},
        "static_configs": [{"targets": [f"{HOST}:{server.port}"]}],
    }
    if server.key:
        job["authorization"] = {"credentials": server.key}
    interval = f"{SCRAPE_S * 1000:.0f}ms"
    config = folder / f"{name}.yml"  # JSON is YAML
    pace = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    rule_files = [str(rules)] if rules is not None else []
    config.write_text(json.dumps({"global": pace, "rule_files": rule_files, "scrape_configs": [job]}))
    command = (
        *(str(prometheus()), f"--config.file={config}", f"--storage.tsdb.path={folder / name}"),
        *(f"--web.listen-address={HOST}:{port}", "--log.level=warn"),
    )
    own = Server(
        name, command, port, folder / f"{name}.log", reaper, "", {"GOMAXPROCS": "1"}, ready_s=READY_S, health="/-/ready"
    )
    asking = Prometheus(own.url)
    try:
        await asyncio.to_thread(own.start)
        started = time.time()
        await asking.pages_past(started - 10, started)
        yield asking
    finally:
        await asking.close()
        await asyncio.to_thread(own.kill)
