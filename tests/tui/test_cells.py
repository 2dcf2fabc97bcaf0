from __future__ import annotations

import itertools
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fakes import GIB, endpoint_view, model
from fleets import mixed_fleet
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.replica import ReplicaView
from quarterdeck.tui.cells import Moment, header, row_line, says_why
from quarterdeck.tui.columns import BY_ID, COLUMNS, PRIORITY, layout
from quarterdeck.tui.detail.charts import Look
from quarterdeck.tui.detail.page import sheet
from quarterdeck.tui.detail.preview import detail_lines
from quarterdeck.tui.lines import Line
from quarterdeck.tui.rows import ORDERS, Row, rows, wanted_widths

NOW = Moment(10_000.0, 1_795_370_400.0)
WIDE = {column.id: 30 for column in COLUMNS}
HOSTILE = "\x1b[31m[red]evil[/red]\x1b]0;title\x07\u202e\u200b日本🚀\n" + "x" * 500


def line(view: EndpointView, width: int = 79, *, wanted: dict[str, int] | None = None, **look: Any) -> Line:
    return row_line(Row((view.name, ""), view), layout(width, wanted or {}), NOW, **look)


def cell(view: EndpointView, column: str, width: int = 240) -> str:
    """The text of one cell on a wide screen (for views without wide characters)."""
    drawn = layout(width, WIDE)
    place = next(place for place in drawn.places if place.column.id == column)
    return row_line(Row((view.name, ""), view), drawn, NOW).text[place.x : place.x + place.width].strip()


def tone_of(drawn: Line, text: str) -> str:
    return next(run.tone for run in drawn.runs if text in run.text)


# ---- columns


def test_priorities_name_every_column() -> None:
    assert sorted(PRIORITY) == sorted(BY_ID)


@given(st.integers(0, 300), st.dictionaries(st.sampled_from(sorted(BY_ID)), st.integers(0, 300)))
def test_columns_never_overlap_nor_leave_the_width(width: int, wanted: dict[str, int]) -> None:
    places = layout(width, wanted).places
    for before, after in itertools.pairwise(places):
        assert before.x + before.width < after.x
    if places:
        assert places[-1].x + places[-1].width <= width


def test_the_wider_the_more_columns() -> None:
    shown = [{place.column.id for place in layout(width, {}).places} for width in (0, 39, 79, 119, 199, 240)]
    assert all(narrow <= wide for narrow, wide in itertools.pairwise(shown))
    assert shown[1] == {"state", "name", "tps", "waiting"}
    assert {"engine", "models", "running", "memory", "age"} <= shown[2]
    assert "trend" in shown[3]
    assert {"prompt", "ttft", "itl", "reason", "host"} <= shown[4]
    assert shown[5] == set(BY_ID)


def test_the_arrow_stands_at_the_column_that_sorts() -> None:
    titles = [header(layout(79, {}), order).text for order in ORDERS]
    assert "state↑" in titles[0]
    assert "name↑" in titles[1]
    assert "tok/s↓" in titles[2]
    assert "wait↓" in titles[3]


# ---- cells


def test_unknown_is_a_dash_and_zero_is_zero() -> None:
    unknown = endpoint_view("x", engine=None, version=None)
    known = endpoint_view("x", running=0, waiting=0, generation_tps=0.0, kv_used=0.0)
    for column in ("running", "waiting", "tps", "memory"):
        assert cell(unknown, column) == "–"
        assert cell(known, column) in ("0", "0%")
    assert cell(unknown, "engine") == "–"
    assert cell(unknown, "models") == "–"


def test_memory_is_the_kv_cache_or_else_gpu_memory() -> None:
    assert cell(endpoint_view("v", kv_used=0.87, models=(model(vram_bytes=GIB),)), "memory") == "87%"
    assert (
        cell(endpoint_view("o", models=(model(vram_bytes=20 * GIB), model("b", vram_bytes=GIB))), "memory")
        == "21.0 GiB"
    )


def test_the_version_is_shown_whole_or_not_at_all() -> None:
    view = endpoint_view("x", engine="vllm", version="0.32.0.dev1234")
    assert "vllm    " in line(view).text
    assert "0.32" not in line(view).text
    assert "vllm 0.32.0.dev1234" in line(view, 119, wanted={"engine": 19}).text


def test_an_estimate_is_marked_and_keeps_its_mark_where_it_is_long() -> None:
    about = frozenset({"running", "waiting", "generation_tps"})
    view = endpoint_view("x", running=2, waiting=12_345, generation_tps=41.0, estimates=about)
    assert cell(view, "running") == "~2"
    assert cell(view, "waiting") == "~12k"
    assert cell(view, "tps") == "~41"
    assert cell(endpoint_view("x", estimates=about), "running") == "–"


