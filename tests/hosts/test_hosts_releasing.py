"""`quarterdeck stop` on a machine whose (simulated) GPU driver keeps what a process held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_servers import free_port
from simulated_gpus import Simulated
from slow_server import write_server

LOG = Path(__file__).parent.parent / "data" / "startup" / "vllm_ready.log"


def quarterdeck(simulated: Simulated, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = simulated.environment(XDG_STATE_HOME=str(folder / "state"))
    command = [sys.executable, "-m", "quarterdeck", "--fleet", str(folder / "fleet.toml"), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100, env=environment)


@pytest.mark.parametrize("kept", [True, False])
def test_memory_that_the_driver_keeps_is_named(simulated: Simulated, tmp_path: Path, kept: bool) -> None:
    write_server(tmp_path)
    port = free_port()
    (tmp_path / "fleet.toml").write_text(
        f'[[endpoint]]\nname = "e"\nurl = "http://127.0.0.1:{port}"\nengine = "vllm"\n'
        f'[[deployment]]\nname = "d"\nendpoint = "e"\ncwd = "{tmp_path}"\n'
        f'run = ["{tmp_path}/bin/vllm", "serve", "m", "--port", "{port}", "late", "{LOG}"]\n'
    )
    simulated.control.write_text("")
    started = quarterdeck(simulated, tmp_path, "start", "d", "--json")
    assert started.returncode == 0, started
    record = json.loads((tmp_path / "state" / "quarterdeck" / "deployments" / "d.json").read_text())
    pid = record["pid"] if kept else os.getpid()  # this test lives, and is none of its processes
    simulated.control.write_text(f"2 proc {pid} 4198 C\n")
    stopped = quarterdeck(simulated, tmp_path, "stop", "d", "--yes", "--json")
    assert stopped.returncode == 0, stopped
    [job] = json.loads(stopped.stdout)
    assert job["words"].startswith("ended after ")
    assert (f"; 4.1 GiB of GPU 2 is still held by pid {pid} python" in job["words"]) is kept, job["words"]
    assert ("held" in job["words"]) is kept
