"""Starting and stopping a server: its driver, its log and its endpoint are each asked, and what they say is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from fake_servers import Asked, Reply, free_port, pages_server
from jobs import job, order
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.jobs import launching
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.hands import Failed, Hands
from quarterdeck.engine.jobs.launching import Launching, launch
from quarterdeck.engine.jobs.releasing import Releasing
from quarterdeck.hosts.drivers.base import DriverError, Running, Say, Status
from quarterdeck.model.job import Progress

LOGS = Path(__file__).parent.parent / "data" / "startup"


@dataclass
class Driver:
    """Does what a test says."""

    now: Running = Running.STOPPED
    words: str = ""
    log: Path | None = None
    ends_as: Running | None = None
    """What it becomes at once after its start."""
    holds: asyncio.Event | None = None
    did: list[str] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    def start(self, say: Say) -> None:
        self.did.append("start")
        self.now = self.ends_as or Running.RUNNING

    def stop(self, grace: float, say: Say) -> str:
        self.did.append(f"stop {grace:g}")
        if self.holds is not None and self.loop is not None:
            asyncio.run_coroutine_threadsafe(self.holds.wait(), self.loop).result(60)
        self.now = Running.STOPPED
        return "ended after SIGTERM"

    def status(self) -> Status:
        return Status(self.now, self.words if self.now is Running.FAILED else "")

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        return ("tail", "-n", str(lines), "-F", "--", str(self.log)) if self.log else ()


class Told(Hands):
    """Keeps every report."""

    def __init__(self, folder: JobFolder, action: str) -> None:
        super().__init__(job(order(action, "d", None)), folder)
        self.reports: list[Progress] = []
        self.heard: dict[str, asyncio.Event] = {}

    def report(self, progress: Progress) -> None:
        super().report(progress)
        self.reports.append(self.job.progress)
        for words, event in self.heard.items():
            if words in progress.phase:
                event.set()

    async def hears(self, words: str) -> None:
        """Wait until it is told."""
        event = self.heard.setdefault(words, asyncio.Event())
        if any(words in progress.phase for progress in self.reports):
            return
        async with asyncio.timeout(30):
            await event.wait()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "LOOK_EVERY_S", 0.01)


@pytest.fixture
def told(tmp_path: Path) -> Callable[[str], Told]:
    return lambda action: Told(JobFolder(tmp_path), action)


def work(hands: Hands, driver: Driver, url: str, engine: str = "vllm", **known: float) -> Launching:
    return Launching(hands, DeploymentSpec("d", "e", **known), EndpointSpec("e", url, engine=engine), driver)  # type: ignore[arg-type]


NOWHERE = f"http://127.0.0.1:{free_port()}"


@asynccontextmanager
async def healthy_after(looks: int) -> AsyncIterator[str]:
    """A server that is ready after so many looks."""
    seen = 0

    def pages(asked: Asked) -> Reply:
        nonlocal seen
        seen += asked.path == "/health"
        return Reply(b"", 200 if seen > looks else 503)

    async with pages_server(pages) as found:
        yield found.url


async def test_it_is_ready_when_its_endpoint_says_so(told: Callable[[str], Told]) -> None:
    hands, driver = told("start"), Driver(log=LOGS / "vllm_ready.log")
    async with healthy_after(40) as url:
        words = await work(hands, driver, url).start()
    assert words.startswith("ready after ")
    assert words.endswith(url)
    assert driver.did == ["start"]
    shares = [progress.fraction or 0.0 for progress in hands.reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert max(shares[:-1]) < 1.0, "not ready before it is"
    assert len({progress.phase for progress in hands.reports}) > 2, "the log tells the phases"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("vllm_max_model_len.log", r"KV cache[\s\S]*--max-model-len"),
        ("vllm_port_taken.log", "port|address"),
        ("vllm_unknown_model.log", "."),
    ],
)
async def test_a_server_that_ends_before_it_serves_says_why(told: Callable[[str], Told], log: str, words: str) -> None:
    driver = Driver(log=LOGS / log, ends_as=Running.FAILED, words="exit code 1")
    with pytest.raises(Failed, match=words) as failed:
        await work(told("start"), driver, NOWHERE).start()
    assert "Traceback" not in str(failed.value)


async def test_without_a_log_the_drivers_words_are_the_reason(told: Callable[[str], Told]) -> None:
    driver = Driver(ends_as=Running.FAILED, words="killed by SIGKILL")
    with pytest.raises(Failed, match="killed by SIGKILL"):
        await work(told("start"), driver, NOWHERE).start()


async def test_what_is_served_already_is_not_started(told: Callable[[str], Told]) -> None:
    driver = Driver()
    async with healthy_after(0) as url:
        with pytest.raises(Failed, match="something else serves"):
            await work(told("start"), driver, url).start()
        driver.now = Running.RUNNING
        with pytest.raises(Failed, match="runs already"):
            await work(told("start"), driver, url).start()
    assert driver.did == []


async def test_what_takes_too_long_is_told_and_left_alone(told: Callable[[str], Told]) -> None:
    driver = Driver()
    with pytest.raises(Failed, match="not ready after"):
        await work(told("start"), driver, NOWHERE, ready_within=0.0).start()
    assert driver.did == ["start"]


async def test_a_start_that_is_cancelled_leaves_nothing_running(told: Callable[[str], Told]) -> None:
    hands, driver = told("start"), Driver()
    starting = asyncio.create_task(work(hands, driver, NOWHERE).start())
    await hands.hears("starting")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert driver.did[-1] == f"stop {launching.CANCELLED_GRACE_S:g}"
    assert driver.now is Running.STOPPED


async def test_the_drain_is_shown_while_it_stops(told: Callable[[str], Told]) -> None:
    metrics = b'vllm:num_requests_running{engine="0",model_name="m"} 2.0\nvllm:num_requests_waiting{engine="0",model_name="m"} 0.0\n'
    pages: dict[str, Reply] = {
        "/metrics": Reply(metrics),
        "/version": Reply({"version": "0.33.0"}),
        "/v1/models": Reply({"object": "list", "data": [{"id": "m", "owned_by": "vllm", "object": "model"}]}),
    }
    hands = told("stop")
    driver = Driver(Running.RUNNING, holds=asyncio.Event(), loop=asyncio.get_running_loop())
    assert driver.holds is not None
    async with pages_server(pages) as found:
        stopping = asyncio.create_task(work(hands, driver, found.url, stop_within=7.0).stop())
        await hands.hears("2 requests left")
        driver.holds.set()
        assert await stopping == "ended after SIGTERM"
    assert driver.did == ["stop 7"]


async def test_what_still_answers_after_the_stop_is_something_else(told: Callable[[str], Told]) -> None:
    async with healthy_after(0) as url:
        with pytest.raises(Failed, match=r"ended after SIGTERM, but .* still answers"):
            await work(told("stop"), Driver(Running.RUNNING), url).stop()


async def test_a_restart_is_both(told: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch) -> None:
    hands, driver = told("restart"), Driver(Running.RUNNING)
    monkeypatch.setattr(launching, "driver_for", lambda *_, **__: driver)
    async with healthy_after(3) as url:
        fleet = FleetConfig(endpoints=(EndpointSpec("e", url, engine="vllm"),), deployments=(DeploymentSpec("d", "e"),))
        words = await launch(hands, fleet)
    assert words.startswith("stopped: ended after SIGTERM; ready after ")
    assert driver.did == ["stop 60", "start"]


async def test_what_a_driver_refuses_is_the_reason(
    told: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses(Driver):
        def status(self) -> Status:
            raise DriverError("docker is not installed")

    monkeypatch.setattr(launching, "driver_for", lambda *_, **__: Refuses())
    fleet = FleetConfig(endpoints=(EndpointSpec("e", NOWHERE, engine="vllm"),), deployments=(DeploymentSpec("d", "e"),))
    with pytest.raises(Failed, match="docker is not installed"):
        await launch(told("stop"), fleet)


async def test_a_deployment_without_its_endpoint_fails_in_words(told: Callable[[str], Told]) -> None:
    with pytest.raises(Failed, match="no endpoint 'e' any more"):
        await launch(told("start"), FleetConfig(deployments=(DeploymentSpec("d", "e"),)))


@pytest.mark.parametrize("starts", [True, False])
async def test_a_start_that_is_cancelled_half_way_comes_to_its_end_first(
    told: Callable[[str], Told], starts: bool
) -> None:
    """A driver that is starting refuses to stop; and what another started in that moment is not ours to end."""

    class Held(Driver):
        def start(self, say: Say) -> None:
            assert self.holds is not None
            assert self.loop is not None
            self.loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(self.holds.wait(), self.loop).result(60)
            if not starts:
                raise DriverError("it runs already")
            super().start(say)

    begun = asyncio.Event()
    hands, driver = told("start"), Held(holds=asyncio.Event(), loop=asyncio.get_running_loop())
    assert driver.holds is not None
    starting = asyncio.create_task(work(hands, driver, NOWHERE).start())
    async with asyncio.timeout(30):
        await begun.wait()
    starting.cancel()
    await hands.hears("ending what was begun")
    assert driver.did == []
    driver.holds.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert driver.did == (["start", f"stop {launching.CANCELLED_GRACE_S:g}"] if starts else [])


async def test_a_stop_is_cancelled_while_the_gpus_are_waited_for(
    told: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has ended then, and that is what is said."""
    asked = asyncio.Event()

    async def forever(*_: object) -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(Releasing, "released", forever)
    hands, driver = told("stop"), Driver(Running.RUNNING)
    stopping = asyncio.create_task(work(hands, driver, NOWHERE).stop())
    async with asyncio.timeout(30):
        await asked.wait()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert hands.parting == "cancelled after its end: ended after SIGTERM"


