"""Filters by fields, sorting by a key or a click, and what of a view survives refresh, resize and another view."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console_driver import Console, console
from fakes import endpoint_view, model, snapshot
from fleets import mixed_fleet
from gpu_fleets import gpu_fleet
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.models import ModelState
from quarterdeck.tui.columns import title_at
from quarterdeck.tui.commands import COMMANDS
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.gpus.scene import entries
from quarterdeck.tui.jobs.lines import header
from quarterdeck.tui.models.rows import model_rows
from quarterdeck.tui.screens.filtering import ListingScreen
from quarterdeck.tui.sieve import VIEWS, sieved, vocabulary
from quarterdeck.tui.widgets.gpu_table import GpuTable

T = 1_795_370_400.0
JOBS = tuple(
    Job(f"job{place:02}", Order("pull", "mac" if place % 2 else "lab", f"model-{place:02}"), state, T - 60 * place,
        progress=Progress("pulling", place / 40))
    for place, state in enumerate([JobState.RUNNING, JobState.FAILED, *[JobState.DONE] * 38])
)  # fmt: skip
ALERTS = tuple(
    Alert(f"queue n{place}", "queue", Severity.CRITICAL if place % 2 else Severity.WARNING, f"node-{place:02}", f"{place} wait",
          T - 10.0 * place, T - 5.0, ("1",), endpoint=f"node-{place:02}")
    for place in range(40)
)  # fmt: skip
HAPPENED = tuple(
    Happening(T - 400 + place, Topic.STATE if place % 2 else Topic.JOB, f"node-{place:02}", "DOWN", f"event {place}")
    for place in range(40)
)
NODES = tuple(
    endpoint_view(f"node-{place:03}", state=State.DOWN if place % 4 == 0 else State.OK, generation_tps=None if place % 3 == 0 else float(place),
                  waiting=place % 7, models=(model(f"m{place}"), model("shared:8b", ModelState.INSTALLED)))
    for place in range(120)
)  # fmt: skip
FLEET = replace(snapshot(*NODES), hosts=gpu_fleet().hosts, jobs=JOBS, alerts=ALERTS, happenings=HAPPENED)
GPUS = tuple(entries(FLEET.hosts))
MODELS = tuple(model_rows(FLEET)[:60])
VIEW_KEYS = {"fleet": "1", "gpus": "2", "models": "3", "alerts": "5", "events": "5", "jobs": "6"}
FILTERS = {
    "fleet": "state:down",
    "gpus": "host:gpu-box-1,rotterdam",
    "models": "where:loaded",
    "alerts": "severity:critical",
    "events": "topic:state",
    "jobs": "state:done",
}
SORTS = {"fleet": ("N", "N"), "gpus": ("H",), "models": ("N", "N"), "alerts": ("N", "N"), "events": ("N", "N"), "jobs": ("N", "N")}  # fmt: skip


def seen(it: Console) -> ListingScreen:
    """The screen on top."""
    return cast("ListingScreen", it.app.screen)


def rows_of(it: Console) -> int:
    """How many rows the filter keeps."""
    table = seen(it).table
    return len(table.entries) if isinstance(table, GpuTable) else table.virtual_size.height


async def visit(it: Console, view: str) -> None:
    """Go to a view."""
    await it.press(VIEW_KEYS[view])
    if view == "events" and not seen(it).table.timeline:  # type: ignore[attr-defined]
        await it.press("tab")


def standing(it: Console) -> tuple[object, ...]:
    """All that has to survive."""
    table = seen(it).table
    marked = getattr(table, "marked", None) or getattr(table.state, "marked", None)
    opened = getattr(table, "opened", None)
    return (
        table.state.selected,
        table.order.id,
        table.order.turned,
        table.needle,
        table.scroll_offset.y,
        len(marked or ()),
        sorted(opened or ()),
    )


async def used(it: Console, view: str) -> tuple[object, ...]:
    """Filter, sort, turn round, move and mark; how it stands then."""
    await visit(it, view)
    await it.press("slash", *FILTERS[view], "enter")
    await it.press(*SORTS[view])
    await it.press("pagedown", "down")
    if view in ("fleet", "models"):
        await it.press("space")
    if view == "fleet":
        await it.press("x")
    await it.tick()
    return standing(it)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_a_refresh_changes_nothing_of_how_a_view_stands(view: str, size: tuple[int, int]) -> None:
    async with console(FLEET, size=size) as it:
        before = await used(it, view)
        assert before[0] is not None
        assert before[2:4] == (True, FILTERS[view])
        changed = tuple(replace(node, running=9) for node in NODES)
        await it.show(replace(FLEET, endpoints=changed, jobs=(*JOBS,), alerts=(*ALERTS,), happenings=(*HAPPENED,)))
        assert standing(it) == before


@pytest.mark.parametrize("view", VIEWS)
async def test_it_survives_another_size(view: str) -> None:
    async with console(FLEET, size=(80, 24)) as it:
        before = await used(it, view)
        await it.pilot.resize_terminal(200, 30)
        await it.pilot.pause()
        await it.pilot.resize_terminal(40, 10)
        await it.pilot.pause()
        after = standing(it)
        assert after[:4] == before[:4]
        assert after[5:] == before[5:]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("away", [("1",), ("escape",) * 3, ("6", "5", "3", "2")])
async def test_it_survives_another_view_and_back(view: str, away: tuple[str, ...]) -> None:
    async with console(FLEET, size=(80, 24)) as it:
        before = await used(it, view)
        if away[0] == "escape":  # what Esc takes away is meant to go
            await it.press("1")
        else:
            await it.press(*away)
        await visit(it, view)
        await it.tick()
        assert standing(it) == before


async def test_the_prompt_of_a_view_that_one_comes_back_to_has_the_filter_in_it() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("6", "slash", *"state:done", "enter", "1", "6")
        assert "/state:done 38 of 40" in it.text
        await it.press("slash")
        await it.sees(" state:done")
        await it.press("backspace", "enter")
        assert seen(it).needle == "state:don"
        await it.press("escape")
        assert seen(it).needle == ""
        assert seen(it).where == "jobs"


async def test_alerts_and_events_have_a_filter_each() -> None:  # key: other_list
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("5", "slash", *"severity:critical", "enter")
        assert "/severity:critical 20 of 40" in it.text
        await it.press("tab")
        assert "/severity" not in it.text
        await it.press("slash", *"node-07", "enter")
        assert "/node-07 1 of 40" in it.text
        assert "event 7" in it.text
        await it.press("tab")
        assert "/severity:critical 20 of 40" in it.text
        await it.press("slash", "tab")  # the prompt goes with the list it was for
        assert not seen(it).typing
        assert "/node-07" in it.text


# ---- what is wrong with a filter


@pytest.mark.parametrize("view", VIEWS)
async def test_an_unknown_field_is_said_and_empties_nothing(view: str) -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await visit(it, view)
        rows = rows_of(it)
        await it.press("slash", *"nofield:xyzzy")
        assert "no field nofield here" in it.text
        assert rows_of(it) == rows
        await it.press("enter")
        assert "no field nofield here" in it.text
        await it.press("escape")
        assert "no field" not in it.text


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_half_a_term_shows_all_rows_and_says_what_is_missing(size: tuple[int, int]) -> None:
    async with console(FLEET, size=size) as it:
        await it.press("slash", *"kv>")
        assert it.table.count == 120
        assert "kv> what?" in it.text
        await it.press(*"90")
        assert it.table.count == 0
        await it.press("backspace", "backspace", "backspace", "backspace", "backspace", *"statt:down")
        assert it.table.count == 120
        assert "did you mean state?" in it.text or size[0] < 80


async def test_a_filter_by_age_is_asked_again_as_time_goes_by() -> None:
    async with console(size=(120, 36)) as it:
        await it.press("slash", *"age>1h", "enter")
        few = it.table.count
        it.clock.advance(7200.0)
        await it.tick()
        assert it.table.count > few


async def test_every_prompt_shows_how_a_field_is_asked() -> None:
    async with console(FLEET, size=(80, 24)) as it:
        for view in VIEWS:
            await visit(it, view)
            await it.press("slash")
            await it.sees("filter: ")
            hint = seen(it).filter_hint
            assert len(hint) <= 78
            terms = hint.removeprefix("filter: ").split()
            names = vocabulary(view).by_name
            fields = {term.lstrip("!").partition(":")[0].partition(">")[0].partition("<")[0] for term in terms}
            assert len(fields & set(names)) >= 2, view
            await it.press("escape")


@pytest.mark.parametrize("view", VIEWS)
async def test_the_help_lists_the_fields_of_the_place(view: str) -> None:
    async with console(FLEET, size=(120, 60)) as it:
        await visit(it, view)
        await it.press("question_mark")
        text = ""
        for _ in range(12):
            text += it.text
            await it.press("pagedown")
        for field in vocabulary(view).fields:
            assert field.example in text, field.name


@pytest.mark.parametrize("view", ["gpus", "models"])
def test_every_example_keeps_or_drops_without_a_word(view: str) -> None:
    fleet = replace(mixed_fleet(), hosts=gpu_fleet().hosts)
    rows = entries(fleet.hosts) if view == "gpus" else model_rows(fleet)
    for field in vocabulary(view).fields:
        assert not sieved(rows, field.example, view, Frame(fleet, 10_000.0, T)).said, field.name


TYPED = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from([*'!:=<>", ', "state", "gpu", "mem", "age", "where", "80%", "20GiB", "1m", "x"]), max_size=12
    ).map("".join),
)


@given(TYPED)
def test_no_text_makes_a_table_fail(text: str) -> None:
    frame = Frame(FLEET, 10_000.0, T)
    tables = (
        ("fleet", NODES),
        ("jobs", JOBS),
        ("alerts", ALERTS),
        ("events", HAPPENED),
        ("gpus", GPUS),
        ("models", MODELS),
    )
    for view, rows in tables:
        kept = sieved(rows, text, view, frame)
        assert kept.said.isprintable()
        assert len(kept.rows) <= len(rows)


# ---- sorting


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 36), (200, 60)])
@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command.id.startswith("sort_")], ids=lambda c: c.id
)
async def test_a_letter_sorts_and_again_turns_it_round(command: object, size: tuple[int, int]) -> None:
    """# key: sort_state # key: sort_name # key: sort_tps # key: sort_queue # key: sort_memory # key: sort_engine
    # key: sort_endpoint # key: sort_host # key: sort_load # key: sort_heat # key: sort_size # key: sort_time"""
    wanted = command.id.removeprefix("sort_")  # type: ignore[attr-defined]
    async with console(FLEET, size=size) as it:
        for view in command.where:  # type: ignore[attr-defined]
            await it.press(VIEW_KEYS[view])
            table = seen(it).table
            turned = table.order.id == wanted
            for _ in range(2):
                await it.press(command.keys[0])  # type: ignore[attr-defined]
                assert (table.order.id, table.order.turned) == (wanted, turned)
                titles = it.text.splitlines()[:3]
                if view != "gpus" and size[0] >= 120 and table.order.column not in ("host", "size"):
                    assert any(table.order.arrow in line for line in titles), (view, titles)
                turned = not turned


