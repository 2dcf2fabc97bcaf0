"""What the demo's pages tell of processes is enough to name whose memory it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakes import endpoint_view, model
from quarterdeck.config.fleet import HostSpec
from quarterdeck.demo.exporter import ExporterServer
from quarterdeck.demo.layout import LLAMA, PILOT, QWEN, WORKBENCH
from quarterdeck.demo.world import World
from quarterdeck.hosts.exporters.host import ExporterHost
from quarterdeck.model.holdings import PartKind, claims, held, parts
from quarterdeck.model.host import HostView


def test_every_model_of_the_demo_is_named_on_its_gpus(new_world: Callable[..., World], hand: Any) -> None:
    world = new_world()
    hand.now += 60
    world.settle()
    loaded = [
        model(entry.model.name, vram_bytes=entry.vram, size_bytes=entry.model.resident)
        for entry in world.workbench.residency.resident
    ]
    endpoints = [
        endpoint_view(member.name, engine=member.engine, host=member.host, models=models)
        for member, models in (
            (QWEN, (model("qwen"),)),
            (LLAMA, (model("llama"),)),
            (PILOT, (model("mistral"),)),
            (WORKBENCH, tuple(loaded)),
        )
    ]
    holders: dict[str, list[list[str | None]]] = {}
    for node in world.nodes:
        if isinstance(node.server, ExporterServer):
            reading = ExporterHost(HostSpec(node.member.name, "http://127.0.0.1:1"), hand).reading(
                node.server.metrics()
            )
            view = HostView(node.member.name, reading.source, gpus=reading.gpus)
            told = held(view, claims(view, endpoints))
            holders[view.name] = [[p.model for p in parts(gpu) if p.kind is PartKind.MODEL] for gpu in told.gpus]
    assert holders["rotterdam"] == [["qwen"]] * 4
    assert holders["antwerp"][:2] == [["llama"]] * 2
    assert set(holders["antwerp"][2]) == {entry.id for entry in loaded}
    assert holders["piraeus"] == [["mistral"]]
