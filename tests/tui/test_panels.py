"""Machines, status line, banner, endpoint page, help, bars: all of them lines without a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fakes import GIB, endpoint_view, gpu, host_view, model, snapshot
from fleets import many, mixed_fleet, wave
from quarterdeck.model.fleet import EMPTY_FLEET, Boundary, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.host import HostView
from quarterdeck.tui.bars import bar, chart
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.columns import COLUMNS
from quarterdeck.tui.commands import COMMANDS, INTERVALS, commands_for, next_interval
from quarterdeck.tui.detail.preview import detail_lines
from quarterdeck.tui.help import help_lines
from quarterdeck.tui.hosts import compact_height, host_lines, roomy_height
from quarterdeck.tui.lines import Line
from quarterdeck.tui.states import LOOKS
from quarterdeck.tui.status import Status, status_line
from quarterdeck.tui.widgets.gpu_strip import strip_height
from quarterdeck.tui.widgets.status_line import banner_lines

NOW = Moment(10_000.0, 1_795_370_400.0)


def text_of(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)


# ---- bars


@given(st.one_of(st.none(), st.floats()), st.integers(1, 40))
def test_a_bar_is_as_wide_as_asked(fraction: float | None, width: int) -> None:
    assert sum(len(run.text) for run in bar(fraction, width)) == width


def test_a_bar_shows_its_fraction_and_something_where_there_is_something() -> None:
    assert [run.text for run in bar(0.5, 10)] == ["━" * 5, "─" * 5]
    assert [run.text for run in bar(0.75, 2)] == ["━╾"]
    assert [run.text for run in bar(0.001, 10)] == ["╾", "─" * 9]
    assert [(run.text, run.tone) for run in bar(None, 3)] == [("───", "bar-rest")]


def test_a_chart_can_have_another_top_than_its_highest_value() -> None:
    assert chart((1.0, 9.0), 2, 2, top=4.0) == [" █", "▄█"]


def test_a_chart_rises_to_its_highest_value_and_has_gaps() -> None:
    assert chart((0.0, None, 4.0, 8.0), 4, 2) == ["   █", "▁ ██"]
    assert chart((1.0,), 3, 1) == ["  █"]
    assert chart((), 3, 2) == ["   ", "   "]


# ---- machines

HOSTS = mixed_fleet().hosts


@given(st.integers(0, 250), st.integers(0, 40))
def test_hosts_fit_where_they_are_put(width: int, height: int) -> None:
    lines = host_lines(HOSTS, width, height)
    assert len(lines) <= height
    assert all(cell_len(line.text) <= width for line in lines)


def test_one_line_a_host_has_every_gpu_and_the_machine() -> None:
    lines = host_lines(HOSTS, 80, compact_height(HOSTS))
    assert [line.text.split()[0] for line in lines] == ["gpu-box-1", "gpu-box-2", "workstation"]
    assert all(f"{percent}%" in lines[0].text for percent in (89, 87, 15, 97))
    assert "–" in lines[1].text, "a GPU whose utilisation can't be read"
    assert "no NVIDIA GPU on this machine" in lines[2].text
    assert "cpu   7%" in lines[2].text


def test_wider_lines_tell_more_of_each_gpu() -> None:
    two = (host_view("h", gpu(0, 0.5, 40), gpu(1, 0.25, 20)),)
    assert "50.0%" not in host_lines(two, 80, 1)[0].text
    assert "54°C" in host_lines(two, 120, 1)[0].text
    assert "40.0 GiB of 80.0 GiB" in host_lines(two, 200, 1)[0].text


def test_eight_gpus_fit_80_columns() -> None:
    host = host_view("gpu-box", *(gpu(place, place / 8) for place in range(8)))
    assert "▁▂▃" in host_lines((host,), 80, 1)[0].text


def test_one_line_a_gpu_where_there_is_room() -> None:
    text = text_of(host_lines(HOSTS, 120, roomy_height(HOSTS)))
    assert text.count("H100 80GB HBM3") == 8
    assert "688 W of 700 W" in text
    assert "87°C" in text


def test_more_hosts_than_lines_are_counted() -> None:
    hosts = tuple(host_view(f"h{place}") for place in range(9))
    assert "… 7 more hosts" in host_lines(hosts, 80, 3)[-1].text


def test_a_gpu_of_which_nothing_is_known_is_drawn_unknown() -> None:
    text = text_of(host_lines((host_view("h", GpuView(0)),), 200, 1)) + text_of(
        host_lines((host_view("h", GpuView(0)),), 120, 9)
    )
    assert "–" in text
    assert " 0%" not in text


def test_a_host_that_was_never_read_is_waited_for() -> None:
    assert "waiting for the first answer" in text_of(host_lines((HostView("new", "local"),), 80, 1))


def test_a_host_that_cannot_be_read_again_is_dated_and_grey() -> None:
    gone = host_view("h", gpu(0), reason="connection refused", at=9_960.0, cpu=None, memory_used_bytes=None)
    title, line = host_lines((gone,), 120, 9, 10_000.0)[1:]
    assert "connection refused; last read 40s ago" in title.text
    assert "of 128 GiB" not in title.text
    assert {run.tone for run in line.runs} <= {"muted", "faint"}
    assert "connection refused; last read 40s ago" in host_lines((gone,), 120, 1, 10_000.0)[0].text
    partly = replace(gone, at=9_999.0)
    assert "last read" not in text_of(host_lines((partly,), 120, 9, 10_000.0))


def test_the_table_comes_first() -> None:
    assert strip_height(HOSTS, rows=8, height=35) == roomy_height(HOSTS)
    assert strip_height(HOSTS, rows=200, height=35) == compact_height(HOSTS)
    assert strip_height(HOSTS, rows=200, height=9) == 0
    assert strip_height((), rows=1, height=35) == 0


# ---- status line


def status(fleet: object = None, **known: object) -> Status:
    return Status(fleet or mixed_fleet(), interval=2.0, **known)  # type: ignore[arg-type]


def test_the_status_line_counts_the_well_and_names_the_worst_first() -> None:
    text = status_line(status(), 200).text
    assert "Quarterdeck" in text
    assert "3/8 well" in text
    assert text.index("1 DOWN") < text.index("1 STALLED") < text.index("1 BUSY")
    assert "every 2 s" in text


def test_on_80_columns_the_lesser_troubles_lose_their_words_but_not_their_glyphs() -> None:
    text = status_line(status(), 80).text
    assert "✗ 1 DOWN" in text
    assert "STALLED" not in text
    assert "■ 1" in text


def test_paused_filter_notice_and_hints() -> None:
    assert "PAUSED" in status_line(status(paused=True), 120).text
    assert "/vllm 2 of 8" in status_line(status(needle="vllm", shown=2), 120).text
    hinted = status(hints=(("?", "help"), ("q", "quit")))
    assert "? help" in status_line(hinted, 120).text
    noticed = status_line(hinted._replace(notice="60 s is the longest interval"), 120).text
    assert "60 s is the longest interval" in noticed
    assert "? help" not in noticed
    assert "PAUSED" not in noticed


@pytest.mark.parametrize("width", [40, 80, 200])
def test_paused_shows_whatever_the_news_are(width: int) -> None:
    paused = status_line(status(paused=True, notice="sorted by name", needle="vllm"), width).text
    assert "PAUSED" in paused
    assert "sorted by" in paused


@pytest.mark.parametrize("width", [40, 80, 100, 120])
def test_paused_shows_beside_news_that_don_t_fit(width: int) -> None:
    news = "copied 89 raw values of qwen-chat (97 lines, 11673 characters) by OSC 52 and a word or two more; 6 shows it"
    line = status_line(status(paused=True, notice=news), width)
    assert cell_len(line.text) <= width
    assert "PAUSED" in line.text
    assert "copied 89" in line.text
    assert "6 shows it" in line.text
    assert "PAUSED" not in status_line(status(notice=news), width).text


def test_what_is_wrong_with_the_selected_endpoint_leaves_room_for_help() -> None:
    troubled = status(about="qwen: no token for 10 s; 26 running, 60 waiting", hints=(("?", "help"), ("q", "quit")))
    assert "qwen: no token for 10" in status_line(troubled, 80).text
    assert "? help" in status_line(troubled, 80).text
    assert "every 2 s" not in status_line(troubled, 80).text
    assert "PAUSED" in status_line(troubled._replace(paused=True), 80).text
    assert "3/8 well  qwen: no token for 10" in status_line(troubled, 40).text


def test_before_anything_is_known() -> None:
    assert "no endpoints" in status_line(status(EMPTY_FLEET, started=False), 80).text
    unpolled = snapshot(*(replace(view, state=None) for view in mixed_fleet().endpoints))
    assert "asking 8 endpoints …" in status_line(status(unpolled), 80).text
    assert "well" not in status_line(status(unpolled), 80).text


@given(st.integers(0, 220), st.text(max_size=300), st.booleans())
def test_the_status_line_fits(width: int, text: str, paused: bool) -> None:
    drawn = status_line(status(needle=text, about=text, paused=paused, hints=(("q", "quit"),)), width)
    assert cell_len(drawn.text) <= width


# ---- banner


def test_the_banner_has_the_first_problem_in_full_and_counts_the_rest() -> None:
    problems = ("fleet.toml:12: endpoint.urll: unknown key, did you mean url?", "second", "third")
    lines = banner_lines(problems, 80)
    assert problems[0] in lines[0].text
    assert "2 more: `quarterdeck config check`" in lines[-1].text
    assert len(banner_lines(problems[:1], 80)) == 1
    assert len(banner_lines(("word " * 200,), 80)) == 2


# ---- the page of an endpoint


def page(name: str, width: int = 80) -> str:
    view = next(view for view in mixed_fleet().endpoints if view.name == name)
    return text_of(detail_lines(view, NOW, width))


def test_a_page_says_what_is_wrong_since_when_and_what_to_try() -> None:
    text = page("coder-b")
    assert "✗ DOWN for 5m" in text
    assert "connection refused" in text
    assert "Is the server running" in text
    assert "has not answered yet" in text


def test_a_page_has_the_numbers_the_replicas_the_models_and_a_chart() -> None:
    text = page("qwen-prod")
    for shown in (
        "vllm 0.32.0",
        "http://127.0.0.1:8000/qwen-prod",
        "gpu-box-1",
        "1.2k",
        "420 ms",
        "62%",
        "Replicas",
        "qwen3-32b",
    ):
        assert shown in text
    assert "answered now in 12 ms" in text
    assert "█" in text


def test_a_page_says_why_something_is_unknown() -> None:
    text = page("ollama-lab")
    assert "Ollama tells nothing of its load" in text
    assert "unloads in 4m" in text
    assert "on disk" in text


def test_a_page_names_how_far_prompts_travel() -> None:
    view = endpoint_view("x", boundary=Boundary.EXTERNAL, protected=True)
    assert "external, protected" in text_of(detail_lines(view, NOW, 80))


def test_a_wide_page_has_two_columns() -> None:
    assert len(page("qwen-prod", 160).splitlines()) < len(page("qwen-prod", 80).splitlines())


def test_a_history_of_gaps_draws_no_chart() -> None:
    view = endpoint_view("x", tps_history=(None,) * 40)
    assert "one column each" not in text_of(detail_lines(view, NOW, 80))
    older = endpoint_view("x", tps_history=(9.0, *(None,) * 200))
    assert "0" in text_of(detail_lines(older, NOW, 80))


def test_a_sleeping_model_and_one_that_stays() -> None:
    view = endpoint_view("x", models=(model("m", vram_bytes=GIB, expires_at=float("inf")),), tps_history=wave(9, 3))
    assert "stays loaded" in text_of(detail_lines(view, NOW, 80))


# ---- help and commands


def test_the_help_has_every_key_every_state_and_every_column() -> None:
    text = text_of(help_lines(100))
    for command in (each for each in COMMANDS if not each.replay):
        assert not command.keys or command.shown in text
    for seen in LOOKS.values():
        assert f"{seen.glyph} {seen.word}" in text
    for column in COLUMNS:
        assert column.title in text
    assert "It never means zero" in text


@pytest.mark.parametrize("where", ["fleet", "endpoint", "gpus", "gpu"])
def test_the_help_begins_with_the_keys_of_the_screen_it_was_asked_for_from(where: str) -> None:
    lines = [line.text for line in help_lines(100, where)]
    titles = [line.strip() for line in lines if line.strip().startswith(("Keys ", "Only "))]
    assert [title.split()[0] for title in titles] == ["Keys", *["Only"] * (len(titles) - 1)]
    first = lines[: lines.index(f"  {titles[1]}")]
    for command in (each for each in COMMANDS if not each.replay):
        if command.keys:
            entry = f"  {command.shown:<14}{command.help[:60]}"
            assert any(line.startswith(entry) for line in first) is (where in command.where)
            assert sum(line.startswith(entry) for line in lines) == 1


@pytest.mark.parametrize("width", [1, 5, 40, 79, 200])
def test_the_help_fits(width: int) -> None:
    assert all(cell_len(line.text) <= width for line in help_lines(width))


def test_no_key_means_two_things_on_one_screen() -> None:
    for where in ("fleet", "endpoint", "help"):
        keys = [key for command in commands_for(where) for key in command.keys]
        assert len(keys) == len(set(keys))
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)


def test_intervals_step_through_the_list_from_anywhere() -> None:
    assert next_interval(2.0, 1) == 5.0
    assert next_interval(2.0, -1) == 1.0
    assert next_interval(3.3, 1) == 5.0
    assert next_interval(INTERVALS[-1], 1) is None
    assert next_interval(INTERVALS[0], -1) is None


def test_a_big_fleet_is_counted() -> None:
    assert "167/200 well" in status_line(status(many(200)), 80).text
    assert State.BUSY.value in status_line(status(many(200)), 120).text
