"""What may not be done is refused, whichever way it is asked for: no action gets around read-only or protection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import endpoint_view, model
from jobs import Workers, job
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.load import load
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine import safety
from quarterdeck.engine.audit import audit_path, read
from quarterdeck.engine.jobs import carrying, worker
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.hands import Hands
from quarterdeck.engine.operate import submit
from quarterdeck.engine.safety import NAME, NOTHING, YES, Refused, asks, check
from quarterdeck.model.actions import ACTIONS, Action, Danger, On
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.job import Job, JobState, Order
from quarterdeck.model.models import ModelState

URL = "http://127.0.0.1:1"
FILE = """
{console}
[[host]]
name = "box"
gpus = "none"
{host}
[[endpoint]]
name = "e"
url = "http://127.0.0.1:1"
engine = "{engine}"
host = "box"
{endpoint}
[[deployment]]
name = "d"
endpoint = "e"
driver = "process"
run = ["false"]
{deployment}
"""
PROTECTED = "protected = true"
every_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)


def fleet_file(folder: Path, action: Action, *protected: str, read_only: bool = False) -> Path:
    """A fleet of one server that has the action."""
    parts = {part: PROTECTED if part in protected else "" for part in ("endpoint", "host", "deployment")}
    console = "[console]\nread_only = true" if read_only else ""
    file = folder / "fleet.toml"
    file.write_text(FILE.format(console=console, engine=(action.engines or ("vllm",))[0], **parts))
    assert load(file).problems == ()
    return file


def order_for(action: Action) -> Order:
    """A whole order."""
    options = {each.name: each.example for each in action.arguments if each.required and each.name != "model"}
    if action.on is On.DEPLOYMENT:
        return Order(action.id, "d")
    return Order(action.id, "e", "qwen3:8b" if action.on is On.MODEL or action.id == "pull" else None, options)


def record_for(file: Path, action: Action, confirmed: str) -> Job:
    """What somebody could write into the folder of jobs by hand."""
    url = None if action.on is On.DEPLOYMENT else URL
    engine = action.engines[0] if action.engines else None
    return job(order_for(action), id="abcde", confirmed=confirmed, fleet=str(file), url=url, engine=engine)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was really done."""
    done: list[str] = []

    async def carry_out(hands: Hands, _: FleetConfig) -> str:
        done.append(hands.job.order.action)
        return "done"

    monkeypatch.setattr(carrying, "carry_out", carry_out)
    return done


async def worked(tmp_path: Path, one: Job) -> tuple[JobState, str]:
    """How a worker ends that is given this record."""
    folder = JobFolder(tmp_path / "jobs")
    (folder.path / one.id).mkdir(parents=True)
    folder.write(one)
    hands = Hands(one, folder)
    return await worker._done(hands, lambda: worker.turn(hands, folder))


# ---- the table: every action, every way


@every_action
@pytest.mark.parametrize("confirmed", ["", "yes", "e", "d"])
async def test_read_only_is_not_got_around(tmp_path: Path, deeds: list[str], action: Action, confirmed: str) -> None:
    workers = Workers()
    folder = JobFolder(tmp_path / "jobs", spawn=workers)
    file = fleet_file(tmp_path, action, read_only=True)
    fleet = load(file).config
    with pytest.raises(Refused, match="read-only") as refused:
        await submit(fleet, order_for(action), confirmed=confirmed, read_only=False, folder=folder)
    assert refused.value.exit_code == 3
    free = replace(fleet, console=replace(fleet.console, read_only=False))
    with pytest.raises(Refused, match="read-only"):
        await submit(free, order_for(action), confirmed=confirmed, read_only=True, folder=folder)
    assert workers.started == []
    ended, words = await worked(tmp_path, record_for(file, action, confirmed))
    assert ended is JobState.FAILED
    assert "read-only" in words
    assert deeds == []
    assert read(audit_path()) == [], "nothing was begun"


