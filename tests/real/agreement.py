"""What each watcher may say, given what the others saw.

They don't ask at the same moment, but what the server counted between two moments is known, as all of them tell its counters.
That is the tolerance: nothing here is a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from quarterdeck.model.latency import KINDS, Latencies, Window

from .prometheus import SCRAPE_S, Page, Prometheus, around
from .watchers import Moment, Sample

EXACT = 1e-9
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
TOLD_BY_HTOP = {"ttft": ("p50", "p95", "p99"), "e2e": ("p50", "p95", "p99"), "queue": ("p95",)}
"""Its TPOT is another histogram than our ITL: one value a request, not one a token."""
HISTOGRAMS = {
    "ttft": "vllm:time_to_first_token_seconds_bucket",
    "itl": "vllm:inter_token_latency_seconds_bucket",
    "e2e": "vllm:e2e_request_latency_seconds_bucket",
    "queue": "vllm:request_queue_time_seconds_bucket",
}
COUNTERS = {
    "generation_tps": ("generation_tokens", "vllm:generation_tokens_total"),
    "prompt_tps": ("prompt_tokens", "vllm:prompt_tokens_total"),
    "cached_tps": ("cached_tokens", "vllm:prompt_tokens_cached_total"),
    "preemptions_ps": ("preemptions", "vllm:num_preemptions_total"),
}
"""Our rate → our counter and the series it comes from."""
SUCCESS = "vllm:request_success_total"
RUNNING, WAITING, KV_USED = "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"
QUIET = (SUCCESS, COUNTERS["prompt_tps"][1], COUNTERS["preemptions_ps"][1], RUNNING, WAITING)


def percentile(latencies: Latencies | None, window: str, kind: str, name: str) -> float | None:
    """Ours; ``window`` is last or minute."""
    assert latencies is not None
    windows: Mapping[str, Window] = getattr(latencies, window)
    return windows[kind].quantile(QUANTILES[name]) if kind in windows else None


def assert_same_percentiles(moment: Moment) -> None:
    """Since the moment before, to the last digit. For moments that are one, as was the one before."""
    for kind, names in TOLD_BY_HTOP.items():
        for name in names:
            theirs = moment.line.percentile(kind, name)
            ours = percentile(moment.ours.view.latencies, "last", kind, name)
            assert ours == pytest.approx(theirs, rel=EXACT), (kind, name)


def assert_same_minute(moment: Moment) -> None:
    """In the last minute, which began for both with a moment that was one."""
    for kind in TOLD_BY_HTOP:
        theirs = moment.line.percentile(kind, "p95_60s")
        ours = percentile(moment.ours.view.latencies, "minute", kind, "p95")
        assert ours == pytest.approx(theirs, rel=EXACT), kind


def assert_same_rates(then: Moment, now: Moment) -> float:
    """Tokens and requests per second between two moments, up to what was counted between their poll and ours.

    The widest of these tolerances is returned, as a fraction of the rate.
    """
    finished = now.ours.view.finished_ps
    assert finished is not None
    counted = (
        (
            "gen_tokens",
            now.ours.view.generation_tps,
            [(m.line.generated, _ours(m, "generation_tokens")) for m in (then, now)],
        ),
        (
            "prompt_tokens",
            now.ours.view.prompt_tps,
            [(m.line.prompted, _ours(m, "prompt_tokens")) for m in (then, now)],
        ),
        (
            "requests",
            math.fsum(rate for _, rate in finished),
            [(m.line.finished, m.ours.finished) for m in (then, now)],
        ),
    )
    widest = 0.0
    for name, ours, counts in counted:
        theirs = now.line.rate(name)
        assert theirs is not None
        assert ours is not None
        seconds = now.ours.clock - then.ours.clock
        between = math.fsum(our - their for their, our in counts)
        their_seconds = (counts[1][0] - counts[0][0]) / theirs if theirs else seconds
        tolerance = (between + theirs * abs(seconds - their_seconds)) / seconds
        assert all(their <= our for their, our in counts), (name, "they asked before us")
        assert abs(ours - theirs) <= tolerance + EXACT * theirs, (name, ours, theirs, counts)
        widest = max(widest, tolerance / theirs if theirs else tolerance)
    return widest


def _ours(moment: Moment, counter: str) -> float:
    return moment.ours.counter(counter)


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two polls of ours, and Prometheus' pages around its ends."""

    then: Sample
    now: Sample
    begin: tuple[Page, Page]
    """The page before the first poll, and the one after it …"""
    end: tuple[Page, Page]
    """… and those around the second."""

    @classmethod
    def between(cls, then: Sample, now: Sample, pages: Sequence[Page]) -> Interval:
        """Finds the pages."""
        return cls(then, now, around(pages, then.begin, then.end), around(pages, now.begin, now.end))

    @property
    def seconds(self) -> float:
        """How long it is by our clock."""
        return self.now.clock - self.then.clock

    @property
    def enlarged(self) -> float:
        """By so much Prometheus' ``rate`` may enlarge a growth: it extends it by 1.1 scrape intervals at each end at most."""
        return 1 + 2.2 * SCRAPE_S / self.seconds

    @property
    def window(self) -> str:
        """The same, as Prometheus' range."""
        return f"[{self.seconds * 1000:.0f}ms]"

    def least_and_most(self, name: str, **labels: str) -> tuple[float, float]:
        """Between what the growth of a counter lies."""
        first, second = (tuple(page.total(name, **labels) for page in pair) for pair in (self.begin, self.end))
        return max(0.0, second[0] - first[1]), second[1] - first[0]

    def buckets(self, name: str) -> tuple[tuple[float, ...], list[float], list[float]]:
        """Bounds, and between what the growth of each cumulative count lies."""
        bounds, _ = self.begin[0].buckets(name)
        first, second = ([page.buckets(name)[1] for page in pair] for pair in (self.begin, self.end))
        least = [max(0.0, after - before) for before, after in zip(first[1], second[0], strict=True)]
        most = [after - before for before, after in zip(first[0], second[1], strict=True)]
        return bounds, least, most

    def is_exact(self, name: str) -> bool:
        """Whether nothing was observed between Prometheus' pages around the ends, so that it knows the growth exactly."""
        _, least, most = self.buckets(name)
        return least == most


