"""How the whole fleet is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot, State, is_well
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.host import HostView
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.verdict import Level, judged, level_of

LIMITS = Limits()


def view(name: str, state: State | None, reason: str = "", **others: object) -> EndpointView:
    others.setdefault("answered", 0.5)
    return EndpointView(name, "http://x", state=state, reason=reason, **others)  # type: ignore[arg-type]


def fleet(*endpoints: EndpointView, hosts: tuple[HostView, ...] = ()) -> FleetSnapshot:
    return FleetSnapshot(1.0, 1.0, endpoints, hosts)


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (None, Level.UNKNOWN),
        (State.OK, Level.OK),
        (State.BUSY, Level.OK),
        (State.SLEEPING, Level.OK),
        (State.LOADING, Level.WARNING),
        (State.RESTARTED, Level.WARNING),
        (State.STALE, Level.WARNING),
        (State.AUTH, Level.WARNING),
        (State.STALLED, Level.CRITICAL),
        (State.DOWN, Level.CRITICAL),
    ],
)
def test_every_state_has_its_level(state: State | None, level: Level) -> None:
    assert level_of(state) is level
    assert judged(fleet(view("a", state)), LIMITS).level is level
    assert is_well(view("a", state)) == (level is Level.OK)


def test_a_fleet_that_is_well() -> None:
    verdict = judged(fleet(view("a", State.OK), view("b", State.BUSY)), LIMITS)
    assert (verdict.level, verdict.summary, verdict.findings) == (Level.OK, "2 of 2 endpoints well", ())


def test_the_worst_is_told_first() -> None:
    verdict = judged(
        fleet(
            view("a", State.STALE, "no answer in 2 s"),
            view("b", None),
            view("c", State.DOWN, "connection refused"),
            view("d", State.OK, waiting=25),
        ),
        LIMITS,
    )
    assert verdict.level is Level.CRITICAL
    assert verdict.summary == "c DOWN: connection refused (+3 more); 1 of 4 endpoints well"
    assert [finding.subject for finding in verdict.findings] == ["c", "a", "d", "b"]


def test_thresholds() -> None:
    assert judged(fleet(view("a", State.BUSY, waiting=19, kv_used=0.94)), LIMITS).level is Level.OK
    assert judged(fleet(view("a", State.BUSY, waiting=20)), LIMITS).summary.startswith("a 20 requests waiting")
    assert judged(fleet(view("a", State.BUSY, kv_used=0.97)), LIMITS).summary.startswith("a KV cache 97% full")


def test_nothing_to_check() -> None:
    assert judged(EMPTY_FLEET, LIMITS).level is Level.UNKNOWN


def test_hosts() -> None:
    well = view("a", State.OK)
    no_gpu = HostView("here", "local", reason="no NVIDIA driver on this machine")
    gone = HostView("gpu-1", "http://gpu-1:9400/metrics", reason="connection refused")
    assert judged(fleet(well, hosts=(no_gpu,)), LIMITS).level is Level.OK
    verdict = judged(fleet(well, hosts=(no_gpu, gone)), LIMITS)
    assert (verdict.level, verdict.summary) == (
        Level.WARNING,
        "host gpu-1 connection refused; 1 of 1 endpoints well",
    )


@given(st.lists(st.sampled_from([None, *State]), min_size=1, max_size=8))
def test_the_level_is_that_of_the_gravest(states: list[State | None]) -> None:
    gravity = [Level.OK, Level.UNKNOWN, Level.WARNING, Level.CRITICAL]
    verdict = judged(fleet(*(view(f"e{i}", state) for i, state in enumerate(states))), LIMITS)
    assert verdict.level is max((level_of(state) for state in states), key=gravity.index)
    assert (verdict.findings == ()) == (verdict.level is Level.OK)


def test_memory_on_gpus_is_the_sum_of_what_is_known() -> None:
    models = (ModelReading("a", ModelState.LOADED, vram_bytes=5), ModelReading("b", ModelState.LOADED))
    assert view("e", State.OK, models=models).vram_bytes == 5
    assert view("e", State.OK, models=models[1:]).vram_bytes is None


def test_times_follow_the_pair_of_clocks_of_the_snapshot() -> None:
    snapshot = FleetSnapshot(at=1000.0, time=1_795_370_400.0)
    assert snapshot.unix(940.0) == 1_795_370_340.0
    assert GpuView(0).utilization is None


def test_a_server_that_only_ever_said_429_is_not_well() -> None:
    throttled = view("a", State.BUSY, "429: too many requests", answered=None)
    assert not is_well(throttled)
    verdict = judged(fleet(throttled), LIMITS)
    assert (verdict.level, verdict.summary) == (Level.WARNING, "a BUSY: 429: too many requests; 0 of 1 endpoints well")
