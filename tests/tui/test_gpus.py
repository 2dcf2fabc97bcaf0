"""The GPU view: lines without a screen, then the console with every key of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console_driver import Console, console
from fakes import GIB, config, endpoint_view, gpu, host_view, model, snapshot
from gpu_fleets import ORPHAN, full_gpu, gpu_fleet
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, Holder, Xid
from quarterdeck.model.holdings import Part, PartKind
from quarterdeck.model.host import HostView
from quarterdeck.model.replica import ReplicaView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.columns import in_order
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.detail.charts import Look
from quarterdeck.tui.gpus.bars import aside, stack
from quarterdeck.tui.gpus.charts import Plot, chart_lines
from quarterdeck.tui.gpus.fleet_list import listing
from quarterdeck.tui.gpus.listing import Listing, Shown
from quarterdeck.tui.gpus.orphans import impact
from quarterdeck.tui.gpus.page import gpu_page
from quarterdeck.tui.gpus.panel import panel_lines
from quarterdeck.tui.gpus.scene import ORDERS, Entry, Scene, entries, letters, machines, marks
from quarterdeck.tui.gpus.summary import Summary, summary_line
from quarterdeck.tui.help import help_lines
from quarterdeck.tui.hosts import host_lines, roomy_height
from quarterdeck.tui.lines import BAD, WARN, Line
from quarterdeck.tui.screens.confirm import ConfirmScreen, confirm_lines
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.gpu import GpuScreen
from quarterdeck.tui.screens.gpus import GpusScreen
from quarterdeck.tui.sieve import sieved

NOW = Moment(10_000.0, 1_795_370_400.0)
FLEET = gpu_fleet()
BY_MACHINE = ORDERS[0]
SCENE = Scene(FLEET, letters(FLEET.hosts), NOW)


def text_of(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)


def entry(index: int, host: int = 0) -> Entry:
    machine = FLEET.hosts[host]
    return Entry(machine, machine.gpus[index])


def kept(needle: str, fleet: FleetSnapshot = FLEET, hosts: tuple[HostView, ...] = FLEET.hosts) -> list[Entry]:
    return sieved(entries(hosts), needle, "gpus", Frame(fleet, *NOW)).rows


def listed(
    width: int,
    height: int = 20,
    fleet: FleetSnapshot = FLEET,
    needle: str = "",
    order: str = "host",
    *,
    turned: bool = False,
) -> Listing:
    chosen = next(each for each in ORDERS if each.id == order)._replace(turned=turned)
    found = in_order(kept(needle, fleet, machines(fleet, chosen)), chosen)
    selected = found[0].key if found else None
    shown = Shown(found, machines(fleet, chosen), letters(fleet.hosts), chosen, selected, NOW.now, bool(needle))
    return listing(shown, width, height)


# ---- the stacked bar


def test_the_bar_of_the_memory_tells_its_parts_apart_without_colour() -> None:
    drawn = "".join(run.text for run in stack(entry(2).gpu, 40, SCENE.letters))
    assert drawn == "B━━━━━━━━C━━o╍╍?r" + "─" * 24 or len(drawn) == 40
    assert drawn.startswith("B━━━━━━━")
    assert "C━" in drawn
    assert "o╍" in drawn
    assert drawn.endswith("──")


def test_an_orphan_is_marked_in_the_bar_and_red() -> None:
    runs = stack(entry(3).gpu, 20, SCENE.letters)
    assert runs[0].text.startswith("!━")
    assert runs[0].tone == BAD


def test_memory_that_nobody_tells_of_is_a_plain_bar() -> None:
    drawn = "".join(run.text for run in stack(gpu(0, used=40, total=80), 10, {}))
    assert drawn == "━━━━━─────"


def test_even_a_small_model_has_a_cell() -> None:
    tiny = GpuProcess(1, 1, holder=Holder.MODEL, endpoint="e", model="m")
    large = GpuProcess(2, 70 * GIB, holder=Holder.MODEL, endpoint="e", model="l")
    card = gpu(0, used=70.5, processes=(tiny, large))
    drawn = "".join(run.text for run in stack(card, 10, {("e", "l"): "A", ("e", "m"): "B"}))
    assert "B" in drawn
    assert len(drawn) == 10


@given(
    st.integers(1, 80),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(Holder)), max_size=12),
    st.integers(0, 80),
)
def test_a_bar_is_as_wide_as_asked(width: int, holders: list[tuple[int, Holder]], used: int) -> None:
    processes = tuple(
        GpuProcess(pid, held * GIB, holder=holder, endpoint="e", model=str(pid % 3))
        for pid, (held, holder) in enumerate(holders)
    )
    card = gpu(0, used=used, processes=processes, memory_reserved_bytes=GIB)
    host = host_view("h", card)
    assert sum(len(run.text) for run in stack(card, width, letters((host,)))) == width


def test_letters_are_the_same_on_every_gpu_and_the_largest_model_comes_first() -> None:
    assert SCENE.letters[("qwen-prod", "qwen3-32b")] == "A"
    assert SCENE.letters[("ollama-lab", "gemma3:27b")] == "B"
    assert SCENE.letters[("ollama-lab", "qwen3:8b")] == "C"


# ---- what is wrong


@pytest.mark.parametrize(
    ("known", "word", "tone"),
    [
        ({"lost": True, "at": 9_905.0}, "✗ LOST 1m", BAD),
        ({"throttle": ("power cap",)}, "▼ power cap", WARN),
        ({"throttle": ("power cap", "hardware thermal slowdown")}, "▼ power cap", BAD),
        ({"xids": (Xid(79, 9_990.0, "off the bus"),)}, "✗ XID 79", BAD),
        ({"xids": (Xid(13, 5_000.0),)}, "✗ XID 13", WARN),
        ({"xids": (Xid(13),)}, "✗ XID 13", WARN),
        ({"ecc": Ecc(9, 2)}, "✗ ECC 2", BAD),
        ({"ecc": Ecc(9, 0, 1, True)}, "▲ RESET", WARN),
        ({"ecc": Ecc(9, 0, 1, False, True)}, "✗ REMAP", BAD),
        ({"temperature_c": 85.0, "slowdown_c": 87.0}, "▲ HOT", WARN),
        ({"processes": (ORPHAN,)}, "! ORPHAN", BAD),
    ],
)
def test_trouble_has_a_word_and_a_tone(known: dict[str, Any], word: str, tone: str) -> None:
    found = marks(replace(gpu(0), **known), NOW.now)
    assert [(mark.word, mark.tone) for mark in found] == [(word, tone)]


def test_a_healthy_gpu_and_clocks_that_somebody_set_are_no_trouble() -> None:
    assert marks(full_gpu(0, throttle=("application clocks", "sync boost")), NOW.now) == []
    assert marks(full_gpu(0, ecc=Ecc(12, 0, 0, False, False)), NOW.now) == [], "corrected errors are corrected"
    assert marks(GpuView(0), NOW.now) == []


def test_the_gravest_trouble_comes_first() -> None:
    assert [mark.tone for mark in marks(entry(4).gpu, NOW.now)] == [BAD, BAD, WARN, WARN]


# ---- rows and cards


def test_rows_on_80_columns_tell_the_load_the_holder_and_the_trouble() -> None:
    lines = [line.text for line in listed(79).lines]
    assert lines[0].startswith(" gpu-box-1")
    row = lines[1]
    for part in ("97%", "A━━━", "73.1 GiB", "92%", "699 W", "54°C", "▼ power cap"):
        assert part in row
    assert "! ORPHAN" in lines[4]
    assert "✗ LOST 1m" in lines[6]
    assert "connection refused; last read 1m ago" in text_of(listed(79).lines)
    assert "no NVIDIA driver on this machine" in text_of(listed(79).lines)


def test_wide_rows_have_names_and_the_last_minutes() -> None:
    row = listed(119).lines[1].text
    assert "H100 80GB HBM3" in row
    assert "▅" in row
    assert "of 80.0 GiB" in row


def test_cards_where_all_of_them_fit() -> None:
    cards = listed(199, 60)
    assert cards.cards
    assert not listed(199, 20).cards
    assert not listed(100, 60).cards
    assert len({(spot.row, spot.column) for spot in cards.spots}) == len(cards.spots) == 13
    text = text_of(cards.lines)
    for part in ("not told who holds it", "A qwen3-32b", "699 W of 700 W", "86°C of 87", "no model that is watched"):
        assert part in text


def test_old_values_are_grey_and_what_is_wrong_keeps_its_tone() -> None:
    lost = next(line for line in listed(119).lines if "LOST" in line.text)
    assert {run.tone for run in lost.runs} <= {"muted", "faint", BAD, "accent"}
    assert any(run.tone == BAD and "LOST" in run.text for run in lost.runs)
    gone = next(line for place, line in enumerate(listed(119).lines) if "antwerp" in listed(119).lines[place - 1].text)
    assert {run.tone for run in gone.runs} <= {"muted", "faint", "accent"}


@pytest.mark.parametrize(
    ("order", "first"), [("state", "4"), ("load", "0"), ("memory", "0"), ("heat", "4"), ("host", "0")]
)
def test_orders(order: str, first: str) -> None:
    found = in_order(kept(""), next(each for each in ORDERS if each.id == order))
    assert str(found[0].gpu.index) == first
    assert len(found) == 13


def test_sorted_otherwise_a_row_names_its_machine() -> None:
    lines = [line.text for line in listed(119, order="load").lines]
    assert "gpu-box-1" in lines[0]
    assert "▌" in lines[0]


@pytest.mark.parametrize(
    ("needle", "count"),
    [
        ("rotterdam", 4),
        ("qwen3-32b", 2),
        ("orphan", 1),
        ("lost", 1),
        ("!gpu-box", 5),
        ("ada", 1),
        ("nothing", 0),
        ("41207", 1),
    ],
)
def test_the_filter_finds_machines_models_users_pids_and_trouble(needle: str, count: int) -> None:
    assert len(kept(needle)) == count


@pytest.mark.parametrize(
    ("needle", "found"),
    [
        ("gpu>80", "g0 g1 g4 r3"),
        ("gpu:h100 gpu<10", "g3 g6"),
        ("!gpu>10 host:gpu-box", "g3 g6 g7"),
        ("temp>80", "g4"),
        ("mem>90%", "g0 g1 r0"),
        ("mem>60GiB", "g0 g1 r0 r1"),
        ("free>70GiB", "g6"),
        ("power>90%", "g0 g1"),
        ("power>400W", "g0 g1"),
        ("trouble:lost,orphan", "g3 g5"),
        ('!trouble=""', "g0 g3 g4 g5"),
        ("model:qwen", "g0 g1 g2"),
        ("endpoint:qwen", "g0 g1"),
        ("process:orphan", "g3"),
        ("process>1", "g2"),
        ("user:ada", "g2"),
        ("pid=41207", "g3"),
        ("index=0", "g0 r0 a0"),
    ],
)
def test_fields_of_gpus(needle: str, found: str) -> None:
    assert " ".join(f"{one.host.name[0]}{one.gpu.index}" for one in kept(needle)) == found


@given(st.integers(1, 260), st.integers(0, 70))
def test_a_listing_fits(width: int, height: int) -> None:
    found = listed(width, height)
    assert all(cell_len(line.text) <= width for line in found.lines)
    assert all(spot.line + spot.height <= len(found.lines) for spot in found.spots)


# ---- the panel and the page


def test_the_panel_tells_that_allocated_is_not_load() -> None:
    text = text_of(panel_lines(entry(0), SCENE, 120, 20))
    assert "A qwen3-32b · qwen-prod  72.6 GiB  91%  KV cache 34% of its pool in use" in text
    assert "VLLM::Worker_TP0" in text
    assert "its clocks are held back: power cap" in text


def test_the_panel_tells_what_spilled_in_red() -> None:
    lines = panel_lines(entry(2), SCENE, 120, 20)
    spilt = [run for line in lines for run in line.runs if "spilled" in run.text]
    assert [(run.text, run.tone) for run in spilt] == [("5.8 GiB (25%) spilled to the CPU's memory", BAD)]
    assert "container 0a1b2c3d4e5f" in text_of(lines)
    assert "not visible from here" in text_of(lines)


def test_the_panel_names_an_orphan_with_pid_age_and_memory() -> None:
    text = text_of(panel_lines(entry(3), SCENE, 120, 20))
    assert "! ORPHAN pid 41207, 3h old  31.4 GiB" in text


def test_the_panel_says_why_processes_are_not_known() -> None:
    assert "this exporter doesn't tell" in text_of(panel_lines(entry(0, host=1), SCENE, 200, 20))


@given(st.integers(1, 220), st.integers(1, 60), st.integers(0, 7))
def test_the_panel_fits(width: int, height: int, index: int) -> None:
    lines = panel_lines(entry(index), SCENE, width, height)
    assert len(lines) <= height
    assert all(cell_len(line.text) <= width for line in lines)


def test_the_page_has_every_value_and_why_one_is_missing() -> None:
    text = text_of(gpu_page(entry(4), SCENE, Look(1), 80).lines)
    for part in (
        "GPU-5e1f0004-0000-1111-2222-333344445555",
        "580.95.05 · CUDA 13.0",
        "310 W of 700 W",
        "86 °C, slows down at 87 °C",
        "1755 MHz of 1980 MHz",
        "hardware thermal slowdown, power cap",
        "gen 5 x16 of gen 5 x16",
        "1.1 GiB/s",
        "18 of 18 active, 0 errors",
        "3 · a reset is needed",
        "fan               –  not supported by this GPU",
        "utilisation",
        "temperature",
        "the last 5 min",
    ):
        assert part in text, part


def test_the_page_of_a_gpu_of_which_nothing_is_known() -> None:
    bare = Entry(host_view("h", GpuView(0)), GpuView(0))
    text = text_of(gpu_page(bare, Scene(EMPTY_FLEET, {}, NOW), Look(0), 80).lines)
    assert "nothing was recorded yet" in text
    assert "its memory is not known" in text
    assert " 0" not in text.replace("GPU 0", "")


def test_slices_events_and_notes_are_on_the_page() -> None:
    assert "3g.40gb" in text_of(gpu_page(entry(7), SCENE, Look(0), 120).lines)
    lost = text_of(gpu_page(entry(5), SCENE, Look(3), 120).lines)
    assert "GPU has fallen off the bus" in lost
    assert "its values are 1m old" in lost


@given(st.integers(1, 240), st.integers(0, 7), st.integers(0, 3))
def test_the_page_fits(width: int, index: int, window: int) -> None:
    assert all(cell_len(line.text) <= width for line in gpu_page(entry(index), SCENE, Look(window), width).lines)


def test_the_summary_sums_what_is_current() -> None:
    found = kept("")
    text = summary_line(Summary(found, 13, BY_MACHINE), NOW.now, 140).text
    assert "GPUs 13 on 3 machines" in text
    assert "✗ 4 in trouble" in text
    assert "by machine" in text
    few = summary_line(Summary(found[:1], 13, BY_MACHINE, "x"), NOW.now, 140).text
    assert "GPUs 1 of 13 on 1 machine" in few
    assert "memory 73.1 GiB of 80.0 GiB" in few


# ---- the strip of the fleet view


def test_the_strip_marks_trouble_without_taking_room() -> None:
    healthy = host_view("h", *(full_gpu(place) for place in range(4)))
    troubled = replace(
        healthy, gpus=(healthy.gpus[0], full_gpu(1, throttle=("power cap",)), full_gpu(2, lost=True), healthy.gpus[3])
    )
    for width in (60, 80, 120, 200):
        (before,), (after,) = host_lines((healthy,), width, 1), host_lines((troubled,), width, 1)
        assert cell_len(before.text) == cell_len(after.text)
        assert "▼" in after.text
        assert any(run.tone == BAD and "✗" in run.text for run in after.runs)
        assert "✗" not in before.text


def test_the_roomy_strip_has_words_and_the_models_letters() -> None:
    text = text_of(host_lines(FLEET.hosts, 160, roomy_height(FLEET.hosts), NOW.now))
    assert "✗ LOST 1m" in text
    assert "▼ power cap" in text
    assert "A━━━" in text


def hung(count: int = 2, old: float = 30.0) -> HostView:
    """A machine that is read, but whose driver doesn't answer any more."""
    cards = tuple(full_gpu(place, at=NOW.now - old, lost=place > 0 and old > 10) for place in range(count))
    return host_view("h", *cards, reason="the NVIDIA driver does not answer (30 s)", at=NOW.now)


