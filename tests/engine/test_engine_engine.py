"""The engine with hand-made endpoints, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.engine import Engine
from quarterdeck.hosts.base import HostReading
from quarterdeck.model.fleet import Boundary, EndpointView, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading
from virtual_time import EPOCH, clock, in_virtual_time


@dataclass
class FakeEndpoint:
    """Answers as its script says; notes when it was asked."""

    name: str
    takes: Callable[[int], float] = lambda _: 0.01
    answer: Callable[[float], Reading] | None = None
    stubborn: float = 0.0
    """Seconds for which it ignores being cancelled."""
    close_takes: float = 0.0
    asked: list[float] = field(default_factory=list)
    running: int = 0
    overlapped: bool = False
    closed: bool = False

    async def poll(self) -> Reading:
        now = asyncio.get_running_loop().time()
        self.asked.append(round(now - 1000.0, 6))
        self.running += 1
        self.overlapped = self.overlapped or self.running > 1
        try:
            await self._wait(self.takes(len(self.asked)))
        finally:
            self.running -= 1
        at = asyncio.get_running_loop().time()
        return self.answer(at) if self.answer else good(at)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await self._stay()
            raise

    async def _stay(self) -> None:
        until = asyncio.get_running_loop().time() + self.stubborn
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue

    async def close(self) -> None:
        await self._wait(self.close_takes)
        self.closed = True


@dataclass
class FakeHost:
    spec: HostSpec
    reading: Callable[[float], HostReading]
    asked: int = 0
    closed: bool = False

    async def read(self) -> HostReading:
        self.asked += 1
        return self.reading(asyncio.get_running_loop().time())

    async def close(self) -> None:
        self.closed = True


def good(at: float, tokens: float | None = None, **others: object) -> Reading:
    engine = EngineReading(running=1, waiting=0, generation_tokens=at * 10 if tokens is None else tokens, **others)  # type: ignore[arg-type]
    return Reading(at, Outcome.ANSWERED, latency_s=0.01, facts=Facts("vllm", version="1", engines=(engine,)))


def refused(at: float) -> Reading:
    return Reading(at, Outcome.REFUSED, "connection refused")


def silent(at: float) -> Reading:
    return Reading(at, Outcome.TIMEOUT, "no answer in 2 s")


class Rig:
    """An engine over fakes, and the fakes by name."""

    def __init__(
        self, *fakes: FakeEndpoint, specs: dict[str, EndpointSpec] | None = None, hosts: tuple[FakeHost, ...] = ()
    ) -> None:
        self.fakes = {fake.name: fake for fake in fakes}
        self.hosts = {host.spec.name: host for host in hosts}
        specs = specs or {}
        fleet = FleetConfig(
            tuple(specs.get(name, EndpointSpec(name, f"http://{name}")) for name in self.fakes),
            tuple(host.spec for host in hosts),
            ConsoleSettings(poll=2.0),
        )
        self.engine = Engine(fleet, clock=clock(), open_endpoint=self._open, open_host=self._open_host)

    def _open(self, spec: EndpointSpec, _: Clock) -> FakeEndpoint:
        return self.fakes[spec.name]

    def _open_host(self, spec: HostSpec, _: Clock) -> FakeHost:
        return self.hosts[spec.name]

    def __getitem__(self, name: str) -> FakeEndpoint:
        return self.fakes[name]

    def row(self, name: str) -> EndpointView:
        (view,) = [view for view in self.engine.snapshot().endpoints if view.name == name]
        return view

    def state(self, name: str) -> State | None:
        return self.row(name).state

    async def run(self, seconds: float) -> None:
        await self.engine.start()
        await asyncio.sleep(seconds)


Main = Callable[[], Coroutine[Any, Any, None]]


def virtual(test: Main) -> Callable[[], None]:
    """The test, in virtual time."""

    def run() -> None:
        in_virtual_time(test)

    run.__name__ = test.__name__
    return run


@virtual
async def test_everything_is_polled_on_its_interval() -> None:
    rig = Rig(
        FakeEndpoint("a"),
        FakeEndpoint("b"),
        FakeEndpoint("slow"),
        FakeEndpoint("external"),
        specs={
            "slow": EndpointSpec("slow", "http://slow", poll=5.0),
            "external": EndpointSpec("external", "https://external", boundary=Boundary.EXTERNAL),
        },
    )
    assert rig.engine.snapshot().endpoints[0].state is None
    assert not rig["a"].asked
    await rig.run(31.0)
    await rig.engine.stop()
    assert rig["a"].asked == rig["b"].asked == [2.0 * i for i in range(16)]
    assert rig["slow"].asked == [5.0 * i for i in range(7)]
    assert rig["external"].asked == [0.0, 30.0]
    assert rig.engine.missed == 0
    assert all(fake.closed for fake in rig.fakes.values())


@virtual
async def test_a_hung_endpoint_delays_nobody() -> None:
    rig = Rig(FakeEndpoint("hung", takes=lambda _: 1e9), *(FakeEndpoint(f"e{i}") for i in range(20)))
    await rig.run(60.5)
    assert {len(rig[f"e{i}"].asked) for i in range(20)} <= {30, 31}
    assert len(rig["hung"].asked) == 1
    assert rig.engine.missed == 30
    assert rig.state("hung") is None
    await rig.engine.stop()


@virtual
async def test_polls_of_one_endpoint_never_overlap() -> None:
    rig = Rig(FakeEndpoint("slow", takes=lambda count: 3.0 if count % 2 else 0.1))
    await rig.engine.start()
    for _ in range(40):
        rig.engine.refresh()
        rig.engine.refresh("slow")
        await asyncio.sleep(0.7)
    assert not rig["slow"].overlapped
    assert len(rig["slow"].asked) > 10
    await rig.engine.stop()


@virtual
async def test_what_fails_is_asked_less_often_and_refresh_asks_at_once() -> None:
    rig = Rig(FakeEndpoint("dead", answer=refused), FakeEndpoint("well"))
    await rig.run(60.0)
    assert len(rig["well"].asked) >= 30
    assert 7 <= len(rig["dead"].asked) <= 12
    before = len(rig["dead"].asked)
    rig.engine.refresh("dead")
    await asyncio.sleep(1.0)
    rig.engine.refresh("dead")
    await asyncio.sleep(0.05)
    assert before + 1 <= len(rig["dead"].asked) <= before + 2
    rig["dead"].answer = good
    rig.engine.refresh()
    await asyncio.sleep(10.0)
    assert len(rig["dead"].asked) >= before + 5
    await rig.engine.stop()


@virtual
async def test_pausing_rests_and_does_not_count_as_silence() -> None:
    rig = Rig(FakeEndpoint("a"), FakeEndpoint("b"))
    await rig.run(10.5)
    rig.engine.pause(True)
    rig.engine.pause(True)
    assert rig.engine.paused
    asked = len(rig["a"].asked)
    await asyncio.sleep(600.0)
    assert len(rig["a"].asked) == asked
    assert rig.state("a") is State.OK
    snapshot = rig.engine.snapshot()
    assert snapshot.at - (snapshot.endpoints[0].answered or 0.0) > 600.0
    rig.engine.refresh("a")
    await asyncio.sleep(0.1)
    assert (len(rig["a"].asked), len(rig["b"].asked)) == (asked + 1, asked)
    await asyncio.sleep(1.0)
    rig.engine.pause(False)
    assert rig.state("b") is State.OK  # before the answers come, too
    await asyncio.sleep(0.1)
    assert (len(rig["a"].asked), len(rig["b"].asked)) == (asked + 2, asked + 1)
    await asyncio.sleep(4.5)
    assert len(rig["b"].asked) >= asked + 3
    assert rig.engine.missed == 0
    await rig.engine.stop()


@virtual
async def test_silence_before_a_pause_still_counts() -> None:
    rig = Rig(FakeEndpoint("a"))
    await rig.run(4.5)
    rig["a"].answer = silent
    await asyncio.sleep(10.0)
    rig.engine.pause(True)
    assert rig.state("a") is State.STALE
    await asyncio.sleep(600.0)
    assert rig.state("a") is State.STALE
    await rig.engine.stop()


@virtual
async def test_the_interval_can_be_changed_within_bounds() -> None:
    rig = Rig(FakeEndpoint("a"), FakeEndpoint("own"), specs={"own": EndpointSpec("own", "http://own", poll=10.0)})
    await rig.run(4.5)
    rig.engine.set_interval(10.0)
    assert rig.engine.interval == 10.0
    await asyncio.sleep(20.0)
    assert len(rig["a"].asked) <= 3 + 3
    for wanted, got in ((0.01, 0.5), (1e9, 60.0), (1.0, 1.0)):
        rig.engine.set_interval(wanted)
        assert rig.engine.interval == got
        assert rig.row("a").interval == got
        assert rig.row("own").interval == 10.0
    before = len(rig["a"].asked)
    await asyncio.sleep(10.0)
    assert 9 <= len(rig["a"].asked) - before <= 11
    assert len(rig["own"].asked) <= 5
    await rig.engine.stop()


@virtual
async def test_endpoints_can_be_added_while_it_runs() -> None:
    rig = Rig(FakeEndpoint("a"))
    await rig.run(3.3)
    rig.fakes["b"] = FakeEndpoint("b")
    rig.hosts["h"] = FakeHost(HostSpec("h"), lambda at: HostReading(at, "nvml", cpu=0.5))
    rig.engine.add((EndpointSpec("b", "http://b"), EndpointSpec("a", "http://other")), (HostSpec("h"),))
    rig.engine.add((EndpointSpec("b", "http://b"),), (HostSpec("h"),))
    await asyncio.sleep(0.1)
    assert rig["b"].asked == [3.3]
    assert [view.name for view in rig.engine.snapshot().endpoints] == ["a", "b"]
    assert rig.row("a").url == "http://a"
    assert [host.cpu for host in rig.engine.snapshot().hosts] == [0.5]
    await rig.engine.stop()


@virtual
async def test_endpoints_added_before_the_start_are_polled_after_it() -> None:
    rig = Rig()
    rig.fakes["a"] = FakeEndpoint("a")
    rig.engine.add((EndpointSpec("a", "http://a"),))
    assert [view.state for view in rig.engine.snapshot().endpoints] == [None]
    await rig.run(0.1)
    assert rig["a"].asked == [0.0]
    await rig.engine.stop()


@virtual
async def test_stopping_takes_no_longer_than_a_second() -> None:
    stubborn = FakeEndpoint("stubborn", takes=lambda _: 1e9, stubborn=50.0)
    clinging = FakeEndpoint("clinging", close_takes=1e9, stubborn=50.0)
    rig = Rig(stubborn, clinging, FakeEndpoint("well"))
    await rig.run(1.0)
    before = asyncio.get_running_loop().time()
    await rig.engine.stop()
    assert asyncio.get_running_loop().time() - before <= 1.001
    assert rig["well"].closed
    await rig.engine.stop()
    await asyncio.sleep(200.0)  # what still ran has ended: nothing is polled any more
    assert len(rig["well"].asked) == 1


@virtual
async def test_stopping_an_idle_engine_is_immediate_and_it_can_start_again() -> None:
    rig = Rig(FakeEndpoint("a"))
    await rig.engine.stop()
    await rig.run(3.0)
    await rig.engine.start()
    before = asyncio.get_running_loop().time()
    await rig.engine.stop()
    assert asyncio.get_running_loop().time() == before
    await asyncio.sleep(20.0)
    assert rig["a"].asked == [0.0, 2.0]
    await rig.run(1.0)
    assert len(rig["a"].asked) == 3
    await rig.engine.stop()


@virtual
async def test_once_polls_everything_once_and_needs_no_start() -> None:
    host = FakeHost(HostSpec("h"), lambda at: HostReading(at, "nvml", cpu=0.25, gpus=(GpuView(0),)))
    rig = Rig(FakeEndpoint("a"), FakeEndpoint("b", answer=refused), hosts=(host,))
    await rig.engine.once()
    assert (rig.state("a"), rig.state("b")) == (State.OK, State.DOWN)
    assert rig.row("a").generation_tps is None
    await asyncio.sleep(1.0)
    await rig.engine.once()
    assert rig.row("a").generation_tps == pytest.approx(10.0)
    assert rig.engine.snapshot().hosts[0].cpu == 0.25
    await asyncio.sleep(60.0)
    assert len(rig["a"].asked) == 2
    await rig.engine.stop()
    assert host.closed


@virtual
async def test_a_bug_in_an_endpoint_is_a_row_and_not_a_traceback() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def explode(at: float) -> Reading:
        raise ZeroDivisionError(at)

    def explode_host(at: float) -> HostReading:
        raise ZeroDivisionError(at)

    host = FakeHost(HostSpec("h"), explode_host)
    rig = Rig(FakeEndpoint("broken", answer=explode), FakeEndpoint("well"), hosts=(host,))
    rig.engine.add((EndpointSpec("unopened", "http://unopened"),))
    await rig.run(10.0)
    assert (rig.state("broken"), rig.row("broken").reason) == (State.DOWN, "can't be polled (ZeroDivisionError)")
    assert (rig.state("unopened"), rig.row("unopened").reason) == (State.DOWN, "can't be polled (KeyError)")
    assert rig.state("well") is State.OK
    assert rig.engine.snapshot().hosts[0].reason == "can't be read (ZeroDivisionError)"
    await rig.engine.once()
    await rig.engine.stop()
    assert not complaints


@virtual
async def test_rows_that_did_not_change_are_the_same_objects() -> None:
    host = FakeHost(HostSpec("h"), lambda at: HostReading(at, "nvml", cpu=0.5))
    rig = Rig(FakeEndpoint("a"), FakeEndpoint("b"), hosts=(host,))
    await rig.engine.once()
    first = rig.engine.snapshot()
    await asyncio.sleep(0.5)
    second = rig.engine.snapshot()
    assert second is not first
    assert (second.at, second.time) == (first.at + 0.5, first.time + 0.5)
    assert second.endpoints is first.endpoints
    assert second.hosts is first.hosts
    rig["a"].answer = refused
    await rig.engine.once()
    third = rig.engine.snapshot()
    assert third.endpoints is not first.endpoints
    assert third.endpoints[0] is not first.endpoints[0]
    assert rig.engine.snapshot().endpoints is third.endpoints
    b = third.endpoints[1]
    await asyncio.sleep(60.0)
    assert rig.engine.snapshot().endpoints[1] is not b  # it has become stale meanwhile
    await rig.engine.stop()


@virtual
async def test_the_snapshot_has_both_clocks() -> None:
    rig = Rig(FakeEndpoint("a"))
    await asyncio.sleep(5.0)
    snapshot = rig.engine.snapshot()
    assert (snapshot.at, snapshot.time) == (1005.0, EPOCH + 1005.0)
    await rig.engine.stop()


@virtual
async def test_two_hundred_endpoints_miss_nothing_and_wake_seldom() -> None:
    rig = Rig(*(FakeEndpoint(f"e{i}", takes=lambda _: 0.05) for i in range(200)))
    await rig.run(20.5)
    polls = [at for fake in rig.fakes.values() for at in fake.asked]
    assert rig.engine.missed == 0
    assert {len(fake.asked) for fake in rig.fakes.values()} <= {10, 11}
    assert len(set(polls)) <= 21 * 10
    await rig.engine.stop()


@virtual
async def test_a_server_that_freezes_dies_and_comes_back_while_twenty_others_go_on() -> None:
    """Issue line 2: STALLED or STALE with the reason, DOWN within two polls, RESTARTED with no negative rate."""
    rig = Rig(FakeEndpoint("victim"), *(FakeEndpoint(f"e{i}") for i in range(20)))
    victim = rig["victim"]
    await rig.run(20.5)
    assert rig.row("victim").generation_tps == pytest.approx(10.0)
    victim.takes, victim.answer = (lambda _: 2.0), silent
    await asyncio.sleep(9.0)
    row = rig.row("victim")
    assert (row.state, row.reason) == (State.STALE, "no answer in 2 s")
    assert row.since == pytest.approx(1020.01)
    assert row.generation_tps == pytest.approx(10.0)
    victim.takes, victim.answer = (lambda _: 0.01), refused
    asked = len(victim.asked)
    while rig.state("victim") is not State.DOWN:
        await asyncio.sleep(0.5)
    assert len(victim.asked) - asked <= 2
    row = rig.row("victim")
    assert (row.reason, row.running, row.generation_tps) == ("connection refused", None, None)
    victim.answer = lambda at: good(at, tokens=(at - 1030.0) * 10)
    while rig.state("victim") is State.DOWN:
        await asyncio.sleep(0.5)
    assert (rig.state("victim"), rig.row("victim").generation_tps) == (State.RESTARTED, None)
    await asyncio.sleep(4.0)
    assert rig.row("victim").generation_tps == pytest.approx(10.0)
    assert all(tps is None or tps >= 0 for tps in rig.row("victim").tps_history)
    await asyncio.sleep(70.0)
    assert rig.state("victim") is State.OK
    counts = {len(rig[f"e{i}"].asked) for i in range(20)}
    assert max(counts) - min(counts) <= 1
    assert rig.engine.missed <= 3
    await rig.engine.stop()


@virtual
async def test_hosts_that_fail_keep_their_last_values_and_say_why() -> None:
    gpu = GpuView(0, name="H100", utilization=0.5)
    answers = [
        HostReading(1.0, "nvml", cpu=0.5, memory_total_bytes=8, gpus=(gpu,)),
        HostReading(3.0, "nvml", reason="no answer in 2 s"),
        HostReading(5.0, "nvml", cpu=0.1, gpus=(), reason="no NVIDIA driver on this machine"),
    ]
    host = FakeHost(HostSpec("h"), lambda _: answers[min(host.asked, 3) - 1])
    rig = Rig(hosts=(host,))
    assert [view.name for view in rig.engine.snapshot().hosts] == ["h"]
    await rig.engine.once()
    await rig.engine.once()
    (view,) = rig.engine.snapshot().hosts
    assert (view.reason, view.gpus, view.memory_total_bytes, view.at) == ("no answer in 2 s", (gpu,), 8, 1.0)
    await rig.engine.once()
    (view,) = rig.engine.snapshot().hosts
    assert (view.cpu, view.gpus, view.at) == (0.1, (), 5.0)
    assert view.gpu_history == (0.5, None, None)
    await rig.engine.stop()


@virtual
async def test_a_key_held_down_asks_a_few_times() -> None:
    rig = Rig(FakeEndpoint("near"))
    await rig.run(4.9)
    before = len(rig["near"].asked)
    for _ in range(60):
        rig.engine.refresh()
        await asyncio.sleep(1 / 30)
    assert 1 <= len(rig["near"].asked) - before <= 5
    await rig.engine.stop()
