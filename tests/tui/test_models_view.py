"""The view of all models: rows, columns and cells as data, then the screen with a fake engine and a clock that stands still."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from console_driver import Console, console
from fakes import GIB, config, endpoint_view, model, snapshot
from fleets import mixed_fleet
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.endpoints.base import openai_models
from quarterdeck.model.chat.price import Price
from quarterdeck.model.fleet import EMPTY_FLEET, Boundary, EndpointView, FleetSnapshot, State
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import LoraAdapter
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import cell_width
from quarterdeck.tui.models import cells
from quarterdeck.tui.models.columns import COLUMNS, layout
from quarterdeck.tui.models.rows import IN_TURN, ORDERS, Group, ModelRow, Shown, arranged, model_rows, rows_of
from quarterdeck.tui.models.state import ModelsState, licence_of
from quarterdeck.tui.screens.choose import ChooseScreen
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.form import FormScreen
from quarterdeck.tui.screens.model import ModelScreen
from quarterdeck.tui.screens.models import ModelsScreen
from quarterdeck.tui.sieve import sieved

UNIX = 1_795_370_400.0
LAB = endpoint_view(
    "lab",
    engine="ollama",
    running=2,
    host="workstation",
    models=(
        model(
            "gemma3:27b",
            size_bytes=20 * GIB,
            vram_bytes=12 * GIB,
            context_length=131_072,
            quantization="Q4_K_M",
            parameters="27.4B",
            expires_at=UNIX + 250,
        ),
        model("qwen3:8b", ModelState.INSTALLED, size_bytes=5 * GIB, parameters="8.2B"),
        model("nomic-embed-text:latest", ModelState.INSTALLED, size_bytes=274_302_450),
    ),
)
MAC = endpoint_view(
    "mac",
    engine="ollama",
    host="mac-studio",
    models=(
        model("gemma3:27b", size_bytes=21 * GIB, vram_bytes=21 * GIB, expires_at=float("inf")),
        model("phi4", ModelState.LOADING),
        model("broken", ModelState.FAILED),
    ),
)
PROD = endpoint_view(
    "prod",
    host="gpu-box",
    boundary=Boundary.VPC,
    models=(
        model("Qwen/Qwen3-8B", context_length=32_768),
        model("sql-expert", parent="Qwen/Qwen3-8B"),
    ),
    adapters=(LoraAdapter("sql-expert", running=True), LoraAdapter("support-de", waiting=True)),
)
ROUTER = endpoint_view(
    "router",
    engine="openai",
    boundary=Boundary.EXTERNAL,
    models=(model("meta/llama", ModelState.SERVED), model("meta/free", ModelState.SERVED)),
    prices={"meta/llama": Price(0.15, 0.6, source="the provider's list")},
)
GONE = endpoint_view(
    "gone", engine="llamacpp", state=State.DOWN, reason="connection refused", models=(model("old.gguf"),)
)
FLEET = snapshot(LAB, MAC, PROD, ROUTER, GONE)
CONFIG = replace(
    config(),
    endpoints=tuple(EndpointSpec(view.name, "http://127.0.0.1:1", view.engine or "auto") for view in FLEET.endpoints),
)
BY = {order.id: order for order in ORDERS}


def named(rows: list[Shown]) -> list[str]:
    return [f"{s.branch}{s.row.key[1]}@{s.row.key[0]}" for s in rows]


def listed(order: str = "state", needle: str = "", *, grouped: bool = False) -> list[str]:
    return named(arranged(kept_by(needle), BY[order], grouped=grouped))


def kept_by(needle: str) -> list[ModelRow]:
    return sieved(model_rows(FLEET), needle, "models", Frame(FLEET, 0.0, 1_000.0)).rows


def row_of(identity: str, view: EndpointView) -> ModelRow:
    return next(row for row in rows_of(view) if row.model.id == identity)


# ---- rows


def test_what_failed_and_what_is_in_memory_comes_first_and_what_is_gone_last() -> None:
    assert listed()[:3] == ["broken@mac", "phi4@mac", "gemma3:27b@lab"]
    assert listed()[-1] == "old.gguf@gone"


def test_adapters_stand_below_their_model_in_every_order() -> None:
    for order in BY:
        rows = listed(order)
        at = rows.index("Qwen/Qwen3-8B@prod")
        assert rows[at + 1 : at + 3] == ["├ sql-expert@prod", "└ support-de@prod"], order


def test_an_adapter_whose_model_the_filter_drops_stands_for_itself() -> None:
    assert listed(needle="sql") == ["sql-expert@prod"]


def test_adapters_that_name_each_other_or_nobody_are_rows() -> None:
    view = endpoint_view(
        "odd",
        models=(model("a", parent="b"), model("b", parent="a"), model("c", parent="c"), model("d", parent="gone")),
    )
    rows = arranged(rows_of(view), BY["name"], grouped=False)
    assert named(rows) == ["a@odd", "b@odd", "c@odd", "d@odd"]


def test_models_called_the_same_on_one_endpoint_are_several_rows() -> None:
    view = endpoint_view("twice", models=(model("a"), model("a", ModelState.INSTALLED)))
    assert [row.key for row in rows_of(view)] == [("twice", "a", 0), ("twice", "a", 1)]


def test_orders() -> None:
    assert [name for name in listed("name") if "@prod" not in name][:3] == [
        "broken@mac",
        "gemma3:27b@lab",
        "gemma3:27b@mac",
    ]
    assert listed("size")[:4] == ["gemma3:27b@mac", "gemma3:27b@lab", "qwen3:8b@lab", "nomic-embed-text:latest@lab"]
    assert [name.rpartition("@")[2] for name in listed("endpoint")][:5] == ["gone", "lab", "lab", "lab", "mac"]


@pytest.mark.parametrize(
    ("needle", "kept"),
    [
        ("gemma", {"gemma3:27b@lab", "gemma3:27b@mac"}),
        ("gemma mac", {"gemma3:27b@mac"}),
        ("GEMMA !mac", {"gemma3:27b@lab"}),
        ("external", {"meta/llama@router", "meta/free@router"}),
        ("on disk", {"qwen3:8b@lab", "nomic-embed-text:latest@lab"}),
        ("q4_k_m", {"gemma3:27b@lab"}),
        ("down", {"old.gguf@gone"}),
        ("lora", {"sql-expert@prod", "support-de@prod"}),
        ("!ollama !prod !openai", {"old.gguf@gone"}),
        ("gemma !", {"gemma3:27b@lab", "gemma3:27b@mac"}),
        ("gemma ! mac", {"gemma3:27b@lab"}),
        ("nothing-like-it", set()),
    ],
)
def test_every_word_must_be_there_and_no_word_of_a_bang(needle: str, kept: set[str]) -> None:
    assert {f"{row.model.id}@{row.view.name}" for row in kept_by(needle)} == kept | (
        {"sql-expert@prod", "support-de@prod"} & kept
    )


@pytest.mark.parametrize(
    ("needle", "kept"),
    [
        ("name:gemma", {"gemma3:27b@lab", "gemma3:27b@mac"}),
        ("gemma3:27b", {"gemma3:27b@lab", "gemma3:27b@mac"}),
        ("name:gemma endpoint:mac", {"gemma3:27b@mac"}),
        ("where:failed", {"broken@mac"}),
        ('where:"on disk"', {"qwen3:8b@lab", "nomic-embed-text:latest@lab"}),
        ("where:installed endpoint:lab", {"qwen3:8b@lab", "nomic-embed-text:latest@lab"}),
        ("where:down", {"old.gguf@gone"}),
        ("boundary:external", {"meta/llama@router", "meta/free@router"}),
        ("quant:q4", {"gemma3:27b@lab"}),
        ("adapter:qwen", {"sql-expert@prod", "support-de@prod"}),
        ("loaded:no endpoint:lab", {"qwen3:8b@lab", "nomic-embed-text:latest@lab"}),
    ],
)
def test_fields_of_models(needle: str, kept: set[str]) -> None:
    assert {f"{row.model.id}@{row.view.name}" for row in kept_by(needle)} == kept


def test_numbers_of_models() -> None:
    view = endpoint_view(
        "one",
        models=(
            model("small", size_bytes=4 * 2**30, vram_bytes=4 * 2**30, parameters="4.0B", context_length=8192),
            model("big", size_bytes=40 * 2**30, vram_bytes=30 * 2**30, parameters="70B", expires_at=1_060.0),
            model("pinned", expires_at=math.inf),
        ),
    )
    frame = Frame(snapshot(view), 0.0, 1_000.0)
    licences = {("one", "big"): "Apache License"}
    for needle, kept in (
        ("size>20GiB", ["big"]),
        ("gpu<100%", ["big"]),
        ("params>=70B", ["big"]),
        ("params:4.0", ["small"]),
        ("context>4k", ["small"]),
        ("stays<2m", ["big"]),
        ("stays>1y", ["pinned"]),
        ("licence:apache", ["big"]),
        ('licence=""', ["small", "pinned"]),
        ("!size>20GiB", ["small", "pinned"]),
    ):
        found = sieved(rows_of(view), needle, "models", frame, licences)
        assert [row.model.id for row in found.rows] == kept, needle


def test_grouped_by_name_the_same_model_stands_under_one_title() -> None:
    rows = arranged(model_rows(FLEET), BY["name"], grouped=True)
    groups = {s.row.key[1]: [row.view.name for row in s.row.rows] for s in rows if isinstance(s.row, Group)}
    assert groups == {"gemma3:27b": ["lab", "mac"]}
    at = next(place for place, s in enumerate(rows) if isinstance(s.row, Group))
    assert named(rows)[at + 1 : at + 3] == ["├ gemma3:27b@lab", "└ gemma3:27b@mac"]


def test_one_model_has_many_spellings() -> None:
    one = endpoint_view("one", models=(model("Qwen/Qwen3-8B"), model("sql", parent="Qwen/Qwen3-8B")))
    two = endpoint_view("two", models=(model("qwen3-8b:latest"),))
    three = endpoint_view("three", models=(model("/models/qwen3-8b.gguf"),))
    rows = arranged(model_rows(snapshot(one, two, three)), BY["endpoint"], grouped=True)
    assert len(rows) == 5
    assert isinstance(rows[0].row, Group)
    assert [s.branch for s in rows] == ["", "├ ", "│ └ ", "├ ", "└ "]


def test_the_parent_of_an_adapter_is_read_from_the_list_of_models() -> None:
    body = b'{"object":"list","data":[{"id":"base","parent":null},{"id":"sql","parent":"base"},{"id":"x","parent":7}]}'
    models = openai_models(body, ModelState.SERVED)
    assert models is not None
    assert [one.parent for one in models] == [None, "base", None]


# ---- cells


def test_spill_is_marked_by_a_sign_and_said() -> None:
    row = row_of("gemma3:27b", LAB)
    assert cells.gpu_share(row) == ("▲60%", "warn")
    assert cells.note_cell(row, cells.Known()) == ("8.0 GiB in RAM", "warn")
    assert cells.gpu_share(row_of("gemma3:27b", MAC))[0] == "100%"
    assert cells.gpu_share(row_of("Qwen/Qwen3-8B", PROD))[0] == "–", "not told is not none"
    assert cells.gpu_share(row_of("qwen3:8b", LAB))[0] == "", "on disk there is nothing to share"


def test_what_is_left_of_the_keep_alive() -> None:
    row = row_of("gemma3:27b", LAB)
    assert cells.stays_text(row, UNIX) == "4m"
    assert cells.stays_text(row, UNIX + 300) == "ending"
    assert cells.stays_text(row, 0.0) == "–"
    assert cells.stays_text(row_of("gemma3:27b", MAC), UNIX) == "forever"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.15, "0.15"), (2.5, "2.50"), (15.0, "15.00"), (0.0, "0"), (0.0004, ".0004"), (0.00001, "<.001"), (150.0, "150"),
     (None, "–"), (float("nan"), "–"), (float("inf"), "–"), (-1.0, "–"), (99_999.0, "99999"), (99.996, "100")],
)  # fmt: skip
def test_prices_have_five_characters(value: float | None, text: str) -> None:
    assert cells.dollars(value) == text
    assert len(text) <= 5


def test_only_who_has_a_price_list_has_prices() -> None:
    assert cells.price_text(row_of("meta/llama", ROUTER)) == "0.15/0.60"
    assert cells.price_text(row_of("meta/free", ROUTER)) == "–"
    assert cells.price_text(row_of("qwen3:8b", LAB)) == ""


def test_a_licence_is_its_first_words_not_a_guess() -> None:
    assert licence_of({"license": "\n  Apache License\nVersion 2.0"}) == "Apache License"
    assert licence_of({"license": ["?"]}) == licence_of({}) == ""


# ---- columns


def wide_text(name: str, width: int) -> str:
    rows = model_rows(FLEET)
    known = cells.Known(UNIX)
    places = layout(width, cells.wanted_widths(rows, known), cells.told_columns(rows, known))
    shown = next(s for s in arranged(rows, BY["state"], grouped=False) if s.row.key[1] == name)
    return cells.row_line(shown, places, known, selected=False, marked=False).text


@pytest.mark.parametrize("width", range(0, 301, 7))
def test_columns_fit_any_width_and_numbers_are_never_cut(width: int) -> None:
    rows = model_rows(FLEET)
    known = cells.Known(UNIX)
    places = layout(width, cells.wanted_widths(rows, known), cells.told_columns(rows, known))
    least = {column.id: column.width for column in COLUMNS}
    for place in places.places:
        assert place.x + place.width <= max(width, 3)
        if place.column.id not in ("state", "name", "endpoint"):
            assert place.width >= least[place.column.id]
    for shown in arranged(rows, BY["state"], grouped=True):
        assert cell_width(cells.row_line(shown, places, known, selected=True, marked=True).text) <= width
    if width >= 60:
        assert "20.0 GiB" in wide_text("gemma3:27b", width)


def test_columns_come_by_priority() -> None:
    shown = {
        width: [p.column.id for p in layout(width, {}, {column.id for column in COLUMNS}).places]
        for width in (40, 60, 80, 240)
    }
    assert shown[40] == ["state", "name", "endpoint"]
    assert "boundary" in shown[60]
    assert "size" in shown[60]
    assert set(shown[240]) == {column.id for column in COLUMNS}
    for narrow, wide in ((40, 60), (60, 80), (80, 240)):
        assert set(shown[narrow]) <= set(shown[wide])


def test_a_column_without_anything_to_tell_is_not_shown() -> None:
    rows = rows_of(endpoint_view("bare", host=None, models=(model("a"),)))
    assert cells.told_columns(rows, cells.Known()) == set()


def test_what_an_endpoint_told_that_is_gone_says_so() -> None:
    assert "✗ DOWN" in wide_text("old.gguf", 80)
    assert "EXTERNAL" in wide_text("meta/llama", 80)


def test_hostile_names_stay_in_their_cells() -> None:
    evil = ("[red]x[/]", "\x1b[31mred\x1b]0;t\x07", "a\nb\tc", "表" * 400, "\u202eabc", "", " ", "e" + "\u0301" * 50)
    names = tuple(
        ModelReading(name, ModelState.LOADED, quantization=name, parameters=name, parent=None) for name in evil
    )
    view = endpoint_view("evil[b]\x1b[2J", engine="openai", host="\x07", models=names)
    rows = rows_of(view)
    known = cells.Known(UNIX)
    for width in (20, 40, 80, 200):
        places = layout(width, cells.wanted_widths(rows, known), cells.told_columns(rows, known))
        for grouped in (False, True):
            for shown in arranged(rows, BY["name"], grouped=grouped):
                text = cells.row_line(shown, places, known, selected=False, marked=False).text
                assert text.isprintable()
                assert cell_width(text) <= width


# ---- the screen


class Submitted:
    """What was submitted."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    async def __call__(self, fleet: FleetConfig, order: Order, **_: Any) -> Job:
        self.orders.append(order)
        return Job("abcde", order)


