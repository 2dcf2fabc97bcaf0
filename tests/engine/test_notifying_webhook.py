"""A webhook that is down, slow or broken delays nothing and nobody, and hears each thing once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from ears import UNIX, Ears, alert, over
from fake_servers import Asked, Reply, Writer, free_port, reply_of, serving
from fakes import FrozenClock
from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig
from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.notifying.notice import RAISED, Notice
from quarterdeck.engine.notifying.notifier import Notifier
from quarterdeck.engine.timeline.witness import Witness
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.happening import Happening
from quarterdeck.model.reading import Facts, Outcome, Reading
from virtual_time import clock as virtual_clock
from virtual_time import in_virtual_time


@dataclass
class Hook:
    """A webhook on loopback that behaves as it is told."""

    how: str = "well"
    told: list[tuple[str, str]] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    async def respond(self, asked: Asked, writer: Writer) -> bool:
        self.asked += 1
        if self.how == "slow":
            self.hanging.set()
            await asyncio.Event().wait()
        if self.how == "well":
            told = json.loads(asked.body)
            self.told.append((told["event"], told["alert"]["subject"]))
        writer.write(reply_of({"*": Reply("", 200 if self.how == "well" else 500)}, asked).encoded())
        await writer.drain()
        return True


class Steps:
    """Waits between tries that end when the test says so."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.waiting = asyncio.Event()
        self._go = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        self.waiting.set()
        await self._go.wait()
        self._go.clear()
        self.clock.advance(seconds)

    async def next_try(self, *, later: float = 0.0) -> None:
        await self.waiting.wait()
        self.waiting.clear()
        self.clock.advance(later)
        self._go.set()


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.005)


async def test_a_webhook_that_is_down_slow_or_broken_delays_nobody_and_hears_once(tmp_path: Path) -> None:
    clock, port, hook, reported = FrozenClock(), free_port(), Hook(), list[Happening]()
    steps = Steps(clock)
    url = f"http://127.0.0.1:{port}/q"
    out = tmp_path / "told"
    specs = (
        SinkSpec("hook", webhook=url, timeout=0.2, retry_for=3600.0),
        SinkSpec("file", command=("tee", "-a", str(out)), timeout=60.0),
    )
    notifier = Notifier(
        specs, reported.append, path=tmp_path / "x.json", first=True, clock=clock.clock, pause=steps.pause
    )
    alerts: list[Alert] = [alert()]
    task = asyncio.ensure_future(notifier.run(lambda: tuple(alerts)))
    await steps.waiting.wait()  # nobody listens there
    await until(lambda: out.exists() and out.read_text().count("\n") == 1)  # the other sink was told meanwhile
    async with serving(hook.respond, port=port):
        hook.how = "broken"
        await steps.next_try()
        await until(lambda: hook.asked == 1)
        alerts[0] = over(alert())
        await until(lambda: out.read_text().count("\n") == 2)  # and that it is over, while the webhook still waits
        hook.how = "slow"
        await steps.next_try()
        await hook.hanging.wait()
        hook.how = "well"
        await steps.next_try()
        await until(lambda: len(hook.told) == 2)
    assert hook.told == [("raised", "vllm-a"), ("cleared", "vllm-a")]  # each once, in order
    assert [(one.subject, one.word) for one in reported] == [("hook", "failing"), ("hook", "works again")]
    # Gone for good: the loss of the next one is an event.
    alerts[:] = [alert("vllm-b", UNIX + 100)]
    await steps.next_try(later=4000.0)
    await until(lambda: reported[-1].word == "lost")
    assert reported[-1].text.startswith(
        "CRITICAL vllm-b: DOWN: refused: not delivered: connection refused (tried for 60 min"
    )
    task.cancel()
    await notifier.close()


@dataclass
class Flaky:
    """An endpoint that is down from its tenth poll on; notes when it was asked."""

    clock: Clock
    asked: list[float] = field(default_factory=list)

    async def poll(self) -> Reading:
        at = self.clock.monotonic()
        self.asked.append(at)
        if len(self.asked) > 10:
            return Reading(at, Outcome.REFUSED, "connection refused")
        return Reading(at, Outcome.ANSWERED, latency_s=0.01, facts=Facts("vllm"))

    async def close(self) -> None:
        """Nothing is open."""


class Stuck:
    """A sink that never answers, and doesn't keep to its deadline either."""

    async def send(self, notice: Notice) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        await asyncio.Event().wait()


def test_polls_alerts_and_other_sinks_keep_their_pace_beside_a_sink_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ears = Ears()
    polled: list[Flaky] = []

    async def main() -> list[float]:
        fleet = FleetConfig(
            (EndpointSpec("vllm-a", "http://127.0.0.1:9"),),
            console=ConsoleSettings(poll=2.0),
            sinks=(SinkSpec("stuck", command=("x",)), SinkSpec("ears", command=("x",))),
        )
        witness = Witness(
            fleet,
            headless=True,
            clock=virtual_clock(),
            folder=tmp_path,
            open_sender=lambda spec: Stuck() if spec.name == "stuck" else ears,
        )

        def opened(spec: EndpointSpec, clock: Clock) -> Flaky:
            polled.append(Flaky(clock))
            return polled[-1]

        engine = Engine(fleet, clock=virtual_clock(), open_endpoint=opened, witness=witness)
        await engine.start()
        while not ears.heard:
            await asyncio.sleep(1.0)
        await engine.stop()
        return polled[0].asked

    asked = in_virtual_time(main)
    assert ears.heard == [(RAISED, "vllm-a")]
    assert all(later - sooner < 2.5 for sooner, later in pairwise(asked[:10]))
