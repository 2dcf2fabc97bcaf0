"""Every key goes to its own endpoint only, and to no output, log or error."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from fake_servers import Asked, Recorder, Reply, pages_server
from polling import poll_once
from quarterdeck.config.fleet import Auth, EndpointSpec, FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.model.reading import Outcome
from recorded import recorded

PAGES: dict[str, Mapping[str, object]] = {
    "vllm": {
        "/metrics": recorded("vllm/idle.txt"),
        "/version": {"version": "1"},
        "/v1/models": recorded("vllm/models.json"),
    },
    "ollama": {"/api/ps": recorded("ollama/ps_one.json"), "/api/tags": recorded("ollama/tags_three.json")},
    "llamacpp": {"/props": recorded("llamacpp/props.json"), "/metrics": recorded("llamacpp/metrics.txt")},
    "sglang": {"/v1/loads": {"loads": []}, "/v1/models": {"data": []}},
    "litellm": {
        "/health/readiness": recorded("litellm/readiness.json"),
        "/v1/models": {"data": []},
        "/metrics/": recorded("litellm/metrics_1.txt"),
        "/model/info": recorded("litellm/model_info.json"),
    },
    "lmstudio": {"/api/v1/models": recorded("lmstudio/v1_models.json")},
    "llama-swap": {"/running": recorded("llama_swap/running.json")},
    "tgi": {"/info": recorded("tgi/info.json"), "/metrics": recorded("tgi/metrics.txt")},
    "openai": {"/v1/models": {"data": []}},
    "auto": {"/v1/models": recorded("vllm/models.json"), "/metrics": recorded("vllm/idle.txt")},
}
AMBIENT = ("OLLAMA_API_KEY", "OPENAI_API_KEY", "VLLM_API_KEY", "LLAMA_API_KEY", "LITELLM_MASTER_KEY", "HF_TOKEN")


def secret(name: str) -> str:
    return f"sk-{name}-0123456789"


WAYS = ("env", "file", "command", "header", "none")


def auth_for(name: str, way: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Auth | None:
    """The key of endpoint ``name``, kept in one of the ways a fleet file knows."""
    path = folder / name
    path.write_text(secret(name))
    monkeypatch.setenv(f"KEY_OF_{name}", secret(name))
    return {
        "env": Auth(env=f"KEY_OF_{name}"),
        "file": Auth(file=path),
        "command": Auth(command=("cat", str(path))),
        "header": Auth(file=path, header="X-Api-Key", scheme=""),
        "none": None,
    }[way]


def check_received(server: Recorder, name: str, owners: list[str]) -> None:
    """``server`` got the key of ``name`` with every request, and nobody else's."""
    assert server.asked, name
    for owner in owners:
        sent = secret(owner).encode() in server.everything
        assert sent == (owner == name and not name.endswith("-none")), f"key of {owner} at {name}"
    bearer, bare = None, None
    if name.endswith("-header"):
        bare = secret(name)
    elif not name.endswith("-none"):
        bearer = f"Bearer {secret(name)}"
    assert {one.headers.get("authorization") for one in server.asked} == {bearer}
    assert {one.headers.get("x-api-key") for one in server.asked} == {bare}


async def test_each_key_goes_to_its_own_endpoint_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    for name in AMBIENT:
        monkeypatch.setenv(name, secret(name))
    specs: list[EndpointSpec] = []
    servers: dict[str, Recorder] = {}
    async with contextlib.AsyncExitStack() as stack:
        for engine, way in ((engine, way) for engine in PAGES for way in WAYS):
            name = f"{engine}-{way}"
            servers[name] = await stack.enter_async_context(pages_server(PAGES[engine]))
            auth = auth_for(name, way, tmp_path, monkeypatch)
            specs.append(EndpointSpec(name, servers[name].url, engine=engine, auth=auth, timeout=10.0))
        fleet = Engine(FleetConfig(tuple(specs)))
        await fleet.once()
        await fleet.once()
        snapshot = fleet.snapshot()
        await fleet.stop()
    owners = [*servers, *AMBIENT]
    for name, server in servers.items():
        check_received(server, name, owners)
    captured = capfd.readouterr()
    for text in (caplog.text, captured.out, captured.err, repr(snapshot), repr(vars(fleet)), repr(specs)):
        assert not [owner for owner in owners if secret(owner) in text]


