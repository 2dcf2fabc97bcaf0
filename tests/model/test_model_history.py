"""What is kept of the last hour."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.history import FULL_S, THIN_S, THIN_STEP_S, History, Span


def filled(seconds: float, step: float = 2.0) -> History:
    history = History(("a", "b"))
    for tick in range(int(seconds / step) + 1):
        history.record(tick * step, (float(tick), None))
    return history


def test_fifteen_minutes_are_kept_whole_and_an_hour_thinned() -> None:
    history = filled(2 * 3600.0)
    now = 2 * 3600.0
    recent = history.samples("a", now - FULL_S)
    assert len(recent) == FULL_S / 2 + 1
    assert history.first_at is not None
    assert THIN_S <= now - history.first_at + THIN_STEP_S <= THIN_S + 2000
    older = history.samples("a", now - THIN_S, now - FULL_S - 300)
    gaps = [b - a for (a, _), (b, _) in pairwise(older)]
    assert 13 <= min(gaps) <= max(gaps) <= 17
    assert len(history) < 1000


def test_samples_are_those_between_two_moments() -> None:
    history = filled(20.0)
    assert history.samples("a", 4.0, 8.0) == [(4.0, 2.0), (6.0, 3.0), (8.0, 4.0)]
    assert history.samples("b", 4.0, 6.0) == [(4.0, None), (6.0, None)]
    assert history.samples("a", 100.0) == []


def test_a_name_that_it_does_not_have_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        filled(2.0).samples("c")


def test_slices_know_their_extremes_and_gaps_stay_gaps() -> None:
    history = History(("a",))
    for at, value in ((0.0, 1.0), (1.0, 3.0), (2.0, None), (6.0, 8.0)):
        history.record(at, (value,))
    assert history.spans("a", 0.0, 8.0, 4) == [Span(1.0, 2.0, 3.0, 3.0), None, None, Span(8.0, 8.0, 8.0, 8.0)]
    assert history.spans("a", 8.0, 0.0, 2) == [None, None]
    assert history.spans("a", 0.0, 8.0, 0) == []


def test_the_value_under_a_cursor_is_the_nearest() -> None:
    history = filled(20.0)
    assert history.at("a", 5.1, within=2.0) == 3.0
    assert history.at("a", 4.9, within=2.0) == 2.0
    assert history.at("a", 100.0, within=2.0) is None
    assert history.at("b", 4.0, within=2.0) is None


@given(st.lists(st.tuples(st.floats(-1e4, 1e5), st.none() | st.floats(allow_nan=False)), max_size=60))
def test_time_only_goes_forward_and_nothing_is_invented(samples: list[tuple[float, float | None]]) -> None:
    history = History(("a",))
    for at, value in samples:
        history.record(at, (value,))
    kept = history.samples("a")
    times = [at for at, _ in kept]
    assert times == sorted(set(times))
    assert all(sample in samples for sample in kept)
    for span in history.spans("a", -1e4, 1e5, 7):
        assert span is None or span.low <= span.high or math.isinf(span.high)
