"""A day of `quarterdeck watch` over fifty endpoints, in virtual time: memory stays flat, the file within its bound."""

from __future__ import annotations

import asyncio
import gc
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, EventSettings, FleetConfig
from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine import occurrences
from quarterdeck.engine.alerting import running, state
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.notifying import notifier
from quarterdeck.engine.notifying.notice import Notice
from quarterdeck.engine.timeline import timeline
from quarterdeck.engine.timeline.collecting import MOST
from quarterdeck.engine.timeline.reading import read
from quarterdeck.engine.timeline.witness import Witness
from quarterdeck.model.happening import Topic
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading
from virtual_time import clock, in_virtual_time

ENDPOINTS, HOUR_S = 50, 3600.0
POLL_S = 60.0
LOOK_S = 9.0
"""Rules are looked at so often; a longer pause would be taken for a sleep."""
MOST_BYTES = 2**20
FILLED_H = 8
"""Until then what is bounded fills up."""


@dataclass
class Restless:
    """An endpoint that goes down, comes back, restarts, and loads another model, each in its own rhythm."""

    number: int
    clock: Clock

    async def poll(self) -> Reading:
        at = self.clock.monotonic()
        turn = int(at / POLL_S) + self.number * 7
        if turn % 40 < 4:
            return Reading(at, Outcome.REFUSED, "connection refused")
        model = ModelReading(f"model-{turn // 20 % 3}", ModelState.LOADED)
        tokens = at * 10 if turn % 97 else 0.0
        engine = EngineReading(running=1, waiting=40 if turn % 50 < 5 else 0, generation_tokens=tokens)
        return Reading(at, Outcome.ANSWERED, latency_s=0.01, facts=Facts("vllm", engines=(engine,), models=(model,)))

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Ears:
    """A sink that hears all."""

    heard: list[str] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.heard.append(notice.word)

    async def close(self) -> None:
        """Nothing is open."""


def resident_pages() -> int:
    """Memory of this process; 1 where the system doesn't tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 1


@pytest.mark.timeout(240)
def test_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for module, name, value in (
        (running, "LOOK_EVERY_S", LOOK_S),
        (timeline, "EVERY_S", POLL_S),
        (notifier, "EVERY_S", POLL_S),
        (occurrences, "MOST_EVENTS", 20),  # so that they are full in hours
        (state, "MOST_ALERTS", 100),
    ):
        monkeypatch.setattr(module, name, value)
    specs = tuple(EndpointSpec(f"e{number}", f"http://127.0.0.1/{number}") for number in range(ENDPOINTS))
    fleet = FleetConfig(
        specs,
        console=ConsoleSettings(poll=POLL_S),
        sinks=(SinkSpec("ears", command=("true",)),),
        events=EventSettings(most=MOST_BYTES),
    )
    ears = Ears()
    blocks: list[int] = []
    resident: list[int] = []
    sizes: list[int] = []

    async def day() -> int:
        witness = Witness(fleet, headless=True, clock=clock(), folder=tmp_path, open_sender=lambda _: ears)
        engine = Engine(
            fleet,
            clock=clock(),
            open_endpoint=lambda spec, now: Restless(int(spec.name[1:]), now),
            witness=witness,
        )
        await engine.start()
        for hour in range(24):
            await asyncio.sleep(HOUR_S)
            engine.snapshot()
            await witness.timeline.save()
            sizes.append(sum(path.stat().st_size for path in tmp_path.glob("events.db*") if path.suffix != ".db-shm"))
            if hour >= FILLED_H:
                gc.collect()
                blocks.append(sys.getallocatedblocks())
                resident.append(resident_pages())
        assert witness.notes == ()
        await engine.stop()
        return len(witness.timeline.happenings)

    kept = in_virtual_time(day)
    assert max(blocks) <= min(blocks) * 1.05, blocks
    assert max(resident) <= min(resident) * 1.05, resident
    assert max(sizes) <= MOST_BYTES, sizes
    assert max(sizes) > MOST_BYTES / 4  # the bound was reached: it is pruned to a third, and the log comes and goes
    assert kept == MOST
    rows, last = read(tmp_path / "events.db", most=1_000_000)
    assert last > len(rows)  # the oldest have gone
    assert {row.happening.topic for row in rows} >= {Topic.STATE, Topic.RESTART, Topic.MODEL, Topic.ALERT}
    assert ears.heard.count("raised") > 1000
    assert 0 <= ears.heard.count("raised") - ears.heard.count("cleared") <= 3 * ENDPOINTS
