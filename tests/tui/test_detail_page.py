"""The page of an endpoint as lines: every section from what is known, nothing from what isn't, at every width."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fakes import GIB, endpoint_view, event, history, model, window
from fleets import gateway, mixed_fleet
from quarterdeck.model.events import EventKind
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.latency import Latencies
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import EngineReading, Histogram
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.charts import WINDOWS, Look
from quarterdeck.tui.detail.page import BESIDE_FROM, Sheet, sheet
from quarterdeck.tui.detail.raw import raw_text
from quarterdeck.tui.lines import Line

NOW = Moment(10_000.0, 1_795_370_400.0)
FLEET = {view.name: view for view in (*mixed_fleet().endpoints, gateway())}
QWEN = FLEET["qwen-prod"]


def page(view: EndpointView, width: int = 80, height: int = 22, look: Look | None = None) -> Sheet:
    return sheet(view, NOW, look or Look(), width, height)


def text_of(drawn: Sheet) -> str:
    return "\n".join(line.text for line in [drawn.title, *drawn.text, *drawn.pane])


def section(drawn: Sheet, title: str) -> str:
    """The text of one section."""
    places = dict(drawn.sections)
    begin = places[title]
    end = min((place for place in places.values() if place > begin), default=len(drawn.text))
    return "\n".join(line.text for line in drawn.text[begin:end])


def tones(lines: list[Line], text: str) -> set[str]:
    return {run.tone for line in lines for run in line.runs if text in run.text}


# ---- what is left out, what fits


def test_an_endpoint_of_which_nothing_is_known_has_only_what_it_is_and_dashes() -> None:
    drawn = page(endpoint_view("x", state=None, answered=None, latency_s=None))
    assert [title for title, _ in drawn.sections] == ["", "Now"]
    assert section(drawn, "Now").count("–") == 8
    assert "0" not in section(drawn, "Now").replace("p95", "")


def test_sections_are_where_they_are_said_to_be() -> None:
    drawn = page(QWEN)
    for title, place in drawn.sections[1:]:
        assert drawn.text[place].text.strip().startswith(title)
    assert all(one < other for (_, one), (_, other) in pairwise(drawn.sections))


@pytest.mark.parametrize("name", list(FLEET))
@given(
    width=st.integers(1, 260), height=st.integers(1, 80), chosen=st.integers(0, 3), ago=st.none() | st.floats(-9, 9_000)
)
def test_a_page_fits_every_size(name: str, width: int, height: int, chosen: int, ago: float | None) -> None:
    drawn = page(FLEET[name], width, height, Look(chosen, None if ago is None else NOW.now - ago))
    assert cell_len(drawn.title.text) <= width
    assert all(cell_len(line.text) <= drawn.text_width for line in drawn.text)
    assert len(drawn.pane) <= height
    assert all(cell_len(line.text) <= width - drawn.text_width for line in drawn.pane)


def test_the_wider_the_more_stands_side_by_side() -> None:
    narrow, wide = page(QWEN, BESIDE_FROM - 1), page(QWEN, BESIDE_FROM, 34)
    assert not narrow.pane
    assert "Charts" in dict(narrow.sections)
    assert wide.pane
    assert "Charts" not in dict(wide.sections)
    without = replace(QWEN, history=None)
    assert len(page(without, 160).text) < len(page(without, 80).text) - 20


# ---- why


def test_the_evidence_stands_under_the_reason_and_what_is_odd_is_told() -> None:
    lines = page(FLEET["llama-batch"]).text
    shown = [line.text.split() for line in lines[1:4]]
    assert [words[0] for words in shown[:2]] == ["why", "evidence"]
    assert "KV cache 97 %, the limit is 90 %" in lines[3].text
    assert "! odd         engine 1: ITL 48 ms"[:12] in page(QWEN).text[1].text
    assert tones(page(QWEN).text, "ITL 48 ms") == {"warn"}


def test_a_dead_deployment_of_a_gateway_stands_on_top() -> None:
    lines = page(gateway()).text[:6]
    assert any("! ails" in line.text for line in lines)
    assert "warn" in tones(lines, "outage")
    assert not tones(page(replace(gateway(), state=State.DOWN)).text[:6], "outage"), "that was before"


@pytest.mark.parametrize(
    ("state", "words"),
    [(State.LOADING, "no numbers yet"), (State.AUTH, "no numbers yet"), (State.DOWN, "has not answered yet")],
)
def test_who_refuses_has_answered(state: State, words: str) -> None:
    assert words in text_of(page(endpoint_view("x", state=state, answered=None), 160))


# ---- now


def test_now_has_units_and_what_some_servers_tell() -> None:
    text = section(page(QWEN), "Now")
    for shown in ("1.2k tok/s", "5.4k tok/s", "4.1k tok/s", "76%", "71%", "0/s", "420 ms", "62% of 1.3M tokens"):
        assert shown in text
    assert "spent        $41.24" in section(page(gateway()), "Now")
    assert "35 capacity, 2 deferred" in section(page(FLEET["llama-batch"]), "Now")


def test_an_estimate_is_marked_and_says_how_it_was_come_by() -> None:
    text = section(page(FLEET["ollama-lab"]), "Now")
    assert "~2" in text
    assert "established connections to port 11434: an upper bound" in text
    unknown = endpoint_view("x", estimates=frozenset({"running", "generation_tps"}))
    assert "~–" not in section(page(unknown), "Now")


def test_an_estimated_rate_has_the_source_of_its_counter_and_a_cache_of_about_so_many_tokens_says_so() -> None:
    metered = endpoint_view(
        "x",
        generation_tps=40.0,
        kv_used=0.5,
        kv_capacity_tokens=445_000,
        estimates=frozenset({"generation_tps", "kv_capacity_tokens"}),
        origins={"generation_tokens": "/slots of its runner", "kv_capacity_tokens": "blocks × block size"},
    )
    text = section(page(metered), "Now")
    assert "~ generating /slots of its runner" in text
    assert "50% of ~445k tokens" in text
    assert "~ KV tokens  blocks × block size" in text


def test_the_window_of_percentiles_is_told_where_there_are_any() -> None:
    assert "p95: of the last minute" in section(page(QWEN), "Now")
    assert "minute" not in section(page(endpoint_view("x")), "Now")


def test_numbers_that_are_old_are_not_as_bright_as_new_ones() -> None:
    stale = replace(QWEN, state=State.STALE)
    assert "strong" in tones(page(QWEN).text, "1.2k tok/s")
    assert tones(page(stale).text, "5.4k tok/s") <= {"muted", "faint"}


# ---- latency


def test_percentiles_of_both_windows_and_how_many_were_seen() -> None:
    text = section(page(QWEN), "Latency")
    ttft = next(line for line in text.splitlines() if "TTFT" in line).split()
    assert ttft == ["TTFT", "241", "ms", "729", "ms", "1.1", "s", "96", "175", "ms", "462", "ms", "492", "ms", "3"]
    queue = next(line for line in text.splitlines() if "in queue" in line)
    assert queue.split()[-4:] == ["–"] * 4, "the last interval saw none"
    narrow = section(page(QWEN, 50), "Latency")
    assert narrow.index("last minute") < narrow.index("last interval")
    assert narrow.count("TTFT") == 2


def test_a_server_that_tells_latencies_but_saw_no_request_has_dashes_and_one_that_does_not_has_no_table() -> None:
    told = EngineReading(ttft=Histogram((0.1, math.inf), (5.0, 9.0)))
    quiet = endpoint_view("x", engines=(told,), latencies=Latencies())
    assert section(page(quiet), "Latency").count("–") == 8
    assert "Latency" not in dict(page(endpoint_view("x", engines=(EngineReading(),))).sections)


def test_requests_by_reason_with_mistakes_in_another_tone() -> None:
    text = section(page(QWEN), "Requests ended")
    assert "1.7/s" in text
    assert "0.1/s" in text
    assert tones(page(QWEN).text, "0.1/s") == {"warn"}
    assert tones(page(QWEN).text, "1.4/s") == {"strong"}
    assert "Requests ended" not in dict(page(endpoint_view("x", finished_ps=None)).sections)


# ---- replicas, models, adapters, deployments


def test_replicas_one_row_each_and_the_odd_one_in_words() -> None:
    text = section(page(QWEN), "Replicas")
    assert "! 1" in text
    assert "! odd: ITL 48 ms, the others 21 ms" in text
    assert "2.9k" in text
    assert "2.9k" not in section(page(QWEN, 60), "Replicas")


def test_a_model_that_spilled_stands_out() -> None:
    lines = page(FLEET["ollama-lab"]).text
    assert tones(lines, "3.6 GiB in RAM (17% spilled)") == {"warn"}
    text = section(page(FLEET["ollama-lab"]), "Models")
    assert "17.4 GiB" in text
    assert "ctx 8192" in text
    assert "unloads in 4m" in text
    whole = endpoint_view("x", models=(model("m", vram_bytes=GIB, size_bytes=GIB),))
    assert "spilled" not in section(page(whole), "Models")


def test_a_model_list_without_end_is_cut() -> None:
    many = endpoint_view("x", models=tuple(model(f"m{place}", ModelState.SERVED) for place in range(2_000)))
    assert "… 1800 more" in section(page(many), "Models")


def test_adapters_and_deployments() -> None:
    text = section(page(QWEN), "LoRA adapters")
    assert "8 at most" in text
    assert "sql-expert" in text
    assert "none has requests" in section(page(endpoint_view("x", max_adapters=4)), "LoRA adapters")
    deployed = section(page(gateway()), "Deployments").splitlines()
    assert [line.split()[0] for line in deployed[1:] if "chat" in line or "embed" in line] == ["●", "✗", "·"]
    assert "outage" in "".join(deployed)


# ---- requests seen from outside, events, what the server tells


def test_the_access_log_and_our_own_requests() -> None:
    text = section(page(FLEET["ollama-lab"]), "Access log")
    assert "14/min" in text
    assert "journalctl -u ollama" in text
    failed = [line for line in page(FLEET["ollama-lab"]).text if "5xx" in line.text]
    assert [run.tone for line in failed for run in line.runs if run.text.strip() == "2"] == ["warn"]
    own = section(page(FLEET["ollama-lab"]), "Our own requests")
    assert "44 tok/s" in own
    assert "40s ago" in own


def test_events_newest_first_with_their_times() -> None:
    lines = section(page(QWEN), "Events").splitlines()[1:]
    assert lines[0].split(maxsplit=3)[:3] == ["17:57:40", "●", "OK"]
    assert lines[3].split()[1:3] == ["↻", "restart"]
    old = endpoint_view("x", events=(event(3 * 86_400, "DOWN", "gone"), *(event(9 - n, "OK", "") for n in range(20))))
    assert "… 9 earlier ones" in section(page(old), "Events")
    assert "3d ago" in section(page(endpoint_view("x", events=(event(3 * 86_400, "DOWN", "gone"),))), "Events")


def test_a_model_that_came_is_an_event_but_no_mark_on_the_charts() -> None:
    loaded = event(100, "loaded", "gemma3:27b", EventKind.MODEL)
    view = replace(QWEN, events=(loaded,))
    assert "gemma3:27b" in section(page(view), "Events")
    assert not page(view).charts.marks  # type: ignore[union-attr]


def test_what_the_server_tells_of_itself_and_the_notes() -> None:
    assert "KV cache data type  fp8" in section(page(QWEN), "As the server tells")
    assert "Ollama tells nothing" in section(page(FLEET["ollama-lab"]), "Notes")


def test_long_words_go_on_below_and_a_number_stays_with_its_unit() -> None:
    path = "/srv/models/" + "a-very-long-name/" * 6 + "end"
    view = endpoint_view("x", identity=(("model root", path), ("what is asked for and how often", "yes")))
    for width in (40, 60, 80):
        text = section(page(view, width), "As the server tells")
        assert "…" not in text
        assert path in "".join(text.split())
        assert "what is asked for and how often" in text
    odd = endpoint_view("x", odd=("engine 5: TTFT 1.3 s, the others 301 ms",))
    for width in range(30, 60):
        lines = [line.text.strip() for line in page(odd, width).text]
        assert not {"ms", "s,"} & {line.split()[0] for line in lines if line}, width


def test_the_size_of_a_model_whose_memory_is_not_told_is_that_of_its_weights() -> None:
    told = endpoint_view("x", models=(model("m", size_bytes=GIB), model("n", size_bytes=GIB, vram_bytes=GIB)))
    text = section(page(told), "Models")
    assert text.count("of weights") == 1
    on_disk = endpoint_view("x", models=(model("m", ModelState.INSTALLED, size_bytes=GIB),))
    assert "of weights" not in section(page(on_disk), "Models")


def test_why_there_are_only_dashes_stands_right_below_them() -> None:
    unknown = endpoint_view("x", models=(model("m"),), notes=("no load numbers: start it with --metrics",))
    titles = [title for title, _ in page(unknown).sections]
    assert titles.index("Notes") == titles.index("Now") + 1
    known = [title for title, _ in page(replace(unknown, running=3)).sections]
    assert known.index("Notes") > known.index("Models")


# ---- raw values


def test_raw_values_have_their_sources() -> None:
    text = section(page(QWEN), "Raw values and where they came from")
    row = next(line for line in text.splitlines() if "generation_tokens" in line)
    assert row.split() == ["generation_tokens", "81231554", "/metrics", "vllm:generation_tokens_total"]
    assert "120331" in text
    assert "9131 seen" in text
    assert "/v1/models" in text


def test_the_copy_has_every_engine_and_bucket() -> None:
    text, number = raw_text(QWEN, NOW)
    assert number == 20
    assert text.count("  generation_tokens ") == 2
    assert "le=0.1:40 le=0.25:4010" in text
    assert "le=inf:9131" in text
    assert "/metrics vllm:time_to_first_token_seconds" in text
    assert "qwen-prod  http://127.0.0.1:8000/qwen-prod  vllm 0.32.0  OK  18:00:00" in text


def test_many_engines_are_counted_and_copied_whole() -> None:
    view = endpoint_view("x", engines=tuple(EngineReading(str(place), running=place) for place in range(40)))
    assert "… 32 more engines; c copies all" in section(page(view), "Raw values and where they came from")
    assert raw_text(view, NOW)[1] == 40


def test_absurd_raw_values_are_shown_as_they_are() -> None:
    engine = EngineReading(kv_used=math.nan, prompt_tokens=math.inf, generation_tokens=0.1 + 0.2, cache_hits=1e300)
    view = endpoint_view("x", engines=(engine,))
    text = section(page(view), "Raw values and where they came from")
    assert "nan" in text
    assert "inf" in text
    assert "1e+300" in text


# ---- charts


def test_charts_of_what_was_recorded_and_of_nothing_else() -> None:
    charts = section(page(QWEN), "Charts")
    for title in ("generated", "running", "waiting", "KV cache", "TTFT p95", "prompts", "ITL p95"):
        assert f"  {title}  " in charts
    assert "GPU memory" not in charts
    ollama = section(page(FLEET["ollama-lab"]), "Charts")
    assert "GPU memory  17.4 GiB now" in ollama
    assert "generated" not in ollama
    assert "Charts" not in dict(page(endpoint_view("x", history=history(0))).sections)


@pytest.mark.parametrize(("chosen", "words"), [(0, "1 min"), (1, "5 min"), (2, "15 min"), (3, "1 h")])
def test_the_window_is_named_and_its_times_are_on_the_axis(chosen: int, words: str) -> None:
    charts = section(page(QWEN, look=Look(chosen)), "Charts")
    assert f"[{words}]" in charts
    drawn = page(QWEN, look=Look(chosen)).charts
    assert drawn is not None
    assert drawn.axis.step * drawn.axis.cells == pytest.approx(WINDOWS[chosen][0])
    assert {0: "17:59:", 1: "17:58", 2: "17:50", 3: "17:30"}[chosen] in charts


def test_the_values_under_the_cursor_are_those_of_that_time() -> None:
    view = endpoint_view("x", history=history(300, generation_tps=lambda ago: ago, running=lambda ago: 3.0))
    shown = section(page(view, look=Look(0, 9_970.0)), "Charts")
    assert "at 17:59:3" in shown or "at 17:59:29" in shown
    assert "generated 30 tok/s" in shown
    assert "running 3" in shown
    assert "│" in shown
    assert " now" not in shown


def test_under_the_cursor_what_is_not_known_is_a_dash() -> None:
    view = endpoint_view("x", history=history(300, running=lambda ago: None if 20 < ago < 40 else 3.0))
    assert "running –" in section(page(view, look=Look(0, 9_970.0)), "Charts")


def test_restarts_and_states_are_marked_and_explained() -> None:
    charts = section(page(QWEN, look=Look(2)), "Charts")
    assert "✗" in charts
    assert "● 17:57:40 OK · ▲ 17:56:40 BUSY" in charts
    assert "↻ 17:49:00 restart" in charts
    assert "DOWN" not in section(page(QWEN, look=Look(1)), "Charts")


def test_old_values_are_not_called_now_and_the_gap_up_to_now_is_drawn() -> None:
    view = endpoint_view("x", state=State.STALE, running=4, history=history(300, now=9_940.0, running=lambda ago: 4.0))
    drawn = page(view, look=Look(1))
    assert " now" not in section(drawn, "Charts")
    assert drawn.charts is not None
    assert drawn.charts.values["running"][-10:] == [None] * 10


def test_beside_the_text_as_many_charts_as_fit() -> None:
    tall, low = text_of(page(QWEN, 200, 58)), text_of(page(QWEN, 120, 18))
    assert tall.count("peak") == 7
    assert low.count("peak") == 2
    assert "generated" in low
    assert "peak" not in "\n".join(line.text for line in page(QWEN, 120, 5).pane)


def test_a_clock_that_jumped_draws_something() -> None:
    late = history(300, now=20_000.0, running=lambda ago: 1.0)
    assert page(endpoint_view("x", history=late)).charts is not None


def test_hostile_numbers_draw_something() -> None:
    odd = history(60, running=lambda ago: [math.inf, -5.0, 1e308, 0.0][int(ago) % 4])
    assert page(endpoint_view("x", history=odd), 200, 58).pane


def test_windows_of_latency_that_saw_nothing_are_dashes() -> None:
    empty = Latencies(last={"ttft": window((0.1,), (0.0, 0.0))})
    assert "–" in section(page(endpoint_view("x", latencies=empty)), "Latency")
