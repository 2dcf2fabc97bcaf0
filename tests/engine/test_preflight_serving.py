"""Whether a vLLM can be started: its command line, its files, ports, GPUs and memory."""

from __future__ import annotations

import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import GIB, endpoint_view, gpu, host_view, snapshot
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.preflight import Check, preflight, preflight_launch
from quarterdeck.engine.preflight.command import serve_of, tokens
from quarterdeck.engine.preflight.facts import ModelFacts
from quarterdeck.engine.preflight.machine import Machine, machine
from quarterdeck.engine.preflight.serving import Start, fitting
from quarterdeck.model.estimate import Architecture, Kind, Layer, Unknown
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.gpu import GpuProcess
from quarterdeck.model.job import Order
from quarterdeck.model.launch import Launch

CONFIGS = Path(__file__).parent.parent / "data" / "model_configs"
LLAMA_8B = Architecture(
    "llama",
    (Layer(Kind.FULL, 8, 128, 128),) * 32,
    heads=32,
    vocab_size=128_256,
    max_context=131_072,
    parameters=8_030_261_248,
    dtype="bf16",
)
FACTS = ModelFacts(LLAMA_8B, 16_060_522_496)


def box(*free: float, total: float = 80.0) -> Machine:
    return machine(host_view("box", *(gpu(n, used=total - each, total=total) for n, each in enumerate(free))), "v")


def vllm(*more: str, there: Machine, facts: ModelFacts = FACTS, gpus: str | None = None) -> list[Check]:
    serve = serve_of(["vllm", "serve", "m", *more])
    assert serve is not None
    return fitting(serve, facts, Start((), there, {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}))


# ---- the command line


