"""What the store makes of readings beyond plain numbers: events, replicas compared, own requests, histories."""

from __future__ import annotations

import math

from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.engine.machines import MOST_GPUS
from quarterdeck.engine.store import Store
from quarterdeck.hosts.base import HostReading
from quarterdeck.model.events import MOST_EVENTS, Event, EventKind
from quarterdeck.model.fleet import ENDPOINT_SERIES, EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.own import OwnRequest
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading

QWEN = ModelReading("qwen3:8b", ModelState.LOADED)
GEMMA = ModelReading("gemma3:4b", ModelState.LOADED)


def store(*names: str) -> Store:
    made = Store(Limits())
    for name in names or ("a",):
        made.watch(EndpointSpec(name, f"http://{name}"), 2.0)
    made.watch_host(HostSpec("box"), 2.0)
    return made


def taken(made: Store, now: float) -> FleetSnapshot:
    return made.snapshot(now, 1e9, now, -math.inf)


def row(made: Store, now: float, place: int = 0) -> EndpointView:
    return taken(made, now).endpoints[place]


def answer(at: float, *models: ModelReading, tokens: float | None = 0.0, running: int = 0, **engine: object) -> Reading:
    one = EngineReading(running=running, waiting=0, generation_tokens=tokens, **engine)  # type: ignore[arg-type]
    return Reading(at, Outcome.ANSWERED, facts=Facts("vllm", engines=(one,), models=models or (QWEN,)))


def refused(at: float) -> Reading:
    return Reading(at, Outcome.REFUSED, "connection refused")


def test_what_is_found_well_is_no_news() -> None:
    made = store()
    made.apply("a", answer(10.0))
    assert row(made, 10.0).events == ()


def test_stale_and_then_down_are_two_events_at_two_times() -> None:
    made = store()
    made.apply("a", answer(10.0))
    taken(made, 10.0)
    for at in (14.0, 18.0, 22.0):
        made.apply("a", Reading(at, Outcome.TIMEOUT, "no answer in 2 s"))
        taken(made, at)
    made.apply("a", refused(30.0))
    view = row(made, 30.0)
    assert (view.state, view.since) == (State.DOWN, 10.0)
    assert [(event.at, event.word) for event in view.events] == [(10.0, "STALE"), (30.0, "DOWN")]


def test_changes_of_state_are_events_dated_by_their_beginning() -> None:
    made = store()
    made.apply("a", answer(10.0))
    taken(made, 10.0)
    made.apply("a", refused(12.0))
    taken(made, 12.5)
    made.apply("a", answer(14.0))
    assert row(made, 14.2).events == (
        Event(12.0, EventKind.STATE, "DOWN", "connection refused"),
        Event(14.0, EventKind.STATE, "OK", ""),
    )


def test_a_silence_is_an_event_of_the_last_answer() -> None:
    made = store()
    made.apply("a", answer(10.0))
    taken(made, 10.0)
    made.apply("a", Reading(12.0, Outcome.TIMEOUT, "no answer in 2 s"))
    assert row(made, 17.0).events == (Event(10.0, EventKind.STATE, "STALE", "no answer in 2 s"),)


def test_a_restart_is_one_event_and_says_how_it_showed() -> None:
    made = store()
    for at, tokens in ((10.0, 500.0), (12.0, 30.0), (14.0, 40.0)):
        made.apply("a", answer(at, tokens=tokens))
        view = row(made, at)
    assert view.state is State.RESTARTED
    assert view.evidence == ("generation tokens fell from 500 to 30",)
    assert view.events == (Event(12.0, EventKind.RESTART, "restart", "generation tokens fell from 500 to 30"),)


def test_models_that_come_and_go_are_events() -> None:
    made = store()
    made.apply("a", answer(10.0, QWEN))
    made.apply("a", answer(12.0, QWEN, GEMMA))
    made.apply("a", answer(14.0, GEMMA))
    assert [(e.word, e.text) for e in row(made, 14.0).events] == [("loaded", "gemma3:4b"), ("unloaded", "qwen3:8b")]


def test_a_server_that_invents_models_fills_nothing() -> None:
    made = store()
    for poll in range(200):
        named = [ModelReading(f"m{poll}-{i}", ModelState.LOADED) for i in range(50)]
        made.apply("a", answer(10.0 + 2 * poll, *named))
    assert len(row(made, 500.0).events) <= MOST_EVENTS


def test_events_are_in_order_of_time() -> None:
    made = store()
    made.apply("a", answer(10.0, QWEN))
    taken(made, 10.0)
    made.apply("a", answer(20.0, QWEN, GEMMA))  # loaded, and before that silent for too long
    made.apply("a", Reading(21.0, Outcome.TIMEOUT, "no answer in 2 s"))
    taken(made, 30.0)
    times = [event.at for event in row(made, 30.0).events]
    assert times == sorted(times)