async def test_s_goes_through_the_four_and_comes_back_from_any_other() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        for wanted in ("name", "tps", "queue", "state"):
            await it.press("s")
            assert it.table.order.id == wanted
        await it.press("H", "s")
        assert it.table.order.id == "state"


async def test_unknown_numbers_stay_last_both_ways() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        for _ in range(2):
            await it.press("T")
            values = [row.view.generation_tps for row in it.table.rows]
            known = [value for value in values if value is not None]
            assert values == known + [None] * 40


@pytest.mark.parametrize(
    ("view", "title", "order"),
    [
        ("fleet", "tok/s", "tps"),
        ("fleet", "name", "name"),
        ("fleet", "wait", "queue"),
        ("fleet", "age", "age"),
        ("models", "endpoint", "endpoint"),
        ("jobs", "WHAT", "name"),
        ("jobs", "AGE", "time"),
        ("alerts", "where", "name"),
        ("alerts", "for", "time"),
        ("events", "where", "name"),
    ],
)
async def test_a_click_on_a_title_sorts_and_another_turns_it_round(view: str, title: str, order: str) -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await visit(it, view)
        table = seen(it).table
        turned = table.order.id == order
        for _ in range(2):
            line = it.text.splitlines()[table.region.y]
            x = line.index(title) + 1
            await it.pilot.click(table, offset=(x - table.region.x, 0))
            await it.pilot.pause()
            assert (table.order.id, table.order.turned) == (order, turned)
            turned = not turned


