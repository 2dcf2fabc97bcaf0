"""`check --probe`: one token of every model that is ready, and of no other."""

from __future__ import annotations

import json

from fake_servers import Asked, Reply, pages_server
from quarterdeck.cli.check import _probed
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.model.demands import Demands
from quarterdeck.model.verdict import Finding, Level

LOADED = {"models": [{"name": "a:1", "size": 10, "size_vram": 10}, {"name": "b:1", "size": 5, "size_vram": 5}]}
ALL = {"models": [{"name": name, "size": 10} for name in ("a:1", "b:1", "on-disk:1")]}


def answers(asked: Asked) -> object:
    if asked.path != "/api/chat":
        return {"/api/ps": LOADED, "/api/tags": ALL, "/api/version": {"version": "0.32.15"}}.get(asked.path)
    if json.loads(asked.body)["model"] == "b:1":
        return Reply({"error": "runner has stopped"}, 500)
    line = {"message": {"content": "One"}, "done": True, "eval_count": 1}
    return Reply(json.dumps(line) + "\n", headers={"Content-Type": "application/x-ndjson"})


async def probed(demands: Demands) -> tuple[list[Finding], list[dict[str, object]]]:
    failed: list[Finding] = []
    async with pages_server(answers) as server:
        engine = Engine(FleetConfig(endpoints=(EndpointSpec("mac", server.url, "ollama"),)))
        await engine.once()
        await _probed(engine, demands, failed)
        await engine.stop()
        return failed, [json.loads(one.body) for one in server.asked if one.path == "/api/chat"]


async def test_one_token_of_every_model_in_memory() -> None:
    failed, sent = await probed(Demands())
    assert sorted(str(one["model"]) for one in sent) == ["a:1", "b:1"]
    assert all(one["options"] == {"num_predict": 1, "temperature": 0} for one in sent)
    (finding,) = failed
    assert (finding.level, finding.subject) == (Level.CRITICAL, "mac b:1")
    assert "runner has stopped" in finding.text


async def test_only_of_those_that_are_meant() -> None:
    failed, sent = await probed(Demands(models=("a:*",)))
    assert (failed, [one["model"] for one in sent]) == ([], ["a:1"])