@pytest.fixture(autouse=True)
def submitted(monkeypatch: pytest.MonkeyPatch) -> Submitted:
    caught = Submitted()
    monkeypatch.setattr("quarterdeck.engine.operate.submit", caught)

    async def told(*_: object) -> dict[str, object]:
        return {"family": "gemma3", "license": "Gemma Terms of Use\nof 2024"}

    monkeypatch.setattr("quarterdeck.engine.asking.show", told)
    return caught


def models(it: Console) -> ModelsScreen:
    screen = it.app.screen
    assert isinstance(screen, ModelsScreen), screen
    return screen


def selected(it: Console) -> str:
    shown = models(it).table.selected
    return f"{shown.row.key[1]}@{shown.row.key[0]}" if shown is not None else ""


async def choose(it: Console, name: str) -> None:
    await it.press("g")
    for _ in range(60):
        if selected(it) == name:
            return
        await it.press("down")
    raise AssertionError(f"there is no row {name}\n{it.text}")


async def until(it: Console, screen: type) -> None:
    for _ in range(200):
        if isinstance(it.app.screen, screen):
            await it.pilot.pause()
            return
        await it.pilot.pause()
    raise AssertionError(f"{screen.__name__} did not open: {it.app.screen}\n{it.text}")


def viewing(fleet: FleetSnapshot = FLEET, size: tuple[int, int] = (100, 30)) -> Any:
    return console(fleet, size=size, configured=CONFIG)


