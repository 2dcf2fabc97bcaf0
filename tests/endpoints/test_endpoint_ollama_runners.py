"""What an Ollama's runners tell, without processes: names, tokens counted by watching slots, the engine that connects it all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_ollama import fake_ollama
from fake_servers import Reply, pages_server
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.endpoints.llama_slots import Slot, SlotMeter, busy_slots, unfinished
from quarterdeck.endpoints.ollama_runners import MOST_RUNNERS, Runners, labels
from quarterdeck.engine.engine import Engine
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.ollama import Runner
from recorded import recorded


def loaded(**contexts: int | None) -> list[ModelReading]:
    return [ModelReading(name, ModelState.LOADED, context_length=context) for name, context in contexts.items()]


def runner(pid: int, model: str | None = None, context: int | None = None) -> Runner:
    return Runner(pid, 40_000 + pid, 5.0, model, context)


NAMED: dict[str, tuple[list[Runner], list[ModelReading], dict[int, str], list[str]]] = {
    "by its files": ([runner(1, "b"), runner(2, "a")], loaded(a=1, b=1), {}, ["b", "a"]),
    "by elimination": ([runner(1)], loaded(a=4096), {}, ["a"]),
    "the rest by elimination": ([runner(1, "b"), runner(2)], loaded(a=1, b=1), {}, ["b", "a"]),
    "by context": ([runner(1, context=8), runner(2, context=4)], loaded(a=4, b=8), {}, ["b", "a"]),
    "by one context, then elimination": (
        [runner(1, context=8), runner(2, context=4)],
        loaded(a=None, b=8),
        {},
        ["b", "a"],
    ),
    "the same context": ([runner(1, context=4), runner(2, context=4)], loaded(a=4, b=4), {}, ["runner 1", "runner 2"]),
    "nothing known": ([runner(1), runner(2)], loaded(a=4, b=8), {}, ["runner 1", "runner 2"]),
    "as before": ([runner(1), runner(2)], loaded(a=4, b=8), {2: "a"}, ["b", "a"]),
    "before, but no longer loaded": ([runner(1)], loaded(b=8), {1: "a"}, ["b"]),
    "more runners than models": ([runner(1), runner(2)], loaded(a=4), {}, ["runner 1", "runner 2"]),
    "files of a model that is on its way out": ([runner(1, "old")], loaded(a=4), {}, ["old"]),
    "one that goes and one that comes": ([runner(1, "a"), runner(2, "a")], loaded(a=4), {}, ["a", "runner 2"]),
    "no runner": ([], loaded(a=4), {}, []),
}


@pytest.mark.parametrize("how", NAMED)
def test_names(how: str) -> None:
    runners, models, before, expected = NAMED[how]
    found = labels(runners, models, {(pid, 5.0): name for pid, name in before.items()})
    assert [found[one.pid, one.began] for one in runners] == expected


runners_drawn = st.lists(
    st.builds(runner, st.integers(1, 9), st.sampled_from([None, "a", "b", "z"]), st.sampled_from([None, 4, 8])),
    max_size=6,
    unique_by=lambda one: one.pid,
)
models_drawn = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 4, 8]), max_size=3)


@given(runners_drawn, models_drawn, st.dictionaries(st.integers(1, 9), st.sampled_from("abz"), max_size=3))
def test_every_runner_has_a_name_of_its_own(
    runners: list[Runner], models: dict[str, int | None], before: dict[int, str]
) -> None:
    found = labels(runners, loaded(**models), {(pid, 5.0): name for pid, name in before.items()})
    assert set(found) == {(one.pid, one.began) for one in runners}
    assert len(found) == len(set(found.values()))


def slot(identity: int, task: int, decoded: float, prompted: float = 10.0) -> Slot:
    return Slot(identity, task, decoded, prompted, 2.0)


def test_tokens_are_counted_by_watching_slots() -> None:
    meter = SlotMeter()
    meter.look([slot(0, 7, 5)])
    assert (meter.generated, meter.prompted, meter.cached, meter.begun) == (5, 10, 2, 1)
    meter.look([slot(0, 7, 25), slot(1, 8, 0, 0)])
    assert (meter.generated, meter.prompted, meter.begun) == (25, 10, 2)
    meter.look([slot(0, 9, 3), slot(1, 8, 1)])  # a new request in slot 0
    assert (meter.generated, meter.prompted, meter.begun) == (29, 30, 3)
    meter.look([])
    meter.look([slot(0, 9, 3)])  # the server began again: the same number, another request
    assert (meter.generated, meter.begun) == (32, 4)
    meter.look([slot(0, 9, 1, 1)])
    assert (meter.generated, meter.prompted, meter.begun) == (33, 41, 5)


slots_drawn = st.lists(
    st.builds(slot, st.integers(0, 3), st.integers(0, 5), st.floats(0, 1e6), st.floats(0, 1e6)), max_size=4
)


@given(st.lists(slots_drawn, max_size=12))
def test_what_was_counted_never_falls(looks: list[list[Slot]]) -> None:
    meter, before = SlotMeter(), (0.0, 0.0, 0.0, 0)
    for look in looks:
        meter.look(look)
        now = (meter.generated, meter.prompted, meter.cached, meter.begun)
        assert all(new >= old for old, new in zip(before, now, strict=True))
        before = now


def test_recorded_slots() -> None:
    busy = busy_slots(json.loads(recorded("llamacpp/slots_load_1.json")))
    assert busy == (Slot(0, 214, 346, 34, 4), Slot(1, 148, 411, 29, 9))
    assert unfinished(busy) == (757, 0)
    assert unfinished([slot(0, 1, 0, 30), slot(1, 2, 5, 40)]) == (5, 30)
    assert busy_slots(json.loads(recorded("llamacpp/slots.json"))) == ()


@pytest.mark.parametrize("body", [None, {}, {"error": "no"}, "x", [1], [{}], [{"id": 1}]])
def test_what_is_no_list_of_slots(body: object) -> None:
    assert busy_slots(body) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda v: (
            st.lists(v, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "id_task", "is_processing", "next_token", "n_decoded"]), v, max_size=5
            )
        ),
    )
)
def test_any_slots(body: object) -> None:  # fmt: skip
    meter = SlotMeter()
    for entries in (body, [body], [{"is_processing": True, "next_token": body, "n_prompt_tokens_processed": body}]):
        meter.look(busy_slots(entries) or ())
    assert meter.generated >= 0


def test_asking_runners_opens_no_more_than_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with pages_server({"/slots": recorded("llamacpp/slots_load_1.json")}) as server:
            found = [Runner(pid, server.port, 5.0) for pid in range(30)]
            runners = Runners(asyncio.get_running_loop().time, 5.0)
            for _ in range(3):
                load = await runners.read(found, 1.0, [])
            assert (len(load.engines), load.told) == (MOST_RUNNERS, MOST_RUNNERS)
            assert load.measured_at is not None
            assert {engine.started for engine in load.engines} == {1.0}
            assert all("authorization" not in asked.headers for asked in server.asked)
            assert server.connections == 3 * MOST_RUNNERS

    asyncio.run(main())


async def test_the_engine_brings_both_together(tmp_path: Path) -> None:
    with fake_ollama(tmp_path / "o") as ollama:
        ollama.load("tiny-a:latest")
        ollama.run(json.loads(recorded("llamacpp/slots_load_1.json")))
        spec = EndpointSpec("o", ollama.url, timeout=10.0, access_log="none")
        engine = Engine(FleetConfig(endpoints=(spec,)))
        try:
            await engine.once()
            (view,) = engine.snapshot().endpoints
        finally:
            await engine.stop()
    assert (view.engine, view.running, view.waiting) == ("ollama", 2, None)
    assert [(replica.engine, replica.running) for replica in view.replicas] == [("tiny-a:latest", 2)]
    assert "running" in view.origins
    assert "generation_tps" in view.estimates


LATE: dict[str, Callable[[], Any]] = {
    "a wrong status": lambda: Reply(b"[]", 500),
    "a redirect": lambda: Reply(b"", 302, {"Location": "http://example.com/slots"}),
    "no HTTP": lambda: Reply(b"\x00" * 50),
}


@pytest.mark.parametrize("what", LATE)
async def test_runners_that_answer_nonsense_are_unknown(what: str) -> None:
    async with pages_server({"*": LATE[what]()}) as server:
        load = await Runners(lambda: 0.0, 5.0).read([Runner(7, server.port, 5.0)], 1.0, loaded(a=1))
    assert (load.told, [engine.running for engine in load.engines]) == (0, [None])
    assert load.reason.startswith("a: ")
