"""Every number that an endpoint tells says where it came from; what tells no number says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import pytest

from fake_servers import Reply
from polling import facts_of, poll_once
from quarterdeck.model.reading import EngineReading
from recorded import recorded
from sound_servers import SOUND

VALUES = [field.name for field in fields(EngineReading) if field.name != "label" and field.type != "bool"]
WITHOUT_LOAD: dict[str, tuple[str, Mapping[str, object]]] = {
    "vllm without statistics": ("vllm", SOUND["vllm"] | {"/metrics": recorded("vllm/no_log_stats.txt")}),
    "llama-server without metrics": (
        "llamacpp",
        SOUND["llamacpp"] | {"/metrics": Reply(recorded("llamacpp/metrics_off.json"), 501)},
    ),
    "router with nothing loaded": (
        "llamacpp",
        SOUND["router"] | {"/models": recorded("llamacpp/router_models_0.json")},
    ),
    "router that loads": (
        "llamacpp",
        SOUND["router"] | {"/models": recorded("llamacpp/router_models_loading.json")},
    ),
    "ollama elsewhere": ("ollama", dict(SOUND["ollama"])),
    "lmstudio": ("lmstudio", dict(SOUND["lmstudio"])),
    "llama-swap": ("llama-swap", dict(SOUND["llama-swap"])),
    "openai": ("openai", dict(SOUND["openai"])),
    "tgi without metrics": ("tgi", {"/info": recorded("tgi/info.json")}),
    "litellm without metrics": (
        "litellm",
        {path: body for path, body in SOUND["litellm"].items() if path not in ("/metrics/", "/health/backlog")},
    ),
    "sglang that tells nothing": ("sglang", {"/v1/models": SOUND["sglang"]["/v1/models"]}),
}


@pytest.mark.parametrize("server", SOUND)
async def test_every_value_of_an_engine_has_its_source(server: str) -> None:
    facts = facts_of(await poll_once(SOUND[server], "llamacpp" if server == "router" else server))
    told = [(facts.whole,) if facts.whole is not None else (), facts.engines]
    known = {name for engines in told for e in engines for name in VALUES if getattr(e, name) not in (None, ())}
    assert {name for name in known if not facts.origins.get(name)} == set()
    assert {name for name in facts.origins if name in VALUES} <= known, "nothing else was read"
    assert not facts.models or facts.origins.get("models")
    assert facts.version is None or facts.origins.get("version")


@pytest.mark.parametrize("case", WITHOUT_LOAD)
async def test_what_tells_no_load_says_why(case: str) -> None:
    engine, pages = WITHOUT_LOAD[case]
    facts = facts_of(await poll_once(pages, engine))
    assert all(e.running is None for e in facts.engines)
    assert any("running" in note or "load" in note for note in facts.notes), facts.notes