async def test_the_key_opens_it_and_escape_goes_back() -> None:  # key: view_models
    async with viewing() as it:
        await it.press("3")
        assert "Models  12 on 5 endpoints" in it.text
        assert "✗ 1 failed" in it.text
        assert "EXTERNAL" in it.text
        await it.press("3")
        assert len(it.app.screen_stack) == 2, "once is enough"
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_the_palette_offers_it_and_what_can_be_done() -> None:
    async with viewing() as it:
        await it.press("colon", *"models", "enter")
        await until(it, ModelsScreen)
        await it.press("colon", *"unload", "enter")
        assert not isinstance(it.app.screen, ModelsScreen), "a question or a notice"


async def test_every_key_that_moves() -> None:
    async with viewing() as it:
        await it.press("3")
        assert selected(it) == "broken@mac"
        await it.press("j", "down", "k")
        assert selected(it) == "phi4@mac"
        await it.press("G")
        assert selected(it) == "old.gguf@gone"
        await it.press("pageup")
        assert selected(it) == "broken@mac"
        await it.press("pagedown", "g")
        assert selected(it) == "broken@mac"


async def test_tab_groups_by_name_and_back() -> None:  # key: group
    async with viewing() as it:
        await it.press("3", "tab")
        assert "on 2 endpoints: 2 loaded" in it.text
        assert "by name, failed" in it.text
        await choose(it, "gemma3:27b@")
        assert "gemma3:27b ·  on lab ● loaded" in it.text.splitlines()[-3], it.text
        await it.press("enter")
        assert "have a page each" in it.text
        await it.press("tab")
        assert "on 2 endpoints" not in it.text