def test_what_is_odd_is_the_reason_of_one_that_is_well() -> None:
    odd = ("engine 1: ITL 48 ms, the others 21 ms",)
    assert cell(endpoint_view("x", odd=odd), "reason").startswith("odd: engine 1: ITL 48 ms")
    busy = endpoint_view("x", odd=odd, state=State.BUSY, reason="3 waiting")
    assert cell(busy, "reason") == "3 waiting"


def test_ages() -> None:
    assert cell(endpoint_view("x", answered=9_998.5), "age") == "now"
    assert cell(endpoint_view("x", answered=9_960.0), "age") == "40s"
    assert cell(endpoint_view("x", answered=None), "age") == "–"
    assert cell(endpoint_view("x", since=9_700.0), "since") == "5m"


@pytest.mark.parametrize("state", [State.STALE, State.DOWN])
def test_old_numbers_are_greyed(state: State) -> None:
    view = endpoint_view("x", state=state, generation_tps=41.0, waiting=3, kv_used=0.99)
    drawn = line(view)
    assert {tone_of(drawn, "41"), tone_of(drawn, "99%"), tone_of(drawn, "   3")} == {"muted"}
    assert tone_of(line(endpoint_view("x", waiting=3, generation_tps=41.0)), "   3") == "warn"


def test_a_state_is_always_a_glyph_and_a_word() -> None:
    for state in State:
        assert f" {state.value} " in line(endpoint_view("x", state=state)).text + " "


def test_before_the_first_answer() -> None:
    drawn = line(EndpointView("new", "http://x"))
    assert "…" in drawn.text
    assert "waiting for the first answer" in drawn.text


def test_where_there_are_no_numbers_a_narrow_table_says_why() -> None:
    view = endpoint_view("x", state=State.DOWN, reason="connection refused", answered=None)
    assert "connection refused" in line(view).text
    assert line(view).text.rstrip().endswith("–")


def test_where_there_are_numbers_a_narrow_table_says_why_instead_of_what_serves() -> None:
    stale = endpoint_view("x", state=State.STALE, reason="no answer in 2 s", since=9_995.0, running=1)
    text = line(stale, 79, wanted={"models": 20}).text
    assert "no answer in 2 s, for 5s " not in text, "no room for both"
    assert "no answer in 2 s" in text
    assert "vllm" not in text
    busy = endpoint_view("x", state=State.BUSY, reason="6 waiting", since=9_700.0, waiting=6)
    assert "6 waiting, for 5m" in line(busy).text
    asleep = endpoint_view("x", state=State.SLEEPING, reason="the server put its model to sleep", running=0)
    assert "vllm" in line(asleep).text


def test_a_reason_that_is_cut_begins_with_the_news() -> None:
    stalled = endpoint_view("x", state=State.STALLED, reason="no token for 10 s; 2 running", since=9_990.0, running=2)
    assert "no token for 10 s " in line(stalled).text
    assert "running" not in line(stalled).text
    assert says_why(stalled, layout(79, {})) is False
    assert says_why(stalled, layout(160, {"reason": 60})) is True
    assert says_why(endpoint_view("x", state=State.DOWN, reason="connection refused"), layout(79, {})) is True


def test_percentiles_of_a_stalled_endpoint_are_of_before() -> None:
    known = {"ttft_p95_s": 0.42, "itl_p95_s": 0.031, "running": 2}
    stalled = line(endpoint_view("x", state=State.STALLED, **known), 240)
    assert {tone_of(stalled, "420 ms"), tone_of(stalled, "31 ms")} == {"muted"}
    assert tone_of(line(endpoint_view("x", **known), 240), "420 ms") == ""


@pytest.mark.parametrize("width", [119, 139, 159, 199])
def test_numbers_keep_clear_of_the_text_beside_them(width: int) -> None:
    places = layout(width, WIDE).places
    first = next(place for place in places if place.column.id == "trend")
    before = places[places.index(first) - 1]
    assert first.x - before.x - before.width == 2


def test_a_wide_table_has_a_column_for_it() -> None:
    view = endpoint_view("x", state=State.STALE, reason="no answer in 2 s", running=1)
    assert cell(view, "reason") == "no answer in 2 s"
    assert "no answer in 2 s" in line(view, 119).text, "in the place of the trend"


def test_the_trend_has_gaps_where_nothing_was_known() -> None:
    assert cell(endpoint_view("x", tps_history=(1.0, None, 7.0)), "trend") == "▂ ▇"
    assert cell(endpoint_view("x", tps_history=(None, None)), "trend") == ""


def test_the_selected_row_has_a_bar_and_a_ground() -> None:
    view = endpoint_view("x", models=(model("a"),))
    assert line(view, selected=True).text.startswith("▌▸")
    assert line(view, selected=True).ground == "selected"
    assert line(view, opened=True).text.startswith(" ▾")
    assert line(endpoint_view("x")).text.startswith("   ")