SECRET = "sk-0123456789abcdef"
ZERO_WIDTH = "\u200b".join(SECRET)
ECHOES: dict[str, object] = {
    "vllm": {
        "/metrics": f'vllm:num_requests_running{{engine="{SECRET}"}} 1\nvllm:num_requests_waiting{{engine="{ZERO_WIDTH}"}} 1\n',
        "/version": {"version": ZERO_WIDTH},
        "/v1/models": {"data": [{"id": SECRET}, {"id": f"x{ZERO_WIDTH}y", "meta": {"ftype": ZERO_WIDTH}}]},
    },
    "ollama": {
        "/api/ps": {
            "models": [{"name": ZERO_WIDTH, "details": {"parameter_size": ZERO_WIDTH, "quantization_level": SECRET}}]
        },
        "/api/version": {"version": SECRET},
    },
    "llamacpp": {
        "/props": {"role": "router", "build_info": ZERO_WIDTH},
        "/models": {"data": [{"id": ZERO_WIDTH, "status": {"value": "loaded"}}]},
        "/metrics": Reply(b"llamacpp:requests_processing 0\n", headers={"Process-Start-Time-Unix": SECRET}),
    },
    "sglang": {
        "/v1/loads": {"version": ZERO_WIDTH, "accelerator": ZERO_WIDTH, "loads": []},
        "/v1/models": {"data": [{"id": ZERO_WIDTH}]},
        "/model_info": {"model_path": ZERO_WIDTH},
        "/metrics": f'sglang:num_running_reqs{{tp_rank="0",dp_rank="{ZERO_WIDTH}"}} 1\n',
    },
    "litellm": {
        "/health/readiness": {"status": "healthy", "db": ZERO_WIDTH},
        "/v1/models": {"data": [{"id": ZERO_WIDTH}]},
        "/model/info": {
            "data": [
                {"model_name": ZERO_WIDTH, "litellm_params": {"model": ZERO_WIDTH, "api_base": f"http://h/{SECRET}"}}
            ]
        },
        "/metrics/": f'litellm_proxy_total_requests_metric_total{{requested_model="m",status_code="{ZERO_WIDTH}"}} 1\n',
    },
    "lmstudio": {"/api/v1/models": {"models": [{"key": ZERO_WIDTH, "quantization": {"name": ZERO_WIDTH}}]}},
    "llama-swap": {
        "/running": {"running": [{"model": ZERO_WIDTH, "cmd": f"--api-key {SECRET}"}]},
        "/api/version": {"version": ZERO_WIDTH, "commit": ZERO_WIDTH},
    },
    "tgi": {
        "/info": {"model_id": ZERO_WIDTH, "max_total_tokens": 5, "model_dtype": ZERO_WIDTH},
        "/metrics": f'tgi_request_failure{{err="{ZERO_WIDTH}"}} 1\n',
    },
    "openai": {"/v1/models": {"data": [{"id": ZERO_WIDTH}, {"id": "".join(f"{c}\x07" for c in SECRET)}]}},
}


@pytest.mark.parametrize("engine", ECHOES)
async def test_a_hostile_server_cannot_put_the_key_on_the_screen(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    reading = await poll_once(ECHOES[engine], engine, auth=Auth(env="MY_KEY"))  # type: ignore[arg-type]
    assert reading.outcome is Outcome.ANSWERED
    assert "[key]" in repr(reading)
    assert SECRET not in repr(reading)


@pytest.mark.parametrize(
    "spelt", [SECRET, ZERO_WIDTH, "".join(f"\\u{ord(c):04x}" for c in SECRET)], ids=["plain", "zero width", "escaped"]
)
async def test_a_name_that_is_cut_holds_no_part_of_it(spelt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    page = f'{{"data": [{{"id": "{"m" * 185}{spelt}{"n" * 30}"}}]}}'
    reading = await poll_once({"/v1/models": page}, "openai", auth=Auth(env="MY_KEY"))
    assert SECRET[:6] not in repr(reading)
    assert "[key]" in repr(reading)


@pytest.mark.parametrize("engine", ["auto", *PAGES])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 500, 503])
async def test_nor_into_a_reason(engine: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)

    def echo(asked: Asked) -> Reply:
        sent = asked.headers["authorization"]
        body = {"error": {"message": f"I got {sent} and {'-'.join(sent)} and \u200b{ZERO_WIDTH}"}, "detail": sent}
        return Reply(body, status, {"Location": f"http://127.0.0.1/{SECRET}/{sent}", "X-Echo": sent})

    reading = await poll_once(echo, engine, auth=Auth(env="MY_KEY"))
    assert reading.reason
    assert SECRET not in repr(reading)


async def test_a_missing_key_is_told_without_asking_the_server() -> None:
    async with pages_server({}) as server:
        from quarterdeck.endpoints.endpoint import Endpoint

        endpoint = Endpoint(EndpointSpec("e", server.url, auth=Auth(env="NO_SUCH_KEY")))
        reading = await endpoint.poll()
        await endpoint.close()
        assert not server.asked
    assert (reading.outcome, reading.reason) == (
        Outcome.AUTH,
        "key missing: environment variable NO_SUCH_KEY is not set",
    )
    await asyncio.sleep(0)
