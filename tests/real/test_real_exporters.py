"""Real exporters on this machine: they must tell what reading the machine itself tells."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fake_servers import free_port
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.exporters.host import ExporterHost

from .install_debian import install_debian, not_now, program, required
from .waiting import wait_until

FROZEN = {"FAKE_NVML_GPUS": "8", "FAKE_NVML_FREEZE": "1795363453", "FAKE_NVML_PROCS": "*:1:4321"}
SAME = (
    "index",
    "uuid",
    "name",
    "utilization",
    "memory_utilization",
    "memory_used_bytes",
    "memory_reserved_bytes",
    "memory_total_bytes",
    "power_limit_w",
    "temperature_c",
    "fan",
    "sm_mhz",
    "memory_mhz",
    "encoder",
    "decoder",
)
_READ_LOCALLY = """
import asyncio, dataclasses, json, time
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.open import open_host

async def main():
    host = open_host(HostSpec("here", timeout=20), time.monotonic)
    reading = await host.read()
    await host.close()
    print(json.dumps(dataclasses.asdict(reading), default=str))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of programs that see eight GPUs whose clock stands still."""
    folder = tmp_path_factory.mktemp("fakenvml")
    source = Path(__file__).parent.parent / "fakenvml"
    if shutil.which("make") is None or shutil.which("cc") is None:
        not_now("no C compiler to build the simulated NVML")
    subprocess.run(("make", "-s", "-C", str(source), f"OUT={folder}"), check=True, stdin=subprocess.DEVNULL)
    return {**os.environ, **FROZEN, "LD_LIBRARY_PATH": str(folder)}


def running(command: tuple[str, ...], url: str, log: Path, environ: dict[str, str]) -> Iterator[str]:
    """The page of a program that is started, as long as it is needed."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environ)
    try:
        asyncio.run(
            wait_until(f"{command[0]} answers: {log}", lambda: process.poll() is None and _answers(url), within=180)
        )
        yield url
    finally:
        for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            child.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.read(1))
    except OSError:
        return False


@pytest.fixture(scope="module")
def nvitop_exporter(simulated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nvitop-exporter of PyPI, on the simulated NVML."""
    if shutil.which("uv") is None:
        not_now("uv is not installed, which gets nvitop-exporter")
    port = free_port()
    command = ("uv", "run", "-q", "--no-project", "--with", "nvitop-exporter", "nvitop-exporter")
    arguments = ("--hostname", "127.0.0.1", "--port", str(port), "--interval", "0.5")
    log = tmp_path_factory.mktemp("nvitop") / "log"
    yield from running((*command, *arguments), f"http://127.0.0.1:{port}/metrics", log, simulated)


@pytest.fixture(scope="module")
def node_exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's prometheus-node-exporter."""
    if program("node") is None and required():
        install_debian()
    found = program("node")
    if found is None:
        not_now("Debian's prometheus-node-exporter is not installed")
    port = free_port()
    log = tmp_path_factory.mktemp("node") / "log"
    command = (found, f"--web.listen-address=127.0.0.1:{port}")
    yield from running(command, f"http://127.0.0.1:{port}/metrics", log, dict(os.environ))


async def read_twice(url: str) -> HostReading:
    """The second reading, which knows the processor's share."""
    import time

    host = ExporterHost(HostSpec("there", gpus=url, timeout=20), time.monotonic)
    await host.read()
    await asyncio.sleep(1.0)
    reading = await host.read()
    await host.close()
    return reading


def read_locally(environ: dict[str, str]) -> dict[str, Any]:
    """What `gpus = "local"` tells, in a process of its own: NVML is found when a program starts."""
    ended = subprocess.run(
        (sys.executable, "-c", _READ_LOCALLY), env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


async def test_nvitop_exporter_tells_what_nvml_tells(nvitop_exporter: str, simulated: dict[str, str]) -> None:
    there = await read_twice(nvitop_exporter)
    here = read_locally(simulated)
    assert (there.reason, there.driver, there.cuda) == ("", here["driver"], here["cuda"])
    assert len(there.gpus) == len(here["gpus"]) == 8
    for gpu, local in zip(there.gpus, here["gpus"], strict=True):
        assert {name: getattr(gpu, name) for name in SAME} == {name: local[name] for name in SAME}
        assert gpu.power_w == pytest.approx(local["power_w"], abs=1.0)
        assert [(p.pid, p.memory_bytes) for p in gpu.processes or ()] == [
            (p["pid"], p["memory_bytes"]) for p in local["processes"]
        ]
    assert there.memory_total_bytes == pytest.approx(here["memory_total_bytes"], abs=2**20)
    assert there.memory_used_bytes == pytest.approx(here["memory_used_bytes"], rel=0.5)
    assert there.disk_total_bytes is not None


async def test_node_exporter_tells_what_psutil_tells(node_exporter: str) -> None:
    reading = await read_twice(node_exporter)
    memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
    assert (reading.reason, reading.gpus) == ("", ())
    assert reading.cpu is not None
    assert 0 < reading.cpu <= 1
    assert reading.memory_total_bytes == memory.total
    assert reading.memory_used_bytes == pytest.approx(memory.total - memory.available, abs=2**30)
    assert reading.disk_total_bytes == disk.total
    assert reading.disk_used_bytes == pytest.approx(disk.used, abs=2**30)