def test_models_and_replicas_stand_below() -> None:
    view = endpoint_view(
        "dp",
        replicas=(ReplicaView("0", 7, 0, 700.0, 0.66), ReplicaView("1")),
        models=(
            model("gemma", vram_bytes=17 * GIB, size_bytes=34 * GIB, context_length=8192, expires_at=NOW.unix + 250),
        ),
    )
    drawn = [row_line(row, layout(119, WIDE), NOW).text for row in rows([view], {"dp"})]
    assert "├ engine 0" in drawn[1]
    assert "700" in drawn[1]
    assert "66%" in drawn[1]
    assert drawn[2].count("–") == 4
    assert "└ gemma" in drawn[3]
    assert "17.0 GiB" in drawn[3]
    assert "50% on GPU" in drawn[3]


def test_a_model_on_disk_says_so() -> None:
    view = endpoint_view("o", models=(model("a"), model("b", ModelState.INSTALLED, size_bytes=5 * GIB)))
    assert "on disk" in row_line(rows([view], {"o"})[2], layout(79, {}), NOW).text


# ---- whatever a server says

_ANY_TEXT = st.one_of(st.text(alphabet=st.characters(), max_size=40), st.just(HOSTILE))
_ANY_NUMBER = st.one_of(st.none(), st.floats(), st.integers(-(2**63), 2**63).map(float))
_ANY_COUNT = st.one_of(st.none(), st.integers(-(2**63), 2**63))
VIEWS = st.builds(
    EndpointView,
    name=_ANY_TEXT,
    url=_ANY_TEXT,
    host=st.one_of(st.none(), _ANY_TEXT),
    engine=st.one_of(st.none(), _ANY_TEXT),
    version=st.one_of(st.none(), _ANY_TEXT),
    state=st.one_of(st.none(), st.sampled_from(State)),
    reason=_ANY_TEXT,
    since=_ANY_NUMBER,
    answered=_ANY_NUMBER,
    latency_s=_ANY_NUMBER,
    running=_ANY_COUNT,
    waiting=_ANY_COUNT,
    generation_tps=_ANY_NUMBER,
    prompt_tps=_ANY_NUMBER,
    ttft_p95_s=_ANY_NUMBER,
    itl_p95_s=_ANY_NUMBER,
    kv_used=_ANY_NUMBER,
    tps_history=st.lists(_ANY_NUMBER, max_size=40).map(tuple),
    replicas=st.lists(
        st.builds(ReplicaView, _ANY_TEXT, _ANY_COUNT, _ANY_COUNT, _ANY_NUMBER, _ANY_NUMBER), max_size=3
    ).map(tuple),
    models=st.lists(
        st.builds(
            ModelReading,
            _ANY_TEXT,
            st.sampled_from(ModelState),
            size_bytes=_ANY_COUNT,
            vram_bytes=_ANY_COUNT,
            context_length=_ANY_COUNT,
            expires_at=_ANY_NUMBER,
            quantization=_ANY_TEXT,
            parameters=_ANY_TEXT,
        ),
        max_size=3,
    ).map(tuple),
    notes=st.lists(_ANY_TEXT, max_size=2).map(tuple),
)


def assert_harmless(drawn: Line, width: int) -> None:
    assert cell_len(drawn.text) <= width
    strange = [c for c in drawn.text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not strange
    assert "nan" not in drawn.text.split()


@given(VIEWS, st.integers(0, 260), st.booleans())
def test_no_answer_breaks_a_row_or_gets_control_characters_onto_it(
    view: EndpointView, width: int, selected: bool
) -> None:
    drawn = layout(width, wanted_widths(FleetSnapshot(0, 0, (view,))))
    for row in rows([view], {view.name}):
        assert_harmless(row_line(row, drawn, NOW, selected=selected), width)


@given(VIEWS, st.integers(1, 260))
def test_no_answer_breaks_the_page_of_an_endpoint(view: EndpointView, width: int) -> None:
    page = sheet(view, NOW, Look(), width, 30)
    for drawn in [*detail_lines(view, NOW, width), page.title, *page.text, *page.pane]:
        assert_harmless(drawn, width)


def test_numbers_are_never_cut() -> None:
    worst: dict[str, Any] = {
        "running": 99_999,
        "waiting": 123_456,
        "generation_tps": 999_499.0,
        "prompt_tps": 99_499.0,
        "ttft_p95_s": 59.4,
        "itl_p95_s": 0.999,
        "latency_s": 88.0,
        "kv_used": 0.9999,
    }
    assert "…" not in line(endpoint_view("x", **worst), 300, wanted=WIDE | {"url": 48}).text
    assert "…" not in line(endpoint_view("x", models=(model("m", vram_bytes=1023 * GIB),)), 79).text


def test_all_rows_of_a_table_line_up() -> None:
    fleet = mixed_fleet()
    for width in (79, 119, 199):
        drawn = layout(width, wanted_widths(fleet))
        place = next(place for place in drawn.places if place.column.id == "age")
        for view in fleet.endpoints:
            text = row_line(Row((view.name, ""), view), drawn, NOW).text
            assert text[place.x + place.width - 1] in "wsmh–"
            assert text[place.x - 1] == " "