async def test_where_no_model_is_on_two_endpoints_tab_says_so() -> None:
    async with viewing(snapshot(PROD)) as it:
        await it.press("3", "tab")
        assert "none of these models is on two endpoints" in it.text


async def test_sorting_in_turn_shows_where_the_arrow_stands() -> None:
    async with viewing() as it:
        await it.press("3")
        for title, first in (
            ("model↑", "broken"),
            ("size↓", "gemma3:27b"),
            ("endpoint↑", "old.gguf"),
            ("where↑", "broken"),
        ):
            await it.press("s", "g")
            lines = it.text.splitlines()
            assert title in lines[1]
            assert first in lines[2]


async def test_filtering_is_live_and_escape_clears_it() -> None:
    async with viewing() as it:
        await it.press("3", "slash", *"gemma")
        assert "/gemma 2 of 12" in it.text
        await it.press("enter", "j")
        assert selected(it) == "gemma3:27b@mac"
        await it.press("slash", "space", "exclamation_mark", *"mac", "enter")
        assert models(it).needle == "gemma !mac"
        assert selected(it) == "gemma3:27b@lab"
        await it.press("slash", "space", *"zzz")
        assert "no model matches the filter" in it.text
        await it.press("escape")
        assert "of 12" not in it.text
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_all_that_was_set_survives_another_view_a_resize_and_a_refresh() -> None:
    many = snapshot(*(endpoint_view(f"n{n}", models=tuple(model(f"m{m:02}") for m in range(30))) for n in range(3)))
    async with console(many, size=(80, 20)) as it:
        await it.press("3", "s", "tab", "slash", "m", "enter", "pagedown", "pagedown", "space")
        await it.pilot.pause()
        screen = models(it)
        before = (selected(it), screen.table.scroll_offset.y, screen.needle, screen.state.marked)
        assert before[1] > 0
        await it.press("1", "2", "3")
        again = models(it)
        assert again is not screen
        assert (selected(it), again.table.scroll_offset.y, again.needle, again.state.marked) == before
        assert again.state.grouped
        await it.pilot.resize_terminal(200, 20)
        await it.pilot.pause()
        assert selected(it) == before[0]
        await it.show(replace(many, endpoints=tuple(reversed(many.endpoints))))
        assert selected(it) == before[0]
        assert "model↑" in it.text


