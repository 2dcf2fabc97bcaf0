"""Axes with round values, columns that invent nothing, marks, and the cursor."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from quarterdeck.model.history import History
from quarterdeck.tui.chart import GUTTER, Mark, TimeAxis, columns, highest, mean, panel, placed, ruler, time_axis
from quarterdeck.tui.scales import BYTES, COUNT, FRACTION, PER_SECOND, SECONDS, Unit, clock, scale, time_ticks

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z
UNITS = [PER_SECOND, COUNT, SECONDS, BYTES, FRACTION]

# ---- value axes


@pytest.mark.parametrize(
    ("unit", "top", "height", "labels"),
    [
        (PER_SECOND, 1234, 4, ["1.6k", "", "800", ""]),
        (PER_SECOND, 5400, 6, ["6k", "", "4k", "", "2k", ""]),
        (PER_SECOND, 0, 4, ["1", "", "0.5", ""]),
        (COUNT, 1, 2, ["1", ""]),
        (COUNT, 3, 4, ["3", "", "", ""]),
        (COUNT, 4, 4, ["4", "", "2", ""]),
        (FRACTION, 0.03, 4, ["100%", "", "50%", ""]),
        (FRACTION, 0.3, 9, ["100%", "", "", "", "", "", "", "", ""]),
        (SECONDS, 0.42, 4, ["500 ms", "", "", ""]),
        (SECONDS, 0.7, 4, ["800 ms", "", "400 ms", ""]),
        (SECONDS, 45, 4, ["60 s", "", "30 s", ""]),
        (SECONDS, 61, 4, ["2 min", "", "60 s", ""]),
        (BYTES, 17.4 * 2**30, 4, ["20 GiB", "", "10 GiB", ""]),
        (BYTES, 300 * 2**20, 4, ["512 MiB", "", "256 MiB", ""]),
    ],
)
def test_axes_end_on_round_values(unit: Unit, top: float, height: int, labels: list[str]) -> None:
    assert list(scale(top, height, unit).labels) == labels


@given(st.sampled_from(UNITS), st.floats(0, 1e15), st.integers(1, 20))
def test_an_axis_holds_the_highest_value_and_little_more(unit: Unit, value: float, height: int) -> None:
    axis = scale(value, height, unit)
    assert len(axis.labels) == height
    assert all(len(label) <= 8 for label in axis.labels)
    if unit.top is None:
        assert axis.top >= value * (1 - 1e-6)
        assert axis.top <= max(unit.steps[0] * 4, 1.0, value * 10.01)


@pytest.mark.parametrize("value", [math.inf, math.nan, -5.0])
def test_an_absurd_value_makes_no_absurd_axis(value: float) -> None:
    assert 0 < scale(value, 4, PER_SECOND).top < 10


# ---- time axes


def test_times_are_round_and_local() -> None:
    assert time_ticks(NOON + 3, NOON + 63, 70) == [(NOON + place, clock(NOON + place)) for place in (15, 30, 45, 60)]
    assert [text for _, text in time_ticks(NOON - 3600, NOON, 60)] == [
        "11:00",
        "11:10",
        "11:20",
        "11:30",
        "11:40",
        "11:50",
        "12:00",
    ]
    assert clock(NOON + 83) == "12:01:23"


def test_times_outside_the_calendar_are_left_out() -> None:
    assert time_ticks(1e18, 1e18 + 1e6, 60) == []
    assert clock(1e18) == "–"
    assert time_ticks(5, 5, 60) == []


@given(st.floats(0, 1e9), st.sampled_from([60.0, 300.0, 900.0, 3600.0]), st.integers(1, 250))
def test_ticks_leave_room_for_their_times(offset: float, window: float, cells: int) -> None:
    axis = time_axis(offset, NOON, window, cells)
    ticks = time_ticks(axis.first_unix, axis.first_unix + window, cells)
    for (one, text), (other, _) in pairwise(ticks):
        assert (other - one) / axis.step >= len(text) + 2
        assert datetime.fromtimestamp(one).timestamp() == one


def test_as_time_goes_on_columns_move_by_whole_cells() -> None:
    before, after = time_axis(1000.0, NOON, 60.0, 30), time_axis(1001.0, NOON + 1, 60.0, 30)
    moved = (after.first - before.first) / before.step
    assert moved == round(moved)
    assert before.column(1000.0) == 29
    assert before.unix(1000.0) == NOON


# ---- columns

AXIS = TimeAxis(100.0, 1.0, 10, NOON)


def steady(*values: float | None, start: float = 100.5, interval: float = 1.0) -> list[tuple[float, float | None]]:
    return [(start + place * interval, value) for place, value in enumerate(values)]


def test_a_column_is_the_mean_or_the_highest_of_its_samples() -> None:
    samples = steady(1.0, 3.0, 8.0, 8.0, interval=0.25, start=102.0)
    assert columns(samples, AXIS, 0.25)[2] == 5.0
    assert columns(samples, AXIS, 0.25, highest)[2] == 8.0


def test_a_sample_stands_for_the_time_since_the_one_before() -> None:
    drawn = columns([(102.0, 4.0), (105.0, 7.0), (108.0, 9.0)], AXIS, 3.0)
    assert drawn == [4.0, 4.0, 4.0, 7.0, 7.0, 7.0, 9.0, 9.0, 9.0, None]


def test_what_nobody_measured_stays_empty() -> None:
    unknown = columns(steady(1.0, 2.0, None, None, 5.0, 6.0), AXIS, 1.0)
    assert unknown == [1.0, 2.0, None, None, 5.0, 6.0, None, None, None, None]
    paused = columns([(100.5, 1.0), (101.5, 1.0), (107.5, 9.0)], AXIS, 1.0)
    assert paused == [1.0, 1.0, None, None, None, None, None, 9.0, None, None]


def test_what_was_polled_seldom_or_thinned_has_no_gaps() -> None:
    history = History(("x",))
    for place in range(1800):
        history.record(place * 2.0, [5.0])
    axis = time_axis(3598.0, NOON, 3600.0, 300)
    drawn = columns(history.samples("x"), axis, 2.0)
    assert drawn.count(None) <= 2


def test_jitter_makes_no_gaps() -> None:
    samples: list[tuple[float, float | None]] = [(100 + place * 2 + (place * 7 % 5) / 10, 1.0) for place in range(60)]
    axis = TimeAxis(110.0, 1.9, 50, NOON)
    assert None not in columns(samples, axis, 2.0)


finite = st.floats(0, 1e6)


@given(
    st.lists(st.tuples(st.floats(0.01, 50), st.one_of(st.none(), finite)), max_size=60),
    st.sampled_from([60.0, 900.0]),
    st.integers(1, 80),
)
def test_columns_invent_nothing(steps: list[tuple[float, float | None]], window: float, cells: int) -> None:
    at, samples = 0.0, []
    for step, value in steps:
        at += step
        samples.append((at, value))
    axis = time_axis(at, NOON, window, cells)
    drawn = columns(samples, axis, 2.0, highest)
    assert len(drawn) == cells
    told = {value for _, value in samples}
    assert all(value in told for value in drawn if value is not None)
    averaged = columns(samples, axis, 2.0, mean)
    assert [value is None for value in drawn] == [value is None for value in averaged]
    assert all(
        low <= high * (1 + 1e-9)
        for low, high in zip(averaged, drawn, strict=True)
        if low is not None and high is not None
    )


# ---- lines


def test_a_plot_has_its_axis_gaps_and_the_cursor() -> None:
    lines = [line.text for line in panel([0.0, None, 10.0, 20.0], 2, COUNT, "bar-used", cursor=2)]
    assert lines == ["      20 ┤  │█", "         │▁ ██"]
    assert [run.tone for run in panel([20.0, 20.0], 1, COUNT, "bar-used", cursor=1)[0].runs] == [
        "faint",
        "bar-used",
        "accent",
    ]


def test_the_time_axis_has_times_marks_and_the_cursor() -> None:
    axis = TimeAxis(0.0, 1.0, 40, NOON)
    down = Mark(11.5, "✗", "state-down", "DOWN")
    line = ruler(axis, placed([down], axis), 39)
    assert line.text == "       0 └┴12:00:00──✗───┴12:00:15──────┴12:00:30┼"
    assert any(run == ("✗", "state-down") for run in line.runs)
    assert "12:00" not in ruler(axis, {}, labelled=False).text


def test_a_time_is_left_out_rather_than_overwritten() -> None:
    axis = TimeAxis(0.0, 1.0, 30, NOON)
    assert "12:00:00" not in ruler(axis, placed([Mark(3.0, "↻", "accent", "restart")], axis)).text
    assert "┴──↻" in ruler(axis, placed([Mark(3.0, "↻", "accent", "restart")], axis)).text


def test_marks_outside_the_window_are_not_drawn_and_the_newest_of_a_column_is() -> None:
    marks = [Mark(at, glyph, "", "") for at, glyph in ((50.0, "a"), (103.1, "b"), (103.9, "c"), (110.0, "d"))]
    assert {place: mark.glyph for place, mark in placed(marks, AXIS).items()} == {3: "c"}


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e13)), min_size=1, max_size=120),
    st.integers(1, 12),
    st.sampled_from(UNITS),
    st.one_of(st.none(), st.integers(0, 119)),
)
def test_every_line_of_a_chart_is_as_wide_as_its_columns(
    values: list[float | None], height: int, unit: Unit, cursor: int | None
) -> None:
    axis = time_axis(1000.0, NOON, 300.0, len(values))
    cursor = None if cursor is None else min(cursor, len(values) - 1)
    marks = placed([Mark(990.0, "▲", "state-busy", "BUSY")], axis)
    lines = [*panel(values, height, unit, "bar-used", cursor), ruler(axis, marks, cursor)]
    assert len(lines) == height + 1
    assert {cell_len(line.text) for line in lines} == {GUTTER + len(values)}
