"""From series to readings per engine: how several series make one value, and what can't be told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.endpoints.metric_map import MOST_ENGINES, MOST_PARTS, EnginePages, MetricMap
from quarterdeck.model.reading import EngineReading, Histogram
from quarterdeck.wire.prometheus import PageReader, picker

MAP = MetricMap(
    {
        "running": ("x_running",),
        "waiting": ("x_waiting",),
        "waiting_by_reason": ("x_waiting_by",),
        "kv_used": ("x_kv", "x_kv_old"),
        "generation_tokens": ("x_tokens_total", "x_tokens"),
        "cached_tokens": ("x_by_source",),
        "finished": ("x_finished",),
        "refused": ("x_refused",),
        "started": ("x_created",),
        "ttft": ("x_ttft_bucket",),
    },
    engine_label="rank",
    parts={"finished": "why", "waiting_by_reason": "why"},
    part_of={"refused": "finished"},
    unless={"x_by_source": ("source", "computed")},
)


def read(*lines: str) -> tuple[EngineReading, ...]:
    page = PageReader(MAP.wanted).read("\n".join(lines).encode())
    return EnginePages(MAP).engines(page)


def only(*lines: str) -> EngineReading:
    (engine,) = read(*lines)
    return engine


def test_a_page_without_a_wanted_series_has_no_engine() -> None:
    assert read() == ()
    assert read('y_running{rank="0"} 1') == ()


def test_label_sets_of_one_engine_make_one_value() -> None:
    engine = only(
        'x_running{m="a"} 2',
        'x_running{m="b"} 3',
        'x_kv{m="a"} 0.2',
        'x_kv{m="b"} 0.7',
        'x_created{m="a"} 9',
        'x_created{m="b"} 8',
    )
    assert (engine.label, engine.running, engine.kv_used, engine.started) == ("0", 5, 0.7, 8)


@pytest.mark.parametrize("bad", ["NaN", "+Inf", "-Inf", "-1", "1e18"])
def test_one_insane_value_makes_the_sum_unknown(bad: str) -> None:
    assert only('x_tokens{m="a"} 2', f'x_tokens{{m="b"}} {bad}', "x_running 1").generation_tokens is None
    assert only(f"x_tokens {bad}", "x_running 1") == EngineReading("0", running=1)


@pytest.mark.parametrize(("value", "told"), [("0.5", 0.5), ("1.005", 1.0), ("1.2", None), ("55", None), ("-0.1", None)])
def test_a_fraction_is_one_or_unknown(value: str, told: float | None) -> None:
    assert only(f"x_kv {value}").kv_used == told


def test_ranks_stand_in_order() -> None:
    engines = read(*(f'x_running{{rank="{rank}"}} {rank}' for rank in (11, 2, 0, 10, 1)))
    assert [(engine.label, engine.running) for engine in engines] == [(str(n), n) for n in (0, 1, 2, 10, 11)]


def test_what_names_no_engine_belongs_to_the_first() -> None:
    first, second = read(
        'x_running{rank="5"} 1', 'x_running{rank="4"} 2', 'x_finished{rank="4",why="stop"} 3', "x_refused 6"
    )
    assert (first.label, first.running, first.finished) == ("4", 2, (("stop", 3.0), ("refused", 6.0)))
    assert (second.label, second.finished) == ("5", ())


def test_the_first_name_present_counts_alone() -> None:
    assert only("x_kv_old 0.9", "x_kv 0.1").kv_used == 0.1
    assert only("x_kv_old 0.9").kv_used == 0.9
    assert only("x_tokens 5", "x_tokens_total 7").generation_tokens == 7


def test_parts_add_up_over_label_sets_and_leave_out_what_is_insane() -> None:
    engine = only(
        'x_finished{why="stop",m="a"} 2', 'x_finished{why="stop",m="b"} 3', 'x_finished{why="abort"} NaN', 'x_finished{why=""} 9',
        'x_finished{} 9', 'x_waiting_by{why="capacity"} 4', 'x_waiting_by{why="deferred"} 0',
    )  # fmt: skip
    assert engine.finished == (("stop", 5.0),)
    assert engine.waiting_by_reason == (("capacity", 4), ("deferred", 0))
    assert [type(count) for _, count in engine.waiting_by_reason] == [int, int]


def test_series_that_do_not_count_are_left_out() -> None:
    rows = ('x_by_source{source="computed"} 70', 'x_by_source{source="cache"} 20', 'x_by_source{source="other"} 3')
    assert only(*rows).cached_tokens == 23
    assert read(rows[0]) == ()


def buckets(labels: str, *rows: tuple[str, float]) -> list[str]:
    return [f'x_ttft_bucket{{{labels}le="{le}"}} {count}' for le, count in rows]


def test_buckets_of_several_label_sets_add_up_bound_by_bound() -> None:
    lines = buckets('m="a",', ("+Inf", 9), ("0.5", 4), ("0.1", 1)) + buckets(
        'm="b",', ("0.1", 2), ("0.5", 2), ("+Inf", 3)
    )
    assert only(*lines).ttft == Histogram((0.1, 0.5, math.inf), (3, 6, 12))


@pytest.mark.parametrize(
    "lines",
    [
        buckets("", ("0.1", 1), ("0.5", 4)),
        buckets("", ("0.1", 1), ("0.1", 1), ("+Inf", 4)),
        buckets("", ("0.1", 1), ("0.10", 1), ("+Inf", 4)),
        buckets("", ("0.1", 1), ("+Inf", math.nan)),
        buckets("", ("0.1", -1), ("+Inf", 4)),
        buckets("", ("0.1", 1), ("+Inf", math.inf)),
        buckets('m="a",', ("0.1", 1), ("+Inf", 4)) + buckets('m="b",', ("0.2", 1), ("+Inf", 4)),
        ["x_ttft_bucket 5"],
        ['x_ttft_bucket{le="x"} 5'],
        ['x_ttft_bucket{le="NaN"} 5'],
    ],
    ids=[
        "no +Inf",
        "twice",
        "twice, spelt apart",
        "nan",
        "negative",
        "inf",
        "other bounds",
        "no le",
        "no number",
        "nan bound",
    ],
)
def test_what_is_no_histogram_is_unknown(lines: list[str]) -> None:
    assert only(*lines, "x_running 1") == EngineReading("0", running=1)


def test_a_changed_layout_is_planned_anew_and_says_where_it_reads() -> None:
    reader, pages = PageReader(MAP.wanted), EnginePages(MAP)
    pages.engines(reader.read(b"x_kv_old 0.5\nx_running 1"))
    assert pages.chosen == {"kv_used": "x_kv_old", "running": "x_running"}
    (engine,) = pages.engines(reader.read(b"x_running 2\nx_kv 0.25\nx_kv_old 0.5"))
    assert (engine.running, engine.kv_used) == (2, 0.25)
    assert pages.chosen == {"kv_used": "x_kv", "running": "x_running"}


def test_engines_and_parts_are_bounded_and_their_names_cut() -> None:
    many = read(*(f'x_running{{rank="{rank}"}} 1' for rank in range(MOST_ENGINES + 50)))
    assert len(many) == MOST_ENGINES + 1
    engine = only(*(f'x_finished{{why="w{n}"}} 1' for n in range(MOST_PARTS + 50)))
    assert len(engine.finished) == MOST_PARTS
    long = only(f'x_finished{{rank="{"r" * 500}",why="{"w" * 500}"}} 1')
    assert len(long.label) < 100
    assert len(long.finished[0][0]) < 100


def test_fixed_fields_are_asked_for_once_a_layout() -> None:
    asked: list[list[str]] = []

    def fixed(_: object, labels: object) -> dict[str, dict[str, int]]:
        asked.append(list(labels))  # type: ignore[call-overload]
        return {"1": {"kv_capacity_tokens": 64}, "9": {"kv_capacity_tokens": 1}}

    reader, pages = PageReader(MAP.wanted), EnginePages(MAP, fixed)
    for value in (1, 2, 3):
        engines = pages.engines(reader.read(f'x_running{{rank="0"}} {value}\nx_running{{rank="1"}} {value}'.encode()))
    assert asked == [["0", "1"]]
    assert [(e.running, e.kv_capacity_tokens) for e in engines] == [(3, None), (3, 64)]


@given(st.lists(st.integers(0, 30), max_size=12))
def test_the_picker_picks_what_stands_there(indices: list[int]) -> None:
    values = tuple(range(100, 131))
    assert list(picker(indices)(values)) == [values[index] for index in indices]
    assert list(picker(indices)(list(values))) == [values[index] for index in indices]


def test_no_sum_is_taken_over_a_part_of_too_many_engines() -> None:
    engines = read(*(f'x_running{{rank="{i}"}} 1' for i in range(MOST_ENGINES + 5)))
    assert [engine.running for engine in engines] == [1] * MOST_ENGINES + [None]
    assert all(engine.running == 1 for engine in read(*(f'x_running{{rank="{i}"}} 1' for i in range(MOST_ENGINES))))
