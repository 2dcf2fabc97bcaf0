"""Command lines read, processes matched to endpoints and models, and the parts of a GPU's memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import GIB, endpoint_view, gpu, host_view, model
from quarterdeck.model import commandlines
from quarterdeck.model.commandlines import CommandLine
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder
from quarterdeck.model.holdings import Part, PartKind, claims, held, parts, spilled
from quarterdeck.model.host import HostView
from quarterdeck.model.models import ModelState

# ---- command lines

BLOB = f"/root/.ollama/models/blobs/sha256-{'0a' * 32}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("VLLM::EngineCore", CommandLine("vllm", worker=True)),
        ("VLLM::EngineCore_DP3", CommandLine("vllm", worker=True)),
        ("VLLM::Worker_TP1_EP1", CommandLine("vllm", worker=True)),
        ("prod-a::Worker_DP0_TP0", CommandLine("vllm", worker=True)),
        ("::EngineCore", CommandLine("vllm", worker=True)),
        ("VLLM::APIServer_2", CommandLine("vllm")),
        ("VLLM::Workers", CommandLine()),
        ("ray::RayWorkerWrapper.execute_method", CommandLine()),
        ("sglang::scheduler_TP0", CommandLine("sglang", worker=True)),
        ("sglang::data_parallel_controller", CommandLine("sglang", worker=True)),
        ("sglang::server", CommandLine("sglang")),
        (
            "/usr/bin/python3 /opt/venv/bin/vllm serve Qwen/Qwen3-32B",
            CommandLine("vllm", port=8000, serves=("Qwen/Qwen3-32B",)),
        ),
        (
            "vllm serve /models/q --served-model-name qwen q --port=8003",
            CommandLine("vllm", port=8003, serves=("qwen", "q", "/models/q")),
        ),
        (
            "python -m vllm.entrypoints.openai.api_server --model m --port 9",
            CommandLine("vllm", port=9, serves=("m",)),
        ),
        ("python -m sglang.launch_server --model-path m", CommandLine("sglang", port=30000, serves=("m",))),
        ("/usr/local/bin/ollama serve", CommandLine("ollama", port=11434)),
        ("ollama run gemma3", CommandLine("ollama")),
        (
            f"/usr/local/bin/ollama runner --ollama-engine --model {BLOB} --port 40001",
            CommandLine("ollama", worker=True, port=40001, blob=BLOB),
        ),
        (
            f"/usr/lib/ollama/llama-server --host 127.0.0.1 --port 40002 --no-webui --offline -c 8192 --model {BLOB}",
            CommandLine("ollama", worker=True, port=40002, blob=BLOB),
        ),
        (f"llama-server -m {BLOB} --port 8081", CommandLine("llamacpp", port=8081, serves=(f"sha256-{'0a' * 32}",))),
        ("./llama-server -m /m/phi.gguf -a phi", CommandLine("llamacpp", port=8080, serves=("phi", "phi.gguf"))),
        ("python3 -c from multiprocessing.spawn import spawn_main", CommandLine(worker=True)),
        ("python3 train.py --model vllm serve", CommandLine()),
        ("/usr/bin/blender", CommandLine()),
        ("vllm serve m --port 99999999999999", CommandLine("vllm", port=8000, serves=("m",))),
        ("", CommandLine()),
    ],
)
def test_what_a_command_line_tells(line: str, told: CommandLine) -> None:
    assert commandlines.read(line.split()) == told


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/usr/bin/python3 /usr/bin/vllm serve m", "python3 /usr/bin/vllm serve m"),
        ("vllm serve m --api-key abc def --port 1", "vllm serve m --api-key [key] [key] --port 1"),
        ("vllm serve m --api-key=abc", "vllm serve m --api-key=[key]"),
        ("x --hf_token abc --max-num-batched-tokens 8192", "x --hf_token [key] --max-num-batched-tokens 8192"),
        ("env OPENAI_API_KEY=abcdef x", "env OPENAI_API_KEY=[key] x"),
        ("x hf_abcdefgh123 sk-proj-abcdefgh", "x [key] [key]"),
        ("x http://me:secret@host/v1", "x http://[key]@host/v1"),
        ('x --config {"api_key":"abc","port":1}', 'x --config {"api_key":"[key]","port":1}'),
        ("VLLM::EngineCore", "VLLM::EngineCore"),
        ("a\x1b[31mb\nc", "ab c"),
    ],
)
def test_a_command_line_is_shown_without_secrets(line: str, shown: str) -> None:
    assert commandlines.shown(line.split(" ")) == shown


@given(st.lists(st.text(max_size=60), max_size=12))
def test_any_command_line_is_read_and_shown(argv: list[str]) -> None:
    commandlines.read(argv)
    assert len(commandlines.shown(argv)) <= commandlines.LONGEST


# ---- whose it is

VLLM = endpoint_view("qwen", url="http://127.0.0.1:8000", models=(model("qwen3-32b"), model("qwen3-lora")))
OTHER_VLLM = endpoint_view("llama", url="http://127.0.0.1:8001", models=(model("Llama-3.3-70B"),))
OLLAMA = endpoint_view(
    "lab",
    url="http://localhost:11434",
    engine="ollama",
    models=(
        model("gemma3:27b", vram_bytes=int(17.4 * GIB), size_bytes=int(21 * GIB)),
        model("qwen3:8b", vram_bytes=6 * GIB, size_bytes=6 * GIB),
        model("old:1b", ModelState.INSTALLED, size_bytes=GIB),
    ),
)


def told(
    *processes: GpuProcess, endpoints: tuple[object, ...] = (VLLM, OTHER_VLLM, OLLAMA), **host: object
) -> list[GpuProcess]:
    """The processes of one GPU of this machine, matched."""
    machine = host_view("here", gpu(0, processes=processes), **host)
    matched = held(machine, claims(machine, endpoints))  # type: ignore[arg-type]
    return list(matched.gpus[0].processes or ())


def core(pid: int = 1, memory: float = 40.0, **known: object) -> GpuProcess:
    usual: dict[str, object] = {"name": "VLLM::EngineCore", "engine": "vllm"}
    return GpuProcess(pid, int(memory * GIB), **(usual | known))  # type: ignore[arg-type]


def whose(process: GpuProcess) -> tuple[Holder, str | None, str | None]:
    return process.holder, process.endpoint, process.model


def test_the_server_that_listens_on_the_endpoints_port_owns_its_workers_memory() -> None:
    first, second = told(core(1, ports=(8001,)), core(2, ports=(8000,)))
    assert whose(first) == (Holder.MODEL, "llama", "Llama-3.3-70B")
    assert whose(second) == (Holder.MODEL, "qwen", "qwen3-32b"), "the base model, not its adapter"


def test_an_offline_program_owns_its_memory_itself() -> None:
    """Its engine looks like a server's and listens nowhere."""
    assert whose(told(core(ports=()), endpoints=(VLLM,))[0]) == (Holder.OTHER, None, None)


