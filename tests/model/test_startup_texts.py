"""Texts that only machines with GPUs write, and whatever else a log can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.startup import Startup, begin, ended, read

CORE = "(EngineCore pid=367) ERROR 08-14 14:07:22 [core.py:1510] "


def after(engine: str, *lines: str) -> Startup:
    startup = begin(engine)
    for line in lines:
        startup = read(startup, line)
    return startup


def needs(length: int, needed: float, available: float, estimate: int | None) -> str:
    based = f"Based on the available memory, the estimated maximum model length is {estimate}. " if estimate else ""
    return (
        f"{CORE}ValueError: To serve at least one request with the model's max seq len ({length}), ({needed} GiB KV cache is needed, "
        f"which is larger than the available KV cache memory ({available} GiB). {based}Try increasing `gpu_memory_utilization`"
    )


def unfree(device: str, free: str, total: str, share: str, wanted: str) -> str:
    return (
        f"ValueError: Free memory on device{device} ({free}/{total} GiB) on startup is less than desired GPU memory utilization "
        f"({share}, {wanted} GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
    )


VLLM = [
    (needs(32768, 14.2, 9.8, 22000), "max_model_len needs 14.2 GiB of KV cache, 9.8 GiB are available: try --max-model-len 22000"),
    (needs(32768, 14.23, 9.76, None), "max_model_len needs 14.2 GiB of KV cache, 9.8 GiB are available: try a smaller --max-model-len, a larger --gpu-memory-utilization, or more GPUs"),
    (unfree(" cuda:0", "19.77", "22.05", "0.9", "19.84"), "19.77 of 22.05 GiB are free on cuda:0, --gpu-memory-utilization 0.9 wants 19.84: try --gpu-memory-utilization 0.89, or stop what else holds that memory"),
    (unfree("", "31.44", "47.38", "0.95", "45.01"), "31.4 of 47.4 GiB are free on the GPU, --gpu-memory-utilization 0.95 wants 45.0: try --gpu-memory-utilization 0.65, or stop what else holds that memory"),
    (unfree("", "0.49", "79.32", "0.6", "47.59"), "0.5 of 79.3 GiB are free on the GPU, --gpu-memory-utilization 0.6 wants 47.6: stop what else holds that memory"),
    ("ValueError: No available memory for the cache blocks. Try increasing", "the weights leave no memory for the KV cache: try a larger --gpu-memory-utilization, a quantized model, or more GPUs"),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.32 GiB of which 1.25 GiB is free. Including", "GPU 0 ran out of memory: 2.00 GiB more were asked for, 1.25 GiB of 79.32 GiB are free: try a smaller context or batch, quantized weights, or more GPUs"),
    ("  Value error, World size (8) is larger than the number of available GPUs (4) in this node. If this", "8 GPUs are asked for, it sees 4: try a smaller --tensor-parallel-size or --pipeline-parallel-size, or check CUDA_VISIBLE_DEVICES"),
    ("  Value error, Total number of attention heads (28) must be divisible by tensor parallel size (8).", "28 attention heads can't be split over 8 GPUs: try --tensor-parallel-size 4 or 7 or 14 or 28"),
    ("OSError: You are trying to access a gated repo.", "its publisher lets only people in who asked for access: accept its terms on Hugging Face, then set HF_TOKEN where the server starts"),
    ("(APIServer pid=2960) OSError: Qwen/Qwen9-7B is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'", "there is no model Qwen/Qwen9-7B, neither as a folder nor on Hugging Face: check its name; a private one needs HF_TOKEN"),
    ("Repository Not Found for url: https://huggingface.co/api/models/me/none/tree/main.", "there is no model me/none, neither as a folder nor on Hugging Face: check its name; a private one needs HF_TOKEN"),
    ("RuntimeError: The NVIDIA driver on your system is too old (found version 11040).", "the NVIDIA driver is too old for this build: install a newer driver, or a build for the driver's CUDA version"),
    ("RuntimeError: No CUDA GPUs are available", "it sees no NVIDIA GPU: check nvidia-smi, CUDA_VISIBLE_DEVICES, and that a container was given the GPUs"),
    ("ValueError: The quantization method fp8 is not supported for the current GPU. Minimum capability: 89. Current capability: 80.", "the quantization fp8 needs a GPU of capability 89, this one has 80: try another quantization of the model"),
    ("OSError: [Errno 28] No space left on device", "the disk is full: make room, or point the cache at another disk"),
    ("vllm: error: argument --port: invalid int value: 'x'", "the value of --port is none that it takes: compare with its --help"),
]  # fmt: skip
LLAMA = [
    ("ggml_backend_cuda_buffer_type_alloc_buffer: allocating 144817.04 MiB on device 0: cudaMalloc failed: out of memory", "device 0 has no room for 141 GiB more"),
    ("alloc_tensor_range: failed to allocate CPU buffer of size 437944320", "CPU has no room for 418 MiB more"),
    ("llama_model_load: error loading model: unable to allocate CUDA0 buffer", "it has no room for the model and its context"),
    ("llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'qwen9'", "this llama.cpp doesn't know the architecture qwen9"),
]  # fmt: skip
OLLAMA = [
    ("Error: listen tcp 127.0.0.1:11434: bind: address already in use", "port 11434 is already in use"),
    ("Error: listen tcp 127.0.0.1:11434: bind: Only one usage of each socket address (protocol/network", "port 11434 is already in use"),
    ("Error: listen tcp 127.0.0.1:80: bind: permission denied", "it may not listen on its port"),
    ("Error: could not create directory mkdir /usr/share/ollama: permission denied", "it may not write /usr/share/ollama"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), VLLM)
def test_vllms_texts(line: str, reason: str) -> None:
    assert after("vllm", line).fatal == reason


@pytest.mark.parametrize(
    ("engine", "line", "cause"), [("llamacpp", *case) for case in LLAMA] + [("ollama", *case) for case in OLLAMA]
)
def test_the_texts_of_the_others(engine: str, line: str, cause: str) -> None:
    startup = after(engine, line)
    assert startup.cause == cause
    assert startup.advice


def test_a_big_model_on_gpus() -> None:
    """The order in which a GPU build writes them, two workers side by side."""
    startup = begin("vllm")
    seen: list[tuple[str, str]] = []
    for line in (
        "(EngineCore pid=1) INFO [core.py:133] Initializing a V1 LLM engine (v0.33.0) with config: model='m'",
        "(Worker_TP0 pid=2) INFO [gpu_model_runner.py:5040] Starting to load model m...",
        "\rLoading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]",
        "\rLoading safetensors checkpoint shards:  50% Completed | 2/4 [00:07<00:07,  3.62s/it]",
        "(Worker_TP0 pid=2) INFO [gpu_model_runner.py:5150] Model loading took 13.1343 GiB memory and 28.479916 seconds",
        "(Worker_TP1 pid=3) INFO [gpu_model_runner.py:5150] Model loading took 13.5 GiB memory and 28.5 seconds",
        "(Worker_TP0 pid=2) INFO [backends.py:1167] Dynamo bytecode transform time: 7.73 s",
        "(Worker_TP0 pid=2) INFO [monitor.py:53] torch.compile took 14.85 s in total",
        "(Worker_TP0 pid=2) INFO [gpu_worker.py:563] Available KV cache memory: 6.87 GiB",
        "(Worker_TP1 pid=3) INFO [gpu_worker.py:563] Available KV cache memory: 6.50 GiB",
        "(EngineCore pid=1) INFO [kv_cache_utils.py:1087] GPU KV cache size: 132,752 tokens",
        "(EngineCore pid=1) INFO [kv_cache_utils.py:1091] Maximum concurrency for 40,960 tokens per request: 3.24x",
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  33%|███▎      | 1/3 [00:01<00:02,  1.04s/it]",
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|██████████| 3/3 [00:03<00:00,  1.04s/it]",
        "Capturing CUDA graphs (decode, FULL):   0%|          | 0/1 [00:00<?, ?it/s]",
        "(Worker_TP0 pid=2) INFO [gpu_model_runner.py:6582] Graph capturing finished in 4 secs, took 0.11 GiB",
        "(EngineCore pid=1) INFO [core.py:402] init engine (profile, create kv cache, warmup model) took 60.10 s (compilation: 14.85 s)",
    ):
        before, startup = startup.fraction, read(startup, line)
        assert startup.fraction >= before
        seen.append((startup.phase, startup.detail))
    assert seen[3] == ("loading weights", "2 of 4")
    assert seen[7] == ("compiling", "")
    assert seen[12] == ("capturing CUDA graphs", "1 of 3")
    assert seen[-1] == ("starting the HTTP server", "")
    assert not startup.ready_hint
    facts = startup.facts
    assert (facts.weights, facts.kv_available) == (round(13.5 * 2**30), round(6.5 * 2**30))
    assert (facts.kv_tokens, facts.max_model_len, facts.max_concurrency) == (132_752, 40_960, 3.24)
    assert facts.cuda_graphs == round(0.11 * 2**30)


def test_half_of_the_shards_is_half_of_the_phase() -> None:
    def part(done: int) -> float:
        return after(
            "vllm", f"Loading safetensors checkpoint shards: {done * 25}% Completed | {done}/4 [00:07"
        ).fraction

    assert part(0) < part(1) < part(2) < part(4)
    assert part(2) == pytest.approx((part(0) + part(4)) / 2)


def test_llama_server_on_a_gpu() -> None:
    startup = after(
        "llamacpp",
        "build: 5000 (abc) with cc for x86_64-linux-gnu",
        "load_tensors: loading model tensors, this can take a while... (mmap = true)",
        "load_tensors: offloaded 62/62 layers to GPU",
        "load_tensors:        CUDA0 model buffer size = 48928.09 MiB",
        "load_tensors:          CPU model buffer size =  1000.00 MiB",
        "." * 50,
        "llama_kv_cache_unified:      CUDA0 KV buffer size =  1024.00 MiB",
    )
    assert startup.phase == "preparing the context"
    assert startup.facts.layers_on_gpu == "62 of 62"
    assert startup.facts.weights == round(49928.09 * 2**20)
    assert startup.facts.kv_available == 2**30
    assert startup.facts.version == "b5000"


def test_llama_servers_dots_are_percent() -> None:
    assert 0.1 < after("llamacpp", "." * 30).fraction < after("llamacpp", "." * 60).fraction < 0.9


def test_ollama_serves() -> None:
    startup = after(
        "ollama",
        'time=2026-11-22T10:00:00Z level=INFO source=routes.go:1200 msg="server config" env="map[]"',
        'time=2026-11-22T10:00:00Z level=INFO source=images.go:432 msg="total blobs: 6"',
        'time=2026-11-22T10:00:00Z level=INFO source=routes.go:1238 msg="Listening on 127.0.0.1:11434 (version 0.32.15)"',
    )
    assert startup.ready_hint
    assert (startup.facts.url, startup.facts.version) == ("http://127.0.0.1:11434", "0.32.15")


def test_an_engine_that_is_not_known_is_read_for_what_all_say() -> None:
    assert after("sglang", "The server is fired up and ready to roll!").ready_hint
    assert after("mine", "OSError: [Errno 98] Address already in use").cause == "its port is already in use"


def test_the_first_cause_stays() -> None:
    startup = after(
        "vllm",
        needs(100, 2.0, 1.0, 50),
        "OSError: [Errno 98] Address already in use",
        f"{CORE}EngineCore failed to start.",
    )
    assert startup.advice == "try --max-model-len 50"


def test_a_general_failure_gives_way_to_the_cause_that_follows() -> None:
    startup = after("vllm", f"{CORE}EngineCore failed to start.")
    assert startup.fatal is None  # the traceback follows
    startup = read(startup, "RuntimeError: Engine core initialization failed. See root cause above.")
    assert startup.cause == "the server failed to start and gave no error"
    assert read(startup, f"{CORE}OSError: [Errno 28] No space left on device").cause == "the disk is full"


def test_an_unknown_error_is_quoted_and_not_what_was_survived_before() -> None:
    startup = after(
        "vllm",
        "ImportError: cannot import name 'nice_to_have'",
        f"{CORE}EngineCore failed to start.",
        f"{CORE}Traceback (most recent call last):",
        f"{CORE}AttributeError: '_OpNamespace' object has no attribute 'topk'",
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}",
    )
    assert startup.cause == "the server failed to start: AttributeError: '_OpNamespace' object has no attribute 'topk'"


def test_an_error_alone_is_no_failure() -> None:
    startup = after("vllm", "ImportError: cannot import name 'nice_to_have'")
    assert startup.fatal is None
    assert (
        ended(startup, 1).cause
        == "the server ended with exit code 1 while starting: ImportError: cannot import name 'nice_to_have'"
    )


def test_a_server_that_serves_has_no_reason_and_gets_none() -> None:
    startup = after("vllm", "OSError: [Errno 98] Address already in use", "INFO:     Application startup complete.")
    assert startup.fatal is None
    assert read(startup, "prompt: 'No space left on device'").fatal is None


def test_retrying_another_port_is_no_failure() -> None:
    assert after("vllm", "WARNING Address already in use. Retrying with a new port.").fatal is None


@pytest.mark.parametrize("code", [-9, 137])
def test_a_killed_server(code: int) -> None:
    assert (
        ended(after("vllm", "Starting to load model m"), code).cause
        == "it was killed (signal 9), most often because the machine ran out of memory"
    )


def test_every_end_has_a_reason() -> None:
    assert ended(begin("vllm")).cause == "the server ended while starting"
    assert (
        ended(after("vllm", "Starting to load model m"), 3).cause
        == "the server ended with exit code 3 while loading weights"
    )
    assert ended(begin("llamacpp"), -11).cause == "the server was ended by a segmentation fault"
    assert ended(after("vllm", needs(100, 2.0, 1.0, 50)), -9).advice == "try --max-model-len 50"


SECRETS = ("sk-abcdef123456", "hf_QQQQQQQQQQ", "hunter2222")


@pytest.mark.parametrize(
    "line",
    [
        "vllm: error: unrecognized arguments: --api-keyy sk-abcdef123456 --tokn=hf_QQQQQQQQQQ",
        "ValueError: bad header Authorization: Bearer hf_QQQQQQQQQQ",
        "ConnectionError: https://me:hunter2222@host.example/x failed, api_key=hunter2222",
    ],
)
def test_no_secret_is_quoted(line: str) -> None:
    startup = ended(after("vllm", line), 1)
    assert startup.fatal
    assert not any(secret in repr(startup) for secret in SECRETS)


def test_colours_progress_bars_and_long_lines() -> None:
    assert (
        after("vllm", "\x1b[31mOSError\x1b[0m: [Errno 98] Address already in use\x1b[K").cause
        == "its port is already in use"
    )
    bars = "".join(f"\rLoading safetensors checkpoint shards: {n}% Completed | {n}/100 [00:01" for n in range(101))
    assert after("vllm", bars).detail == "100 of 100"
    assert (
        after("vllm", "x" * 1_000_000 + "\rOSError: [Errno 98] Address already in use").cause
        == "its port is already in use"
    )
    assert (
        after("vllm", "OSError: [Errno 98] Address already in use" + "y" * 1_000_000).cause
        == "its port is already in use"
    )


FRAGMENTS = st.sampled_from(
    [
        *(line for line, _ in VLLM + LLAMA + OLLAMA),
        "Loading safetensors checkpoint shards: 999999% | 9/0 [",
        "Capturing CUDA graphs:  50%|█████     | 1/2 [",
        "Model loading took 1e999 GiB memory",
        "GPU KV cache size: ,,, tokens, Maximum concurrency for , tokens per request: 1.0x",
        "max seq len (1), (1 GiB KV cache is needed, which is larger than the available KV cache memory (0 GiB)",
        "Free memory on device (0/0 GiB) on startup is less than desired GPU memory utilization (0, 0 GiB)",
        "attention heads (0) must be divisible by tensor parallel size (0)",
        "INFO:     Application startup complete.",
        "EngineCore failed to start.",
        "\x1b]0;title\x07\x9b31m\u202e",
    ]
)


@given(st.sampled_from(["vllm", "llamacpp", "ollama", "?"]), st.lists(FRAGMENTS | st.text(max_size=60), max_size=30))
def test_whatever_comes_it_holds(engine: str, lines: list[str]) -> None:
    startup = begin(engine)
    for line in lines:
        before, startup = startup, read(startup, line)
        assert before.fraction <= startup.fraction <= 1.0
        assert startup.step >= before.step
        assert not (startup.ready_hint and startup.fatal)
        assert (startup.fatal or "").isprintable()
        assert len(startup.fatal or "") < 600
    assert ended(startup, 1).fatal
