"""The time line beside a running engine: in memory at once, on the disk a moment later, whatever the disk is like."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from fakes import FrozenClock, endpoint_view, event, snapshot
from quarterdeck.config.fleet import EventSettings, FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.timeline.book import Book, Entry
from quarterdeck.engine.timeline.collecting import MOST
from quarterdeck.engine.timeline.deeds import Deeds
from quarterdeck.engine.timeline.reading import read
from quarterdeck.engine.timeline.timeline import AGAIN_S, Timeline, merged
from quarterdeck.engine.timeline.witness import Witness
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening, Topic

UNIX = 1_795_370_400.0


def down(ago: float = 0.0, name: str = "a") -> FleetSnapshot:
    return snapshot(endpoint_view(name, events=(event(ago, "DOWN", "refused"),)))


def sink(word: str = "failing") -> Happening:
    return Happening(UNIX, Topic.SINK, "pager", word, "500")


class Rig:
    """A time line over a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.db"
        self.clock = FrozenClock()
        self.timeline = self.another(folder)
        self.told: list[Happening] = []
        self.timeline.listen(self.told.extend)

    def another(self, folder: Path) -> Timeline:
        book = Book(EventSettings(), self.path)
        return Timeline(book=book, deeds=Deeds(folder / "audit.jsonl"), clock=self.clock.clock)

    @property
    def kept(self) -> list[tuple[str, str]]:
        return [(row.happening.topic.value, row.happening.word) for row in read(self.path)[0]]


async def test_it_shows_at_once_and_keeps_a_moment_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    seen = rig.timeline.look(down())
    assert [one.word for one in seen.happenings] == ["DOWN"]
    assert rig.timeline.look(seen).happenings is seen.happenings
    assert [one.word for one in rig.told] == ["DOWN"]
    assert rig.kept == []
    await rig.timeline.save()
    assert rig.kept == [("state", "DOWN")]
    assert rig.timeline.look(down()).happenings is seen.happenings