async def test_a_click_on_a_title_that_sorts_nothing_does_nothing() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        before = it.table.order
        line = it.text.splitlines()[0]
        await it.pilot.click(it.table, offset=(line.index("trend") + 2, 0))
        await it.pilot.pause()
        assert it.table.order is before


def test_a_title_is_found_by_the_cell_clicked() -> None:
    titles = header(120)
    assert title_at(titles, 4) == "STATE"
    assert title_at(titles, titles.text.index("AGE") + 1) == "AGE"
    assert title_at(titles, 500) == ""


async def test_machines_turned_round_keep_their_gpus_in_order() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("2")
        table = seen(it).table
        hosts = [entry.host.name for entry in table.entries]  # type: ignore[attr-defined]
        await it.press("H")
        turned = [entry.host.name for entry in table.entries]  # type: ignore[attr-defined]
        assert list(dict.fromkeys(turned)) == list(dict.fromkeys(hosts))[::-1]
        first = [entry.gpu.index for entry in table.entries if entry.host.name == turned[0]]  # type: ignore[attr-defined]
        assert first == sorted(first)
        assert "by machine, the last first" in it.text


async def test_what_a_filter_hides_is_selected_again_when_it_goes() -> None:
    async with console(FLEET, size=(120, 36)) as it:
        for view, needle in (("2", "rotterdam"), ("6", "state:failed"), ("3", "m77"), ("5", "node-03")):
            await it.press(view, "down", "down", "down", "down")
            chosen = seen(it).table.state.selected
            assert chosen is not None
            await it.press("slash", *needle, "enter", "escape")
            assert seen(it).table.state.selected == chosen


