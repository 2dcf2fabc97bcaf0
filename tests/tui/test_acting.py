"""Acting from the console: keys, menu, forms, questions, marks, jobs; what is submitted is caught before a worker starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console_driver import Console, console
from fakes import config, endpoint_view, model, snapshot
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.preflight import Check
from quarterdeck.model.actions import ACTIONS, Action, On
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.models import ModelState
from quarterdeck.tui.screens.audit import AuditScreen
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.form import FormScreen
from quarterdeck.tui.screens.jobs import JobsScreen
from quarterdeck.tui.screens.log import LogScreen
from quarterdeck.tui.screens.model import ModelScreen
from quarterdeck.tui.screens.notice import NoticeScreen

GB = 1_000_000_000
LAB = endpoint_view(
    "lab",
    engine="ollama",
    state=State.OK,
    running=2,
    models=(
        model("qwen3:8b", state=ModelState.LOADED, size_bytes=6 * GB),
        model("gemma3:12b", state=ModelState.LOADED, size_bytes=9 * GB),
        model("phi4:14b", state=ModelState.INSTALLED, size_bytes=9 * GB),
    ),
)
PROD = endpoint_view("prod", engine="vllm", state=State.OK, running=3, waiting=1, protected=True)
DOWN = endpoint_view("gone", engine="ollama", state=State.DOWN, reason="connection refused")
FLEET = snapshot(LAB, PROD, DOWN)
CONFIG = replace(
    config(),
    endpoints=(
        EndpointSpec("lab", "http://127.0.0.1:11434", "ollama"),
        EndpointSpec("prod", "http://127.0.0.1:8000", "vllm", protected=True),
        EndpointSpec("gone", "http://127.0.0.1:11435", "ollama"),
    ),
    deployments=(DeploymentSpec("prod-server", "prod", run=("vllm", "serve")),),
)


class Submitted:
    """What was submitted: (order, how it was agreed to)."""

    def __init__(self) -> None:
        self.orders: list[tuple[Order, str]] = []

    async def __call__(self, fleet: FleetConfig, order: Order, *, confirmed: str, **_: Any) -> Job:
        self.orders.append((order, confirmed))
        return Job("abcde", order)


@pytest.fixture(autouse=True)
def submitted(monkeypatch: pytest.MonkeyPatch) -> Submitted:
    caught = Submitted()
    monkeypatch.setattr("quarterdeck.engine.operate.submit", caught)

    async def nothing(*_: object) -> list[Check]:
        return []

    monkeypatch.setattr("quarterdeck.engine.preflight.preflight", nothing)
    return caught


def acting(fleet: FleetSnapshot = FLEET, configured: FleetConfig = CONFIG, size: tuple[int, int] = (100, 30)) -> Any:
    return console(fleet, size=size, configured=configured)


async def choose(it: Console, name: str) -> None:
    """Select a row by its name."""
    await it.press("g")
    for _ in range(20):
        row = it.table.selected_row
        shown = row.part.id if row is not None and row.part is not None else it.selected  # type: ignore[union-attr]
        if shown == name:
            return
        await it.press("down")
    raise AssertionError(f"there is no row {name}")


async def until(it: Console, screen: type) -> None:
    for _ in range(200):
        if isinstance(it.app.screen, screen):
            await it.pilot.pause()
            return
        await it.pilot.pause()
    raise AssertionError(f"{screen.__name__} did not open: {it.app.screen}\n{it.text}")


async def type_in(it: Console, text: str) -> None:
    for character in text:
        await it.press({":": "colon", "-": "minus", ".": "full_stop", "/": "slash"}.get(character, character))


async def test_the_menu_says_what_can_be_done_and_why_not(submitted: Submitted) -> None:  # key: act
    async with acting() as it:
        await choose(it, "lab")
        await it.press("a")
        await until(it, ChooseScreen)
        await it.sees("Pull")
        await it.press("end")
        await it.sees("no [[deployment]] in fleet.toml becomes lab")
        await it.press("enter")
        assert isinstance(it.app.screen, ChooseScreen)  # what can't be done isn't done
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)
        assert submitted.orders == []


async def test_a_pull_asks_for_the_model(submitted: Submitted) -> None:
    async with acting() as it:
        await choose(it, "lab")
        await it.press("P")
        await until(it, FormScreen)
        await it.press("enter")
        await it.sees("model is missing")
        await type_in(it, "qwen3:4b")
        await it.press("enter")
        await until(it, FleetScreen)
        assert submitted.orders == [(Order("pull", "lab", "qwen3:4b", {}), "")]
        await it.sees("is job abcde; 6 shows it")


async def test_leaving_a_form_does_nothing(submitted: Submitted) -> None:
    async with acting() as it:
        await choose(it, "lab")
        await it.press("P")
        await until(it, FormScreen)
        await type_in(it, "q")
        await it.press("escape")
        await until(it, FleetScreen)
        assert it.app.is_running
        assert submitted.orders == []


async def test_unload_of_an_endpoints_row_asks_which_model(submitted: Submitted) -> None:
    async with acting() as it:
        await choose(it, "lab")
        await it.press("U")
        await until(it, ChooseScreen)
        screen = it.app.screen
        assert isinstance(screen, ChooseScreen)
        assert [item.label for item in screen._items.items] == ["qwen3:8b", "gemma3:12b"]  # what is in memory
        await it.press("j", "enter")
        await until(it, ConfirmScreen)
        await it.sees("2 requests are running")
        await it.press("enter")
        await until(it, FleetScreen)
        assert submitted.orders == []  # Enter is No
        await it.press("U")
        await until(it, ChooseScreen)
        await it.press("enter")
        await until(it, ConfirmScreen)
        await it.press("y")
        await until(it, FleetScreen)
        assert submitted.orders == [(Order("unload", "lab", "qwen3:8b", {}), "yes")]


async def test_deleting_always_asks_and_says_how_much(submitted: Submitted) -> None:
    async with acting() as it:
        await choose(it, "lab")
        await it.press("right")
        await choose(it, "phi4:14b")
        await it.press("D")
        await until(it, ConfirmScreen)
        await it.sees("deletes 8.4 GiB from its disk")
        await it.press("left", "enter")
        await until(it, FleetScreen)
        assert submitted.orders == [(Order("delete", "lab", "phi4:14b", {}), "yes")]


async def test_what_is_protected_wants_its_name(submitted: Submitted) -> None:
    async with acting() as it:
        await choose(it, "prod")
        await it.press("a")
        await until(it, ChooseScreen)
        await it.press(*"jjjjj")
        screen = it.app.screen
        assert isinstance(screen, ChooseScreen)
        stop = next(place for place, item in enumerate(screen._items.items) if item.label == "Stop")
        screen._items.select(stop)
        await it.press("enter")
        await until(it, FormScreen)
        await it.sees("prod-server is protected")
        await it.sees("3 requests are running")
        await type_in(it, "prod")
        await it.press("enter")
        await it.sees("type prod-server to go on")
        await type_in(it, "-server")
        await it.press("enter")
        await until(it, FleetScreen)
        assert submitted.orders == [(Order("stop", "prod-server", None, {}), "prod-server")]


@pytest.mark.parametrize("how", ["file", "palette"])
async def test_read_only_does_nothing(submitted: Submitted, how: str) -> None:
    configured = replace(CONFIG, console=replace(CONFIG.console, read_only=how == "file"))
    async with acting(configured=configured) as it:
        if how == "palette":
            it.app.do_read_only()
        await it.tick()
        await it.sees("read-only")
        await choose(it, "lab")
        for key in ("P", "a", "n"):  # before anything is filled in
            await it.press(key)
            await until(it, NoticeScreen)
            await it.sees("read-only: nothing may be changed from here")
            await it.sees("(read_only), or --read-only" if how == "file" else "in the palette")
            await it.press("q", "x")  # typed ahead: nothing happens
            assert isinstance(it.app.screen, NoticeScreen)
            await it.press("escape")
            await until(it, FleetScreen)
        assert submitted.orders == []


async def test_read_only_cancels_and_resumes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("cancel", "resume"):
        monkeypatch.setattr(f"quarterdeck.engine.jobs.folder.JobFolder.{name}", lambda _, each: done.append(each))
    configured = replace(CONFIG, console=replace(CONFIG.console, read_only=True))
    async with acting(replace(FLEET, jobs=(GOING, FAILED)), configured) as it:
        await it.press("6", "x")
        await until(it, NoticeScreen)
        await it.press("escape", "j", "R")
        await until(it, NoticeScreen)
        await it.press("escape")
        assert done == []


async def test_marks_make_it_a_bulk_action(submitted: Submitted) -> None:  # key: mark
    async with acting(size=(120, 36)) as it:
        await choose(it, "lab")
        await it.press("right")
        await choose(it, "qwen3:8b")
        await it.press("space", "space")
        await it.sees("2 marked")
        await it.press("U")
        await until(it, ConfirmScreen)
        await it.sees("2 of them")
        await it.press("y")
        await until(it, FleetScreen)
        assert [order.model for order, _ in submitted.orders] == ["qwen3:8b", "gemma3:12b"]
        await it.press("escape")
        assert "marked" not in it.text


async def test_marked_rows_that_nothing_is_done_to_are_told(submitted: Submitted) -> None:
    async with acting(size=(160, 36)) as it:
        for name in ("lab", "prod"):
            await choose(it, name)
            await it.press("space")
        await it.sees("2 marked")
        await it.press("P")  # pull: a vLLM server can't
        await until(it, FormScreen)
        await type_in(it, "qwen3")
        await it.press("enter")
        await until(it, FleetScreen)
        assert [order.target for order, _ in submitted.orders] == ["lab"]
        await it.sees("1 of 2 can't:")


async def test_what_is_down_says_so(submitted: Submitted) -> None:
    async with acting(size=(120, 36)) as it:
        await choose(it, "gone")
        await it.press("P")
        await it.sees("gone is DOWN: connection refused")
        assert submitted.orders == []


async def test_actions_are_in_the_palette_and_the_help() -> None:  # key: audit # key: read_only
    async with acting(size=(120, 60)) as it:
        await choose(it, "lab")
        await it.press("question_mark")
        await it.sees("What can be done to the selected")
        await it.press("escape", "colon")
        for character in "unload all":
            await it.press("space" if character == " " else character)
        await it.sees("Unload all")
        await it.press("escape")
        it.app.do_audit()
        await until(it, AuditScreen)
        await it.press("r", "escape")


GOING = Job(
    "k3fxa", Order("pull", "lab", "qwen3:4b"), JobState.RUNNING, created=9_000.0, started=9_001.0,
    progress=Progress("pulling layer 1", 0.61, 610 * 1_000_000, GB, 41e6, 9.5), user="ops",
)  # fmt: skip
FAILED = Job(
    "zzzzz", Order("load", "lab", "phi4:14b"), JobState.FAILED, created=8_000.0, started=8_000.0, ended=8_010.0,
    words="not enough memory\nUnload something first.", user="ops",
)  # fmt: skip
DEAD = replace(FAILED, id="ddddd", state=JobState.DEAD, words="its worker is gone and left no result")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60), (40, 10)])
async def test_the_jobs(size: tuple[int, int]) -> None:  # key: view_jobs
    async with acting(replace(FLEET, jobs=(GOING, FAILED, DEAD)), size=size) as it:
        await it.press("6")
        await until(it, JobsScreen)
        await it.sees("61")
        assert "running" in it.text
        await it.press("j", "k", "G", "g", "pagedown", "pageup", "q")
        assert isinstance(it.app.screen, FleetScreen)


async def test_no_jobs() -> None:
    async with acting() as it:
        await it.press("6")
        await it.sees("Nothing was asked for yet")
        await it.press("x", "R", "l", "enter")
        await it.sees("there is no job")


async def test_cancelling_and_resuming(monkeypatch: pytest.MonkeyPatch) -> None:  # key: cancel_job # key: resume_job
    done: list[tuple[str, str]] = []

    def cancel(_: object, identity: str) -> Job:
        done.append(("cancel", identity))
        return GOING

    def resume(_: object, identity: str) -> Job:
        done.append(("resume", identity))
        return replace(FAILED, state=JobState.QUEUED, attempts=2)

    monkeypatch.setattr("quarterdeck.engine.jobs.folder.JobFolder.cancel", cancel)
    monkeypatch.setattr("quarterdeck.engine.jobs.folder.JobFolder.resume", resume)
    async with acting(replace(FLEET, jobs=(GOING, FAILED))) as it:
        await it.press("6")
        await until(it, JobsScreen)
        await it.press("R")
        await it.sees("job k3fxa is running")
        await it.press("x")
        await until(it, ConfirmScreen)
        await it.press("y")
        await it.sees("job k3fxa: stopping")
        await it.press("j", "x")
        await it.sees("job zzzzz has ended")
        await it.press("R")
        await it.sees("job zzzzz: resumed")
        assert done == [("cancel", "k3fxa"), ("resume", "zzzzz")]


async def test_the_log_of_a_job(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # key: log # key: follow
    # key: next_hit # key: earlier_hit
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {number}\n" for number in range(200)) + "ERROR \x1b[31mno room\x1b[0m\n")
    monkeypatch.setattr("quarterdeck.engine.jobs.folder.JobFolder.log_path", lambda *_: log)
    async with acting(replace(FLEET, jobs=(GOING,))) as it:
        await it.press("6")
        await until(it, JobsScreen)
        await it.press("l")
        await until(it, LogScreen)
        screen = it.app.screen
        assert isinstance(screen, LogScreen)
        while screen._follower.came < 201:
            await it.pilot.pause(0.01)
        screen.refresh_log()
        await it.sees("ERROR no room")
        await it.press("slash")
        await it.pilot.pause()
        await type_in(it, "line")
        await it.press("space", "7")
        await it.press("enter")
        await it.sees("11 lines")
        await it.press("n")
        await it.sees("line 7")
        await it.press("N", "f")
        await it.sees("following")
        await it.press("escape", "escape")
        assert isinstance(it.app.screen, JobsScreen)


async def test_the_log_of_a_server_nobody_knows_how_it_was_started() -> None:
    async with acting(size=(120, 36)) as it:
        await choose(it, "lab")
        await it.press("l")
        await it.sees("the log of lab is not known")


async def test_a_models_page(monkeypatch: pytest.MonkeyPatch) -> None:  # key: newer
    async def told(*_: object) -> dict[str, object]:
        return {
            "family": "qwen3",
            "template": "{{ .Prompt }}\n[red]not markup[/red]\x1b[31m",
            "capabilities": ["tools"],
        }

    async def newer(*_: object) -> str:
        return "up to date"

    monkeypatch.setattr("quarterdeck.engine.asking.show", told)
    monkeypatch.setattr("quarterdeck.engine.asking.newer", newer)
    async with acting() as it:
        await choose(it, "lab")
        await it.press("right")
        await choose(it, "qwen3:8b")
        await it.press("enter")
        await until(it, ModelScreen)
        await it.sees("[red]not markup[/red]")
        assert "\x1b" not in it.text
        await it.press("u")
        await it.sees("up to date")
        await it.press("a")
        await until(it, ChooseScreen)
        await it.press("escape", "escape")
        assert isinstance(it.app.screen, FleetScreen)


@pytest.mark.parametrize("size", [(40, 10), (20, 5), (1, 1)])
async def test_dialogs_at_sizes_that_are_too_small(size: tuple[int, int]) -> None:
    async with acting(size=size) as it:
        await it.press("a")
        await until(it, ChooseScreen)
        await it.press("escape", "P")
        await it.pilot.pause()
        await it.press("escape")
        assert it.app.is_running


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
@pytest.mark.parametrize("how", ["read_only", "protected"])
async def test_no_way_through_the_console_goes_around(submitted: Submitted, action: Action, how: str) -> None:
    """By the palette or a key, of one row and of marked ones: read-only gives no job, and what is protected none without its name."""
    vllm, ollama = (
        endpoint_view("v", engine="vllm", running=1, state=State.SLEEPING if action.id == "wake" else State.OK),
        replace(LAB, name="o"),
    )
    of_vllm = not action.engines or "vllm" in action.engines
    name = "v" if of_vllm else "o"
    configured = replace(
        CONFIG,
        console=replace(CONFIG.console, read_only=how == "read_only"),
        endpoints=tuple(
            EndpointSpec(each, f"http://127.0.0.1:{8000 + place}", protected=how == "protected")
            for place, each in enumerate(("v", "o"))
        ),
        deployments=(DeploymentSpec("server", "v", run=("x",)),),
    )
    async with acting(snapshot(vllm, ollama), configured) as it:
        await choose(it, name)
        if name == "o":
            await it.press("right")
            await choose(it, "qwen3:8b" if action.on is On.MODEL else "o")
        await it.press("space")
        screen = it.app.screen
        assert isinstance(screen, FleetScreen)
        screen.act(action.id)
        for _ in range(30):
            top = it.app.screen
            if isinstance(top, FormScreen):
                for field in top.inputs:
                    field.value = field.value or "x"
                top.action_done()
                if it.app.screen is top:  # it wants something else
                    top.action_close()
            elif isinstance(top, ConfirmScreen):
                top.action_answer(True)
            elif isinstance(top, ChooseScreen):
                top.action_choose()
            await it.pilot.pause()
        assert submitted.orders == []


async def test_what_the_menu_says_of_the_selected_one_is_never_cut() -> None:
    long = "the server says at great length why that can't be done: " + "reason " * 30
    items = [Item("this", help="What it does."), Item("that", reason=long)]
    async with acting(size=(80, 24)) as it:
        it.app.push_screen(ChooseScreen("Which?", items, lambda _: None))
        await it.sees("What it does.")
        await it.press("down")
        await it.sees("at great length")
        assert " ".join(it.text.split()).count("reason reason") >= 10
        for size in ((40, 10), (80, 24)):
            await it.pilot.resize_terminal(*size)
            await it.sees("▌    that")  # what is selected is in view
            await it.sees("at great length")
