"""What was found before an order, against what real servers then do: a router's eviction, a vLLM's port and files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.endpoints.acting.base import Deed
from quarterdeck.endpoints.acting.open import actor_for
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.preflight import Check, preflight
from quarterdeck.model.job import Order

from .install import MODELS
from .servers import Reaper, Server, llama, vllm

NEED = Callable[[str], None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preflight")


@pytest.fixture(scope="module")
def small_router(need: NEED, place: Path, reaper: Reaper) -> Iterator[Server]:
    """A router that holds one model at a time."""
    need("llama")
    server = llama("router", "", place, reaper, ("--models-max", "1"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


async def found(fleet: FleetConfig, order: Order) -> list[Check]:
    """As the command line asks: after one look at the fleet."""
    engine = Engine(fleet)
    try:
        await engine.once([spec.name for spec in fleet.endpoints])
        return await preflight(fleet, engine.snapshot(), order)
    finally:
        await engine.stop()


def loaded(server: Server) -> set[str]:
    with server.client() as client:
        entries = client.get("/models").json()["data"]
    return {entry["id"] for entry in entries if entry["status"]["value"] == "loaded"}


async def test_the_eviction_of_a_router_is_foreseen(small_router: Server) -> None:
    spec = EndpointSpec("router", small_router.url)
    fleet, actor = FleetConfig((spec,)), actor_for(spec, "llamacpp")
    try:
        first = await found(fleet, Order("load", "router", "tiny-a"))
        assert not any("evict" in check.text for check in first)
        assert any("its weights need" in check.text for check in first)
        assert loaded(small_router) == set()
        await actor.act(Deed(Order("load", "router", "tiny-a")), lambda _: None)
        second = await found(fleet, Order("load", "router", "tiny-b"))
        assert any(
            check.level == "warn" and "would evict the one of tiny-a that was used longest ago" in check.text
            for check in second
        )
        assert loaded(small_router) == {"tiny-a"}
        words = await actor.act(Deed(Order("load", "router", "tiny-b")), lambda _: None)
        assert "; evicted tiny-a" in words
    finally:
        await actor.close()


async def test_a_vllm_that_runs_takes_its_port(need: NEED, place: Path, reaper: Reaper) -> None:
    need("vllm")
    server = vllm("vllm-port", "tiny-llama", place, reaper, context=1024)
    port = server.url.rpartition(":")[2]
    run = ("vllm", "serve", str(MODELS / "tiny-llama"), "--port", port)
    fleet = FleetConfig((EndpointSpec("v", server.url),), deployments=(DeploymentSpec("d", "v", run=run),))
    before = await found(fleet, Order("start", "d"))
    assert not any(f"port {port}" in check.text or "folder" in check.text for check in before)
    try:
        await asyncio.to_thread(server.start)
        during = await found(fleet, Order("start", "d"))
        assert any("v answers already" in check.text for check in during)
        elsewhere = FleetConfig(deployments=fleet.deployments)
        taken = await found(elsewhere, Order("start", "d"))
        assert Check("bad", f"port {port} is taken: something answers there") in taken
    finally:
        server.kill()
