"""The sinks of a fleet: told once, whoever notifies, and whatever becomes of who did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ears import Ears, alert, over
from fakes import FrozenClock
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.notifying.notifier import Notifier, notifiers
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.happening import Happening, Topic


class Rig:
    """Notifiers over one state folder, each as a program of its own would have one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "fleet.outward.json"
        self.clock = FrozenClock()
        self.reported: list[Happening] = []

    def program(self, *, watch: bool = False, sinks: tuple[SinkSpec, ...] = ()) -> tuple[Notifier, Ears]:
        ears = Ears()
        specs = sinks or (SinkSpec("ears", command=("x",), retry_for=0.0),)
        made = Notifier(
            specs, self.reported.append, path=self.path, first=watch, clock=self.clock.clock, open_sender=lambda _: ears
        )
        return made, ears

    async def deliver(self, notifier: Notifier, *alerts: Alert) -> None:
        """A look, and all that it leads to."""
        await notifier.look(alerts)
        working = [asyncio.ensure_future(sink.outbox.run()) for sink in notifier._sinks]
        while any(len(sink.outbox) for sink in notifier._sinks):
            await asyncio.sleep(0)
        for task in working:
            task.cancel()
        await notifier.look(alerts)


async def test_two_consoles_and_a_watch_tell_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (one, first), (two, second), (watch, third) = rig.program(), rig.program(), rig.program(watch=True)
    for _ in range(3):
        for each in (one, two, watch):
            await rig.deliver(each, alert())
    assert first.heard + second.heard + third.heard == [("raised", "vllm-a")]
    # The watch has the turn now. It ends, and a console goes on where it ended.
    await rig.deliver(watch, alert(), alert("vllm-b"))
    await watch.close()
    for each in (one, two):
        await rig.deliver(each, alert(), alert("vllm-b"))
        await rig.deliver(each, over(alert()), alert("vllm-b"))
    assert sorted(first.heard + second.heard + third.heard) == [
        ("cleared", "vllm-a"),
        ("raised", "vllm-a"),
        ("raised", "vllm-b"),
    ]
    assert rig.reported == []


async def test_a_watch_that_is_started_again_doesn_t_repeat_itself(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    watch, before = rig.program(watch=True)
    await rig.deliver(watch, alert())
    await watch.close()
    watch, after = rig.program(watch=True)
    await rig.deliver(watch)
    await rig.deliver(watch, alert())
    await rig.deliver(watch, over(alert()))
    assert (before.heard, after.heard) == ([("raised", "vllm-a")], [("cleared", "vllm-a")])


async def test_what_a_stopped_program_could_not_tell_the_next_one_tells(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    watch, _ = rig.program(watch=True)
    await watch.look([alert()])  # stopped before its sinks were told
    await watch.close()
    (left,) = rig.reported
    assert (left.topic, left.subject, left.word) == (Topic.SINK, "ears", "left")
    watch, after = rig.program(watch=True)
    await rig.deliver(watch, alert())
    assert after.heard == [("raised", "vllm-a")]


async def test_a_loss_is_a_happening(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    watch, ears = rig.program(watch=True)
    ears.fails = "500: oops"
    await rig.deliver(watch, alert())
    assert [(one.word, one.severity, one.key) for one in rig.reported] == [
        ("failing", "", ""),
        ("lost", "critical", "down vllm-a"),
    ]
    assert rig.reported[1].text == "CRITICAL vllm-a: DOWN: refused: not delivered: 500: oops (tried for 0 ms)"
    ears.fails = ""
    await rig.deliver(watch, over(alert()))
    assert [one.word for one in rig.reported] == ["failing", "lost", "works again"]


async def test_a_folder_that_can_t_be_written_to_stops_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.path = tmp_path / "file/x.json"
    (tmp_path / "file").write_text("")
    watch, ears = rig.program(watch=True)
    await rig.deliver(watch, alert())
    assert ears.heard == [("raised", "vllm-a")]
    assert "x" in watch.note


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"sinks": 3}', '{"sinks": {"ears": [1, {"key": "x"}]}}', "\x00" * 100]
)
async def test_a_memory_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    rig = Rig(tmp_path)
    rig.path.write_text(text)
    watch, ears = rig.program(watch=True)
    await rig.deliver(watch, alert())
    assert ears.heard == [("raised", "vllm-a")]


def test_what_needs_a_screen_is_left_to_who_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.engine.notifying.notifier.is_usable", lambda spec: not spec.desktop)
    sinks = (SinkSpec("w", webhook="http://127.0.0.1:9"), SinkSpec("b", bell=True), SinkSpec("d", desktop=True))
    made = notifiers(FleetConfig(sinks=sinks), lambda _: None, headless=True, folder=tmp_path)
    assert [[sink.spec.name for sink in each._sinks] for each in made] == [["w"], ["b"]]