def test_a_driver_that_hangs_is_dated_and_grey_everywhere() -> None:
    host = hung()
    found = Entry(host, host.gpus[0])
    fleet = replace(FLEET, hosts=(host,))
    rows, cards = listed(119, fleet=fleet), listed(199, 60, fleet=fleet)
    assert cards.cards
    assert not rows.cards
    roomy = host_lines((host,), 120, roomy_height((host,)), NOW.now)
    for lines in (rows.lines, cards.lines, roomy):
        line = next(line for line in lines if "STALE 30s" in line.text)
        assert {run.tone for run in line.runs if run.text.strip()} <= {"muted", "faint", "accent", BAD}
    panel = panel_lines(found, SCENE, 200, 20)
    assert panel[0].text.count("values 30s old") == 1
    assert "✗ STALE 30s" in text_of(gpu_page(found, SCENE, Look(1), 80).lines)
    (compact,) = host_lines((host,), 120, 1, NOW.now)
    assert "the NVIDIA driver does not answer" in compact.text


def test_values_of_a_moment_ago_are_not_old() -> None:
    host = hung(old=2.0)
    assert marks(host.gpus[0], NOW.now) == []


def test_the_help_tells_what_letters_and_marks_mean() -> None:
    text = text_of(help_lines(100, "gpus"))
    for word in ("ORPHAN", "✗ STALE", "▼ …", "Reserved by the driver", "▲ RESET, HOT"):
        assert word in text
    assert "✗ STALE" not in text_of(help_lines(100, "fleet"))


