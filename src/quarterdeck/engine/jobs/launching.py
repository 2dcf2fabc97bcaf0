"""Starting, stopping and restarting a deployment: its driver acts, its log tells how far it is, its endpoint when it serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.jobs.carrying import state_path
from quarterdeck.engine.jobs.hands import Failed, Hands
from quarterdeck.engine.jobs.releasing import Releasing, machine_of
from quarterdeck.engine.jobs.stopping import ENDS_IT, Stopping
from quarterdeck.engine.logs import Follower, LogSource
from quarterdeck.engine.opening import Opening
from quarterdeck.engine.preflight.machine import is_loopback
from quarterdeck.engine.safety import deployment_of, endpoint_of
from quarterdeck.format import duration
from quarterdeck.hosts.drivers.base import Driver, DriverError, Running, Status
from quarterdeck.hosts.drivers.open import driver_for
from quarterdeck.model.commandlines import read as read_command
from quarterdeck.model.job import Progress
from quarterdeck.model.startup import Startup, begin, ended, read

if TYPE_CHECKING:
    from quarterdeck.model.reading import Reading

_T = TypeVar("_T")
LOOK_EVERY_S = 0.5
LAST_LINES_S = 0.6
"""After a server's end so long for the last lines of its log."""
CANCELLED_GRACE_S = 10.0
_CONNECT_S = 0.5
NEARLY = 0.99
_HEALTH = ("vllm", "sglang", "llamacpp")
"""Engines whose GET /health is 200 from when they serve on."""


async def launch(hands: Hands, fleet: FleetConfig) -> str:
    """Do what the job says; the result in words. Raises Failed."""
    spec = deployment_of(fleet, hands.job.order)
    if spec is None:
        raise Failed(f"the fleet file has no deployment {hands.job.order.target!r} any more")
    endpoint = endpoint_of(fleet, spec.endpoint)
    if endpoint is None:
        raise Failed(f"the fleet file has no endpoint {spec.endpoint!r} any more, which {spec.name} becomes")
    work: Launching | None = None
    try:
        action = hands.job.order.action
        machine = machine_of(spec, fleet) if action in ENDS_IT else None
        work = Launching(hands, spec, endpoint, driver_for(spec, state=state_path()), machine=machine)
        if action == "start":
            return await work.start()
        if action == "stop":
            return await work.stop()
        stopped = await work.stop()
        return f"stopped: {stopped}; {await work.start()}"
    except DriverError as error:
        raise Failed(str(error)) from None
    finally:
        if work is not None:
            await work.close()


