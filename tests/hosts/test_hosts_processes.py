"""Processes as they really are: trees with the titles of vLLM's and Ollama's, and what is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from fakes import endpoint_view, model
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.exporters.host import ExporterHost
from quarterdeck.hosts.local import LocalHost
from quarterdeck.hosts.nvml.thread import NvmlThread
from quarterdeck.hosts.ollama.store import names_of
from quarterdeck.hosts.processes import PORTS_AGAIN_S, RECHECK_S, Processes, ProcessTable, container_of
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder
from quarterdeck.model.holdings import claims, held
from quarterdeck.model.host import HostView

SERVER = """
import json, socket, subprocess, sys
s = socket.create_server(("127.0.0.1", 0))
children = [subprocess.Popen(argv, executable=program) for program, *argv in json.loads(sys.argv[1])]
print(s.getsockname()[1], *(child.pid for child in children), flush=True)
sys.stdin.read()
"""
"""Listens, starts its children (program, argv …) and tells their pids."""
WAIT = "import signal; signal.pause()"


class Tree:
    """A server under a title of its own, and its children."""

    def __init__(self, title: str, *children: list[str]) -> None:
        self.process = subprocess.Popen(
            [title, "-c", SERVER, json.dumps(children)],
            executable=sys.executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.port, *self.children = map(int, self.process.stdout.readline().split())
        for pid in self.children:  # the kernel sets the command line a moment after exec began
            while not psutil.Process(pid).cmdline():
                os.sched_yield()

    def kill_server(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        for pid in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):  # not `communicate`: a grandchild may hold the other end
            if pipe is not None:
                pipe.close()


def titled(title: str) -> list[str]:
    """A process of that title."""
    return ["/bin/sleep", title, "1000"]


@pytest.fixture
def tree() -> Iterator[Callable[..., Tree]]:
    trees: list[Tree] = []

    def grow(title: str, *children: str | list[str]) -> Tree:
        made = Tree(title, *(titled(child) if isinstance(child, str) else child for child in children))
        trees.append(made)
        return made

    yield grow
    for made in trees:
        made.end()


@pytest.fixture
def table(clock: Any) -> ProcessTable:
    return ProcessTable(clock)


def test_a_worker_belongs_to_the_server_that_listens_above_it(tree: Callable[..., Tree], table: ProcessTable) -> None:
    grown = tree("vllm", "VLLM::EngineCore", "VLLM::Worker_TP1")
    found = table.details(grown.children)
    core, worker = (found[pid] for pid in grown.children)
    assert core.name == "VLLM::EngineCore 1000"
    assert core.engine == worker.engine == "vllm"
    assert core.ports == worker.ports == (grown.port,)
    assert not core.orphaned
    assert core.user == psutil.Process().username()
    assert core.started == psutil.Process(grown.children[0]).create_time()


def test_a_worker_is_an_orphan_once_its_server_is_dead(tree: Callable[..., Tree], table: ProcessTable) -> None:
    grown = tree("vllm", "prod::EngineCore_DP0")
    (pid,) = grown.children
    assert not table.details([pid])[pid].orphaned
    grown.kill_server()
    found = table.details([pid])[pid]
    assert found.orphaned
    assert found.ports is None
    assert found.engine == "vllm"


def test_an_orphan_is_known_without_having_been_seen_before(tree: Callable[..., Tree], table: ProcessTable) -> None:
    grown = tree("vllm", "VLLM::EngineCore")
    grown.kill_server()
    assert table.details(grown.children)[grown.children[0]].orphaned


def test_a_child_of_a_living_program_is_no_orphan_though_nothing_listens(table: ProcessTable) -> None:
    with subprocess.Popen(["VLLM::EngineCore", "1000"], executable="/bin/sleep") as child:
        try:
            while not psutil.Process(child.pid).cmdline():
                os.sched_yield()
            found = table.details([child.pid])[child.pid]
            assert found.engine == "vllm"
            assert not found.orphaned
        finally:
            child.kill()


def test_ollamas_child_has_its_servers_port_and_its_models_name(
    tree: Callable[..., Tree], table: ProcessTable, tmp_path: Path
) -> None:
    digest = "ab" * 32
    manifest = tmp_path / "models/manifests/registry.ollama.ai/library/gemma3/27b"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": [{"digest": f"sha256:{digest}"}]}))
    options = ["--offline", "--no-webui", "--port", "40123", "--model", f"{tmp_path}/models/blobs/sha256-{digest}"]
    grown = tree("ollama", [sys.executable, "llama-server", "-c", WAIT, *options])
    found = table.details(grown.children)[grown.children[0]]
    assert (found.engine, found.ports, found.serves) == ("ollama", (grown.port,), ("gemma3:27b",))
    grown.kill_server()
    found = table.details(grown.children)[grown.children[0]]
    assert found.orphaned
    assert found.serves == ("gemma3:27b",)


def test_names_of_a_blob_come_from_the_manifests(tmp_path: Path) -> None:
    digest = "cd" * 32
    layers = json.dumps({"layers": [{"digest": "sha256:00"}, {"digest": f"sha256:{digest}"}]})
    for place in (
        "registry.ollama.ai/library/qwen3/8b",
        "registry.ollama.ai/me/mine/latest",
        "hf.co/a/b/Q4",
        "x/y/z/no",
    ):
        path = tmp_path / "manifests" / place
        path.parent.mkdir(parents=True)
        path.write_text(layers if "no" not in place else "not json")
    blob = str(tmp_path / "blobs" / f"sha256-{digest}")
    assert set(names_of(blob)) == {"qwen3:8b", "me/mine:latest", "hf.co/a/b:Q4"}
    assert names_of("/nowhere/models/blobs/sha256-00") == ()


# ---- made by hand


class FakePsutil:
    """psutil with processes made by hand: pid → (parent, command line)."""

    CONN_LISTEN = "LISTEN"

    def __init__(self, processes: dict[int, tuple[int, list[str]]]) -> None:
        self.processes = processes
        self.listening: dict[int, list[int]] = {}
        self.denied = False
        self.asked_ports: list[int] = []
        self.started = 5.0

    def Process(self, pid: int) -> Any:  # noqa: N802 (psutil's name)
        if pid not in self.processes:
            raise psutil.NoSuchProcess(pid)
        parent, argv = self.processes[pid]

        def connections(kind: str) -> list[Any]:
            assert kind == "tcp"
            self.asked_ports.append(pid)
            if self.denied:
                raise psutil.AccessDenied(pid)
            return [SimpleNamespace(status="LISTEN", laddr=("127.0.0.1", port)) for port in self.listening.get(pid, [])]

        return SimpleNamespace(
            pid=pid,
            create_time=lambda: self.started + pid,
            ppid=lambda: parent,
            name=lambda: argv[0].rpartition("/")[2],
            cmdline=lambda: list(argv),
            username=lambda: "ops",
            net_connections=connections,
        )


SERVE = ["/usr/bin/python3", "/usr/local/bin/vllm", "serve", "Qwen/Qwen3-32B", "--port", "8001", "--api-key", "geheim"]
VLLM = {
    1: (0, ["/sbin/init"]),
    100: (1, SERVE),
    101: (100, ["VLLM::EngineCore"]),
    102: (101, ["VLLM::Worker_TP0", "", ""]),
}


def hand_made(
    clock: Any, processes: dict[int, tuple[int, list[str]]], tmp_path: Path
) -> tuple[FakePsutil, ProcessTable]:
    fake = FakePsutil(dict(processes))
    return fake, ProcessTable(clock, fake, proc=tmp_path)


def test_what_cannot_be_seen_is_taken_from_the_command_line(clock: Any, tmp_path: Path) -> None:
    fake, table = hand_made(clock, VLLM, tmp_path)
    fake.denied = True
    found = table.details([102])[102]
    assert (found.ports, found.told_port) == (None, 8001)
    assert found.serves == ("Qwen/Qwen3-32B",)
    assert found.name == "VLLM::Worker_TP0"


def test_sockets_tell_more_than_the_command_line(clock: Any, tmp_path: Path) -> None:
    fake, table = hand_made(clock, VLLM, tmp_path)
    fake.listening[100] = [9000]
    assert table.details([102])[102].ports == (9000,)


def test_a_server_that_listens_already_is_not_asked_again(clock: Any, tmp_path: Path) -> None:
    fake, table = hand_made(clock, VLLM, tmp_path)
    table.details([101])
    table.details([101])
    assert fake.asked_ports == [100]
    clock.now += PORTS_AGAIN_S
    fake.listening[100] = [8001]
    table.details([101])
    clock.now += PORTS_AGAIN_S
    table.details([101])
    assert fake.asked_ports == [100, 100]


def test_a_command_line_in_a_container_tells_no_port_of_this_machine(clock: Any, tmp_path: Path) -> None:
    (tmp_path / "100").mkdir()
    (tmp_path / "100" / "cgroup").write_text(f"0::/system.slice/docker-{'0a' * 32}.scope\n")
    _, table = hand_made(clock, VLLM, tmp_path)
    found = table.details([101])[101]
    assert (found.ports, found.told_port) == (None, None)


def test_a_program_that_listens_nowhere_is_known_to(clock: Any, tmp_path: Path) -> None:
    batch = {1: (0, ["/sbin/init"]), 9: (1, ["python3", "batch.py"]), 10: (9, ["VLLM::EngineCore"])}
    _, table = hand_made(clock, batch, tmp_path)
    assert table.details([10])[10].ports == ()


def test_process_1_that_is_the_server_itself_is_no_reaper(clock: Any, tmp_path: Path) -> None:
    processes = {1: (0, SERVE), 7: (1, ["VLLM::EngineCore"])}
    _, table = hand_made(clock, processes, tmp_path)
    assert not table.details([7])[7].orphaned
    processes[1] = (0, ["/bin/sh", "/app/entry.sh"])
    _, table = hand_made(clock, processes, tmp_path)
    assert table.details([7])[7].orphaned


@pytest.mark.parametrize("program", ["trainer: rank 0", "/app/serve.bin", "./tritonserver"])
def test_process_1_that_may_have_a_model_server_inside_is_no_reaper(program: str, clock: Any, tmp_path: Path) -> None:
    processes = {1: (0, [program]), 7: (1, ["VLLM::EngineCore"])}
    _, table = hand_made(clock, processes, tmp_path)
    assert not table.details([7])[7].orphaned
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "comm").write_text("kthreadd\n")
    _, table = hand_made(clock, processes, tmp_path)
    assert table.details([7])[7].orphaned, "the machine's own process 1, whatever that is"


def test_routers_and_servers_with_a_title_are_nobodys_workers(clock: Any, tmp_path: Path) -> None:
    """As `python -m sglang_router.launch_server` names its processes, started by systemd."""
    processes = {
        1: (0, ["/sbin/init"]),
        10: (1, ["sglang::router"]),
        11: (10, ["sglang::server"]),
        12: (11, ["sglang::scheduler_TP0"]),
    }
    fake, table = hand_made(clock, processes, tmp_path)
    found = table.details([12, 11, 10])
    assert [found[pid].orphaned for pid in (12, 11, 10)] == [False] * 3
    del fake.processes[11]
    fake.processes[12] = (1, ["sglang::scheduler_TP0"])
    assert table.details([12])[12].orphaned


def test_the_first_process_of_a_container_takes_orphans_in(clock: Any, tmp_path: Path) -> None:
    processes = {
        1: (0, ["systemd"]),
        50: (1, ["containerd-shim"]),
        60: (50, ["bash", "run.sh"]),
        70: (60, ["VLLM::EngineCore"]),
    }
    _, table = hand_made(clock, processes, tmp_path)
    assert not table.details([70])[70].orphaned
    (tmp_path / "60").mkdir()
    (tmp_path / "60" / "status").write_text("Name:\tbash\nNSpid:\t60\t1\nTgid:\t60\n")
    _, table = hand_made(clock, processes, tmp_path)
    assert table.details([70])[70].orphaned


def test_an_orphan_taken_in_by_a_stranger_is_told_by_its_lost_server(clock: Any, tmp_path: Path) -> None:
    processes = {**VLLM, 30: (1, ["session-keeper"])}
    fake, table = hand_made(clock, processes, tmp_path)
    assert not table.details([102])[102].orphaned
    del fake.processes[100]
    fake.processes[101] = (30, ["VLLM::EngineCore"])
    found = table.details([102])[102]
    assert found.orphaned
    assert found.serves == ("Qwen/Qwen3-32B",), "what it served is remembered"


def test_a_pid_that_is_another_process_now_is_looked_at_anew(clock: Any, tmp_path: Path) -> None:
    fake, table = hand_made(clock, VLLM, tmp_path)
    assert table.details([101])[101].engine == "vllm"
    fake.processes[101] = (1, ["/usr/bin/blender"])
    fake.started += 1
    assert table.details([101])[101].name == "blender"


def test_a_python_process_that_titles_itself_later_is_noticed(clock: Any, tmp_path: Path) -> None:
    spawned = ["python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"]
    fake, table = hand_made(clock, {**VLLM, 101: (100, spawned)}, tmp_path)
    before = table.details([101])[101]
    assert before.engine == "vllm", "by the server above it"
    assert "spawn_main" in (before.name or "")
    fake.processes[101] = (100, ["VLLM::EngineCore"])
    assert table.details([101])[101].name == "VLLM::EngineCore"


def test_who_stands_above_many_is_looked_at_once(clock: Any, tmp_path: Path) -> None:
    processes = {**VLLM, **{number: (101, ["VLLM::Worker"]) for number in range(200, 300)}}
    fake, table = hand_made(clock, processes, tmp_path)
    asked: list[int] = []
    real = fake.Process
    fake.Process = lambda pid: asked.append(pid) or real(pid)  # type: ignore[func-returns-value, method-assign]

    fake.listening[100] = [8000]
    assert len(table.details(range(200, 300))) == 100
    assert asked.count(101) == 1


def test_what_is_not_there_is_left_out(table: ProcessTable) -> None:
    assert table.details([2**22 + 7, 0, -4]) == {}


def test_a_circle_of_parents_ends(clock: Any, tmp_path: Path) -> None:
    _, table = hand_made(clock, {5: (6, ["a"]), 6: (5, ["b"])}, tmp_path)
    assert set(table.details([5])) == {5}


@pytest.mark.parametrize(
    ("cgroup", "container"),
    [
        (f"0::/system.slice/docker-{'0a' * 32}.scope", "0a0a0a0a0a0a"),
        (f"12:pids:/docker/{'0b' * 32}\n0::/", "0b0b0b0b0b0b"),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{'0c' * 32}.scope", "0c0c0c0c0c0c"),
        (f"0::/machine.slice/libpod-{'0d' * 32}.scope/container", "0d0d0d0d0d0d"),
        ("0::/lxc.payload.gpu-ct/system.slice/vllm.service", "gpu-ct"),
        ("0::/machine.slice/machine-lab.scope", "lab"),
        ("0::/user.slice/user-1000.slice/session-2.scope", None),
        ("0::/", None),
        ("", None),
    ],
)
def test_the_container_is_told_by_the_cgroup(cgroup: str, container: str | None) -> None:
    assert container_of(cgroup) == container


# ---- for an event loop


def card(*pids: int) -> tuple[GpuView, ...]:
    return (GpuView(0, processes=tuple(GpuProcess(pid, 2**30) for pid in pids)),)


class SlowTable(ProcessTable):
    """Answers when told to."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.go = threading.Event()
        self.asked: list[list[int]] = []

    def details(self, pids: Any) -> dict[int, GpuProcess]:
        self.asked.append(list(pids))
        self.go.wait(30)
        return {pid: GpuProcess(pid, name=f"p{pid}") for pid in self.asked[-1]}