def test_a_thousand_rows_are_filtered_without_what_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet: FleetSnapshot = snapshot(*(endpoint_view(f"n{place}", models=(model("a"),)) for place in range(1000)))
    monkeypatch.setattr("quarterdeck.tui.sieve.query", None)
    assert len(sieved(fleet.endpoints, "  ", "fleet", Frame(fleet, 0.0, 0.0)).rows) == 1000


@pytest.mark.parametrize(("view", "title"), [(view, {"gpus": "GPUs"}.get(view, view.capitalize())) for view in VIEWS])
def test_the_page_on_filters_lists_every_field(view: str, title: str) -> None:
    page = (Path(__file__).parents[2] / "docs/filters.md").read_text().replace("\n", " ")
    told = page.split(f"**{title}**: ")[1].split("**")[0].split("## ")[0]
    listed = set(re.findall(r"[a-z]+", re.sub(r"\([^)]*\)|`[^`]*`", "", told)))
    assert {field.name for field in vocabulary(view).fields} <= listed


def test_the_page_on_filters_has_every_sorting_key() -> None:
    page = (Path(__file__).parents[2] / "docs/filters.md").read_text()
    columns = {"fleet": 2, "gpus": 3, "models": 4, "alerts": 5, "jobs": 6}
    rows = {line.split("|")[1].strip(" `"): line.split("|") for line in page.splitlines() if line.startswith("| `")}
    for command in COMMANDS:
        if command.id.startswith("sort_"):
            for where in command.where:
                assert rows[command.shown][columns[where]].strip(), (command.shown, where)


async def test_the_other_list_of_the_alerts_is_as_it_was_left() -> None:
    async with console(FLEET, size=(80, 24)) as it:
        await it.press("5", "N", "pagedown", "pagedown")
        before = standing(it)
        assert cast("int", before[4]) > 0
        await it.press("tab", "N", "N", "pagedown", "tab")
        assert standing(it) == before


@pytest.mark.parametrize("view", ["fleet", "gpus", "alerts", "jobs"])
async def test_panes_that_have_all_the_room_in_turn_leave_the_table_as_it_was(view: str) -> None:
    async with console(FLEET, size=(120, 36)) as it:
        await visit(it, view)
        await it.press("pagedown", "pagedown", "pagedown")
        before = standing(it)
        await it.press(*("e" for _ in range(len(seen(it).panes) + 1)))
        await it.tick()
        assert standing(it)[:4] == before[:4]
        await it.press("1")
        await visit(it, view)
        assert standing(it)[:4] == before[:4]