async def test_what_was_selected_stays_selected_where_it_moves_and_what_is_gone_leaves_a_neighbour() -> None:
    async with viewing() as it:
        await it.press("3")
        await choose(it, "qwen3:8b@lab")
        loaded = replace(LAB.models[1], state=ModelState.LOADED)
        await it.show(snapshot(replace(LAB, models=(LAB.models[0], loaded, LAB.models[2])), MAC, PROD, ROUTER, GONE))
        assert selected(it) == "qwen3:8b@lab"
        await it.show(snapshot(replace(LAB, models=LAB.models[:1]), MAC, PROD, ROUTER, GONE))
        assert selected(it) not in ("", "qwen3:8b@lab")


async def test_marks_are_acted_on_together(submitted: Submitted) -> None:
    async with viewing() as it:
        await it.press("3")
        await choose(it, "gemma3:27b@lab")
        await it.press("space", "space")
        assert "2 marked" in it.text
        assert "✓" in it.text
        await it.press("U")
        await until(it, ConfirmScreen)
        assert "2 of them" in it.text
        await it.press("y")
        for _ in range(20):
            await it.pilot.pause()
        assert {(order.action, order.target, order.model) for order in submitted.orders} == {
            ("unload", "lab", "gemma3:27b"),
            ("unload", "mac", "gemma3:27b"),
        }
        await it.press("escape")
        assert "marked" not in it.text
        assert isinstance(it.app.screen, ModelsScreen)