def test_a_port_that_the_command_line_says_is_a_hint() -> None:
    assert whose(told(core(told_port=8001))[0])[1] == "llama"
    assert whose(told(core(told_port=8005, serves=("qwen3-32b",)))[0])[1] == "qwen", "published under another port"
    assert whose(told(core(told_port=8005, serves=("mine",)), endpoints=(VLLM,))[0])[1] is None


def test_a_server_that_nobody_watches_is_other_though_it_looks_alike() -> None:
    assert [whose(p) for p in told(core(ports=(8009,), serves=("mine",)))] == [(Holder.OTHER, None, "mine")]
    assert [whose(p) for p in told(GpuProcess(9, GIB, name="blender"))] == [(Holder.OTHER, None, None)]


def test_an_orphan_is_one_even_where_an_endpoint_of_its_kind_is_watched() -> None:
    assert [whose(p) for p in told(core(orphaned=True, serves=("qwen3-32b",)), endpoints=(VLLM,))] == [
        (Holder.ORPHAN, None, "qwen3-32b")
    ]


def test_without_ports_the_model_name_tells_and_else_the_only_one_of_its_kind() -> None:
    assert whose(told(core(serves=("meta/Llama-3.3-70B",)))[0])[1] == "llama"
    assert whose(told(core())[0])[1] is None, "two vLLMs could be meant"
    assert whose(told(core(), endpoints=(VLLM, OLLAMA))[0])[1] == "qwen"


def test_a_title_is_enough_where_a_remote_reading_tells_no_more() -> None:
    remote = endpoint_view("far", url="http://10.0.0.5:8000", host="there", models=(model("m"),))
    machine = host_view("there", gpu(0, processes=(GpuProcess(7, GIB, name="VLLM::Worker_TP0"),)), source="ssh")
    matched = held(machine, claims(machine, (remote, VLLM)))
    assert whose((matched.gpus[0].processes or ())[0]) == (Holder.MODEL, "far", "m")


def test_an_endpoint_elsewhere_owns_nothing_here() -> None:
    remote = endpoint_view("far", url="http://10.0.0.5:8000", host="there")
    unplaced = endpoint_view("somewhere", url="http://10.0.0.5:8000")
    assert whose(told(core(ports=(8000,)), endpoints=(remote, unplaced))[0])[1] is None


