"""Launching a vLLM from the console: the form, what it says, what it saves, and what is then started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console_driver import Console, console
from fakes import endpoint_view, snapshot
from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.load import load
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.launches import default_file, file_of
from quarterdeck.engine.preflight import Check
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.job import Job, Order
from quarterdeck.model.launch import Launch, read
from quarterdeck.tui.acting.launching import cached_models
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.form import FormScreen
from quarterdeck.tui.screens.log import LogScreen
from quarterdeck.tui.screens.notice import NoticeScreen

COMMENT = "# what a person wrote\n"


class Submitted:
    """What was submitted, and from which file."""

    def __init__(self) -> None:
        self.orders: list[tuple[Order, Path | None, str]] = []

    async def __call__(self, fleet: FleetConfig, order: Order, *, confirmed: str, **_: Any) -> Job:
        self.orders.append((order, fleet.source, confirmed))
        return Job("abcde", order)


class Checks:
    """What is found beforehand."""

    def __init__(self) -> None:
        self.found: list[Check] = []
        self.asked: list[Launch] = []

    async def __call__(self, launch: Launch, _: FleetSnapshot) -> list[Check]:
        self.asked.append(launch)
        return self.found


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    found = Checks()
    monkeypatch.setattr("quarterdeck.engine.preflight.preflight_launch", found)
    return found


@pytest.fixture(autouse=True)
def submitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Submitted:
    caught = Submitted()
    monkeypatch.setattr("quarterdeck.engine.launches.submit", caught)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return caught


@pytest.fixture
def fleet(tmp_path: Path) -> FleetConfig:
    file = tmp_path / "fleet.toml"
    file.write_text(COMMENT + '[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:8000"\n')
    loaded = load(file)
    assert not loaded.problems
    return loaded.config


@asynccontextmanager
async def form(fleet: FleetConfig, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Console]:
    async with console(snapshot(endpoint_view("a")), size=size, configured=fleet) as it:
        await it.press("n")
        yield it


async def fill(it: Console, **answers: str) -> None:
    screen = it.app.screen
    assert isinstance(screen, FormScreen)
    for each in screen.inputs:
        if each.field.name in answers:
            each.value = answers[each.field.name]
    await it.pilot.pause()


async def done(it: Console, **answers: str) -> None:
    await fill(it, **answers)
    await it.press("ctrl+s")
    await it.app.workers.wait_for_complete()
    await it.pilot.pause()
    await it.app.workers.wait_for_complete()
    await it.pilot.pause()


async def test_it_is_saved_started_and_has_a_row(fleet: FleetConfig, submitted: Submitted, tmp_path: Path) -> None:
    async with form(fleet) as it:
        await it.press(*"org/Tiny", "tab", "tab", *"8123")
        await it.sees("vllm serve org/Tiny --host 127.0.0.1 --port 8123")
        await done(it)
        assert isinstance(it.app.screen, FleetScreen)
        assert "tiny is job abcde; 6 shows it" in it.app.notice
        [endpoints] = it.engine.asked("add")
        [deployments] = it.engine.asked("add_deployments")
    assert [(each.name, each.url, each.engine) for each in endpoints] == [("tiny", "http://127.0.0.1:8123", "vllm")]
    assert [each.kept for each in deployments] == [None]
    saved = load(tmp_path / "fleet.toml")
    assert not saved.problems
    assert (tmp_path / "fleet.toml").read_text().startswith(COMMENT)
    assert saved.config.deployments[0].run == ("vllm", "serve", "org/Tiny", "--host", "127.0.0.1", "--port", "8123")
    assert submitted.orders == [(Order("start", "tiny"), tmp_path / "fleet.toml", "")]


async def test_unsaved_it_can_still_be_named(fleet: FleetConfig, submitted: Submitted, tmp_path: Path) -> None:
    before = (tmp_path / "fleet.toml").read_text()
    own = tmp_path / "state" / "quarterdeck" / "launched" / "tiny.toml"
    async with form(fleet, (100, 40)) as it:
        await fill(it, model="org/Tiny", port="8123", save="")
        await it.sees("not saved: quarterdeck --fleet")
        await done(it)
        [deployments] = it.engine.asked("add_deployments")
    assert deployments[0].kept == own
    assert (tmp_path / "fleet.toml").read_text() == before
    assert [(spec.name, spec.endpoint) for spec in load(own).config.deployments] == [("tiny", "tiny")]
    assert submitted.orders == [(Order("start", "tiny"), own, "")]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "port 8000 is that of a"),
        ({"name": "a", "port": "1"}, "there is an endpoint a already"),
        ({"port": "many"}, "expected a number"),
        ({"save": "/etc/passwd", "port": "1"}, "isn't called .toml"),
    ],
)
async def test_what_stands_in_the_way_is_said_in_the_form(
    fleet: FleetConfig, submitted: Submitted, answers: dict[str, str], words: str
) -> None:
    async with form(fleet) as it:
        await done(it, model="org/Tiny", **answers)
        assert isinstance(it.app.screen, FormScreen)
        assert words in it.text
    assert submitted.orders == []


async def test_the_file_it_is_saved_in_may_have_another_of_its_name(
    fleet: FleetConfig, submitted: Submitted, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        '[[endpoint]]\nname = "tiny"\nurl = "http://127.0.0.1:9"\n'
        '[[deployment]]\nname = "tiny"\nendpoint = "tiny"\nrun = ["x"]\n'
    )
    before = other.read_text()
    async with form(fleet) as it:
        await done(it, model="org/Tiny", port="8123", extra="--dtype half", save=str(other))
        screen = it.app.screen
        assert isinstance(screen, FormScreen), "it comes back, with all that was typed"
        assert screen.answers["extra"] == "--dtype half"
        await it.sees("there is a deployment tiny already")
    assert other.read_text() == before
    assert submitted.orders == []


async def test_what_will_not_work_is_asked_about(fleet: FleetConfig, submitted: Submitted, checks: Checks) -> None:
    checks.found = [Check("bad", "there is no GPU 7"), Check("ok", "fine")]
    async with form(fleet) as it:
        await done(it, model="org/Tiny", port="8123")
        assert isinstance(it.app.screen, ConfirmScreen)
        assert "there is no GPU 7" in it.text
        await it.press("enter")
        assert isinstance(it.app.screen, FleetScreen)
        assert submitted.orders == []
        await it.press("n")
        await done(it, model="org/Tiny", port="8123")
        await it.press("y")
        await it.app.workers.wait_for_complete()
    assert [order for order, *_ in submitted.orders] == [Order("start", "tiny")]
    assert checks.asked[-1].model == "org/Tiny"


async def test_a_protected_machine_wants_the_name(fleet: FleetConfig, submitted: Submitted, tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(file.read_text() + '[[host]]\nname = "here"\ngpus = "local"\nprotected = true\n')
    async with form(load(file).config) as it:
        await done(it, model="org/Tiny", port="8123")
        await it.sees("so is tiny")
        await it.press(*"tin", "enter")
        assert submitted.orders == []
        await it.press("y", "enter")
        await it.app.workers.wait_for_complete()
    assert submitted.orders == [(Order("start", "tiny"), file, "tiny")]


async def test_read_only_opens_no_form(fleet: FleetConfig) -> None:
    async with form(replace(fleet, console=ConsoleSettings(read_only=True))) as it:
        assert isinstance(it.app.screen, NoticeScreen)
        await it.sees("read-only: nothing may be changed from here")
        await it.press("q", "escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_read_only_since_the_form_was_opened(fleet: FleetConfig, submitted: Submitted) -> None:
    async with form(fleet) as it:
        it.app.locked = True
        await done(it, model="org/Tiny", port="8123")
        assert "read-only" in it.app.notice
    assert submitted.orders == []


async def test_no_shell_reads_what_is_typed(fleet: FleetConfig, tmp_path: Path) -> None:
    bad = f"; touch {tmp_path}/no; $(touch {tmp_path}/no) `x` [bold]\\"
    async with form(fleet, (80, 24)) as it:
        await fill(
            it, **dict.fromkeys(("model", "name", "gpus", "lora", "extra", "program", "quantization", "save"), bad)
        )
        await it.press("ctrl+s")
        assert isinstance(it.app.screen, FormScreen)
        await done(
            it, model=bad, name="[b]", gpus="", lora="", extra="", program="", quantization="", save="", port="9"
        )
        assert isinstance(it.app.screen, FleetScreen)
        [deployments] = it.engine.asked("add_deployments")
    assert deployments[0].run[2] == bad
    assert not (tmp_path / "no").exists()


async def test_it_fits_a_small_terminal_and_scrolls(fleet: FleetConfig, checks: Checks) -> None:  # key: launch
    checks.found = [Check("ok", f"finding {place}") for place in range(9)]
    async with form(fleet, (80, 24)) as it:
        await fill(it, model="org/" + "x" * 200, port="8123")
        await it.sees("more lines: PgDn")
        assert "save to" in it.text
        await it.sees("x" * 60)
        for _ in range(60):
            if checks.asked:
                break
            await it.pilot.pause(0.05)
        for _ in range(6):
            await it.press("pagedown")
        assert "finding 8" in it.text
        assert "PgUp goes back" in it.text
        for _ in range(6):
            await it.press("pageup")
        assert "vllm serve" in it.text


async def test_the_cache_completes_the_model(fleet: FleetConfig, tmp_path: Path) -> None:
    (tmp_path / "hub" / "models--org--Tiny").mkdir(parents=True)
    (tmp_path / "hub" / "datasets--org--d").mkdir()
    assert cached_models() == ["org/Tiny"]
    async with form(fleet, (100, 40)) as it:
        await it.sees("(→ completes): org/Tiny")
        await it.press("o")
        await it.pilot.pause()
        await it.press("right")
        screen = it.app.screen
        assert isinstance(screen, FormScreen)
        assert screen.answers["model"] == "org/Tiny"


async def test_n_searches_on_in_a_log(fleet: FleetConfig, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("it serves\n")
    deployments = (DeploymentSpec("d", "a", run=("true",), log=str(log)),)
    async with console(snapshot(endpoint_view("a")), configured=replace(fleet, deployments=deployments)) as it:
        await it.press("l", "n")
        assert isinstance(it.app.screen, LogScreen)


def test_where_it_is_saved(tmp_path: Path) -> None:
    assert default_file(FleetConfig()) == tmp_path / "config" / "quarterdeck" / "fleet.toml"
    assert default_file(FleetConfig(source=tmp_path / "x.toml")) == tmp_path / "x.toml"
    launch, _ = read({"model": "m", "name": "../../x"})
    assert launch is not None
    assert file_of(launch, "").parent == tmp_path / "state" / "quarterdeck" / "launched"
    with pytest.raises(UsageError):
        file_of(launch, "a\0.toml")


def test_hosts_of_others_are_not_this_machine() -> None:
    from quarterdeck.engine.launches import collisions, planned

    launch = Launch("m", port=9)
    fleet = FleetConfig(
        endpoints=(EndpointSpec("x", "http://gpu-1:9"), EndpointSpec("y", "http://127.0.0.1:9", via="ssh:gpu-1")),
        hosts=(HostSpec("here"), HostSpec("gpu-1", "ssh")),
    )
    assert collisions(launch, fleet) == {}
    assert planned(launch, fleet)[1].host == "here"


async def test_a_form_with_more_fields_than_lines(fleet: FleetConfig) -> None:
    """The field that has the keys is in view, and what is said of it."""
    async with form(fleet) as it:
        await it.pilot.resize_terminal(40, 10)
        screen = it.app.screen
        assert isinstance(screen, FormScreen)
        for each in screen.inputs:
            screen.set_focus(each)
            screen._draw()
            await it.pilot.pause()
            await it.sees(each.field.help.split()[0])
            assert screen.find_widget(each).visible_region.height == 1, each.field.name
        screen.inputs[0].value = ""
        screen.action_done()
        await it.sees("model is missing")