async def test_who_comes_later_sees_what_was_before(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.timeline.look(down(30.0))
    await rig.timeline.save()
    later = rig.another(tmp_path)
    later.look(snapshot(endpoint_view("a", events=(event(0, "DOWN", "refused"), event(0, "STALE", "silent")))))
    await later.save()
    assert [(one.word, one.at) for one in later.happenings] == [("DOWN", UNIX - 30), ("STALE", UNIX)]
    assert rig.kept == [("state", "DOWN"), ("state", "STALE")]


async def test_a_state_that_was_known_is_no_news(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.timeline.look(down(3000.0))
    await rig.timeline.save()
    later = rig.another(tmp_path)
    await later.save()
    later.look(down(0.0))
    assert [one.at for one in later.happenings] == [UNIX - 3000]


async def test_what_was_found_well_and_goes_down_is_news(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.timeline.look(down(3000.0))
    await rig.timeline.save()
    later = rig.another(tmp_path)
    later.look(snapshot(endpoint_view("a")))
    await later.save()
    rig.clock.advance(10)
    later.look(snapshot(endpoint_view("a", events=(event(-10, "DOWN", "refused"),)), clock=rig.clock))
    await later.save()
    assert [(one.word, one.at - UNIX) for one in later.happenings] == [("DOWN", -3000), ("OK", 0), ("DOWN", 10)]
    assert rig.kept == [("state", "DOWN"), ("state", "OK"), ("state", "DOWN")]
    third = rig.another(tmp_path)
    await third.save()
    third.look(snapshot(endpoint_view("a"), endpoint_view("b"), clock=rig.clock))
    assert [one.word for one in third.happenings] == ["DOWN", "OK", "DOWN", "OK"]


async def test_a_sink_that_fails_elsewhere_is_seen_here(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    other = rig.another(tmp_path)
    await rig.timeline.save()
    other.add([sink()])
    await other.save()
    await rig.timeline.save()
    await rig.timeline.save()
    assert rig.timeline.happenings == (sink(),)
    assert rig.told == [sink()]


async def test_deeds_come_from_the_audit_log_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    line = {
        "time": "2026-11-23T01:02:03+00:00",
        "user": "ana",
        "action": "load",
        "target": "mac",
        "result": "begun",
        "job": "x",
    }
    with (tmp_path / "audit.jsonl").open("w") as log:
        log.write(json.dumps(line) + "\n" + json.dumps({**line, "result": "done"}) + "\nnonsense\n" + '{"half')
    await rig.timeline.save()
    await rig.timeline.save()
    assert [one.word for one in rig.timeline.happenings] == ["load"]
    with (tmp_path / "audit.jsonl").open("a") as log:
        log.write('": 1}\n' + json.dumps({**line, "action": "unload"}) + "\n")
    await rig.timeline.save()
    assert [one.word for one in rig.timeline.happenings] == ["load", "unload"]
    other = rig.another(tmp_path)
    await other.save()
    await other.save()
    await rig.timeline.save()
    assert [one.word for one in other.happenings] == ["load", "unload"]
    assert rig.kept == [("action", "load"), ("action", "unload")]


async def test_a_disk_that_fails_is_said_and_made_good(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.path.write_bytes(b"no database" * 1000)
    seen = rig.timeline.look(down())
    await rig.timeline.save()
    (note,) = rig.timeline.notes
    assert note.startswith("events are kept in memory only: ")
    assert [one.word for one in seen.happenings] == ["DOWN"]
    rig.path.unlink()
    rig.timeline.add([sink()])
    await rig.timeline.save()
    assert rig.timeline.notes == (note,)  # it is not tried again at once
    rig.clock.advance(AGAIN_S)
    await rig.timeline.save()
    assert not rig.timeline.notes
    assert rig.kept == [("state", "DOWN"), ("sink", "failing")]


async def test_a_disk_that_fails_for_ever_costs_bounded_memory(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.path.mkdir()
    for number in range(60):
        rig.timeline.add([replace(sink(), at=UNIX + number + place / 100) for place in range(100)])
        rig.clock.advance(AGAIN_S)
        await rig.timeline.save()
    assert len(rig.timeline._pending) == 2000
    assert len(rig.timeline.happenings) == MOST
    assert rig.timeline.happenings[-1].at == UNIX + 59.99


async def test_a_clock_that_jumps_ahead_deletes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.timeline.look(down())
    await rig.timeline.save()
    rig.clock.wall += 3650 * 86_400
    rig.timeline._book = Book(EventSettings(), rig.path)  # one that looks at once for what is old
    rig.timeline.add([replace(sink(), at=rig.clock.wall)])
    await rig.timeline.save()
    assert rig.kept == [("state", "DOWN"), ("sink", "failing")]


async def test_memory_alone(tmp_path: Path) -> None:
    timeline = Timeline(clock=FrozenClock().clock)
    timeline.look(down())
    await timeline.save()
    await timeline.close()
    assert [one.word for one in timeline.happenings] == ["DOWN"]
    assert timeline.notes == ()


async def test_what_is_old_is_kept_but_no_news(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.timeline.add([replace(sink(), at=UNIX - 7200)])
    assert rig.told == []
    assert len(rig.timeline.happenings) == 1


async def test_it_is_closed_with_all_that_was_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.timeline.look(down())
    await rig.timeline.close()
    assert rig.kept == [("state", "DOWN")]


def test_what_was_loaded_and_what_was_seen_since() -> None:
    loaded = [
        Happening(UNIX - 50, Topic.STATE, "a", "DOWN", "x"),
        Happening(UNIX - 40, Topic.JOB, "m", "begun", "", key="j"),
    ]
    own = [
        Happening(UNIX - 40, Topic.JOB, "m", "begun", "", key="j"),
        Happening(UNIX - 1, Topic.STATE, "a", "DOWN", "y"),
        Happening(UNIX, Topic.STATE, "a", "OK", ""),
        Happening(UNIX + 1, Topic.STATE, "a", "DOWN", "z"),
    ]
    assert merged(loaded, own, own[1:2]) == (*loaded, own[2], own[3])
    assert merged(loaded, own) == (*loaded, own[1], own[2], own[3])
    assert merged([], own) == tuple(own)
    assert len(merged(loaded * 1000, own)) == MOST


async def test_the_engine_shows_and_keeps_what_happens(tmp_path: Path) -> None:
    witness = Witness(FleetConfig(), folder=tmp_path)
    engine = Engine(FleetConfig(), witness=witness)
    await engine.start()
    witness.timeline.add([replace(sink(), at=engine.clock.wall())])
    assert [one.word for one in engine.snapshot().happenings] == ["failing"]
    await engine.stop()
    assert [row.happening.word for row in read(tmp_path / "events.db")[0]] == ["failing"]


async def test_two_consoles_one_line(tmp_path: Path) -> None:
    """Both see the endpoint go down; the file has it once, and both show it once."""
    rig = Rig(tmp_path)
    other = rig.another(tmp_path)
    entry = Entry(Happening(UNIX, Topic.STATE, "a", "OK", ""), 1.0)
    Book(EventSettings(), rig.path).add([entry], UNIX)
    for each in (rig.timeline, other):
        await each.save()
        each.look(down())
        await each.save()
        assert [one.word for one in each.happenings] == ["OK", "DOWN"]
    assert rig.kept == [("state", "OK"), ("state", "DOWN")]
