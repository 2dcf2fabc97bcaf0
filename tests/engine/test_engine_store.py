"""From what is remembered to rows: which numbers are shown in which state, and which rows stay the same object."""

from __future__ import annotations

import math

from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.engine.store import Store
from quarterdeck.hosts.base import HostReading
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading

GIB = 2**30
LOADED = ModelReading("qwen3:8b", ModelState.LOADED, size_bytes=6 * GIB, vram_bytes=5 * GIB, expires_at=2e9)
ON_DISK = ModelReading("gemma3:4b", ModelState.INSTALLED, size_bytes=3 * GIB)


def answered(at: float, tokens: float = 0.0) -> Reading:
    engine = EngineReading(running=2, waiting=0, kv_used=0.25, generation_tokens=tokens)
    facts = Facts("vllm", "0.32.0", engines=(engine,), models=(LOADED, ON_DISK))
    return Reading(at, Outcome.ANSWERED, latency_s=0.01, facts=facts)


def store() -> Store:
    made = Store(Limits())
    made.watch(EndpointSpec("a", "http://a"), 2.0)
    made.watch(EndpointSpec("b", "http://b", engine="ollama"), 2.0)
    made.watch_host(HostSpec("box"), 2.0)
    return made


def taken(made: Store, now: float) -> FleetSnapshot:
    return made.snapshot(now, 1e9, now, -math.inf)


def row(made: Store, now: float) -> EndpointView:
    return taken(made, now).endpoints[0]


def test_numbers_come_with_the_second_sample() -> None:
    made = store()
    made.apply("a", answered(10.0, 100.0))
    assert (row(made, 10.0).running, row(made, 10.0).generation_tps) == (2, None)
    made.apply("a", answered(12.0, 300.0))
    view = row(made, 12.0)
    assert (view.generation_tps, view.kv_used, view.vram_bytes, view.answered) == (100.0, 0.25, 5 * GIB, 12.0)


def test_what_is_down_shows_its_models_but_no_number_of_before() -> None:
    made = store()
    made.apply("a", answered(10.0))
    made.apply("a", Reading(12.0, Outcome.REFUSED, "connection refused"))
    view = row(made, 12.0)
    assert (view.state, view.version, view.answered) == (State.DOWN, "0.32.0", 10.0)
    assert (view.running, view.kv_used, view.vram_bytes, view.latency_s, view.replicas) == (None, None, None, None, ())
    assert view.models == (ModelReading("qwen3:8b", ModelState.SERVED), ON_DISK)


def test_what_is_silent_keeps_its_last_numbers() -> None:
    made = store()
    made.apply("a", answered(10.0))
    made.apply("a", Reading(14.0, Outcome.TIMEOUT, "no answer in 2 s"))
    view = row(made, 17.0)
    assert (view.state, view.running, view.answered) == (State.STALE, 2, 10.0)


def test_a_refused_key_keeps_what_needs_none() -> None:
    made = store()
    facts = answered(10.0).facts
    made.apply("a", Reading(10.0, Outcome.AUTH, "401: key missing or wrong", facts=facts))
    assert (row(made, 10.0).state, row(made, 10.0).running) == (State.AUTH, 2)
    made.apply("a", Reading(12.0, Outcome.AUTH, "401: key missing or wrong"))
    assert (row(made, 12.0).state, row(made, 12.0).running) == (State.AUTH, None)


def test_rows_that_did_not_change_are_the_same_objects() -> None:
    made = store()
    made.apply("a", answered(10.0))
    first = taken(made, 10.0)
    second = taken(made, 11.0)
    assert second.endpoints is first.endpoints
    assert second.hosts is first.hosts
    made.apply("b", answered(11.0))
    third = taken(made, 11.0)
    assert third.endpoints[0] is first.endpoints[0]
    assert third.endpoints[1] is not first.endpoints[1]


def test_an_answer_of_nobody_is_ignored() -> None:
    made = store()
    made.apply("gone", answered(10.0))
    made.apply_host("gone", HostReading(10.0, "local"))
    assert len(taken(made, 10.0).endpoints) == 2


def test_a_host_that_fails_keeps_its_cards_and_says_why() -> None:
    made = store()
    gpus = (GpuView(0, utilization=0.5), GpuView(1, utilization=0.7))
    made.apply_host("box", HostReading(10.0, "http://box:9400/metrics", cpu=0.3, memory_total_bytes=GIB, gpus=gpus))
    made.apply_host("box", HostReading(12.0, "http://box:9400/metrics", reason="connection refused"))
    host = taken(made, 12.0).hosts[0]
    assert (host.gpus, host.reason, host.at, host.memory_total_bytes) == (gpus, "connection refused", 10.0, GIB)
    assert (host.cpu, host.memory_used_bytes) == (None, None)
    assert host.gpu_history == (0.6, None)
    made.apply_host("box", HostReading(71.0, "http://box:9400/metrics", reason="connection refused"))
    assert taken(made, 71.0).hosts[0].gpus == (GpuView(0), GpuView(1))


def test_the_first_reading_of_a_machine_without_a_driver_counts() -> None:
    made = store()
    words = "no NVIDIA driver on this machine"
    made.apply_host("box", HostReading(10.0, "local", memory_used_bytes=1, memory_total_bytes=GIB, reason=words))
    host = taken(made, 10.0).hosts[0]
    assert (host.memory_total_bytes, host.at, host.reason) == (GIB, 10.0, words)


def test_what_only_refuses_shows_no_old_numbers_as_new() -> None:
    made = store()
    for n in range(3):
        made.apply("a", answered(100.0 + 2 * n, 50.0 * n))
    assert row(made, 104.0).generation_tps == 25.0
    shown = []
    for n in range(4):
        made.apply("a", Reading(106.0 + 2 * n, Outcome.BUSY, "429: too many requests"))
        found = row(made, 106.0 + 2 * n)
        assert found.state is State.BUSY
        shown.append((found.running, found.generation_tps))
    assert shown == [(2, 25.0), (2, 25.0), (None, None), (None, None)]
