"""Alarms beside a running engine, in virtual time: nobody looks at a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quarterdeck.config.fleet import AlertSettings, EndpointSpec, FleetConfig
from quarterdeck.engine.alerting.alarms import Alarms
from quarterdeck.engine.engine import Engine
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading
from virtual_time import clock, in_virtual_time

SPEC = EndpointSpec("a", "http://a")


@dataclass
class Server:
    """Waiting requests as a function of the seconds since the start; ``None`` = it refuses."""

    waiting: Callable[[float], int | None]

    async def poll(self) -> Reading:
        at = asyncio.get_running_loop().time()
        waiting = self.waiting(at - 1000)
        if waiting is None:
            return Reading(at, Outcome.REFUSED, "connection refused")
        engine = EngineReading(running=4, waiting=waiting, generation_tokens=at * 10)
        return Reading(at, Outcome.ANSWERED, facts=Facts("vllm", engines=(engine,)))

    async def close(self) -> None:
        pass


def told_by(server: Server, seconds: float, path: Path, fleet: FleetConfig | None = None) -> list[str]:
    """What an engine tells of a server in so long, each with its second."""
    told: list[str] = []

    async def main() -> None:
        engine = Engine(fleet or FleetConfig((SPEC,)), clock=clock(), open_endpoint=lambda spec, _: server)
        began = engine.clock.wall()
        if (fleet or FleetConfig()).alerts.enabled:
            engine.alarms = Alarms(engine.fleet, path=path, wall=engine.clock.wall)
            engine.alarms.listen(
                lambda news: told.extend(
                    f"{each.happening.at - began:.0f} {each.happening.word} {each.alert.key}" for each in news
                )
            )
        await engine.start()
        await asyncio.sleep(seconds)
        await engine.stop()

    in_virtual_time(main)
    return told


def test_without_a_screen_alerts_are_raised_and_cleared(tmp_path: Path) -> None:
    server = Server(lambda at: None if 20 <= at < 60 else 0)
    told = told_by(server, 120, tmp_path / "a.json")
    assert [line.split(" ", 1)[1] for line in told] == ["raised down a", "cleared down a"]
    assert 25 <= int(told[0].split()[0]) <= 28
    assert (tmp_path / "a.json").exists()


def test_a_pause_raises_nothing(tmp_path: Path) -> None:
    """A queue of ten seconds, then nobody polls for five minutes, then it is gone."""
    paused: list[Engine] = []

    async def main() -> None:
        queue = Server(lambda at: 50 if at < 12 else 0)
        engine = Engine(FleetConfig((SPEC,)), clock=clock(), open_endpoint=lambda spec, _: queue)
        engine.alarms = Alarms(engine.fleet, path=tmp_path / "a.json", wall=engine.clock.wall)
        paused.append(engine)
        await engine.start()
        await asyncio.sleep(11)
        engine.pause(True)
        await asyncio.sleep(300)
        assert engine.snapshot().alerts == ()
        engine.pause(False)
        await asyncio.sleep(60)
        assert engine.snapshot().alerts == ()
        await engine.stop()

    in_virtual_time(main)
    assert paused


def test_switched_off_there_are_none(tmp_path: Path) -> None:
    fleet = FleetConfig((SPEC,), alerts=AlertSettings(enabled=False))

    async def main() -> None:
        engine = Engine(fleet, clock=clock(), open_endpoint=lambda spec, _: Server(lambda at: None))
        await engine.start()
        await asyncio.sleep(60)
        assert engine.alarms is None
        assert engine.snapshot().alerts == ()
        await engine.stop()

    in_virtual_time(main)


def test_once_is_no_watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`status` and `check` ask once: nothing of alerts is read or written."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def main() -> None:
        engine = Engine(FleetConfig((SPEC,)), clock=clock(), open_endpoint=lambda spec, _: Server(lambda at: None))
        await engine.once()
        assert engine.alarms is None
        assert engine.snapshot().alerts == ()
        await engine.stop()

    in_virtual_time(main)
    assert not list(tmp_path.iterdir())


def test_a_state_that_is_not_kept_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def main() -> None:
        engine = Engine(FleetConfig((SPEC,)), clock=clock(), open_endpoint=lambda spec, _: Server(lambda at: None))
        alarms = engine.alarms = Alarms(engine.fleet, keep=False, by="ana", wall=engine.clock.wall)
        await engine.start()
        await asyncio.sleep(20)
        alarms.acknowledge("down a", "x")
        alarms.silence("a", 60)
        await asyncio.sleep(2)
        (alert,) = engine.snapshot().alerts
        assert alert.acknowledged is not None
        assert alert.silenced_until is not None
        assert alarms.notes == ()
        await engine.stop()

    in_virtual_time(main)
    assert not list(tmp_path.iterdir())
