"""Real server processes: each on a free port, in a session of its own, gone with everything it started when the tests end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from .install import MODELS, ROOT, llama_server

VLLM_READY_S = 240.0
LLAMA_READY_S = 60.0
LITELLM_READY_S = 120.0
GONE_WITHIN_S = 20.0
HOST = "127.0.0.1"

_REAP = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Reaper:
    """A process that kills the groups it was told of when this one ends, even by SIGKILL."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _REAP], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """Kill ``group`` in the end."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """``group`` is gone."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let it do its work now."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line)
            self._process.stdin.flush()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Server:
    """One server: started, frozen, killed and started again at the same address."""

    name: str
    command: tuple[str, ...]
    port: int
    log: Path
    reaper: Reaper
    model: str
    """A model it serves."""
    environment: dict[str, str] = field(default_factory=dict)
    key: str | None = None
    ready_s: float = VLLM_READY_S
    health: str = "/health"
    """Answers 200 once it is ready."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    def client(self) -> httpx.Client:
        """For the test's own requests."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=10.0, trust_env=False)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | self.environment,
                start_new_session=True,
            )
        self.reaper.watch(self._process.pid)

    def wait_ready(self) -> None:
        """Return when its health page answers 200; RuntimeError when the process ends or takes too long."""
        deadline = time.monotonic() + self.ready_s
        with self.client() as client:
            while not _healthy(client, self.health):
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended before it was ready:\n{self.log_tail()}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} is not ready after {self.ready_s:g} s:\n{self.log_tail()}")
                time.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def part(self, title: str) -> psutil.Process:
        """Its process of that title (vLLM names its processes)."""
        return next(process for process in self.members() if title in " ".join(process.cmdline()))

    def members(self) -> list[psutil.Process]:
        """Every process of its session that runs."""
        if self._process is None:
            return []
        return [process for process in psutil.process_iter() if _is_of_session(process, self._process.pid)]

    def kill(self) -> None:
        """SIGKILL to all of it; returns when nothing of it is left."""
        if self._process is None:
            return
        members = self.members()
        self.signal(signal.SIGKILL)
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._process.wait(GONE_WITHIN_S)
        _, left = psutil.wait_procs(members, timeout=GONE_WITHIN_S)
        if left:
            raise RuntimeError(f"{self.name}: still there after SIGKILL: {left}")
        self.reaper.forget(self._process.pid)
        self._process = None

    def log_tail(self, lines: int = 40) -> str:
        """The end of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def _healthy(client: httpx.Client, page: str) -> bool:
    try:
        return client.get(page).status_code == 200
    except httpx.TransportError:
        return False


def _is_of_session(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        return False


def vllm(
    name: str,
    model: str,
    folder: Path,
    reaper: Reaper,
    *,
    context: int,
    key: str | None = None,
    seats: int = 2,
    options: Sequence[str] = (),
) -> Server:
    """A vLLM that runs ``seats`` requests at a time. With a ``key`` it is also in development mode, which has /sleep."""
    port = free_port()
    command = [
        *(str(ROOT / "vllm" / "bin" / "vllm"), "serve", str(MODELS / model)),
        *("--host", HOST, "--port", str(port), "--served-model-name", model, "--dtype", "float32", "--enforce-eager"),
        *("--max-model-len", str(context), "--max-num-seqs", str(seats), "--max-num-batched-tokens", str(context)),
        *("--kv-cache-memory-bytes", "320M"),
        *(["--api-key", key] if key else []),
        *options,
    ]
    environment = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "VLLM_HOST_IP": HOST,
        "VLLM_SERVER_DEV_MODE": "1" if key else "0",
    }
    return Server(name, tuple(command), port, folder / f"{name}.log", reaper, model, environment, key)


def llama(name: str, model: str, folder: Path, reaper: Reaper, options: Sequence[str] = ()) -> Server:
    """A llama-server with two slots; a router over every tiny model where ``model`` is ""."""
    port = free_port()
    if model:
        what: tuple[str, ...] = ("-m", str(MODELS / "gguf" / f"{model}.gguf"), "--alias", model)
    else:
        what = ("--models-dir", str(_tiny_models(folder)))
    command = (
        *(str(llama_server()), *what, "--host", HOST, "--port", str(port), "-t", "1", "-np", "2", "-c", "4096"),
        *("--offline", "--no-ui", "--metrics", "--slots", "--props", *options),
    )
    return Server(name, command, port, folder / f"{name}.log", reaper, model, ready_s=LLAMA_READY_S)


def litellm(name: str, backends: Mapping[str, str], folder: Path, reaper: Reaper, *, key: str) -> Server:
    """A LiteLLM proxy in front of ``backends``, model → address; a deployment's id is its model's name. It counts what it does."""
    port = free_port()
    models = [
        {
            "model_name": model,
            "litellm_params": {"model": f"openai/{model}", "api_base": f"{url}/v1", "api_key": "none"},
            "model_info": {"id": model},
        }
        for model, url in backends.items()
    ]
    config = folder / f"{name}.yml"  # JSON is YAML
    config.write_text(
        json.dumps(
            {
                "model_list": models,
                "litellm_settings": {"callbacks": ["prometheus"]},
                "router_settings": {"num_retries": 0},
                "general_settings": {"master_key": key},
            }
        )
    )
    command = (
        *(str(ROOT / "litellm" / "bin" / "litellm"), "--config", str(config)),
        *("--host", HOST, "--port", str(port), "--telemetry", "False"),
    )
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "DISABLE_ADMIN_UI": "True"}
    return Server(
        *(name, command, port, folder / f"{name}.log", reaper, next(iter(backends)), environment, key),
        ready_s=LITELLM_READY_S,
        health="/health/readiness",
    )


def _tiny_models(folder: Path) -> Path:
    """A folder with links to the tiny models only."""
    models = folder / "tiny"
    models.mkdir(exist_ok=True)
    for path in (MODELS / "gguf").glob("tiny-*.gguf"):
        link = models / path.name
        if not link.exists():
            link.symlink_to(path)
    return models