class Launching:
    """One deployment and what watches it."""

    def __init__(
        self,
        hands: Hands,
        spec: DeploymentSpec,
        endpoint: EndpointSpec,
        driver: Driver,
        *,
        machine: HostSpec | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Does nothing yet. ``machine``: where its GPUs are; ``None`` = nobody can be asked about them."""
        self._hands, self._spec, self._endpoint, self._driver = hands, spec, endpoint, driver
        self._monotonic = monotonic
        self._startup = begin(self._engine())
        self._read = 0
        self._begun: float | None = None
        self._opening = Opening()
        self._tunnel = self._opening.tunnel(endpoint, SYSTEM_CLOCK)
        """Kept while it is watched: to open one takes longer than a look may."""
        host = self._opening.host(machine, Clock(monotonic)) if machine is not None else None
        self._releasing = Releasing(driver, host, monotonic)

    async def close(self) -> None:
        """Let go of the way to its endpoint, and to the GPUs."""
        await self._releasing.close()
        if self._tunnel is not None:
            await self._tunnel.close()

    def _engine(self) -> str:
        if self._endpoint.engine != "auto":
            return self._endpoint.engine
        return read_command(list(self._spec.run)).engine or "auto"

    # ---- start

    async def start(self) -> str:
        """Start it and wait until it serves. Cancelled, what was begun is ended."""
        begun_before = await self._begun_before()
        if await self._serves():
            if begun_before:
                return f"it serves at {self._endpoint.url}"
            status = await self._thread(self._driver.status)
            if status.running is Running.RUNNING:
                raise Failed(f"it runs already, and serves at {self._endpoint.url}")
            raise Failed(
                f"something else serves at {self._endpoint.url} already\nStop that first, or choose another port."
            )
        began = self._monotonic()
        starting = asyncio.ensure_future(self._begin(begun_before))
        try:
            await asyncio.shield(starting)
            await self._until_ready(began)
        except asyncio.CancelledError:
            await self._undo(starting)
            raise
        self._report("ready", 1.0)
        return f"ready after {duration(self._monotonic() - began)} at {self._endpoint.url}"

    async def _begun_before(self) -> bool:
        """Whether an earlier attempt of this job has started it, so that it is only watched again."""
        if self._hands.job.attempts == 1:
            return False
        return (await self._thread(self._driver.status)).running is Running.RUNNING

    async def _begin(self, begun_before: bool) -> None:
        self._report("starting", 0.0)
        if begun_before:
            self._hands.log("it was started before: watched again")
            return
        await self._refuse_a_taken_port()
        self._begun = time.time()
        await self._thread(lambda: self._driver.start(self._hands.log))

    async def _refuse_a_taken_port(self) -> None:
        """What answers already where it would serve could be taken for it. Raises Failed."""
        told = read_command(list(self._spec.run)).port
        if self._spec.driver != "process" or self._tunnel is not None or not is_loopback(self._endpoint.url):
            return
        parts = urlsplit(self._endpoint.url)
        if told is None or parts.port != told or parts.hostname is None:  # something else may stand before it
            return
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, writer = await asyncio.open_connection(parts.hostname, told)
        except (OSError, TimeoutError):
            return
        writer.close()
        raise Failed(f"port {told} is taken: something answers there\nStop that first, or choose another port.")

    async def _undo(self, starting: asyncio.Future[None]) -> None:
        """End what was begun; first let the start come to its end: nobody can stop what is half started."""
        self._hands.log("cancelled: ending what was begun")
        self._report("ending what was begun")
        await asyncio.wait({starting})
        if starting.exception() is None:  # else nothing was begun: what runs there is not ours to end
            await asyncio.shield(self._thread(lambda: self._driver.stop(CANCELLED_GRACE_S, self._hands.log)))
            self._hands.parting = "cancelled; what was begun is ended"

    async def _until_ready(self, began: float) -> None:
        command = self._driver.log_command(10_000, follow=True, since=self._begun)
        follower = Follower(LogSource(self._spec.name, command), most=20_000) if command else None
        following = asyncio.create_task(follower.run()) if follower is not None else None
        try:
            while True:
                status = await self._thread(self._driver.status)
                self._take(follower)
                if status.running in (Running.FAILED, Running.STOPPED):
                    await asyncio.sleep(LAST_LINES_S)
                    self._take(follower)
                    raise Failed(self._why(status))
                if await self._serves() and await self._lives():
                    return
                spent = self._monotonic() - began
                if spent > self._spec.ready_within:
                    raise Failed(
                        f"not ready after {duration(spent)}; the last that its log told: {self._startup.phase}\n"
                        "It goes on: stop it, or raise ready_within in fleet.toml."
                    )
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            if following is not None:
                following.cancel()
                await asyncio.wait({following}, timeout=2.0)

    async def _lives(self) -> bool:
        """Whether it runs still: what it ended because of may be what answered."""
        status = await self._thread(self._driver.status)
        return status.running not in (Running.FAILED, Running.STOPPED)

    def _take(self, follower: Follower | None) -> None:
        """Read what the log has told since the last time."""
        if follower is None:
            return
        fresh = follower.came - self._read
        for line in list(follower.lines)[-fresh:] if fresh else ():
            before, self._startup = self._startup.phase, read(self._startup, line)
            if self._startup.phase != before:
                self._tell()
        self._read = follower.came
        self._tell()

    def _tell(self) -> None:
        startup = self._startup
        phase = f"{startup.phase}, {startup.detail}" if startup.detail else startup.phase
        self._report(phase, startup.fraction * NEARLY)

    def _why(self, status: Status) -> str:
        startup: Startup = ended(self._startup)
        if self._startup.cause is not None or not status.words:
            cause = startup.cause or "the server ended"
        else:
            cause = f"the server ended while {self._startup.phase}: {status.words}"
        return f"{cause}\n{startup.advice}" if startup.advice else cause

    async def _serves(self) -> bool:
        """Whether its endpoint answers as one that is ready."""
        from quarterdeck.endpoints.endpoint import target_of
        from quarterdeck.wire.failure import Failure
        from quarterdeck.wire.http import Fetch

        if self._engine() not in _HEALTH:
            return _answered(await self._poll())
        fetch = Fetch(target_of(self._endpoint))
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                await fetch.ready()
                if self._tunnel is not None:
                    await fetch.through(await self._tunnel.ready())
                await fetch.get("/health")
        except (Failure, TimeoutError):
            return False
        finally:
            await fetch.close()
        return True

    async def _poll(self) -> Reading:
        endpoint = self._opening.endpoint(self._endpoint, SYSTEM_CLOCK)
        try:
            return await endpoint.poll()
        finally:
            await endpoint.close()

    # ---- stop

    async def stop(self) -> str:
        """Ask it to end, say meanwhile what it still does, end what is left."""
        stopping = Stopping(
            self._hands, self._spec, self._driver, self._releasing, poll=self._poll, look_every_s=LOOK_EVERY_S
        )
        words = await stopping.stop()
        if await self._serves():
            raise Failed(f"{words}, but {self._endpoint.url} still answers: something else serves there")
        return words

    # ---- both

    def _report(self, phase: str, fraction: float | None = None) -> None:
        self._hands.report(Progress(phase, fraction))

    @staticmethod
    async def _thread(call: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(call)


def _answered(reading: Reading) -> bool:
    from quarterdeck.model.reading import Outcome

    return reading.outcome is Outcome.ANSWERED