async def test_a_mark_that_the_filter_hides_is_not_acted_on() -> None:
    async with viewing() as it:
        await it.press("3")
        await choose(it, "gemma3:27b@lab")
        await it.press("space", "space", "slash", *"mac", "enter")
        assert [target.view.name for target in models(it).targets] == ["mac"]
        assert "1 marked" in it.text


async def test_the_title_of_a_group_means_all_of_it() -> None:
    async with viewing() as it:
        await it.press("3", "tab")
        await choose(it, "gemma3:27b@")
        assert [(t.view.name, t.model.id) for t in models(it).targets if t.model] == [
            ("lab", "gemma3:27b"),
            ("mac", "gemma3:27b"),
        ]
        await it.press("space")
        assert len(models(it).state.marked) == 2
        await it.press("k", "space")
        assert not models(it).state.marked


async def test_acting_knows_the_newest_of_the_endpoint() -> None:
    async with viewing() as it:
        await it.press("3")
        await choose(it, "gemma3:27b@lab")
        await it.show(snapshot(replace(LAB, running=3), MAC, PROD, ROUTER, GONE))
        assert models(it).targets[0].view.running == 3


@pytest.mark.parametrize(
    ("key", "screen"), [("a", ChooseScreen), ("P", FormScreen), ("L", FormScreen), ("D", ConfirmScreen)]
)
async def test_keys_of_actions_ask(key: str, screen: type) -> None:
    async with viewing() as it:
        await it.press("3")
        await choose(it, "qwen3:8b@lab")
        await it.press(key)
        await until(it, screen)
        assert "lab" in it.text