async def test_memory_stays_and_details_come(clock: Any) -> None:
    table = SlowTable(clock)
    table.go.set()
    (described,) = await Processes(clock, table).describe(card(7), 30.0)
    assert described.processes == (GpuProcess(7, 2**30, name="p7"),)


async def test_a_process_table_that_hangs_keeps_nobody_waiting(clock: Any) -> None:
    table = SlowTable(clock)
    processes = Processes(clock, table)
    assert await processes.describe(card(7), 0.0) == card(7)
    assert await processes.describe(card(7), 0.0) == card(7)
    assert len(table.asked) <= 1, "one look at a time"
    table.go.set()
    assert (await processes.describe(card(7), 30.0))[0].processes == (GpuProcess(7, 2**30, name="p7"),)


async def test_the_same_processes_are_looked_at_now_and_then_only(clock: Any) -> None:
    table = SlowTable(clock)
    table.go.set()
    processes = Processes(clock, table)
    for _ in range(3):
        await processes.describe(card(7), 30.0)
    assert len(table.asked) == 1
    await processes.describe(card(7, 8), 30.0)
    clock.now += RECHECK_S
    await processes.describe(card(7, 8), 30.0)
    assert table.asked == [[7], [7, 8], [7, 8]]


async def test_no_process_no_look(clock: Any) -> None:
    table = SlowTable(clock)
    unknown = (GpuView(0), GpuView(1, processes=()))
    assert await Processes(clock, table).describe(unknown, 0.0) is unknown
    assert not table.asked
    await asyncio.sleep(0)


