"""Recorded logs of real servers: what each start came to, line by line."""

from __future__ import annotations

import pytest

from quarterdeck.model.startup import Startup, begin, read
from recorded import recorded


def log(name: str) -> list[str]:
    return recorded(f"startup/{name}.log").decode().split("\n")


def after(engine: str, lines: list[str]) -> Startup:
    startup = begin(engine)
    for line in lines:
        startup = read(startup, line)
    return startup


def told(name: str) -> Startup:
    return after("vllm" if name.startswith("vllm") else "llamacpp", log(name))


PORT = "is already in use: stop what listens there, or choose another port"
REASONS = {
    "vllm_max_model_len": "max_model_len 2048 needs more KV cache than is available (0.0 GiB): try --max-model-len 768",
    "vllm_memory_utilization": "9.7 of 12.8 GiB are free on node 0, --gpu-memory-utilization 0.99 wants 12.7: try --gpu-memory-utilization 0.74, or stop what else holds that memory",
    "vllm_longer_than_model": "max_model_len 99999 is more than the model was made for (2048): try --max-model-len 2048",
    "vllm_quantization": "the model is quantized as awq, not as gptq: leave --quantization out, or --quantization awq",
    "vllm_unknown_model": "the model isn't on this machine and Hugging Face can't be reached: download it first, give its folder, or unset HF_HUB_OFFLINE",
    "vllm_no_folder": "there is no folder /models/nope: check the path, as the server sees it",
    "vllm_architecture": "this vLLM doesn't know the architecture FooBarForCausalLM: try a newer vLLM, or --model-impl transformers",
    "vllm_remote_code": "the model brings code of its own, which may not run: try --trust-remote-code, if you trust whoever made it",
    "vllm_tensor_parallel": "2 attention heads can't be split over 3 GPUs: try --tensor-parallel-size 1 or 2",
    "vllm_port_taken": f"port 18472 {PORT}",
    "vllm_worker_killed": "the server failed to start and gave no error: its log may say more; where it doesn't, look for the kernel's out-of-memory killer with `dmesg`",
    "vllm_bad_argument": "it doesn't know --no-such-flag: compare with its --help",
    "llama_port_taken": f"port 18482 {PORT}",
    "llama_bad_argument": "it doesn't know --no-such-flag: compare with its --help",
    "llama_bad_value": "the value of -c is none that it takes: compare with its --help",
    "llama_no_file": "the model file /models/nope.gguf is not there: check -m, as the server sees it",
    "llama_cut_file": "the model file is damaged or half downloaded: download it again",
    "llama_not_gguf": "the model file is no GGUF file: give it a model in GGUF format",
    "llama_offline": "it has no file of that model: check -m or -hf; with --offline only what is already there can be used",
}


@pytest.mark.parametrize(("name", "reason"), REASONS.items(), ids=list(REASONS))
def test_a_failed_start_has_its_reason_in_words(name: str, reason: str) -> None:
    startup = told(name)
    assert startup.fatal == reason
    assert not startup.ready_hint


@pytest.mark.parametrize("name", ["vllm_ready", "llama_ready", "llama_router_ready"])
def test_a_start_that_succeeded_ends_full_and_without_a_reason(name: str) -> None:
    startup = told(name)
    assert (startup.phase, startup.fraction, startup.ready_hint, startup.fatal) == ("serving", 1.0, True, None)


@pytest.mark.parametrize("name", ["vllm_ready", "vllm_max_model_len", "vllm_memory_utilization", "llama_ready"])
def test_the_bar_never_goes_back(name: str) -> None:
    startup = begin("vllm" if name.startswith("vllm") else "llamacpp")
    fractions = [(startup := read(startup, line)).fraction for line in log(name)]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.05


def test_the_phases_of_vllm_come_in_order() -> None:
    startup = begin("vllm")
    phases = [startup.phase]
    for line in log("vllm_ready"):
        startup = read(startup, line)
        if startup.phase != phases[-1]:
            phases.append(startup.phase)
    assert phases == [
        "starting",
        "reading the configuration",
        "starting the engine",
        "loading weights",
        "measuring memory",
        "starting the HTTP server",
        "serving",
    ]


def test_what_vllm_found_out_is_kept() -> None:
    facts = told("vllm_ready").facts
    assert (facts.version, facts.architecture, facts.port) == ("0.32.0", "LlamaForCausalLM", 18471)
    assert (facts.kv_tokens, facts.max_model_len, facts.max_concurrency) == (131_072, 1024, 128.0)
    assert (facts.engine_s, facts.url) == (0.22, "http://127.0.0.1:18471")
    assert facts.weights is None  # the CPU build doesn't tell


def test_what_llama_server_found_out_is_kept() -> None:
    facts = told("llama_ready").facts
    assert (facts.max_concurrency, facts.max_model_len, facts.url) == (2.0, 2048, "http://127.0.0.1:18481")


def test_the_reason_is_there_before_the_process_says_its_last_words() -> None:
    lines = log("vllm_max_model_len")
    first = next(i for i, line in enumerate(lines) if "max seq len" in line)
    assert after("vllm", lines[:first]).fatal is None
    assert after("vllm", lines[: first + 1]).fatal == REASONS["vllm_max_model_len"]