async def assert_prometheus_agrees_on_rates(prometheus: Prometheus, interval: Interval) -> None:
    """Counters lie between Prometheus' pages, rates between theirs, and near its own ``rate`` of the same window."""
    view = interval.now.view
    for ours, (counter, series) in COUNTERS.items():
        for sample, (before, after) in ((interval.then, interval.begin), (interval.now, interval.end)):
            assert before.total(series) <= sample.counter(counter) <= after.total(series), series
        await _assert_rate(prometheus, interval, getattr(view, ours), series)
    for reason, rate in view.finished_ps or ():
        if reason != "rejected":
            await _assert_rate(prometheus, interval, rate, SUCCESS, finished_reason=reason)


async def _assert_rate(
    prometheus: Prometheus, interval: Interval, ours: float | None, series: str, **labels: str
) -> None:
    assert ours is not None, series
    least, most = interval.least_and_most(series, **labels)
    growth = ours * interval.seconds
    assert least - EXACT * most <= growth <= most * (1 + EXACT), (series, labels, growth, least, most)
    wanted = ",".join(f'{name}="{value}"' for name, value in labels.items())
    theirs = await prometheus.value(f"sum(rate({series}{{{wanted}}}{interval.window}))", interval.now.at)
    assert theirs is not None
    # Prometheus knows the counter at its scrapes only, and extends the slope between them to both ends of the window: there it
    # errs by what was counted between the scrapes around the end, or by the slope over the gap, at most 1.1 scrape intervals.
    counted = [
        after.total(series, **labels) - before.total(series, **labels)
        for before, after in (interval.begin, interval.end)
    ]
    tolerance = math.fsum(max(count, theirs * 1.1 * SCRAPE_S) for count in counted) / interval.seconds
    assert abs(ours - theirs) <= tolerance + EXACT * theirs, (series, labels, ours, theirs, tolerance)


async def assert_prometheus_agrees_on_percentiles(prometheus: Prometheus, interval: Interval) -> None:
    """Every bucket of ours lies between Prometheus' pages; percentiles where these allow, as does ``histogram_quantile``."""
    latencies = interval.now.view.latencies
    assert latencies is not None
    for kind in KINDS:
        bounds, least, most = interval.buckets(HISTOGRAMS[kind])
        window = latencies.last.get(kind)
        if window is None:
            assert least[-1] == 0, kind
            continue
        assert window.bounds == bounds
        assert all(low <= count <= high for low, count, high in zip(least, window.counts, most, strict=True)), kind
        for name, q in QUANTILES.items():
            low, high = quantile_limits(bounds, least, most, q)
            ours = window.quantile(q)
            assert ours is not None
            assert low * (1 - EXACT) <= ours <= high * (1 + EXACT), (kind, name, low, ours, high)
            rate = f"sum by (le) (rate({HISTOGRAMS[kind]}{interval.window}))"
            theirs = await prometheus.value(f"histogram_quantile({q}, {rate})", interval.now.at)
            low, high = quantile_limits(bounds, least, [count * interval.enlarged for count in most], q)
            assert theirs is not None
            if least[-1] > 0:
                assert low * (1 - EXACT) <= theirs <= high * (1 + EXACT), (kind, name, low, theirs, high)


def assert_prometheus_agrees_on_gauges(sample: Sample, pages: Sequence[Page]) -> bool:
    """Running, waiting and KV use, where nothing began, ended or was preempted between the pages around; whether that was so."""
    before, after = around(pages, sample.begin, sample.end)
    if any(before.total(series) != after.total(series) for series in QUIET):
        return False
    assert (sample.view.running, sample.view.waiting) == (before.total(RUNNING), before.total(WAITING))
    assert sample.view.kv_used is not None
    assert before.total(KV_USED) <= sample.view.kv_used <= after.total(KV_USED), "it only grows"
    return True


def quantile_at(bounds: Sequence[float], counts: Sequence[float], rank: float) -> float:
    """Where the ``rank``-th observation lies, linear inside its bucket; the last finite bound for the open bucket."""
    low, below = 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= rank and count > below:
            return low if math.isinf(bound) else low + (bound - low) * max(0.0, rank - below) / (count - below)
        low, below = (low if math.isinf(bound) else bound), max(count, below)
    return low


def quantile_limits(
    bounds: Sequence[float], least: Sequence[float], most: Sequence[float], q: float
) -> tuple[float, float]:
    """Between what the q-quantile lies when each cumulative count lies between ``least`` and ``most``."""
    return quantile_at(bounds, most, q * least[-1]), quantile_at(bounds, least, q * most[-1])