def test_this_process_listens(clock: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ports = ProcessTable(clock).details([os.getpid()])[os.getpid()].ports
        assert listening.getsockname()[1] in (ports or ())


# ---- from the driver to the model


async def test_memory_lands_on_the_right_model_and_an_orphan_is_named(
    tree: Callable[..., Tree], clock: Any, nvml: Any, tmp_path: Path
) -> None:
    """The driver names the pids of two real trees; then one server is killed."""
    vllm = tree("vllm", "VLLM::EngineCore", "VLLM::Worker_TP1")
    blob = f"{tmp_path}/models/blobs/sha256-{'ab' * 32}"
    runner = ["--offline", "--no-webui", "--port", "40123", "--model", blob]
    ollama = tree("ollama", [sys.executable, "llama-server", "-c", WAIT, *runner])
    held_by = [(pid, 100 * 2**20) for pid in (*vllm.children, *ollama.children)]
    nvml.processes = {"Compute": [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in held_by]}
    endpoints = (
        endpoint_view("qwen", url=f"http://127.0.0.1:{vllm.port}", models=(model("qwen3-32b"),)),
        endpoint_view(
            "lab",
            url=f"http://localhost:{ollama.port}",
            engine="ollama",
            models=(model("gemma3:27b", vram_bytes=90 * 2**20),),
        ),
    )
    host = LocalHost(HostSpec("here"), clock, NvmlThread(clock, nvml))

    async def seen() -> dict[int, tuple[Holder, str | None, str | None]]:
        reading = await host.read()
        machine = HostView("here", reading.source, gpus=reading.gpus)
        found = held(machine, claims(machine, endpoints)).gpus[0].processes or ()
        return {process.pid: (process.holder, process.endpoint, process.model) for process in found}

    try:
        before = await seen()
        vllm.kill_server()
        clock.now += RECHECK_S
        after = await seen()
    finally:
        await host.close()
    core, worker = vllm.children
    assert before[core] == before[worker] == (Holder.MODEL, "qwen", "qwen3-32b")
    assert before[ollama.children[0]] == (Holder.MODEL, "lab", "gemma3:27b")
    assert after[core] == after[worker] == (Holder.ORPHAN, None, None)
    assert after[ollama.children[0]] == before[ollama.children[0]]


async def test_two_servers_of_each_kind_keep_their_memory_apart(
    tree: Callable[..., Tree], clock: Any, nvml: Any, tmp_path: Path
) -> None:
    """The same model behind two vLLMs; two Ollamas, of which one has two models loaded; one vLLM that nobody watches."""
    blobs = [f"{tmp_path}/models/blobs/sha256-{digit * 64}" for digit in "ab"]

    def runner(blob: str) -> list[str]:
        words = ["--offline", "--no-webui", "--port", "40123", "--model", blob]
        return [sys.executable, "llama-server", "-c", WAIT, *words]

    first, second, stranger = (tree("vllm", "VLLM::EngineCore") for _ in range(3))
    lab, home = tree("ollama", runner(blobs[0]), runner(blobs[1])), tree("ollama", runner(blobs[0]))
    manifests = tmp_path / "models/manifests/registry.ollama.ai/library"
    for name, blob in (("gemma3", blobs[0]), ("qwen3", blobs[1])):
        (manifests / name).mkdir(parents=True)
        digest = blob.rpartition("/")[2].replace("-", ":")
        (manifests / name / "latest").write_text(json.dumps({"layers": [{"digest": digest}]}))
    trees = (first, second, stranger, lab, home)
    pids = [pid for each in trees for pid in each.children]
    nvml.processes = {"Compute": [SimpleNamespace(pid=pid, usedGpuMemory=50 * 2**20) for pid in pids]}
    gemma, qwen = (model(f"{name}:latest", vram_bytes=45 * 2**20) for name in ("gemma3", "qwen3"))
    endpoints = (
        endpoint_view("a", url=f"http://127.0.0.1:{first.port}", models=(model("llama-70b"),)),
        endpoint_view("b", url=f"http://127.0.0.1:{second.port}", models=(model("llama-70b"),)),
        endpoint_view("home", url=f"http://127.0.0.1:{home.port}", engine="ollama", models=(gemma,)),
        endpoint_view("lab", url=f"http://127.0.0.1:{lab.port}", engine="ollama", models=(gemma, qwen)),
    )
    host = LocalHost(HostSpec("here", timeout=20), clock, NvmlThread(clock, nvml))
    reading = await host.read()
    await host.close()
    machine = HostView("here", reading.source, gpus=reading.gpus)
    processes = held(machine, claims(machine, endpoints)).gpus[0].processes or ()
    found = {process.pid: (process.holder, process.endpoint, process.model) for process in processes}
    assert [found[pid] for pid in pids] == [
        (Holder.MODEL, "a", "llama-70b"),
        (Holder.MODEL, "b", "llama-70b"),
        (Holder.OTHER, None, None),
        (Holder.MODEL, "lab", "gemma3:latest"),
        (Holder.MODEL, "lab", "qwen3:latest"),
        (Holder.MODEL, "home", "gemma3:latest"),
    ]


def test_processes_may_come_from_another_exporter_on_the_same_page(clock: Any) -> None:
    page = """
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-5e1f",modelName="NVIDIA L40S"} 50
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-5e1f",modelName="NVIDIA L40S"} 1000
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-aaaa",modelName="NVIDIA L40S"} 0
nvidia_smi_gpu_info{uuid="GPU-5e1f",name="NVIDIA L40S",index="0"} 1
nvidia_smi_compute_app_used_memory_bytes{uuid="GPU-5e1f",pid="7",process_name="VLLM::EngineCore"} 1048576
"""
    reading = ExporterHost(HostSpec("far", "http://127.0.0.1:1/metrics"), clock).reading(page.encode())
    first, second = reading.gpus
    assert (first.utilization, first.memory_used_bytes) == (0.5, 1000 * 2**20)
    assert [(p.pid, p.memory_bytes, p.name) for p in first.processes or ()] == [(7, 2**20, "VLLM::EngineCore")]
    assert second.processes is None
