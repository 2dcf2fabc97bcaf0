"""What we say of a real vLLM, beside what vllm-htop and Prometheus say of the same interval."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import State
from quarterdeck.model.latency import KINDS

from .agreement import (
    EXACT,
    HISTOGRAMS,
    KV_USED,
    TOLD_BY_HTOP,
    Interval,
    assert_prometheus_agrees_on_gauges,
    assert_prometheus_agrees_on_percentiles,
    assert_prometheus_agrees_on_rates,
    assert_same_minute,
    assert_same_percentiles,
    assert_same_rates,
    percentile,
)
from .prometheus import Page, Prometheus, Scraping, around
from .questions import ask_in_turn, asking_on_and_on
from .servers import Reaper, Server
from .streams import streaming
from .waiting import wait_until
from .watch import fleet_of
from .watchers import Moment, Sample, Watchers, sampled, watched

STREAMS = 12
QUESTIONS = 12
NARROW = 0.1
"""An interval at whose ends more than this part of it was counted between two polls is no test: the next one is looked at."""
SAMPLE_EVERY_S = 0.25
Watching = Callable[[int], contextlib.AbstractAsyncContextManager[Watchers]]


@pytest.fixture
def watching(vllm_server: Server, need: Callable[[str], None], folder: Path, reaper: Reaper) -> Watching:
    need("vllm-htop")
    need("prometheus")
    return lambda interval: watched(vllm_server, folder, reaper, interval=interval)


@pytest.mark.alone
async def test_rates_and_percentiles_under_load(vllm_server: Server, watching: Watching) -> None:
    async with watching(5) as watchers:
        begin = watchers.moments[0]
        compared: set[str] = set()
        async with asking_on_and_on(vllm_server):
            then = await watchers.more()
            while compared != {"rates", "percentiles"}:
                assert len(watchers.moments) < 24, compared
                now = await watchers.more()
                if assert_same_rates(then, now) <= NARROW:
                    compared.add("rates")
                if then.is_one and now.is_one:
                    assert_same_percentiles(now)
                    compared.add("percentiles")
                then, last = now, then
        pages = await watchers.prometheus.pages_past(begin.ours.begin - 2, now.ours.end)
        interval = Interval.between(last.ours, now.ours, pages)
        await assert_prometheus_agrees_on_rates(watchers.prometheus, interval)
        await assert_prometheus_agrees_on_percentiles(watchers.prometheus, interval)
        assert_cache_hits_agree(Interval.between(begin.ours, watchers.moments[2].ours, pages))
    view = now.ours.view
    assert view.latencies is not None
    assert set(view.latencies.last) == set(KINDS)
    assert dict(view.finished_ps or ())["length"] > 0
    assert (view.generation_tps or 0) > 0
    assert (view.prompt_tps or 0) > (view.cached_tps or 0)


def assert_cache_hits_agree(interval: Interval) -> None:
    """Of the last minute, which for us began when we came."""
    hits, queries = (interval.least_and_most(f"vllm:prefix_cache_{what}_total") for what in ("hits", "queries"))
    ours = interval.now.view.cache_hit_rate
    assert ours is not None
    assert 0 < hits[0] / queries[1] <= ours <= hits[1] / queries[0]


@pytest.mark.alone
async def test_what_runs_waits_and_fills_the_cache(vllm_server: Server, watching: Watching) -> None:
    async with watching(5) as watchers, streaming(vllm_server, streams=STREAMS, max_tokens=8000) as meter:
        await watchers.until("two run", lambda: _is_full(watchers.moments[-1]), within=60)
        then = await watchers.more()
        now = await watchers.more()
        while assert_same_rates(then, now) > NARROW:
            assert len(watchers.moments) < 20
            then, now = now, await watchers.more()
        pages = await watchers.prometheus.pages_past(then.ours.begin - 3, now.ours.end)
        interval = Interval.between(then.ours, now.ours, pages)
        await assert_prometheus_agrees_on_rates(watchers.prometheus, interval)
        await assert_prometheus_agrees_on_percentiles(watchers.prometheus, interval)
        await assert_nothing_shown_of_requests(watchers.prometheus, interval, now)
    assert meter.errors == []
    for moment, (before, _) in ((then, interval.begin), (now, interval.end)):
        assert assert_prometheus_agrees_on_gauges(moment.ours, pages)
        said, view = moment.line.said, moment.ours.view
        assert (said["running"], said["waiting"]) == (view.running, view.waiting) == (2, STREAMS - 2)
        assert view.waiting_by_reason == (("capacity", STREAMS - 2), ("deferred", 0))
        assert 0 < said["kv_pct"] / 100 <= (view.kv_used or 0) * (1 + EXACT) < 1, (
            "theirs is the older one, and it only grows"
        )
        assert before.total(KV_USED) > 0
    itl = percentile(now.ours.view.latencies, "last", "itl", "p95")
    assert itl is not None, "tokens came all the while"


def _is_full(moment: Moment) -> bool:
    return (moment.ours.view.running, moment.ours.view.waiting) == (2, STREAMS - 2)


async def assert_nothing_shown_of_requests(prometheus: Prometheus, interval: Interval, moment: Moment) -> None:
    """No percentile of requests since the moment before: none began, none ended."""
    for kind, names in TOLD_BY_HTOP.items():
        for name in names:
            assert moment.line.percentile(kind, name) is None, (kind, name)
            assert percentile(moment.ours.view.latencies, "last", kind, name) is None, (kind, name)
        theirs = await _quantile(prometheus, kind, interval.window, interval.now.at)
        assert theirs is not None
        assert math.isnan(theirs), kind


async def _quantile(prometheus: Prometheus, kind: str, window: str, at: float) -> float | None:
    rate = f"sum by (le) (rate({HISTOGRAMS[kind]}{window}))"
    return await prometheus.value(f"histogram_quantile(0.95, {rate})", at)


async def test_a_few_requests_are_told_to_the_last_digit_and_forgotten_after_a_minute(
    vllm_server: Server, watching: Watching
) -> None:
    async with watching(10) as watchers:
        prometheus = watchers.prometheus
        begin = watchers.moments[0]
        interval, now = await _one_round(vllm_server, watchers)
        assert_same_percentiles(now)
        assert now.ours.at - begin.ours.at < 55
        assert_same_minute(now)
        await assert_prometheus_agrees_on_rates(prometheus, interval)
        await assert_prometheus_agrees_on_percentiles(prometheus, interval)
        for kind in KINDS:
            assert interval.is_exact(HISTOGRAMS[kind])
            assert percentile(now.ours.view.latencies, "last", kind, "p95") is not None
        idle = await watchers.more()
        assert assert_same_rates(now, idle) == 0
        assert (idle.ours.view.generation_tps, idle.ours.view.prompt_tps, idle.line.rate("requests")) == (0, 0, 0)
        pages = await prometheus.pages_past(now.ours.begin - 2, idle.ours.end)
        await assert_nothing_shown_of_requests(prometheus, Interval.between(now.ours, idle.ours, pages), idle)
        assert idle.ours.view.latencies is not None
        assert idle.ours.view.latencies.last == {}
        while not await _all_forgot(prometheus, idle):
            assert idle.ours.at - now.ours.at < 90
            idle = await watchers.more()


async def _one_round(server: Server, watchers: Watchers) -> tuple[Interval, Moment]:
    """A few requests that all began and ended between two moments at which the server was idle, for Prometheus too."""
    for attempt in range(3):
        then = await watchers.more() if attempt else watchers.moments[-1]
        await watchers.prometheus.pages_past(then.ours.begin, then.ours.end)
        await ask_in_turn(server, QUESTIONS)
        now = watchers.moments[-1] if watchers.moments[-1] is not then else await watchers.more()
        pages = await watchers.prometheus.pages_past(then.ours.begin - 2, now.ours.end)
        interval = Interval.between(then.ours, now.ours, pages)
        if now.line.finished - then.line.finished == QUESTIONS and all(map(interval.is_exact, HISTOGRAMS.values())):
            return interval, now
    raise AssertionError(f"{QUESTIONS} requests never fitted between two moments")


async def _all_forgot(prometheus: Prometheus, moment: Moment) -> bool:
    """Whether nobody tells a percentile of the last minute any more; who sees less of the past forgets no later."""
    ours, scraped, theirs = set(), set(), set()
    for kind in TOLD_BY_HTOP:
        if percentile(moment.ours.view.latencies, "minute", kind, "p95") is not None:
            ours.add(kind)
        value = await _quantile(prometheus, kind, "[1m]", moment.ours.at)
        if value is not None and not math.isnan(value):
            scraped.add(kind)
        if moment.line.percentile(kind, "p95_60s") is not None:
            theirs.add(kind)
    assert ours <= scraped <= theirs, (ours, scraped, theirs)
    assert (moment.ours.view.ttft_p95_s is None) == ("ttft" not in ours)
    return not theirs


async def test_a_cache_too_small_shows_in_waiting_and_preemptions(pressed_vllm: Server, scraped: Scraping) -> None:
    engine = Engine(fleet_of(EndpointSpec("vllm", pressed_vllm.url, "vllm", timeout=5.0)))
    async with scraped(pressed_vllm) as prometheus:
        async with streaming(pressed_vllm, streams=STREAMS, max_tokens=1500) as meter:
            samples = await _until_pressed(engine)
            pages = await prometheus.pages_past(samples[0].begin - 2, samples[-1].end)
        await engine.stop()
    assert meter.errors == []
    quiet = [sample for sample in samples if assert_prometheus_agrees_on_gauges(sample, pages)]
    assert len(quiet) >= 5
    assert max(sample.view.kv_used or 0 for sample in samples) > 0.8
    assert any((sample.view.running or 0) < 6 < (sample.view.waiting or 0) for sample in quiet), (
        "six places, but no room"
    )
    assert_preemptions_agree(samples, pages)
    assert samples[-1].view.state is State.BUSY


async def _until_pressed(engine: Engine) -> list[Sample]:
    """Polls of ours, some a second, until the server has taken the cache from requests several times and had quiet moments."""
    samples: list[Sample] = []
    due = time.monotonic()
    while len(samples) < 40 or samples[-1].counter("preemptions") < 3:
        assert len(samples) < 400, samples[-1].view
        samples.append(await sampled(engine))
        due += SAMPLE_EVERY_S
        await wait_until("the next sample is due", lambda due=due: time.monotonic() >= due, within=10)  # type: ignore[misc]
    return samples


def assert_preemptions_agree(samples: list[Sample], pages: list[Page]) -> None:
    """What our rates add up to is what was counted, and lies between Prometheus' pages."""
    rates = [(new.view.preemptions_ps, new.clock - old.clock) for old, new in itertools.pairwise(samples)]
    ours = math.fsum(rate * seconds for rate, seconds in rates if rate is not None)
    first, last = (around(pages, sample.begin, sample.end) for sample in (samples[0], samples[-1]))
    least, most = (
        last[a].total("vllm:num_preemptions_total") - first[b].total("vllm:num_preemptions_total")
        for a, b in ((0, 1), (1, 0))
    )
    assert ours == pytest.approx(samples[-1].counter("preemptions") - samples[0].counter("preemptions"))
    assert least * (1 - EXACT) <= ours <= most * (1 + EXACT)
    assert ours >= 3