async def test_shift_c_chats_with_the_selected_model(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "quarterdeck.tui.chat.entering.chat_with", lambda app, view, one: asked.append((view.name, one.id))
    )
    async with viewing() as it:
        await it.press("3")
        await choose(it, "sql-expert@prod")
        await it.press("C")
        assert asked == [("prod", "sql-expert")]


async def test_enter_opens_the_page_and_its_licence_is_remembered() -> None:
    async with viewing(size=(160, 30)) as it:
        await it.press("3")
        assert "licence" not in it.text
        await choose(it, "gemma3:27b@lab")
        await it.press("enter")
        await until(it, ModelScreen)
        await it.sees("Gemma Terms of Use")
        await it.press("escape")
        assert selected(it) == "gemma3:27b@lab"
        await it.sees("licence")
        assert "Gemma Terms of Use" in it.text.splitlines()[4], it.text
        await choose(it, "support-de@prod")
        await it.press("enter")
        await until(it, ModelScreen)
        assert "Qwen/Qwen3-8B" in it.text.splitlines()[0], "an adapter that no list has: its model's page"


async def test_a_job_is_seen_at_the_model_that_it_works_on() -> None:
    job = Job("abcde", Order("load", "lab", "qwen3:8b"), JobState.RUNNING, progress=Progress(fraction=0.4))
    async with viewing(replace(FLEET, jobs=(job,)), size=(160, 30)) as it:
        await it.press("3")
        assert "load 40%" in it.text
        await it.show(FLEET)
        assert "load 40%" not in it.text


async def test_the_mouse_selects_opens_and_asks() -> None:
    async with viewing() as it:
        await it.press("3")
        await it.pilot.click(models(it).table, offset=(20, 3))
        assert selected(it) == "gemma3:27b@lab"
        await it.pilot.click(models(it).table, offset=(20, 4), button=3)
        await until(it, ChooseScreen)
        assert "gemma3:27b on mac" in it.text
        await it.press("escape")
        await it.pilot.click(models(it).table, offset=(20, 3), times=2)
        await until(it, ModelScreen)