def test_arguments_are_read_as_vllm_reads_them() -> None:
    serve = serve_of(
        ["vllm", "serve", "org/m", "--port", "8123", "-tp", "2", "--pipeline_parallel_size=2", "--max-model-len", "32K",
         "--gpu-memory-utilization=0.8", "--quantization", "fp8", "--kv-cache-dtype", "fp8_e4m3", "--host", "::",
         "--download-dir", "/d"]
    )  # fmt: skip
    assert serve is not None
    assert (serve.model, serve.port, serve.gpus, serve.max_model_len) == ("org/m", 8123, 4, 32_768)
    assert (serve.utilization, serve.quantization, serve.kv_dtype) == (0.8, "fp8", "fp8_e4m3")
    assert (serve.host, serve.download_dir) == ("::", "/d")
    module = serve_of(["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "m"])
    assert module is not None
    assert (module.model, module.port, module.gpus) == ("m", 8000, 1)
    assert serve_of(["llama-server", "-m", "x.gguf"]) is None
    assert serve_of(["ollama", "serve"]) is None
    assert serve_of(["/opt/wrapper", "serve", "m"]) is not None
    assert serve_of([]) is None


@pytest.mark.parametrize(
    "words", ["--port x -tp 0", "--port 99999 -tp -3", "--gpu-memory-utilization 7 --max-model-len lots", "--port"]
)
def test_nonsense_is_left_to_vllm(words: str) -> None:
    serve = serve_of(["vllm", "serve", "m", *words.split()])
    assert serve is not None
    assert (serve.port, serve.gpus, serve.utilization, serve.max_model_len) == (8000, 1, 0.92, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("32768", 32_768), ("32k", 32_000), ("32K", 32_768), ("1.5k", 1500), ("1M", 2**20), ("auto", None), ("-1", None)],
)
def test_lengths(text: str, expected: int | None) -> None:
    assert tokens(text) == expected


# ---- memory


def test_it_fits() -> None:
    [found] = vllm(there=box(80))
    assert found.level == "ok"
    assert "weights need ~15.0 GiB" in found.text
    assert "KV cache for" in found.text


def test_too_long_a_context_comes_with_one_that_fits() -> None:
    [found] = vllm(there=box(24, total=24.0))
    assert found.level == "bad"
    assert "131072 tokens need 16.0 GiB of KV cache, ~5.1 GiB are left for it: try --max-model-len " in found.text
    longest = found.text.rpartition(" ")[2]
    assert vllm("--max-model-len", longest, there=box(24, total=24.0))[0].level in ("ok", "warn")
    assert vllm("--max-model-len", "auto", there=box(24, total=24.0))[0].level == "ok"


def test_the_share_must_be_free() -> None:
    [found] = vllm(there=box(60))
    assert found.level == "bad"
    assert "--gpu-memory-utilization 0.92 asks for 73.6 GiB: try 0.75" in found.text
    assert vllm("--gpu-memory-utilization", "0.75", there=box(60))[0].level == "ok"
    assert "try 0.3 and --max-model-len" in vllm(there=box(24))[0].text
    assert "it doesn't fit what is free" in vllm(there=box(4))[0].text


def test_a_restart_has_its_own_memory_back() -> None:
    mine = GpuProcess(7, 70 * GIB, endpoint="v")
    there = machine(host_view("box", gpu(0, used=71, total=80, processes=(mine,))), "v")
    serve = serve_of(["vllm", "serve", "m"])
    assert serve is not None
    assert fitting(serve, FACTS, Start((), there, {}))[0].level == "bad"
    assert fitting(serve, FACTS, Start((), there, {}, again=True))[0].level == "ok"


def test_gpus_are_those_that_are_named() -> None:
    there = box(10, 80)
    assert vllm(there=there)[0].level == "bad"
    assert vllm(there=there, gpus="1")[0].level == "ok"
    assert "there is no GPU 4; there are 0, 1" in vllm(there=there, gpus="1,4")[0].text
    assert "which GPUs CUDA_VISIBLE_DEVICES means" in vllm(there=there, gpus="GPU-xyz")[0].text
    assert "it is to run on 4 GPUs, 2 are there" in vllm("-tp", "4", there=there)[0].text


def test_a_context_beyond_the_models_own_is_refused() -> None:
    found = vllm("--max-model-len", "200k", there=box(80))
    assert "--max-model-len 200000 is more than the 131072 tokens" in found[0].text
    assert "more than" not in vllm("--max-model-len", "131072", there=box(80))[0].text


def test_heads_that_cannot_be_split() -> None:
    found = vllm("-tp", "3", there=box(80, 80, 80))
    assert found[0] == Check("bad", "the model can't run so: its 32 attention heads can't be split over 3 GPUs")


def test_no_gpu_leaves_the_cpu_build() -> None:
    [found] = vllm(there=machine(host_view("box", reason="no NVIDIA driver on this machine")))
    assert found == Check("warn", "no GPU is seen on box: only vLLM's CPU build runs there")


def test_unknown_shape_or_machine_is_named() -> None:
    found = vllm(there=box(80), facts=ModelFacts(Unknown(("its size and shape",))))
    assert [each.level for each in found] == ["unknown", "ok"]
    assert "its size and shape" in found[0].text
    [machine_unknown] = vllm(there=Machine("x", unknown=("the memory of x",)))
    assert machine_unknown == Check("unknown", "not known: the memory of x")
    endless = vllm(there=box(80), facts=replace(FACTS, arch=replace(LLAMA_8B, max_context=None)))
    assert "--max-model-len" in endless[0].text


def test_weights_that_are_quantised_on_the_way_are_counted() -> None:
    [found] = vllm("--quantization", "fp8", "--max-model-len", "8192", there=box(80))
    assert "8.03B parameters" in found.text


# ---- all together


def hub(home: Path, name: str = "org--m", commit: str = "abc") -> Path:
    folder = home / f"models--{name}" / "snapshots" / commit
    folder.mkdir(parents=True)
    shutil.copy(CONFIGS / "qwen3-8b.json", folder / "config.json")
    return folder


def fleet_of(deployment: DeploymentSpec, url: str = "http://127.0.0.1:9", **more: object) -> FleetConfig:
    return FleetConfig((EndpointSpec("v", url),), deployments=(deployment,), **more)  # type: ignore[arg-type]


def here(*free: float) -> FleetSnapshot:
    hosts = (host_view("box", *(gpu(n, used=80 - each, total=80.0) for n, each in enumerate(free))),)
    return snapshot(endpoint_view("v", state=State.DOWN), hosts=hosts)


async def test_starting_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = (str(tmp_path / "vllm"), "serve", "org/m", "--port", str(port), "-tp", "3")
        deployment = DeploymentSpec("d", "v", run=run)
        found = await preflight(fleet_of(deployment, f"http://127.0.0.1:{port}"), here(80, 80, 80), Order("start", "d"))
    texts = " | ".join(each.text for each in found if each.level == "bad")
    assert f"port {port} is taken" in texts
    assert "vllm is not found" in texts
    assert "its 32 attention heads can't be split over 3 GPUs" in texts


async def test_the_form_is_checked_as_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    launch = Launch("org/m", port=0, gpus=(0, 5), program="/no/vllm", gpu_memory_utilization=0.5)
    found = await preflight_launch(launch, here(80))
    assert [each.level for each in found[:2]] == ["bad", "bad"]
    assert any("there is no GPU 5; there are 0" in each.text for each in found)
    gone = await preflight_launch(replace(launch, model="/no/folder", gpus=()), here(80))
    assert Check("bad", "there is no folder /no/folder") in gone


async def test_what_runs_already_and_where_it_is_asked(tmp_path: Path) -> None:
    deployment = DeploymentSpec("d", "v", run=("vllm", "serve", str(tmp_path), "--port", "8123"))
    seen = snapshot(endpoint_view("v"), hosts=here(80).hosts)
    found = await preflight(fleet_of(deployment, "http://127.0.0.1:8124"), seen, Order("start", "d"))
    texts = [each.text for each in found]
    assert any("v answers already" in each for each in texts)
    assert "its command listens on port 8123, but v is asked at port 8124" in texts


async def test_other_machines_and_drivers_name_what_is_not_known() -> None:
    host = HostSpec("far", gpus="none", ssh="user@far")
    ssh = DeploymentSpec("d", "v", "ssh", host="user@far", run=("vllm", "serve", "org/m"))
    found = await preflight(fleet_of(ssh, hosts=(host,)), snapshot(), Order("start", "d"))
    texts = " | ".join(each.text for each in found)
    assert "far is asked when it is started" in texts
    assert "its files lie on far" in texts
    assert "nothing of it is read" in texts
    [unit] = await preflight(fleet_of(DeploymentSpec("d", "v", "systemd", unit="u")), snapshot(), Order("start", "d"))
    assert unit == Check("unknown", "not known: what it needs: its command is systemd's")


async def test_stopping_tells_what_becomes_free() -> None:
    process = GpuProcess(7, 60 * GIB, endpoint="v")
    seen = snapshot(endpoint_view("v"), hosts=(host_view("box", gpu(0, processes=(process,))),))
    fleet = fleet_of(DeploymentSpec("d", "v", run=("vllm",)))
    [found] = await preflight(fleet, seen, Order("stop", "d"))
    assert found.text == "frees 60.0 GiB of GPU memory, which its processes hold"
    assert await preflight(fleet, seen, Order("start", "unknown")) == []
