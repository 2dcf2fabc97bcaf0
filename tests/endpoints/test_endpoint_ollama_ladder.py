"""The load of an Ollama beside which we run: made of processes, each rung of the ladder, and falling off it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fake_ollama import FakeOllama, fake_ollama
from fake_servers import pages_server
from polling import engine_of, facts_of
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints import ollama_ladder as ladder
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.hosts.ollama import local as ollama_local
from quarterdeck.hosts.ollama.local import open_local
from quarterdeck.model.health import remember
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import NOTHING_KNOWN
from quarterdeck.model.models import ModelState
from quarterdeck.model.ollama import Connections, Runner, Sight
from quarterdeck.model.reading import Facts, Reading
from recorded import recorded

SLOTS = [json.loads(recorded(f"llamacpp/slots_load_{i}.json")) for i in (1, 2)]
"""Of one server, some seconds apart: the same two requests run in both."""
IDLE_SLOTS = json.loads(recorded("llamacpp/slots.json"))
BLOBS = ("a" * 64, "b" * 64, "c" * 64)
NEVER_ASKED = ("/api/generate", "/api/chat", "/api/embed", "/api/show", "/v1/")


def decoded(slots: object) -> int:
    assert isinstance(slots, list)
    return sum(slot["next_token"][0]["n_decoded"] for slot in slots)


@dataclass
class Beside:
    """An endpoint whose server runs on this machine."""

    endpoint: Endpoint
    now: float = 1000.0

    async def poll(self, after: float = 2.0) -> Reading:
        self.now += after
        return await self.endpoint.poll()

    async def facts(self, after: float = 2.0) -> Facts:
        return facts_of(await self.poll(after))


@asynccontextmanager
async def watching(url: str, access_log: str | None = "none", timeout: float = 10.0) -> AsyncIterator[Beside]:
    """Generous with time: eight tests may run at once. Nothing waits for it but the tests of servers that hang."""
    spec = EndpointSpec("o", url, engine="ollama", timeout=timeout, access_log=access_log)
    watch: Beside
    local = open_local(spec, lambda: watch.now, time.time)
    endpoint = Endpoint(spec, monotonic=lambda: watch.now, wall=time.time, local=local)
    watch = Beside(endpoint)
    try:
        yield watch
    finally:
        await endpoint.close()


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[FakeOllama]:
    with fake_ollama(tmp_path / "o") as running:
        yield running
        asked = running.pages.asked
        assert asked
        assert all(one.startswith("GET ") for one in asked), asked
        assert not any(word in one for one in asked for word in NEVER_ASKED), asked


async def test_nothing_loaded_is_nothing_running(ollama: FakeOllama) -> None:
    async with watching(ollama.url) as watch:
        facts = await watch.facts()
    (engine,) = facts.engines
    assert (engine.label, engine.running, engine.waiting, engine.generation_tokens) == (ladder.IDLE, 0, None, 0.0)
    assert facts.origins["running"] == "its processes: no runner"
    assert facts.notes[0] == ladder.NO_QUEUE


async def test_the_slots_of_its_runner(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    async with watching(ollama.url) as watch:
        first = await watch.poll()
        engine, facts = engine_of(first), facts_of(first)
        assert (engine.label, engine.running, engine.waiting) == ("tiny-a:latest", 2, None)
        origin = f"/slots of its runner on port {runner.port}"
        assert {facts.origins[name] for name in ("running", "generation_tokens", "prompt_tokens")} == {origin}
        assert facts.estimates == {"generation_tps", "prompt_tps"}
        assert facts.notes[:2] == (ladder.METERED, ladder.NO_QUEUE)
        runner.pages.put("/slots", SLOTS[1])
        second = await watch.poll(3.0)
        memory = remember(remember(NOTHING_KNOWN, first, Limits()), second, Limits())
        assert memory.total.generation_tps == pytest.approx((decoded(SLOTS[1]) - decoded(SLOTS[0])) / 3.0)
        assert memory.total.prompt_tps == 0.0
        runner.pages.put("/slots", IDLE_SLOTS)
        idle = engine_of(await watch.poll())
        assert (idle.running, idle.generation_tokens) == (0, decoded(SLOTS[1]))
    assert set(runner.pages.asked) == {"GET /metrics", "GET /slots"}
    assert runner.pages.asked.count("GET /metrics") == 1  # it has none, and never will


async def test_a_runner_that_dies_shows_at_the_next_poll_and_so_does_a_new_one(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    async with watching(ollama.url) as watch:
        first = await watch.poll()
        assert engine_of(first).running == 2
        ollama.end(runner)
        facts = await watch.facts()
        (engine,) = facts.engines
        assert (engine.running, engine.generation_tokens) == (0, None)
        assert facts.origins["running"] == "established connections to its port, an upper bound"
        assert facts.estimates == {"running"}
        assert facts.notes[:2] == (ladder.BOUND, f"tok/s is unknown: {ladder.NO_RUNNERS}")
        ollama.run(SLOTS[1])
        last = await watch.poll()
        assert engine_of(last).running == 2
    assert remember(remember(NOTHING_KNOWN, first, Limits()), last, Limits()).restarted_at is None  # just a model


async def test_open_connections_are_a_bound_without_our_own(ollama: FakeOllama) -> None:
    ollama.load("mlx:latest")
    runner = ollama.run(None)  # Ollama's own engine: no /slots
    async with watching(ollama.url) as watch:
        with contextlib.ExitStack() as open_ones:
            assert engine_of(await watch.poll()).running == 0
            # Of this very process, but also of others: a child holds its ends of them.
            clients = [open_ones.enter_context(in_another_process(ollama.port)) for _ in range(3)]
            facts = await watch.facts()
            assert [engine.running for engine in facts.engines] == [3]
            assert facts.estimates == {"running"}
            assert "no /slots" in facts.notes[1]
            clients[0].kill()
            clients[0].wait()
            assert engine_of(await watch.poll()).running == 2
        assert engine_of(await watch.poll()).running == 0
    assert "GET /slots" in runner.pages.asked


@contextlib.contextmanager
def in_another_process(port: int):  # type: ignore[no-untyped-def]
    """A client with an open connection."""
    import subprocess
    import sys

    code = (
        f"import socket,sys; c = socket.create_connection(('127.0.0.1', {port})); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-IS", "-c", code], stdin=-1, stdout=-1) as client:
        assert client.stdout is not None
        client.stdout.readline()
        yield client
        client.kill()


async def test_one_runner_of_two_that_tells_nothing(ollama: FakeOllama) -> None:
    ollama.load("a:latest", "b:latest")
    ollama.manifest("a:latest", BLOBS[0])
    ollama.manifest("b:latest", BLOBS[1])
    ollama.run(SLOTS[0], blob=BLOBS[0])
    ollama.run(None, blob=BLOBS[1])
    async with watching(ollama.url) as watch:
        with contextlib.ExitStack() as open_ones:
            for _ in range(5):
                open_ones.enter_context(in_another_process(ollama.port))
            facts = await watch.facts()
    assert {engine.label: engine.running for engine in facts.engines} == {"a:latest": 2, "b:latest": 3}
    assert facts.estimates == {"running", "generation_tps", "prompt_tps"}
    assert facts.notes[:2] == (
        ladder.BOUND,
        "load of 1 of 2 runners is known: b:latest: " + facts.notes[1].partition("latest: ")[2],
    )


async def test_the_best_source_is_its_metrics_page_and_it_may_come_and_go(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    ollama.pages.put("/metrics", recorded("ollama/metrics_proxy.txt"))
    async with watching(ollama.url) as watch:
        assert engine_of(await watch.poll()).running == 3
        assert runner.pages.asked == []
        ollama.pages.drop("/metrics")
        facts = await watch.facts()
        assert (facts.engines[0].running, facts.origins["running"]) == (
            2,
            f"/slots of its runner on port {runner.port}",
        )
        ollama.pages.put("/metrics", recorded("ollama/metrics_proxy.txt"))
        assert engine_of(await watch.poll(61.0)).running == 3


async def test_what_a_metrics_page_lacks_comes_from_below(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    ollama.pages.put("/metrics", b"ollama_requests_queued 4\nollama_eval_total 100\nollama_prompt_eval_total 9\n")
    async with watching(ollama.url) as watch:
        facts = await watch.facts()
    (engine,) = facts.engines
    assert (engine.running, engine.waiting, engine.generation_tokens, engine.prompt_tokens) == (2, 4, 100, 9)
    assert facts.origins["running"] == f"/slots of its runner on port {runner.port}"
    assert facts.origins["waiting"] == "/metrics ollama_requests_queued"
    assert facts.estimates == frozenset()
    assert ladder.NO_QUEUE not in facts.notes
    assert ladder.METERED not in facts.notes


async def test_a_runner_with_counters_is_read_as_llama_cpp_is(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    runner.pages.put("/metrics", recorded("llamacpp/metrics_load_1.txt"))
    async with watching(ollama.url) as watch:
        facts = await watch.facts()
    (engine,) = facts.engines
    assert (engine.label, engine.running, engine.unfinished_tokens) == ("tiny-a:latest", 2, decoded(SLOTS[0]))
    assert engine.waiting is None  # who waits, waits in Ollama and never gets to the runner's own queue
    assert facts.estimates == frozenset()
    assert facts.origins["running"] == f"/metrics of its runner on port {runner.port}"
    assert facts.notes[0] == ladder.NO_QUEUE


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ((b'{"error":{"message":"nope"}}', 401), "401: key missing or wrong"),
        ((b'{"error":{"message":"This server does not support slots endpoint."}}', 501), "no /slots"),
        ((b"[[[", 200), "no /slots"),
        ((b'{"slots": []}', 200), "no /slots"),
        ((b"x" * (9 * 2**20), 200), "larger than 8 MiB"),
    ],
)
async def test_a_runner_that_refuses_is_a_reason_and_connections_take_over(
    ollama: FakeOllama, page: tuple[bytes, int], why: str
) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    async with watching(ollama.url) as watch:
        assert engine_of(await watch.poll()).running == 2
        runner.pages.put("/slots", *page)
        facts = await watch.facts()
    assert [engine.running for engine in facts.engines] == [0]
    assert facts.estimates == {"running"}
    assert facts.notes[1].startswith("tok/s is unknown: tiny-a:latest: ")
    assert why in facts.notes[1]


async def test_a_runner_deep_in_a_prompt_does_not_hold_up_the_poll(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    async with watching(ollama.url, timeout=2.0) as watch:
        await watch.poll()
        (runner.pages.folder / "hang").touch()
        facts = await watch.facts()
    assert facts.estimates == {"running"}
    assert "no answer in 0.8 s" in facts.notes[1]


async def test_a_model_on_its_way_into_memory(ollama: FakeOllama) -> None:
    ollama.pages.put(
        "/api/tags", {"models": [{"name": "big:latest", "size": 10}, {"name": "other:latest", "size": 10}]}
    )
    ollama.manifest("big:latest", BLOBS[0])
    runner = ollama.run(None)
    runner.pages.put("/slots", recorded("llamacpp/loading.json"), 503)
    runner.pages.put("/metrics", recorded("llamacpp/loading.json"), 503)
    async with watching(ollama.url) as watch:
        reading = await watch.poll()
        facts = facts_of(reading)
        assert {m.id: m.state for m in facts.models} == {
            "big:latest": ModelState.LOADING,
            "other:latest": ModelState.INSTALLED,
        }
        state = remember(NOTHING_KNOWN, reading, Limits())
        assert (state.state, state.reason) == ("LOADING", "loading big:latest")
        runner.pages.put("/slots", IDLE_SLOTS)
        runner.pages.drop("/metrics")
        ollama.load("big:latest")
        facts = await watch.facts()
        assert {m.id: m.state for m in facts.models}["big:latest"] is ModelState.LOADED
        assert [(e.label, e.running) for e in facts.engines] == [("big:latest", 0)]


@pytest.mark.parametrize("how", ["option", "environment"])
async def test_a_runner_that_would_be_kept_awake_is_left_alone(ollama: FakeOllama, how: str) -> None:
    ollama.load("tiny-a:latest")
    more = ("--sleep-idle-seconds", "60") if how == "option" else ()
    env = {} if how == "option" else {"LLAMA_ARG_SLEEP_IDLE_SECONDS": "60"}
    runner = ollama.run(SLOTS[0], *more, env=env)
    async with watching(ollama.url) as watch:
        for _ in range(3):
            facts = await watch.facts()
    assert "keep it awake" in facts.notes[1]
    assert runner.pages.asked == ["GET /metrics"]


async def test_several_models_get_their_names_from_the_files_they_were_made_of(ollama: FakeOllama) -> None:
    ollama.load("a:latest", "b:7b")
    ollama.manifest("b:7b", BLOBS[0])
    ollama.manifest("a:latest", BLOBS[1])
    ollama.run(SLOTS[0], blob=BLOBS[0])
    ollama.run(IDLE_SLOTS, blob=BLOBS[1])
    async with watching(ollama.url) as watch:
        facts = await watch.facts()
    assert {engine.label: engine.running for engine in facts.engines} == {"b:7b": 2, "a:latest": 0}
    assert facts.origins["running"].startswith("/slots of its runners on ports ")


async def test_another_server_on_the_port_is_not_taken_for_it(ollama: FakeOllama) -> None:
    ollama.load("tiny-a:latest")
    ollama.run(SLOTS[0])
    pages = {"/api/ps": recorded("ollama/ps_one.json")}
    async with pages_server(pages) as other, watching(other.url) as watch:
        facts = await watch.facts()
    assert facts.engines == ()
    assert facts.notes[0] == f"{ladder.NO_LOAD}: {ollama_local.STRANGER}"
    async with watching(ollama.url) as watch:
        assert engine_of(await watch.poll()).running == 2


async def test_a_server_that_was_started_again_is_found_again(tmp_path: Path) -> None:
    with fake_ollama(tmp_path / "one") as first:
        port = first.port
        first.load("tiny-a:latest")
        first.run(SLOTS[0])
        async with watching(first.url) as watch:
            before = await watch.poll()
            assert engine_of(before).running == 2
            first.process.kill()
            first.process.wait()
            with fake_ollama(tmp_path / "two", port) as second:
                second.load("tiny-a:latest")
                second.run(SLOTS[1])
                await watch.poll()  # the old connection is found to be closed
                after = await watch.poll()
            assert engine_of(after).running == 2
            assert engine_of(after).started != engine_of(before).started
    for pid in (int(line) for line in (tmp_path / "one" / "pids").read_text().split()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


NOT_ASKED = Connections(reason="not asked")


@dataclass
class Stub:
    """A machine by hand."""

    sight: Sight
    count: Connections = NOT_ASKED

    async def look(self, names: Sequence[str], loaded: int) -> Sight:
        return self.sight

    async def connections(self) -> Connections:
        return self.count


async def polled(stub: Stub, pages: dict[str, object]) -> Facts:
    async with pages_server(pages) as server:
        endpoint = Endpoint(EndpointSpec("o", server.url, engine="ollama"), local=stub)
        try:
            return facts_of(await endpoint.poll())
        finally:
            await endpoint.close()


async def test_what_may_not_be_seen_says_so_and_what_would_help() -> None:
    secret = Sight(None, "this user may not see its processes: run quarterdeck as root")
    pages: dict[str, object] = {"/api/ps": recorded("ollama/ps_two.json")}
    facts = await polled(Stub(secret, Connections(4)), pages)
    assert [e.running for e in facts.engines] == [4]
    assert facts.notes[1] == f"tok/s is unknown: {secret.reason}"
    facts = await polled(Stub(secret, Connections(None, secret.reason)), pages)
    assert (facts.engines, facts.notes) == ((), (f"{ladder.NO_LOAD}: {secret.reason}",))


async def test_a_port_that_nobody_listens_on_is_a_runner_that_has_just_gone() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        runner = Runner(4711, unused.getsockname()[1], 5.0)
        pages: dict[str, object] = {"/api/ps": recorded("ollama/ps_one.json")}
        facts = await polled(Stub(Sight((runner,), began=1.0), Connections(1)), pages)
    assert [e.running for e in facts.engines] == [1]
    assert "connection refused" in facts.notes[1]


async def test_an_access_log_stands_beside_every_rung() -> None:
    from quarterdeck.model.reading import AccessLog

    log = AccessLog(12.0, (("2xx", 12),), 0.5, 2.0, "journal of ollama.service")
    pages: dict[str, object] = {"/api/ps": recorded("ollama/ps_one.json")}
    facts = await polled(Stub(Sight(None, "hidden", access_log=log)), pages)
    assert (facts.access_log, facts.origins["access_log"]) == (log, log.origin)
    facts = await polled(Stub(Sight(None, "hidden", log_reason="the file is gone")), pages)
    assert facts.access_log is None
    assert facts.notes[-1] == "requests a minute are unknown: the file is gone"


async def test_a_model_that_goes_is_no_restart_where_a_page_is_filled_from_runners(ollama: FakeOllama) -> None:
    ollama.pages.put("/metrics", b"ollama_requests_queued 4\n")
    ollama.load("tiny-a:latest")
    runner = ollama.run(SLOTS[0])
    async with watching(ollama.url) as watch:
        first = await watch.poll()
        assert engine_of(first).generation_tokens == decoded(SLOTS[0])
        ollama.end(runner)
        ollama.models.clear()
        ollama.list_models()
        second = await watch.poll()
        assert engine_of(second).generation_tokens == 0.0
    memory = remember(remember(NOTHING_KNOWN, first, Limits()), second, Limits())
    assert (memory.restarted_at, memory.total.generation_tps) == (None, None)
