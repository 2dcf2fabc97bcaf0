"""`--ascii`: nothing but printable ASCII reaches the terminal, on whatever screen; and what it says can still be told apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.screen import Screen
from textual.strip import Strip

from chat_fakes import FakeDesk, Wire, answer, fleet_file, wire
from console_driver import Console, console
from fakes import FrozenClock, config
from fleets import mixed_fleet
from gpu_fleets import gpu_fleet
from jobs import job
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import JobState
from quarterdeck.model.models import ModelState
from quarterdeck.tui.alerts.lines import CLEARED
from quarterdeck.tui.alerts.lines import LOOKS as ALERTS
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.chat.entering import open_chat
from quarterdeck.tui.jobs.lines import LOOKS as JOBS
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.form import Field, FormScreen
from quarterdeck.tui.screens.notice import NoticeScreen
from quarterdeck.tui.states import LOOKS, WAITING
from quarterdeck.tui.terminal.plain import ascii_of, to_ascii, to_console_font
from quarterdeck.tui.terminal.screen_diff import cells_of

__all__ = ["wire"]
SIZES = [(80, 24), (120, 36), (200, 60), (40, 10)]
CONFIG = config(ascii=True, theme="quarterdeck-night")
KEYS = {
    "fleet": [],
    "fleet-unfolded": ["G", "x", "space", "k", "s"],
    "endpoint": ["G", "k", "enter", "w", "left", "left"],
    "endpoint-below": ["G", "k", "enter", "tab", "tab", "tab", "tab"],
    "endpoint-end": ["G", "k", "enter", "G"],
    "gpus": ["2", "right", "right"],
    "gpu": ["2", "enter", "left"],
    "gpu-below": ["2", "enter", "G"],
    "models": ["3", "s"],
    "model": ["3", "enter"],
    "alerts": ["5", "j"],
    "events": ["5", "tab"],
    "jobs": ["6", "j"],
    "filter": ["slash", "a"],
    "maximised": ["e"],
    "palette": ["colon"],
    "verb": ["colon", "t", "h", "e"],
    "actions": ["G", "a"],
    "help": ["question_mark"],
    "help-below": ["question_mark", "G"],
}
DIALOGS: dict[str, Callable[[], Screen[Any]]] = {
    "choose": lambda: ChooseScreen(
        "Which … “one” – or 日本?", [Item("a · b"), Item("ü", reason="no → no")], lambda _: None
    ),
    "confirm": lambda: ConfirmScreen("Really …?", ["It hurts – 5 × more."], "Do it", lambda: None),
    "form": lambda: FormScreen("Fill in …", [Field("x", "日本", "é")]),
    "notice": lambda: NoticeScreen("So …", "It can’t be — 5 °C."),
}


def everything() -> FleetSnapshot:
    """Endpoints in every state, GPUs in every trouble, alerts, happenings and jobs; some named in other letters."""
    mixed, gpus = mixed_fleet(), gpu_fleet()
    now, first, second = mixed.time, mixed.endpoints[0].name, mixed.endpoints[1].name
    down = Alert(
        "down",
        "down",
        Severity.CRITICAL,
        first,
        "DOWN – connection refused …",
        now - 95,
        now - 85,
        ("日本語 → ok",),
        endpoint=first,
    )
    seen = Acknowledged(now - 20, "ana", "ça va")
    queue = replace(down, key="queue", severity=Severity.WARNING, subject=second, endpoint=second, acknowledged=seen)
    states = [(State.STALE.value, Topic.STATE), ("pulled", Topic.JOB), ("loaded", Topic.MODEL), ("raised", Topic.ALERT)]
    told = tuple(Happening(now - at, topic, first, word, "日本 × 3") for at, (word, topic) in enumerate(states))
    jobs = tuple(job(state=state) for state in JobState)
    foreign = replace(mixed.endpoints[0], name="模型-日本🚀", state=None, models=mixed.endpoints[-1].models)
    return replace(
        mixed,
        endpoints=(*mixed.endpoints, foreign),
        hosts=(*mixed.hosts, *gpus.hosts),
        alerts=(down, queue),
        happenings=told,
        jobs=jobs,
    )


def sent(it: Console) -> list[str]:
    """The lines that the terminal is to show."""
    return ["".join(text for text, _ in line) for line in it.app.screen_diff._wanted]


def assert_ascii(it: Console) -> None:
    lines = sent(it)
    width, height = it.app.size
    assert len(lines) == height
    for line in lines:
        assert len(line) == width, line
        assert all(" " <= each <= "~" for each in line), line


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("where", KEYS)
async def test_every_screen_is_ascii(where: str, size: tuple[int, int]) -> None:
    async with console(everything(), size=size, configured=CONFIG) as it:
        await it.press(*KEYS[where])
        await it.tick()
        assert_ascii(it)


@pytest.mark.parametrize("kind", DIALOGS)
async def test_every_dialog_is_ascii(kind: str) -> None:
    async with console(everything(), configured=CONFIG) as it:
        it.app.push_screen(DIALOGS[kind]())
        await it.pilot.pause()
        assert_ascii(it)
        assert any("+-----" in line for line in sent(it)), "a frame"


async def test_the_list_of_themes_is_ascii() -> None:
    async with console(everything(), configured=CONFIG) as it:
        it.app.do_theme()
        await it.pilot.pause()
        await it.press("down", "down")
        assert_ascii(it)


@asynccontextmanager
async def chatting(size: tuple[int, int]) -> AsyncIterator[Console]:
    clock = FrozenClock()
    desk = FakeDesk(clock, fleet_file(ascii=True))
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        open_chat(app, "lab", "a")
        open_chat(app, "prod", "b")
        await it.sees(" Chat")
        yield it


@pytest.mark.parametrize("size", SIZES[:3], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_chat_is_ascii(wire: Wire, size: tuple[int, int]) -> None:
    wire.on(
        "lab", answer("# Ünïcode\n\n* 日本 … “so” – 5 × 3\n\n| a | b |\n|---|---|\n| 1 | 🚀 |\n\n```\n→ │ ━\n```\n")
    )
    wire.on("prod", answer("- [x] done\n> quoted\n\n1. one"))
    async with chatting(size) as it:
        await it.press(*"go …é", "enter")
        for _ in range(20):
            await it.pilot.pause()
        it.clock.advance(1.0)
        await it.tick()
        assert_ascii(it)
        assert "??" in "".join(sent(it)) or size[0] < 120, "the first of two columns"
        for key in ("tab", "o", "escape", "question_mark"):
            await it.press(key)
            assert_ascii(it)


async def test_without_it_the_terminal_gets_what_is_drawn() -> None:
    async with console(everything(), configured=config(ascii=False, theme="quarterdeck-night")) as it:
        assert any("✗ DOWN" in line for line in sent(it))


# ---- meanings


def plain(text: str) -> str:
    return "".join(sign for sign, _ in to_ascii(cells_of(Strip([Segment(text)]))))


def test_states_keep_a_sign_each() -> None:
    signs = {state: ascii_of(seen.glyph) for state, seen in LOOKS.items()}
    assert len(set(signs.values()) | {plain(WAITING.glyph)}) == len(State) + 1
    assert all(sign not in " ?-" for sign in signs.values())


@pytest.mark.parametrize(
    "glyphs",
    ["✓✗!–", "▲△○", "▶…✗○●", "●◐◌·✗", "━╍┄─", "▸▾", "▁▂▃▄▅▆▇█ ", "↑↓", "←→", "▶‖", "▌✓ ", "━╾─", "✗▲▼!o?"],
)
def test_what_differs_by_its_glyph_differs_still(glyphs: str) -> None:
    assert len({*map(plain, glyphs)}) == len(glyphs)


@pytest.mark.parametrize("glyphs", ["✗■⊘○↻◐▲◌●", "✓✗!–", "▲△○", "●◐◌·✗", "━╍┄─", "▸▾", "▂▄█ ", "↑↓", "←→", "▶‖", "▌✓ "])
def test_the_linux_console_has_a_sign_for_each(glyphs: str) -> None:
    """Of its fonts only what all of them have is used; letters pass."""
    made = [sign for sign, _ in to_console_font([(glyph, None) for glyph in glyphs])]
    assert len({*made}) == len(glyphs)
    in_control_codes = "☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
    assert all(sign.isascii() or sign in in_control_codes or sign.encode("cp437") for sign in made)
    assert to_console_font([("é", None), ("ж", None)]) == [("é", None), ("ж", None)]


def test_cells_stay_where_they_are() -> None:
    assert plain("qwen3 日本 é ñ ﬁ 🚀 — “x”") == 'qwen3 ???? e n ? ?? - "x"'
    assert plain("x\u0301 a\u0300") == "x a"
    assert plain("qwen2.5-co…  starting … (…)") == "qwen2.5-co>  starting . (.)"
    assert plain("╭─┬─╮│┃┤╰┴╯┼╬▛") == "+-+-+||++++++#"


@given(st.text(max_size=60))
def test_any_text_becomes_as_many_printable_signs_as_it_has_cells(text: str) -> None:
    drawn = cells_of(Strip([Segment(text)]))
    made = to_ascii(drawn)
    assert len(made) == len(drawn)
    assert all(len(sign) == 1 and " " <= sign <= "~" for sign, _ in made)
    if cell_len(text) == len(drawn):
        assert len(made) == cell_len(text)


def test_words_and_signs_of_everything_that_has_a_state_differ_in_ascii() -> None:
    """By text alone, without any colour."""
    for texts in (
        [f"{plain(seen.glyph)} {seen.word}" for seen in (*LOOKS.values(), WAITING)],
        [f"{plain(model_look(state).glyph)} {model_look(state).word}" for state in ModelState],
        [f"{plain(seen.glyph)} {seen.word}" for seen in (*ALERTS.values(), CLEARED)],
        [f"{plain(seen.glyph)} {seen.word}" for seen in JOBS.values()],
    ):
        assert len(set(texts)) == len(texts)
