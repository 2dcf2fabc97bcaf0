"""From a wish to a record: where it goes, what it has to say, and that it is begun once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes import endpoint_view, model
from jobs import Workers
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.operate import place_of, submit
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import State
from quarterdeck.model.job import Order
from quarterdeck.model.models import ModelState

FLEET = FleetConfig(
    endpoints=(
        EndpointSpec("mac", "http://127.0.0.1:11434", engine="ollama"),
        EndpointSpec("far", "http://gpu-1:8000", host="gpu-1"),
        EndpointSpec("deep", "http://127.0.0.1:9", via="ssh:me@box"),
    ),
    deployments=(DeploymentSpec("d", "far", host="gpu-1"), DeploymentSpec("here", "mac")),
    source=Path("fleet.toml"),
)
PULL = Order("pull", "mac", "qwen3:8b")


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def folder(tmp_path: Path, workers: Workers) -> JobFolder:
    return JobFolder(tmp_path, spawn=workers)


async def test_the_record_says_where_it_goes_and_who_asked(folder: JobFolder) -> None:
    view = endpoint_view("mac", engine="ollama")
    made = await submit(FLEET, PULL, view=view, expected_bytes=5, folder=folder)
    assert folder.read(made.id) == made
    assert (made.url, made.engine, made.place) == ("http://127.0.0.1:11434", "ollama", "this machine")
    assert (made.expected_bytes, made.confirmed) == (5, "")
    assert made.user
    assert made.fleet == str(Path("fleet.toml").absolute())


@pytest.mark.parametrize(
    ("order", "place"),
    [
        (PULL, "this machine"),
        (Order("wake", "far"), "gpu-1"),
        (Order("wake", "deep"), "me@box"),
        (Order("start", "d"), "gpu-1"),
        (Order("start", "here"), "this machine"),
    ],
)
async def test_jobs_are_limited_by_the_machine_they_are_for(folder: JobFolder, order: Order, place: str) -> None:
    assert (await submit(FLEET, order, folder=folder)).place == place


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        (EndpointSpec("e", "http://127.0.0.1:9", host="desk"), "this machine"),
        (EndpointSpec("e", "http://[::1]:9"), "this machine"),
        (EndpointSpec("e", "http://box.lan:9", host="box"), "box"),
        (EndpointSpec("e", "http://127.0.0.1:9", via="ssh:me@box"), "box"),
        (EndpointSpec("e", "http://other:9"), "other"),
        (EndpointSpec("e", "http://[bad"), "http://[bad"),
    ],
)
def test_one_machine_has_one_name_however_it_is_reached(spec: EndpointSpec, place: str) -> None:
    assert place_of(FleetConfig(hosts=(HostSpec("desk"), HostSpec("box", "ssh", ssh="me@box"))), spec) == place


async def test_an_engine_that_is_not_known_is_left_open(folder: JobFolder) -> None:
    assert (await submit(FLEET, Order("wake", "far"), folder=folder)).engine is None
    seen = await submit(
        FLEET, Order("reset_prefix_cache", "far"), confirmed="yes", view=endpoint_view("far"), folder=folder
    )
    assert seen.engine == "vllm"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("pull", "nobody", "a"), "no endpoint is called 'nobody'"),
        (Order("start", "mac"), "no deployment is called 'mac'"),
        (Order("pull", "mac"), "its model is missing"),
        (Order("pull", "mac", options={"model": ""}), "its model is missing"),
        (Order("copy", "mac", "a"), "its destination is missing"),
        (Order("lora_load", "far", options={"name": "sql"}), "its path is missing"),
        (Order("load", "mac"), "of which model?"),
        (Order("delete", "mac"), "of which model?"),
    ],
)
async def test_half_an_order_is_refused_in_words(folder: JobFolder, workers: Workers, order: Order, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        await submit(FLEET, order, confirmed="yes", folder=folder)
    assert workers.started == []


async def test_what_can_not_be_done_is_not_begun(folder: JobFolder, workers: Workers) -> None:
    down = endpoint_view("mac", engine="ollama", state=State.DOWN, reason="connection refused")
    with pytest.raises(UsageError, match="DOWN: connection refused"):
        await submit(FLEET, PULL, view=down, folder=folder)
    idle = endpoint_view("mac", engine="ollama", models=(model("a", ModelState.INSTALLED),))
    with pytest.raises(UsageError, match="not in memory"):
        await submit(FLEET, Order("unload", "mac", "a"), view=idle, folder=folder)
    assert workers.started == []


async def test_two_who_ask_at_once_begin_it_once(folder: JobFolder, workers: Workers) -> None:
    made = await asyncio.gather(*(submit(FLEET, PULL, folder=folder) for _ in range(8)))
    assert len({each.id for each in made}) == 1
    assert len(workers.started) == 1
