"""The simulated fleet of real servers, recorded while it is polled: played, it has the same rows; and its key is nowhere."""

from __future__ import annotations

import os
from pathlib import Path

from quarterdeck.demo.fleet import start
from quarterdeck.demo.layout import KEY_ENV
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.recording.keeping import Redaction
from quarterdeck.engine.recording.player import Player
from quarterdeck.engine.recording.reader import Recording
from quarterdeck.engine.recording.writer import Recorder
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.verdict import judged
from quarterdeck.report.json import document
from recordings import alike, everything_in

POLLS = 4


async def test_the_demo_fleet_played_is_the_demo_fleet(tmp_path: Path) -> None:
    path = tmp_path / "demo.qdrec"
    demo = await start(seed=3)
    engine = Engine(demo.config)
    writer = Recorder(path, redact=Redaction(demo.config), every=0.0)
    seen: list[FleetSnapshot] = []
    try:
        key = os.environ[KEY_ENV]
        for _ in range(POLLS):
            await engine.once()
            seen.append(engine.snapshot())
            writer.take(seen[-1])
    finally:
        await engine.stop()
        await demo.stop()
        writer.close()
    assert key not in everything_in(path)
    player = Player(Recording(path))
    player.read()
    for snapshot in seen:
        player.seek(snapshot.at - seen[0].at + 1e-9)
        played = player.snapshot()
        assert len(played.endpoints) == len(snapshot.endpoints) > 4
        assert len(played.hosts) == len(snapshot.hosts) > 2
        for one, other in zip((*played.endpoints, *played.hosts), (*snapshot.endpoints, *snapshot.hosts), strict=True):
            alike(one, other)
        limits = demo.config.limits
        now = FleetSnapshot(snapshot.at, snapshot.time, played.endpoints, played.hosts)
        assert document(now, judged(now, limits)) == document(snapshot, judged(snapshot, limits))
    history = played.endpoints[0].history
    assert history is not None
    live = seen[-1].endpoints[0].history
    assert live is not None
    for name in history.names:
        assert history.samples(name) == live.samples(name)