@pytest.mark.parametrize(
    ("fleet", "words"),
    [
        (EMPTY_FLEET, "Nothing is watched yet."),
        (snapshot(endpoint_view("new", state=None)), "waiting for the first answers"),
        (snapshot(endpoint_view("x", state=State.DOWN, reason="connection refused")), "x: connection refused"),
    ],
)
async def test_an_empty_view_says_why_and_its_keys_do_no_harm(fleet: FleetSnapshot, words: str) -> None:
    async with console(fleet) as it:
        await it.press("3", "down", "G", "pageup", "space", "s", "tab", "enter", "a")
        assert words in it.text
        assert "nothing is selected" in it.text
        await it.press("c", "l", "U")
        await it.press("escape", "escape")
        assert it.app.is_running


async def test_where_no_column_has_room_for_it_the_line_below_says_external() -> None:
    async with viewing(size=(40, 10)) as it:
        await it.press("3")
        await choose(it, "meta/llama@router")
        assert "boundary" not in it.text
        assert "EXTERNAL · $ 0.15/0.60" in it.text.splitlines()[-2]


@pytest.mark.parametrize("size", [(40, 10), (60, 16), (80, 24), (120, 36), (200, 60), (300, 100), (1, 1)])
async def test_it_draws_at_any_size(size: tuple[int, int]) -> None:
    async with console(mixed_fleet(), size=size) as it:
        await it.press("3", "tab", "slash", "q", "enter", "G", "space", "tab")
        assert all(cell_width(line) <= size[0] for line in it.text.splitlines())
        if size[0] >= 40:
            assert "qwen3:8b" in it.text


async def test_news_of_one_model_repaint_its_cells_and_load_repaints_nothing() -> None:
    big = snapshot(
        *(
            endpoint_view(f"node-{n}", models=tuple(model(f"model-{m:03}", size_bytes=GIB) for m in range(100)))
            for n in range(10)
        )
    )
    async with console(big, size=(120, 36)) as it:
        await it.press("3")
        table = models(it).table
        assert len(table.rows) == 1000
        before = table.repainted_cells
        made: list[object] = []
        table.rearrange, rearrange = (lambda: made.append(1)), table.rearrange  # type: ignore[method-assign]
        await it.show(replace(big, endpoints=tuple(replace(view, running=9) for view in big.endpoints)))
        assert made == []
        assert table.repainted_cells == before
        table.rearrange = rearrange  # type: ignore[method-assign]
        first = big.endpoints[0]
        bigger = (replace(first.models[0], size_bytes=2 * GIB), *first.models[1:])
        await it.show(replace(big, endpoints=(replace(first, models=bigger), *big.endpoints[1:])))
        assert 0 < table.repainted_cells - before <= 12


async def test_help_explains_its_columns_and_where_a_model_is() -> None:
    async with viewing(size=(100, 260)) as it:
        await it.press("3", "question_mark")
        for words in ("Keys among the models", "Where a model is", "sleeping", "on GPU", "spilled"):
            assert words in it.text


async def test_random_keys_while_models_come_and_go() -> None:
    dice = random.Random(8)
    keys = ("j", "k", "G", "g", "pagedown", "pageup", "s", "tab", "space", "escape", "slash", "q", "3", "enter", "r")
    async with viewing(size=(80, 16)) as it:
        await it.press("3")
        for _ in range(150):
            await it.press(dice.choice(keys))
            kept = tuple(
                replace(view, models=tuple(m for m in view.models if dice.random() < 0.7))
                for view in FLEET.endpoints
                if dice.random() < 0.9
            )
            await it.show(replace(FLEET, endpoints=kept))
            if it.app._exit:
                break
            if not isinstance(it.app.screen, ModelsScreen):
                await it.press("escape", "3")
        assert it.app._exception is None


def test_the_state_is_one_for_the_console() -> None:
    state = ModelsState()
    orders = [state.next_order().id for _ in range(IN_TURN)]
    assert orders == ["name", "size", "endpoint", "state"]
    assert state.order is ORDERS[0]


async def test_of_a_recording_no_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with viewing() as it:
        monkeypatch.setattr(type(it.app), "replay_bar", "a recording")
        await it.press("3", "enter")
        await until(it, EndpointScreen)
