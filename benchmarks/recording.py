"""Recording 50 simulated vLLMs on 7 machines of 8 GPUs, polled every 2 s: bytes an hour, and what a sample costs; then reading it.

The fleet lives in simulated time: a minute of it takes some seconds. The floor of writing is `status --json` of the same snapshot,
gzipped.

uv run python benchmarks/recording.py [MINUTES]
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.demo.job import Profile
from quarterdeck.demo.many import MODELS
from quarterdeck.demo.vllm import VllmServer, VllmSpec
from quarterdeck.endpoints.vllm_page import VllmPages
from quarterdeck.engine.recording.player import Player
from quarterdeck.engine.recording.reader import Recording
from quarterdeck.engine.recording.writer import Recorder
from quarterdeck.engine.store import Store
from quarterdeck.hosts.base import HostReading
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.gpu import GpuProcess, GpuView
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts, Outcome, Reading
from quarterdeck.model.verdict import judged
from quarterdeck.report.json import document

COUNT, GPUS, INTERVAL_S = 50, 8, 2.0
BUDGET_MB = 20.0
BUDGET_FLOOR = 4.0
"""CPU of a sample against that of `status --json` of it, gzipped: it has what that leaves out, the raw readings."""
EPOCH = 1_795_370_400.0
GIB = 1024**3
PROFILE_EVERY = 20
SEEKS = 50


class Fleet:
    """Servers and machines in simulated time, and what the engine knows of them."""

    def __init__(self) -> None:
        """Warmed up for a minute and a half."""
        self.now = 1000.0
        self.chance = random.Random(1)
        self.store = Store(Limits())
        self.servers = [self._server(place) for place in range(COUNT)]
        self.pages = [VllmPages() for _ in self.servers]
        for place in range(COUNT):
            self.store.watch(
                EndpointSpec(f"vllm-{place:03d}", f"http://10.0.0.{place}:8000", engine="vllm"), INTERVAL_S
            )
        self.hosts = [f"berth-{place:03d}" for place in range(-(-COUNT // GPUS))]
        for name in self.hosts:
            self.store.watch_host(HostSpec(name, "local"), INTERVAL_S)

    def _server(self, place: int) -> VllmServer:
        model = MODELS[place % len(MODELS)]
        spec = VllmSpec(model, f"/models/{model}", Profile(arrivals=0.3 + 0.05 * (place % 9), max_seqs=16))
        return VllmServer(spec, f"record:{place}", lambda: self.now, lambda: EPOCH + self.now, self.now - 90)

    def poll(self) -> None:
        """Each endpoint and machine once, at its own moment."""
        for place, server in enumerate(self.servers):
            at = self.now + self.chance.random() * 0.02
            told, _ = self.pages[place].read(server.metrics())
            model = ModelReading(server.spec.model, ModelState.LOADED, context_length=32_768)
            facts = Facts("vllm", "0.32.0", told.engines, models=(model,), measured_at=at, origins=told.origins)
            latency = self.chance.lognormvariate(-4.8, 0.3)
            self.store.apply(f"vllm-{place:03d}", Reading(at, Outcome.ANSWERED, latency_s=latency, facts=facts))
        for name in self.hosts:
            at = self.now + self.chance.random() * 0.02
            gpus = tuple(self._gpu(name, index) for index in range(GPUS))
            cpu = self.chance.gauss(0.2, 0.02)
            self.store.apply_host(name, HostReading(at, "local", gpus=gpus, cpu=cpu, memory_used_bytes=int(cpu * 1e12)))

    def _gpu(self, host: str, index: int) -> GpuView:
        jitter = self.chance.gauss
        return GpuView(
            index,
            f"GPU-{host}-{index}",
            "NVIDIA H100 80GB HBM3",
            utilization=round(min(1.0, abs(jitter(0.85, 0.1))), 2),
            memory_used_bytes=int(73 * GIB + jitter(0, 1e6)),
            memory_total_bytes=80 * GIB,
            power_w=round(jitter(560, 30), 3),
            power_limit_w=700.0,
            temperature_c=round(jitter(62, 2)),
            processes=(GpuProcess(20_000 + index, 73 * GIB, "VLLM::EngineCore", "ops"),),
            sm_mhz=round(jitter(1700, 60)),
            memory_mhz=2619.0,
            throttle=(),
        )

    def look(self) -> FleetSnapshot:
        """The snapshot of now."""
        return self.store.snapshot(self.now, EPOCH + self.now, self.now, 0.0)


def written(path: Path, minutes: float) -> None:
    """Record so long; prints size and cost."""
    fleet, recorder = Fleet(), Recorder(path)
    ours: list[float] = []
    floor: list[float] = []
    for sample in range(int(minutes * 60 / INTERVAL_S)):
        fleet.now += INTERVAL_S
        fleet.poll()
        snapshot = fleet.look()
        began = time.process_time()
        recorder.take(snapshot)
        ours.append(time.process_time() - began)
        if sample % PROFILE_EVERY == 0:
            began = time.process_time()
            gzip.compress(json.dumps(document(snapshot, judged(snapshot, Limits()))).encode(), 6)
            floor.append(time.process_time() - began)
    recorder.close()
    assert not recorder.problem, recorder.problem
    megabytes = recorder.size / 1e6 * 60 / minutes
    per_sample, of_floor = sum(ours) / len(ours), sum(floor) / len(floor)
    verdict = "within" if megabytes <= BUDGET_MB else "OVER"
    print(
        f"| bytes of an hour, {COUNT} endpoints, {len(fleet.hosts) * GPUS} GPUs | {megabytes:.1f} MB | ≤ {BUDGET_MB:g} MB | {verdict} |"
    )
    share = per_sample / INTERVAL_S
    ratio = per_sample / of_floor
    verdict = "within" if ratio <= BUDGET_FLOOR else "OVER"
    print(
        f"| CPU of a sample : of its JSON, gzipped | {per_sample * 1000:.1f} ms ({share:.2%} of a core) : "
        f"{of_floor * 1000:.1f} ms = {ratio:.2f} | ≤ {BUDGET_FLOOR:g} | {verdict} |"
    )


def read(path: Path) -> None:
    """Open it, read it through for its histories, and seek."""
    began = time.perf_counter()
    player = Player(Recording(path))
    opened = time.perf_counter() - began
    began = time.perf_counter()
    player.read()
    through = time.perf_counter() - began
    chance = random.Random(2)
    began = time.perf_counter()
    for _ in range(SEEKS):
        player.seek(chance.random() * player.seconds)
        player.snapshot()
    seek = (time.perf_counter() - began) / SEEKS
    played = player.seconds
    print(f"| opening {played / 60:.0f} min | {opened * 1000:.0f} ms | | |")
    print(
        f"| reading its histories, in the background | {through:.1f} s = {played / through:.0f} times as fast as it was | | |"
    )
    print(f"| going to any moment | {seek * 1000:.0f} ms | | |")


def main(minutes: float) -> None:
    """Prints the table."""
    print("| what | ours | budget | |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.qdrec"
        written(path, minutes)
        read(path)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