def test_ollamas_children_are_told_apart_by_name_then_by_size() -> None:
    child = {"name": "llama-server", "engine": "ollama", "ports": (11434,)}
    named = told(core(1, 3, **child, serves=("alias:x", "gemma3:27b")), core(2, 3, **child))
    assert [p.model for p in named] == ["gemma3:27b", "qwen3:8b"], "the other one is what is left"
    sized = told(core(1, 6.4, **child), core(2, 18, **child))
    assert [p.model for p in sized] == ["qwen3:8b", "gemma3:27b"]
    alike = told(core(1, 6.4, **child), core(2, 6.3, **child))
    assert [p.model for p in alike] == [None, None], "it can't be told"
    assert {p.endpoint for p in alike} == {"lab"}


def test_models_of_similar_size_are_told_apart_by_their_order() -> None:
    similar = endpoint_view(
        "lab",
        url="http://localhost:11434",
        engine="ollama",
        models=(model("a", vram_bytes=10 * GIB), model("b", vram_bytes=11 * GIB)),
    )
    child = {"name": "llama-server", "engine": "ollama", "ports": (11434,)}
    found = told(core(1, 11.4, **child), core(2, 10.4, **child), endpoints=(similar,))
    assert [p.model for p in found] == ["b", "a"]
    twins = told(core(1, 10.45, **child), core(2, 10.4, **child), endpoints=(similar,))
    assert [p.model for p in twins] == [None, None], "so near that it may be chance"


def test_the_memory_of_a_child_on_several_gpus_is_added_before_it_is_compared() -> None:
    child = core(1, 8.9, name="llama-server", engine="ollama", ports=(11434,))
    small = core(2, 6.1, name="llama-server", engine="ollama", ports=(11434,))
    machine = host_view("here", gpu(0, processes=(child, small)), gpu(1, processes=(child,)))
    matched = held(machine, claims(machine, (OLLAMA,)))
    assert [p.model for g in matched.gpus for p in g.processes or ()] == ["gemma3:27b", "qwen3:8b", "gemma3:27b"]


def test_where_nothing_is_to_be_told_the_host_is_the_same_object() -> None:
    machine = host_view("here", gpu(0, processes=(GpuProcess(9, GIB),)), gpu(1))
    assert held(machine, claims(machine, (VLLM,))) is machine
    without = HostView("here", "nvml")
    assert held(without, ()) is without


# ---- parts


def test_the_parts_of_a_gpu_come_in_order_and_add_up() -> None:
    processes = (
        GpuProcess(1, 6 * GIB, holder=Holder.MODEL, endpoint="lab", model="qwen3:8b"),
        GpuProcess(2, 18 * GIB, holder=Holder.MODEL, endpoint="lab", model="gemma3:27b"),
        GpuProcess(3, 2 * GIB, holder=Holder.MODEL, endpoint="lab", model="gemma3:27b"),
        GpuProcess(4, GIB),
        GpuProcess(5, None),
        GpuProcess(6, 10 * GIB, holder=Holder.ORPHAN),
    )
    found = parts(gpu(0, used=40, total=80, memory_reserved_bytes=GIB, processes=processes))
    assert found == (
        Part(PartKind.MODEL, 20 * GIB, "lab", "gemma3:27b", (2, 3)),
        Part(PartKind.MODEL, 6 * GIB, "lab", "qwen3:8b", (1,)),
        Part(PartKind.ORPHAN, 10 * GIB, pids=(6,)),
        Part(PartKind.OTHER, GIB, pids=(4, 5)),
        Part(PartKind.UNTOLD, 3 * GIB),
        Part(PartKind.RESERVED, GIB),
        Part(PartKind.FREE, 39 * GIB),
    )


def test_a_gpu_that_tells_nothing_has_no_parts() -> None:
    assert parts(GpuView(0)) == ()
    assert parts(GpuView(0, memory_used_bytes=5, memory_total_bytes=0)) == ()


@given(
    st.integers(0, 100),
    st.integers(1, 100),
    st.one_of(st.none(), st.integers(0, 100)),
    st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 100)), st.sampled_from(Holder)), max_size=6),
)
def test_parts_always_add_up_to_the_whole(
    used: int, total: int, reserved: int | None, holders: list[tuple[int | None, Holder]]
) -> None:
    processes = tuple(GpuProcess(pid, memory, holder=holder) for pid, (memory, holder) in enumerate(holders))
    card = GpuView(
        0, memory_used_bytes=used, memory_total_bytes=total, memory_reserved_bytes=reserved, processes=processes
    )
    found = parts(card)
    assert sum(part.bytes for part in found) == total
    assert all(part.bytes > 0 for part in found)


def test_what_spills_to_the_machines_memory() -> None:
    below = spilled(model(vram_bytes=15 * GIB, size_bytes=20 * GIB))
    assert below == (5 * GIB, 0.25)
    assert spilled(model(vram_bytes=20 * GIB, size_bytes=20 * GIB)) is None
    assert spilled(model(size_bytes=20 * GIB)) is None
    assert spilled(model(state=ModelState.INSTALLED, vram_bytes=1, size_bytes=2)) is None