@every_action
@pytest.mark.parametrize("confirmed", ["", "yes", "y", "E", "box", "e ", "true"])
@pytest.mark.parametrize("protected", ["endpoint", "host"])
async def test_what_is_protected_is_not_got_around(
    tmp_path: Path, deeds: list[str], action: Action, confirmed: str, protected: str
) -> None:
    workers = Workers()
    folder = JobFolder(tmp_path / "jobs", spawn=workers)
    file = fleet_file(tmp_path, action, protected)
    with pytest.raises(Refused, match="is protected"):
        await submit(load(file).config, order_for(action), confirmed=confirmed, folder=folder)
    assert workers.started == []
    ended, words = await worked(tmp_path, record_for(file, action, confirmed))
    assert ended is JobState.FAILED
    assert "is protected" in words
    assert deeds == []
    assert read(audit_path()) == []


@every_action
async def test_a_protected_deployment_has_its_name_typed(tmp_path: Path, deeds: list[str], action: Action) -> None:
    file = fleet_file(tmp_path, action, "deployment")
    asking = asks(load(file).config, order_for(action), view=None, read_only=False)
    assert (asking.needs == NAME) == (action.on is On.DEPLOYMENT)
    if action.on is On.DEPLOYMENT:
        assert (await worked(tmp_path, record_for(file, action, "yes")))[0] is JobState.FAILED
        assert deeds == []


@every_action
async def test_the_typed_name_is_enough(tmp_path: Path, deeds: list[str], action: Action) -> None:
    workers = Workers()
    folder = JobFolder(tmp_path / "made", spawn=workers)
    file = fleet_file(tmp_path, action, "endpoint", "host", "deployment")
    name = order_for(action).target
    made = await submit(load(file).config, order_for(action), confirmed=name, folder=folder)
    assert workers.started == [made.id]
    assert (made.confirmed, made.fleet) == (name, str(file))
    ended, _ = await worked(tmp_path, record_for(file, action, name))
    assert (ended, deeds) == (JobState.DONE, [action.id])
    begun, done = read(audit_path())
    assert (begun["action"], begun["result"], done["result"]) == (action.id, "begun", "done")
    assert done["duration_s"] >= 0


@every_action
async def test_what_destroys_is_always_agreed_to(tmp_path: Path, deeds: list[str], action: Action) -> None:
    file = fleet_file(tmp_path, action)
    needs = asks(load(file).config, order_for(action), view=None, read_only=False).needs
    if action.danger is Danger.DESTROYS:
        assert needs == YES
    if action.danger is Danger.HARMLESS:
        assert needs == NOTHING
    ended, _ = await worked(tmp_path, record_for(file, action, ""))
    assert (ended is JobState.DONE) == (needs == NOTHING)
    assert bool(deeds) == (needs == NOTHING)


async def test_a_server_is_not_reached_by_another_name(tmp_path: Path) -> None:
    """A record may name the fleet file and a URL in it, but not call that by a name nobody protects."""
    action = ACTIONS[0]
    file = fleet_file(tmp_path, action, "endpoint")
    record = replace(record_for(file, action, "yes"), order=replace(order_for(action), target="nobody"))
    ended, words = await worked(tmp_path, record)
    assert ended is JobState.FAILED
    assert "called e" in words


async def test_what_becomes_read_only_while_it_waits_is_not_done(tmp_path: Path, deeds: list[str]) -> None:
    action = ACTIONS[0]
    file = fleet_file(tmp_path, action)
    hands = Hands(record_for(file, action, ""), JobFolder(tmp_path / "jobs"))

    async def turn() -> None:
        fleet_file(tmp_path, action, read_only=True)

    ended, words = await worker._done(hands, turn)
    assert (ended, deeds) == (JobState.FAILED, [])
    assert "read-only" in words


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(Refused, match="no action"):
        check(FleetConfig(), Order("fly", "e"), "yes")