@pytest.mark.parametrize(
    ("driver", "now", "words"),
    [
        ("process", Running.RUNNING, "cancelled: it was asked to end and may still do so"),
        ("docker", Running.RUNNING, "cancelled: docker was told to stop it, and goes on with that"),
        ("ssh", Running.STOPPED, "cancelled, but it has ended"),
    ],
)
async def test_what_a_cancelled_stop_left_is_said(
    told: Callable[[str], Told], driver: str, now: Running, words: str
) -> None:
    hands, held = told("restart"), Driver(Running.RUNNING, holds=asyncio.Event(), loop=asyncio.get_running_loop())
    spec = DeploymentSpec("d", "e", driver=driver)
    stopping = asyncio.create_task(Launching(hands, spec, EndpointSpec("e", NOWHERE, engine="vllm"), held).stop())
    await hands.hears("stopping: it no longer answers")
    held.now = now
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert hands.parting.startswith(words)
    assert hands.parting.endswith("; it is not started again")
    assert held.holds is not None
    held.holds.set()


async def test_what_answers_though_it_has_ended_is_not_ready(told: Callable[[str], Told]) -> None:
    """Something else took its port while it began."""

    class Ends(Driver):
        looks = 0

        def status(self) -> Status:
            self.looks += 1
            return Status(Running.RUNNING) if self.looks == 1 else Status(Running.FAILED, "exit code 98")

    async with healthy_after(1) as url:
        with pytest.raises(Failed, match="exit code 98"):
            await work(told("start"), Ends(), url).start()


def test_the_log_of_an_earlier_start_is_not_read() -> None:
    from quarterdeck.hosts.drivers.docker import DockerDriver
    from quarterdeck.hosts.drivers.systemd import SystemdDriver

    docker = DockerDriver(DeploymentSpec("d", "e", driver="docker", container="c"))
    system = SystemdDriver(DeploymentSpec("d", "e", driver="systemd", unit="u.service"))
    assert "--since=1795370400" in docker.log_command(9, follow=True, since=1_795_370_400.2)
    assert "--since=@1795370400" in system.log_command(9, follow=True, since=1_795_370_400.2)


@pytest.mark.parametrize("serves", [True, False])
async def test_a_resumed_start_takes_up_what_was_started(told: Callable[[str], Told], serves: bool) -> None:
    hands, driver = told("start"), Driver(Running.RUNNING)
    hands.job = replace(hands.job, attempts=2)
    async with healthy_after(0 if serves else 3) as url:
        words = await work(hands, driver, url).start()
    assert words.startswith("it serves at" if serves else "ready after")
    assert driver.did == []
