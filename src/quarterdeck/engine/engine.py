"""The running engine: every endpoint and host polled on its interval, the newest snapshot always at hand.

Importing this imports no HTTP library; that happens when the first endpoint is opened, so a console can paint before.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.opening import Opening
from quarterdeck.engine.parts import Board, Pollable, closed
from quarterdeck.engine.schedule import Schedule
from quarterdeck.engine.store import Store
from quarterdeck.engine.threads import use_daemon_threads
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.models import ModelReading
from quarterdeck.model.own import OwnRequest
from quarterdeck.model.reading import Outcome, Reading
from quarterdeck.wire.together import Together

if TYPE_CHECKING:
    from quarterdeck.config.specs import DeploymentSpec
    from quarterdeck.engine.alerting.alarms import Alarms
    from quarterdeck.engine.timeline.witness import Witness
    from quarterdeck.hosts.base import Host
    from quarterdeck.model.job import Job

SHORTEST_INTERVAL_S = 0.5
LONGEST_INTERVAL_S = 60.0
STOP_WITHIN_S = 1.0
JOBS_EVERY_S = 1.0
_HOST = "host\0"
"""Marks a host's name in the schedule, where endpoints have theirs."""


class Engine:
    """Polls a fleet in the running event loop."""

    def __init__(
        self,
        fleet: FleetConfig,
        *,
        clock: Clock = SYSTEM_CLOCK,
        open_endpoint: Callable[[EndpointSpec, Clock], Pollable] | None = None,
        open_host: Callable[[HostSpec, Clock], Host] | None = None,
        board: Board | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Nothing is opened and no request is sent until ``start`` or ``once``. ``board`` tells of jobs; ``witness`` keeps what happened."""
        self.fleet = fleet
        self._paused_at: float | None = None
        self._resumed_at = -math.inf
        self._asked_at: dict[str, float] = {}
        self.interval = fleet.console.poll
        self.clock = clock
        self._board = board
        self.witness = witness
        self.opening = Opening()
        """Opens what goes to an endpoint as its polls do (tunnels)."""
        self._open_endpoint: Callable[[EndpointSpec, Clock], Pollable] = open_endpoint or self.opening.endpoint
        self._open_host: Callable[[HostSpec, Clock], Host] = open_host or self.opening.host
        self._store = Store(fleet.limits)
        self._schedule = Schedule()
        self._together = Together()
        self._endpoints: dict[str, Pollable] = {}
        self._hosts: dict[str, Host] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._started = False
        self._jobs: tuple[Job, ...] = ()
        self.alarms: Alarms | None = None
        """Raises alerts and clears them; there from ``start`` on, unless the fleet file has switched them off."""
        self._watch_all()

    @property
    def paused(self) -> bool:
        """Whether polling rests."""
        return self._paused_at is not None

    @property
    def missed(self) -> int:
        """Polls skipped so far because the one before had not ended."""
        return self._schedule.missed

    async def start(self) -> None:
        """Begin polling in the background; returns at once."""
        use_daemon_threads()
        self._started = True
        self._schedule.set(self._intervals(), self.clock.monotonic())
        self._arm()
        if self._board is not None:
            self._look_at(asyncio.get_running_loop().create_task(self._watch_jobs(self._board)))
        from quarterdeck.engine.alerting.running import alarms_for, keep_looking

        self.alarms = self.alarms or alarms_for(self.fleet, self.clock)
        if self.alarms is not None:
            self._look_at(asyncio.get_running_loop().create_task(keep_looking(self.alarms, self.snapshot, self.clock)))
        if self.witness is not None:
            self._look_at(asyncio.get_running_loop().create_task(self.witness.run()))

    async def stop(self) -> None:
        """End every task and close every connection, within a second. Never raises."""
        self._started = False
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_WITHIN_S / 2)
        opened: list[Pollable | Host] = [*self._endpoints.values(), *self._hosts.values()]
        self._endpoints.clear()
        self._hosts.clear()
        closing = [asyncio.ensure_future(closed(one)) for one in opened]
        if self.alarms is not None:
            from quarterdeck.engine.alerting.running import save

            closing.append(asyncio.ensure_future(save(self.alarms)))
        if self.witness is not None:
            closing.append(asyncio.ensure_future(self.witness.close()))
        if closing:
            _, late = await asyncio.wait(closing, timeout=STOP_WITHIN_S / 2)
            for task in late:
                task.cancel()

    async def once(self, names: Collection[str] | None = None) -> None:
        """Poll everything (or just these endpoints) once; returns when all have ended (each within its own deadline).

        Called again, it leaves out what is to be asked more seldom than the rest (external APIs) and is not due yet.
        """
        use_daemon_threads()
        hosts = self.fleet.hosts if names is None else ()
        asked = [spec for spec in self.fleet.endpoints if names is None or spec.name in names]
        polls: list[Coroutine[Any, Any, bool]] = [self._poll_host(spec) for spec in hosts]
        polls += [self._poll(spec, awaited=True) for spec in asked if names is not None or self._may_ask(spec)]
        await asyncio.gather(*polls)

    def _may_ask(self, spec: EndpointSpec) -> bool:
        interval, now = spec.interval(self.interval), self.clock.monotonic()
        if interval > self.interval and now - self._asked_at.get(spec.name, -math.inf) < interval:
            return False
        self._asked_at[spec.name] = now
        return True

    def snapshot(self) -> FleetSnapshot:
        """The fleet as known now. Rows that did not change are the same objects as last time."""
        now = self.clock.monotonic()
        settle_at = now if self._paused_at is None else self._paused_at
        seen = self._store.snapshot(now, self.clock.wall(), settle_at, self._resumed_at)
        if self._jobs:
            from quarterdeck.engine.starting import starting  # `check` has no jobs, and a budget

            seen = starting(replace(seen, jobs=self._jobs), self.fleet.deployments)
        seen = seen if self.alarms is None else self.alarms.look(seen, paused=self.paused)
        return seen if self.witness is None else self.witness.look(seen)

    def add(
        self,
        endpoints: tuple[EndpointSpec, ...],
        hosts: tuple[HostSpec, ...] = (),
        deployments: tuple[DeploymentSpec, ...] = (),
    ) -> None:
        """Watch more (discovery, the demo, a launch); endpoints and hosts that are watched already stay as they are."""
        self.fleet = self.fleet.with_more(endpoints, hosts, deployments)
        self._watch_all()
        self._reschedule()

    def refresh(self, name: str | None = None) -> None:
        """Poll that endpoint, or everything, as soon as possible; back-off and pause notwithstanding."""
        names = [name] if name is not None else list(self._intervals())
        self._schedule.hurry(names, self.clock.monotonic())
        if self._started:
            self._launch()

    async def probe(
        self, name: str, wanted: str | None = None, *, most_tokens: int | None = None
    ) -> tuple[ModelReading, OwnRequest]:
        """Send one small request and time it, as `quarterdeck.engine.probing.probe` has it."""
        from quarterdeck.engine.probing import probe

        return await probe(self, name, wanted, most_tokens=most_tokens)

    def note_own(self, name: str, request: OwnRequest) -> None:
        """Tell how long a request took that we made ourselves (chat, probes)."""
        self._store.note_own(name, request)

    def pause(self, paused: bool) -> None:
        """Stop or resume polling; the last numbers stay and grow old."""
        if paused:
            self._paused_at = self.clock.monotonic() if self._paused_at is None else self._paused_at
        elif self._paused_at is not None:
            self._paused_at = None
            self._resumed_at = self.clock.monotonic()
            self.refresh()

    def set_interval(self, seconds: float) -> None:
        """Change the console's interval, within 0.5 … 60 s; endpoints with one of their own keep it."""
        self.interval = min(max(seconds, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S)
        self._watch_all()
        self._reschedule()

    def _watch_all(self) -> None:
        for host in self.fleet.hosts:
            self._store.watch_host(host, host.poll or self.interval)
        for spec in self.fleet.endpoints:
            self._store.watch(spec, spec.interval(self.interval))

    def _intervals(self) -> dict[str, float]:
        hosts = {_HOST + spec.name: spec.poll or self.interval for spec in self.fleet.hosts}
        return hosts | {spec.name: spec.interval(self.interval) for spec in self.fleet.endpoints}

    def _reschedule(self) -> None:
        if self._started:
            self._schedule.set(self._intervals(), self.clock.monotonic())
            self._arm()

    def _arm(self) -> None:
        """Wake at the next due poll."""
        if self._timer is not None:
            self._timer.cancel()
        due = self._schedule.next_at()
        if due is not None and self._started:
            delay = max(0.0, due - self.clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        if not self.paused:
            self._launch()
        else:
            self._schedule.skip(self.clock.monotonic())
            self._arm()

    def _launch(self) -> None:
        now = self.clock.monotonic()
        due = set(self._schedule.due(now))
        for host in self.fleet.hosts:
            if _HOST + host.name in due:
                self._spawn(_HOST + host.name, self._poll_host(host))
        for spec in self.fleet.endpoints:
            if spec.name in due:
                self._spawn(spec.name, self._poll(spec))
        self._arm()

    async def _watch_jobs(self, board: Board) -> None:
        """Read the jobs each second: others may ask for some, too."""
        while True:
            jobs = await asyncio.to_thread(board.read)
            ended = {job.id for job in self._jobs if not job.state.ended} & {job.id for job in jobs if job.state.ended}
            self._jobs = jobs
            for job in jobs:
                if job.id in ended:
                    self._refresh_after(job)
            await asyncio.sleep(JOBS_EVERY_S)

    def _refresh_after(self, job: Job) -> None:
        """What a job did shows at once where it was done."""
        by_deployment = {spec.name: spec.endpoint for spec in self.fleet.deployments}
        name = by_deployment.get(job.order.target, job.order.target)
        if name in self._intervals() and not self.paused:
            self.refresh(name)

    def _look_at(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _spawn(self, name: str, poll: Coroutine[Any, Any, bool]) -> None:
        self._look_at(asyncio.get_running_loop().create_task(self._run(name, poll)))

    async def _run(self, name: str, poll: Coroutine[Any, Any, bool]) -> None:
        ok = False
        try:
            ok = await poll
        finally:
            self._schedule.ended(name, self.clock.monotonic(), ok=ok)

    async def _poll(self, spec: EndpointSpec, *, awaited: bool = False) -> bool:
        try:
            endpoint = self._endpoints.get(spec.name)
            if endpoint is None:
                endpoint = self._endpoints[spec.name] = self._open_endpoint(spec, self.clock)
            with contextlib.nullcontext() if awaited else self._together.polling():
                reading = await endpoint.poll()
        except Exception as error:  # noqa: BLE001  (a bug in one adapter is a reading too, not a traceback over the console)
            reading = Reading(self.clock.monotonic(), Outcome.FAILED, f"can't be polled ({type(error).__name__})")
        if reading.wall is None:
            reading = replace(reading, wall=reading.at + self.clock.wall() - self.clock.monotonic())
        self._store.apply(spec.name, reading, awaited=awaited)
        return reading.facts is not None or reading.outcome is Outcome.LOADING  # it will be ready any moment

    async def _poll_host(self, spec: HostSpec) -> bool:
        try:
            host = self._hosts.get(spec.name)
            if host is None:
                host = self._hosts[spec.name] = self._open_host(spec, self.clock)
            reading = await host.read()
        except Exception as error:  # noqa: BLE001  (as above)
            from quarterdeck.hosts.base import HostReading

            reading = HostReading(self.clock.monotonic(), spec.gpus, reason=f"can't be read ({type(error).__name__})")
        self._store.apply_host(spec.name, reading)
        return not reading.reason or bool(reading.gpus) or reading.memory_total_bytes is not None