def test_the_peak_of_a_chart_is_not_below_the_value_of_now() -> None:
    text = text_of(chart_lines(entry(0), Plot(NOW, Look(), 100)))
    assert "97%  peak 97%" in text
    assert "699 W  peak 699 W" in text


def test_the_roomy_strip_never_cuts_the_word_for_what_is_wrong() -> None:
    host = host_view("h", full_gpu(0, throttle=("power cap",)), full_gpu(1))
    for width in range(62, 201):
        assert "▼ power cap" in text_of(host_lines((host,), width, roomy_height((host,)), NOW.now)), width


# ---- the console


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Orphans that were ended, instead of ending any."""
    ended: list[int] = []

    async def end(process: GpuProcess, host: Any, *, read_only: bool) -> str:
        assert read_only is False
        ended.append(process.pid)
        return f"process {process.pid} has ended after SIGTERM"

    monkeypatch.setattr("quarterdeck.tui.gpus.orphans.end_orphan", end)
    monkeypatch.setattr("quarterdeck.tui.gpus.orphans.audit_path", lambda: tmp_path / "audit.jsonl")
    return ended


def selected(it: Console) -> tuple[str, int]:
    screen = it.app.screen
    assert isinstance(screen, GpusScreen)
    chosen = screen.table.entry
    assert chosen is not None
    return chosen.host.name, chosen.gpu.index


async def test_views_by_number() -> None:  # key: view_gpus # key: view_fleet
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2")
        assert isinstance(it.app.screen, GpusScreen)
        assert "✗ LOST" in it.text
        await it.press("2")
        assert len(it.app.screen_stack) == 2
        await it.press("1")
        assert isinstance(it.app.screen, FleetScreen)
        await it.press("enter", "2")
        assert isinstance(it.app.screen, GpusScreen)
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_moving_over_rows() -> None:
    async with console(FLEET) as it:
        await it.press("2", "j", "down")
        assert selected(it) == ("gpu-box-1", 2)
        await it.press("k")
        assert selected(it) == ("gpu-box-1", 1)
        await it.press("G")
        assert selected(it) == ("antwerp", 0)
        assert "antwerp" in it.text
        await it.press("pageup")
        assert selected(it) != ("antwerp", 0)
        await it.press("g")
        assert selected(it) == ("gpu-box-1", 0)
        await it.press("pagedown")
        assert selected(it) != ("gpu-box-1", 0)


async def test_moving_over_cards() -> None:  # key: next_gpu # key: previous_gpu
    async with console(FLEET, size=(200, 60)) as it:
        await it.press("2", "l", "right")
        assert selected(it) == ("gpu-box-1", 2)
        await it.press("j")
        assert selected(it) == ("gpu-box-1", 5)
        await it.press("j")
        assert selected(it) == ("gpu-box-1", 7), "the nearest where the row is shorter"
        await it.press("h")
        assert selected(it) == ("gpu-box-1", 6)
        await it.press("l", "l")
        assert selected(it) == ("rotterdam", 0)


async def test_the_panel_follows_the_selection() -> None:
    async with console(FLEET, size=(120, 40)) as it:
        await it.press("2")
        assert "KV cache 34%" in it.text
        await it.press("j", "j")
        assert "spilled to the CPU's memory" in it.text


async def test_sort_and_filter() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2", "s")
        assert "trouble first" in it.text
        assert selected(it) == ("gpu-box-1", 0), "what was selected stays"
        await it.press("slash", *"rotter", "enter")
        assert "GPUs 4 of 13" in it.text
        assert selected(it)[0] == "rotterdam"
        await it.press("escape")
        assert "GPUs 13" in it.text
        await it.press("slash", *"zzz", "enter")
        assert "no GPU matches the filter" in it.text


async def test_enter_opens_a_gpu_and_w_changes_the_window() -> None:
    async with console(FLEET, size=(120, 60)) as it:
        await it.press("2", "j", "enter")
        assert isinstance(it.app.screen, GpuScreen)
        assert "GPU 1 · gpu-box-1" in it.text
        assert "the last 5 min" in it.text
        await it.press("w")
        assert "the last 15 min" in it.text
        await it.press("escape")
        assert selected(it) == ("gpu-box-1", 1)


async def test_a_gpu_that_is_gone_from_the_fleet_is_said() -> None:
    async with console(FLEET) as it:
        await it.press("2", "enter")
        await it.show(replace(FLEET, hosts=()))
        assert "no longer watched" in it.text
        await it.press("escape")
        assert "no machine is watched" in it.text


async def test_without_gpus_the_view_says_why_and_how() -> None:
    bare = snapshot(
        endpoint_view(), hosts=(host_view("laptop", source="local", reason="no NVIDIA driver on this machine"),)
    )
    async with console(bare) as it:
        await it.press("2")
        assert "no NVIDIA driver on this machine" in it.text
        await it.press("enter")
        assert "there is no GPU to open" in it.text
        assert "no GPU on any machine that is watched" in it.text
        assert '"ssh": by nvidia-smi there' in it.text
    async with console(snapshot(endpoint_view(models=(model(),)))) as it:
        await it.press("2")
        assert "[[host]]" in it.text


async def test_an_orphan_is_ended_only_after_yes(audit: list[int]) -> None:  # key: end_orphan
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2", "j", "j", "j", "x")
        assert isinstance(it.app.screen, ConfirmScreen)
        assert "End the orphan 41207" in it.text
        assert "31.4 GiB" in it.text
        await it.press("enter")
        assert audit == [], "the answer is No until somebody says Yes"
        await it.press("x", "right", "enter")
        await it.pilot.pause()
        assert audit == [41207]
        assert "has ended after SIGTERM" in it.text
        assert it.engine.asked("refresh") == [None]


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_the_question_shows_its_answers_on_every_terminal(audit: list[int], size: tuple[int, int]) -> None:
    async with console(FLEET, size=size) as it:
        await it.press("2", "l", "l", "l", "x")
        assert "End the orphan 41207" in it.text
        assert "[ No ]" in it.text
        await it.press("tab")
        assert "[ End it ]" in it.text
        assert audit == []


async def test_the_question_can_be_left_by_escape_and_answered_by_y(audit: list[int]) -> None:
    async with console(FLEET, size=(80, 24)) as it:
        await it.press("2", "j", "j", "j", "enter", "x", "escape")
        assert isinstance(it.app.screen, GpuScreen)
        assert audit == []
        await it.press("x", "y")
        await it.pilot.pause()
        assert audit == [41207]


async def test_what_cannot_be_ended_says_why(audit: list[int]) -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2", "x")
        assert "there is no orphan on this GPU" in it.text
    async with console(FLEET, size=(120, 36), configured=config(read_only=True)) as it:
        await it.press("2", "j", "j", "j", "x")
        assert "read-only" in it.text
        await it.press("enter")
        assert isinstance(it.app.screen, GpusScreen)
    async with console(FLEET, size=(120, 36)) as it:
        it.app.do_read_only()
        await it.press("2", "j", "j", "j", "x")
        assert "“Read-only” in the palette" in it.text
    assert audit == []


async def test_ending_an_orphan_is_hinted_where_there_is_one() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2")
        assert "end the orphan" not in it.text
        await it.press("enter")
        assert "end the orphan" not in it.text
        await it.press("escape", "j", "j", "j")
        assert "x end the orphan" in it.text
        await it.press("enter")
        assert "x end the orphan" in it.text


async def test_the_time_cursor() -> None:  # key: earlier # key: later
    async with console(FLEET, size=(120, 60)) as it:
        await it.press("2", "enter")
        screen = it.app.screen
        assert isinstance(screen, GpuScreen)
        await it.press("right")
        await it.sees("utilisation 85%")
        assert "┼" in it.text
        at = screen._look.cursor
        await it.press("left", "left")
        assert screen._look.cursor is not None
        assert at is not None
        assert screen._look.cursor < at
        await it.press("home")
        first = screen._look.cursor
        await it.press("left")
        assert screen._look.cursor == first
        await it.press("end")
        assert screen._look.cursor == at
        await it.press("w")
        assert "1 [" not in it.text
        await it.press("escape")
        assert "┼" not in it.text
        assert it.app.screen is screen
        await it.press("escape")
        assert isinstance(it.app.screen, GpusScreen)


async def test_the_time_cursor_brings_the_charts_into_view() -> None:
    async with console(FLEET, size=(80, 24)) as it:
        await it.press("2", "enter")
        assert "utilisation  " not in it.text.replace("utilisation       ", "")
        await it.press("left")
        await it.sees("Charts")


async def test_a_gpu_of_which_nothing_was_recorded_has_no_cursor() -> None:
    bare = replace(FLEET, hosts=tuple(replace(host, histories={}) for host in FLEET.hosts))
    async with console(bare, size=(120, 36)) as it:
        await it.press("2", "enter", "left")
        assert "nothing to draw a chart of" in it.text


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"kv_used": 0.18, "kv_capacity_tokens": 214_500}, "KV cache 18% of 214k tokens"),
        ({"kv_used": 0.18}, "KV cache 18% of its pool in use"),
        ({"kv_used": None, "kv_capacity_tokens": 4000}, "KV cache of 4k tokens"),
        (
            {"kv_used": 0.18, "kv_capacity_tokens": 4000, "estimates": frozenset({"kv_capacity_tokens"})},
            "KV cache 18% of ~4k tokens",
        ),
        (
            {
                "kv_used": 0.18,
                "kv_capacity_tokens": 8000,
                "replicas": (ReplicaView("0"), ReplicaView("1")),
            },
            "KV cache 18%, 8k tokens in all",
        ),
        ({"kv_used": None}, ""),
    ],
)
def test_the_size_of_the_pool(known: dict[str, Any], said: str) -> None:
    part = Part(PartKind.MODEL, 5, "v", "m", (1,))
    text = "".join(run.text for run in aside(part, [endpoint_view("v", **known)]))
    assert said in text if said else text == ""


async def test_nothing_is_repainted_where_nothing_changed() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2")
        screen = it.app.screen
        assert isinstance(screen, GpusScreen)
        before = screen.table.repainted_cells
        await it.show(replace(FLEET, at=FLEET.at))
        it.app.redraw()
        assert screen.table.repainted_cells == before


@pytest.mark.parametrize("size", [(40, 10), (60, 12), (80, 24), (120, 36), (200, 60)])
async def test_every_size_draws(size: tuple[int, int]) -> None:
    async with console(FLEET, size=size) as it:
        await it.press("2", "j", "G")
        assert len(it.text.splitlines()) == size[1]
        assert "antwerp" in it.text
        await it.press("enter")
        assert "GPU 0" in it.text


def test_what_ending_means_is_told() -> None:
    said = impact(ORPHAN, entry(3), NOW.unix, 2)
    assert "31.4 GiB" in said[0]
    assert "3h old" in said[0]
    assert "SIGKILL" in said[1]
    assert "2 orphans" in said[2]


def test_the_selected_answer_is_bracketed() -> None:
    def box(*, yes: bool) -> str:
        return text_of(confirm_lines("Do it?", ["It hurts."], "End it", yes=yes))

    assert "[ No ]" in box(yes=False)
    assert "[ End it ]" in box(yes=True)