def test_replicas_of_a_model_are_compared() -> None:
    made = store("a", "b", "c")
    for at in range(10, 26, 2):
        for name, running in (("a", 4), ("b", 5), ("c", 40)):
            made.apply(name, answer(float(at), tokens=at * 100.0, running=running))
        taken(made, float(at))
    fleet = taken(made, 25.0)
    assert [view.odd for view in fleet.endpoints] == [(), (), ("of its replicas: 40 running, the others 5",)]


def test_servers_of_other_models_are_not_replicas() -> None:
    made = store("a", "b", "c")
    for at in range(10, 26, 2):
        for name, model, running in (("a", QWEN, 4), ("b", GEMMA, 5), ("c", GEMMA, 5)):
            made.apply(name, answer(float(at), model, tokens=at * 100.0, running=running * (10 if name == "a" else 1)))
        taken(made, float(at))
    assert [view.odd for view in taken(made, 25.0).endpoints] == [(), (), ()]


def test_data_parallel_engines_are_one_row_and_several_sub_rows() -> None:
    made = store()
    for at in range(10, 26, 2):
        engines = tuple(
            EngineReading(
                str(n),
                running=running,
                waiting=0,
                kv_used=0.1 * n,
                kv_capacity_tokens=1000,
                generation_tokens=at * 10.0,
            )
            for n, running in enumerate((3, 4, 30))
        )
        made.apply("a", Reading(float(at), Outcome.ANSWERED, facts=Facts("vllm", engines=engines)))
    view = row(made, 25.0)
    assert (view.running, view.waiting, view.kv_used, view.kv_capacity_tokens, view.generation_tps) == (
        37,
        0,
        0.2,
        3000,
        30.0,
    )
    assert [replica.odd for replica in view.replicas] == [(), (), ("30 running, the others 4",)]
    assert view.odd == ("engine 2: 30 running, the others 4",)


def test_history_has_every_poll_and_gaps_where_there_was_no_answer() -> None:
    made = store()
    made.apply("a", answer(10.0, tokens=0.0, running=1))
    made.apply("a", answer(12.0, tokens=100.0, running=2))
    made.apply("a", refused(14.0))
    history = row(made, 14.0).history
    assert history is not None
    assert history.names == ENDPOINT_SERIES
    assert history.samples("generation_tps") == [(10.0, None), (12.0, 50.0), (14.0, None)]
    assert history.samples("running") == [(10.0, 1.0), (12.0, 2.0), (14.0, None)]


def test_our_own_requests_are_medians_of_a_quarter_of_an_hour() -> None:
    made = store()
    made.apply("a", answer(10.0))
    assert row(made, 10.0).own is None
    for at, ttft in ((11.0, 0.2), (12.0, 0.4), (13.0, 0.3)):
        made.note_own("a", OwnRequest(at, ttft, tokens=101, decode_s=2.0))
    made.note_own("nobody", OwnRequest(12.0))
    own = row(made, 13.0).own
    assert own is not None
    assert (own.count, own.ttft_p50_s, own.decode_tps_p50, own.last_at) == (3, 0.3, 50.0, 13.0)
    assert row(made, 2000.0).own is None


def test_gpus_have_histories_by_uuid_of_which_no_exporter_can_have_too_many() -> None:
    made = store()
    made.apply_host("box", HostReading(10.0, "nvml", gpus=(GpuView(0, "GPU-a", utilization=0.5, power_w=300.0),)))
    made.apply_host("box", HostReading(12.0, "nvml", gpus=(GpuView(1, "GPU-a", utilization=0.7, lost=True),)))
    history = taken(made, 12.0).hosts[0].histories["GPU-a"]
    made.apply_host("box", HostReading(13.0, "nvml", gpus=(GpuView(0, "GPU-a", utilization=0.7, at=12.0),)))
    assert history.samples("utilization") == [(10.0, 0.5), (12.0, None), (13.0, None)]
    assert taken(made, 13.0).hosts[0].gpu_history == (0.5, None, None)
    for poll in range(MOST_GPUS * 2):
        made.apply_host("box", HostReading(14.0 + poll, "http://x", gpus=(GpuView(0, f"GPU-{poll}"),)))
    assert len(taken(made, 1e4).hosts[0].histories) <= MOST_GPUS


def test_a_row_stays_the_same_object_until_something_changes() -> None:
    made = store()
    made.apply("a", answer(10.0))
    first = row(made, 10.0)
    assert row(made, 10.5) is first
    made.note_own("a", OwnRequest(10.6, 0.1))
    assert row(made, 10.7) is not first