@pytest.mark.parametrize(
    ("order", "host"),
    [
        (Order("wake", "e"), HostSpec("box", protected=True)),
        (Order("start", "d"), HostSpec("box", protected=True)),
        (Order("start", "far"), HostSpec("gpu-1", protected=True)),
        (Order("start", "far"), HostSpec("named", ssh="gpu-1", protected=True)),
    ],
)
def test_a_protected_host_protects_what_runs_on_it(order: Order, host: HostSpec) -> None:
    """Also in a fleet that no file gave."""
    fleet = FleetConfig(
        endpoints=(EndpointSpec("e", URL, host="box"), EndpointSpec("f", URL)),
        deployments=(DeploymentSpec("d", "e"), DeploymentSpec("far", "f", driver="ssh", host="gpu-1")),
        hosts=(host,),
    )
    assert asks(fleet, order, view=None, read_only=False).needs == NAME
    free = replace(fleet, hosts=(replace(host, protected=False),))
    assert asks(free, order, view=None, read_only=False).needs == NOTHING


def test_an_endpoint_that_only_its_view_protects_is_protected() -> None:
    view = endpoint_view("e", protected=True)
    assert asks(FleetConfig(), Order("wake", "e"), view=view, read_only=False).needs == NAME


# ---- what is told


def told(action: str, view: EndpointView | None, name: str | None = None) -> str:
    return "; ".join(asks(FleetConfig(), Order(action, "e", name), view=view, read_only=False).impact)


def test_requests_that_would_be_cut_off_are_counted() -> None:
    view = endpoint_view("e", running=3, waiting=1)
    for action in ("stop", "restart", "sleep", "unload"):
        assert "3 requests are running" in told(action, view)
        assert "1 is waiting" in told(action, view)
    assert "1 request is running" in told("stop", endpoint_view("e", running=1))
    estimated = endpoint_view("e", running=2, estimates=frozenset({"running"}))
    assert "~2 requests" in told("stop", estimated)
    assert "not known" in told("stop", endpoint_view("e", running=None))
    assert "running" not in told("stop", endpoint_view("e", running=3, state=State.DOWN)), "a number of long ago"


def test_nothing_running_is_nothing_to_ask_about() -> None:
    idle = endpoint_view("e", running=0, waiting=0)
    assert asks(FleetConfig(), Order("stop", "e"), view=idle, read_only=False).needs == NOTHING
    busy = endpoint_view("e", running=1)
    assert asks(FleetConfig(), Order("stop", "e"), view=busy, read_only=False).needs == YES


def test_what_is_deleted_is_told_in_bytes() -> None:
    on_disk = model("a", ModelState.INSTALLED, size_bytes=5 * 2**30)
    view = endpoint_view("e", models=(on_disk, model("b", ModelState.INSTALLED), model("c", size_bytes=2**30)))
    assert told("delete", view, "a") == "deletes 5.0 GiB from its disk"
    assert told("delete", view, "b") == "deletes it from its disk"
    assert "deletes it from its disk; it is in memory now" in told("delete", view, "c")  # its size is that in memory
    assert told("delete", None, "a") == "deletes it from its disk"


def test_what_leaves_memory_is_told() -> None:
    models = (model("a", size_bytes=2**30), model("b", size_bytes=2**30), model("c", ModelState.INSTALLED))
    assert "2 models leave memory: 2.0 GiB" in told("unload_all", endpoint_view("e", models=models))
    unknown = (model("a", size_bytes=None),)
    assert told("unload_all", endpoint_view("e", models=unknown)) == "1 model leaves memory"
    partly = (*unknown, *models)
    assert "3 models leave memory: at least 2.0 GiB" in told("unload_all", endpoint_view("e", models=partly))


def test_the_three_needs_are_words_that_others_know() -> None:
    assert (safety.NOTHING, safety.YES, safety.NAME) == ("nothing", "yes", "name")
