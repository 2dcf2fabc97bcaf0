"""Percentiles between two moments: as Prometheus has them, over all engines, and unknown rather than wrong."""

from __future__ import annotations

import bisect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.latency import Window, Windows
from quarterdeck.model.reading import EngineReading, Histogram


def engine(ttft: Histogram | None, label: str = "0") -> EngineReading:
    return EngineReading(label, ttft=ttft)


def quantile(q: float, old: Histogram | None, new: Histogram | None) -> float | None:
    window = Windows(((engine(old),),), (engine(new),)).get("ttft")
    return None if window is None else window.quantile(q)


INF = math.inf


def histogram_of(bounds: list[float], observed: list[float]) -> Histogram:
    ordered = sorted(observed)
    upper = (*bounds, INF)
    return Histogram(upper, tuple(float(bisect.bisect_right(ordered, bound)) for bound in upper))


def prometheus_quantile(q: float, buckets: list[tuple[float, float]]) -> float | None:
    """`histogram_quantile`, as its documentation and its Go source (bucketQuantile) say it, for 0 < q < 1."""
    observations = buckets[-1][1]
    if observations == 0:
        return None
    rank = q * observations
    at = (
        next(i for i in range(len(buckets) - 1) if buckets[i][1] >= rank)
        if any(count >= rank for _, count in buckets[:-1])
        else len(buckets) - 1
    )
    if at == len(buckets) - 1:
        return buckets[-2][0]
    if at == 0 and buckets[0][0] <= 0:
        return buckets[0][0]
    start, end, count = 0.0, buckets[at][0], buckets[at][1]
    if at > 0:
        start = buckets[at - 1][0]
        count -= buckets[at - 1][1]
        rank -= buckets[at - 1][1]
    return start + (end - start) * (rank / count)


bounds_lists = st.lists(st.floats(0.001, 1000), min_size=1, max_size=12, unique=True).map(sorted)
observations = st.lists(st.floats(0.0005, 2000), max_size=40)


@given(bounds_lists, observations, observations, st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99]))
def test_quantiles_are_those_of_prometheus(
    bounds: list[float], before: list[float], since: list[float], q: float
) -> None:
    old, new = histogram_of(bounds, before), histogram_of(bounds, before + since)
    delta = [(bound, b - a) for bound, a, b in zip(new.bounds, old.counts, new.counts, strict=True)]
    expected = prometheus_quantile(q, delta)
    found = quantile(q, old, new)
    assert found == (None if expected is None else pytest.approx(expected))
    if found is not None and since:
        exact = sorted(since)[math.ceil(q * len(since)) - 1]
        at = bisect.bisect_left(bounds, exact)
        low = bounds[at - 1] if at else 0.0
        high = bounds[at] if at < len(bounds) else bounds[-1]
        assert min(low, high) - 1e-9 <= found <= high + 1e-9  # in the bucket of the true one


A = Histogram((0.1, 1.0, INF), (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, A),
        (A, None),
        (A, A),
        (Histogram((0.1, 1.0, INF), (5.0, 9.0, 9.0)), A),
        (Histogram((0.1, 1.0, INF), (1.0, 2.0, 1.0)), Histogram((0.1, 1.0, INF), (0.0, 1.0, 9.0))),
        (Histogram((0.1, INF), (0.0, 0.0)), A),
        (Histogram((INF,), (0.0,)), Histogram((INF,), (5.0,))),
    ],
    ids=["no begin", "no end", "nothing observed", "reset", "some fell", "other buckets", "no finite bound"],
)
def test_percentiles_that_cannot_be_told(old: Histogram | None, new: Histogram | None) -> None:
    assert quantile(0.95, old, new) is None


@given(
    st.lists(st.floats(0, 1e17), min_size=4, max_size=4),
    st.lists(st.floats(0, 1e17), min_size=4, max_size=4),
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3, unique=True),
)
def test_nonsense_histograms_give_a_number_or_nothing(old: list[float], new: list[float], bounds: list[float]) -> None:
    upper = (*sorted(bounds), INF)
    found = quantile(0.95, Histogram(upper, tuple(old)), Histogram(upper, tuple(new)))
    assert found is None or math.isfinite(found)


def test_what_several_engines_saw_is_added_up_bucket_by_bucket() -> None:
    zero = Histogram(A.bounds, (0.0, 0.0, 0.0))
    old = (engine(zero, "0"), engine(A, "1"))
    new = (engine(A, "0"), engine(Histogram(A.bounds, (2.0, 4.0, 4.0)), "1"))
    assert Windows((old,), new)["ttft"] == Window(A.bounds, (2.0, 4.0, 4.0))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((engine(A, "0"), engine(None, "1")), (engine(A, "0"), engine(A, "1"))),
        ((engine(A, "0"),), (engine(A, "0"), engine(A, "1"))),
        ((engine(A, "0"), engine(Histogram((0.5, INF), (0.0, 0.0)), "1")),
         (engine(A, "0"), engine(Histogram((0.5, INF), (1.0, 1.0)), "1"))),
        ((), ()),
    ],
    ids=["one doesn't tell", "a new one", "other buckets", "no engine"],
)  # fmt: skip
def test_a_percentile_over_a_part_of_the_engines_is_none(
    old: tuple[EngineReading, ...], new: tuple[EngineReading, ...]
) -> None:
    assert Windows((old,), new) == {}


def test_percentiles_are_not_averaged() -> None:
    """One engine with 99 fast requests and one with a slow one: the p95 is fast, the mean of both p95s isn't."""
    bounds = (0.1, 10.0, INF)
    zero = Histogram(bounds, (0.0, 0.0, 0.0))
    fast, slow = Histogram(bounds, (99.0, 99.0, 99.0)), Histogram(bounds, (0.0, 1.0, 1.0))
    window = Windows([(engine(zero, "0"), engine(zero, "1"))], (engine(fast, "0"), engine(slow, "1")))["ttft"]
    assert window.count == 100
    assert window.quantile(0.95) == pytest.approx(0.1 * 95 / 99)
