"""A recording played: its clock, its ways through time, its histories; and to the console it is an engine."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FrozenClock, endpoint_view
from quarterdeck.config.alerting import rules
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.alerting.alarms import Alarms
from quarterdeck.engine.recording.again import alerts_again
from quarterdeck.engine.recording.player import Player
from quarterdeck.engine.recording.reader import Recording
from quarterdeck.engine.recording.times import position_of
from quarterdeck.engine.recording.writer import Recorder
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import FleetSnapshot, State
from recordings import DOWN_FROM, DOWN_TO, START_AT, START_TIME, alike, recorded


class Desk:
    """A player on a clock that stands still."""

    def __init__(self, path: Path, **options: float) -> None:
        self.clock = FrozenClock()
        self.player = Player(Recording(path), clock=self.clock.clock, **options)  # type: ignore[arg-type]
        self.player.read()
        self.player.pause(False)

    def passes(self, seconds: float) -> None:
        self.clock.monotonic += seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "played.qdrec"


@pytest.fixture
def desk(path: Path) -> Desk:
    recorded(path)
    return Desk(path)


def test_it_plays_at_its_speed_and_ages_are_those_of_then(desk: Desk) -> None:
    player = desk.player
    seen = player.snapshot()
    assert (seen.at, seen.time) == (START_AT, START_TIME)
    desk.passes(3.25)
    seen = player.snapshot()
    assert (seen.at, seen.time) == (START_AT + 3.25, START_TIME + 3.25)
    assert seen.endpoints[0].answered == START_AT + 3
    assert player.clock.monotonic() == seen.at
    assert player.clock.wall() == seen.time
    player.change_speed(1)
    desk.passes(2)
    assert player.position == pytest.approx(7.25)


def test_paused_nothing_grows_old(desk: Desk) -> None:
    desk.passes(3.5)
    desk.player.pause(True)
    before = desk.player.snapshot()
    desk.passes(1000)
    after = desk.player.snapshot()
    assert after.at == before.at
    assert after.endpoints is before.endpoints
    assert desk.player.paused
    desk.player.pause(False)
    desk.passes(1)
    assert desk.player.snapshot().at == before.at + 1


def test_speeds_have_ends(desk: Desk) -> None:
    assert [desk.player.change_speed(1) for _ in range(8)] == [2, 4, 8, 16, 32, 64, 64, 64]
    assert [desk.player.change_speed(-1) for _ in range(10)][-2:] == [0.25, 0.25]
    assert Player(desk.player.recording, speed=1000).speed == 64


def test_at_the_end_it_stands_and_play_begins_anew(desk: Desk) -> None:
    desk.passes(500)
    player = desk.player
    assert player.snapshot().at == START_AT + 59
    assert (player.paused, player.at_end) == (True, True)
    player.pause(False)
    assert player.position == 0.0
    desk.passes(2)
    assert player.position == 2.0


def test_steps_go_from_sample_to_sample(desk: Desk) -> None:
    player = desk.player
    desk.passes(3.5)
    player.step(1)
    assert (player.position, player.paused) == (4.0, True)
    player.step(1)
    assert player.snapshot().at == START_AT + 5
    player.step(-1)
    player.step(-1)
    assert player.position == 3.0
    player.seek(3.5)
    player.step(-1)  # first to the beginning of what is seen
    assert player.position == 3.0
    player.step(-100)
    assert player.position == 0.0
    player.step(1000)
    assert player.at_end


def test_jumps_go_to_what_happened(desk: Desk) -> None:
    player = desk.player
    words = []
    places = []
    while found := player.jump(1):
        places.append(round(player.position))
        words.append({each.word for each in found})
    assert places == [10, DOWN_FROM, DOWN_FROM + 3, DOWN_TO, DOWN_TO + 5, 40]
    assert words == [{"begun"}, {"DOWN"}, {"raised"}, {"OK"}, {"cleared"}, {"done"}]
    assert player.snapshot().alerts[0].cleared_at is not None
    assert [round(player.position) for _ in range(3) if player.jump(-1)] == [37, 32, 23]
    desk.passes(1.5)  # playing on, twice in short order still means the one before
    assert player.jump(-1)
    assert round(player.position) == DOWN_FROM


def test_a_jump_lands_where_it_shows(desk: Desk) -> None:
    desk.player.jump(1)
    desk.player.jump(1)
    assert desk.player.snapshot().endpoints[1].state is State.DOWN
    desk.player.step(-1)
    assert desk.player.snapshot().endpoints[1].state is State.OK


def test_histories_end_now_and_have_gaps_where_nothing_answered(desk: Desk) -> None:
    player = desk.player
    player.seek(50)
    view = player.snapshot().endpoints[1]
    assert view.history is not None
    values = dict(view.history.samples("generation_tps"))
    assert values[START_AT + 4] == pytest.approx(100 + 4 * 1.7 + 1 / 3)
    assert values[START_AT + DOWN_FROM + 2] is None
    assert max(values) <= START_AT + 50
    vram = view.history.samples("vram_bytes")[0][1]
    assert vram == 61 * 1024**3
    player.seek(10)
    history = player.snapshot().endpoints[0].history
    assert history is not None
    assert (len(history), history.first_at, history.last_at) == (11, START_AT, START_AT + 10)
    assert history.at("running", START_AT + 12, 5.0) == history.samples("running")[-1][1]
    assert history.spans("generation_tps", START_AT, START_AT + 20, 2)[1] is not None
    assert history.spans("generation_tps", START_AT + 11, START_AT + 20, 2) == [None, None]
    gpu = player.snapshot().hosts[0].histories["GPU-1"]
    assert gpu.samples("utilization")[-1] == (START_AT + 10, 0.55)
    with pytest.raises(TypeError):
        history.record(1.0, [])


def test_seeking_shows_what_playing_shows(path: Path) -> None:
    snapshots = recorded(path)
    desk = Desk(path)
    for place in (59, 3, 30, 0, 45, 44):
        desk.player.seek(place)
        seen = desk.player.snapshot()
        for one, other in zip(
            (*seen.endpoints, *seen.hosts), (*snapshots[place].endpoints, *snapshots[place].hosts), strict=True
        ):
            alike(one, other)
        assert seen.endpoints[0].history is not None
        last = seen.endpoints[0].history.samples("generation_tps")[-1]
        assert last == (START_AT + place, snapshots[place].endpoints[0].generation_tps)


async def test_nothing_can_be_asked_or_added(desk: Desk) -> None:
    with pytest.raises(UsageError, match="this is a recording"):
        await desk.player.probe("a")
    with pytest.raises(UsageError, match="this is a recording"):
        desk.player.add((EndpointSpec("x", "http://x"),))
    desk.player.refresh()
    desk.player.set_interval(9)
    assert desk.player.interval == 2.0


async def test_a_running_one_reads_its_histories_and_ends(path: Path) -> None:
    recorded(path)
    player = Player(Recording(path))
    await player.start()
    for _ in range(500):
        if player.tape.complete:
            break
        await asyncio.sleep(0.01)
    assert player.tape.complete
    await player.stop()
    await player.stop()


def test_a_file_that_grows_shorter_meanwhile_ends_there(path: Path) -> None:
    recorded(path)
    desk = Desk(path)
    path.write_bytes(path.read_bytes()[:3000])
    desk.player.seek(55)
    seen = desk.player.snapshot()
    assert seen.at < START_AT + 55
    assert "ends early" in desk.player.recording.note
    assert desk.player.seconds < 55


# ---- times


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_times_as_people_write_them(path: Path) -> None:
    recorded(path)
    recording = Recording(path)
    began = time.strftime("%H:%M:%S", time.gmtime(START_TIME))
    day = time.strftime("%Y-%m-%d", time.gmtime(START_TIME))
    hours, minutes, seconds = began.split(":")
    later = f"{hours}:{minutes}:{int(seconds) + 20:02}"
    assert position_of("+10s", recording) == 10
    assert position_of("-20s", recording) == 39
    assert position_of("+10m", recording) == position_of("-0s", recording) == 59
    assert position_of("-5m", recording) == 0
    assert position_of(later, recording) == 19.5
    assert position_of(f"{day}T{later}", recording) == 19.5
    assert position_of(f"{day} {later}+00:00", recording) == 19.5
    assert position_of(began, recording) == 0
    for wrong in (
        "",
        "soon",
        "+x",
        "25:00",
        "12:99",
        "1999-01-01",
        "2999-01-01T00:00",
        "999999999999-01-01",
        "\x1b[31m",
    ):
        with pytest.raises(UsageError):
            position_of(wrong, recording)


# ---- alerts, again


def incident(second: int) -> FleetSnapshot:
    """A queue builds, then the server is gone, then all is well."""
    at = START_AT + second
    view = endpoint_view(
        "v", now=at, answered=at, running=4, waiting=0 if not 20 <= second < 200 else 60, generation_tps=40.0
    )
    if 200 <= second < 300:
        view = endpoint_view(
            "v", now=at, answered=START_AT + 199, state=State.DOWN, reason="refused", since=START_AT + 200
        )
    return FleetSnapshot(at=at, time=START_TIME + second, endpoints=(view,))


def test_the_alerts_of_an_incident_are_the_same_when_it_is_played_again(path: Path, tmp_path: Path) -> None:
    """Those recorded, and those that the rules find again."""
    fleet = FleetConfig(endpoints=(EndpointSpec("v", "http://127.0.0.1:1"),))
    alarms = Alarms(fleet, path=tmp_path / "alerts.json", wall=lambda: START_TIME)
    told: list[tuple[str, str, float, float | None]] = []
    alarms.listen(
        lambda news: told.extend((n.happening.word, n.alert.key, n.alert.raised_at, n.alert.cleared_at) for n in news)
    )
    writer = Recorder(path)
    live = []
    for second in range(420):
        seen = alarms.look(incident(second))
        live.append(seen.alerts)
        writer.take(seen)
    writer.close()
    assert [word for word, *_ in told].count("raised") >= 2
    assert [word for word, *_ in told].count("raised") == [word for word, *_ in told].count("cleared")
    desk = Desk(path)
    for place, alerts in enumerate(live):
        desk.player.seek(place)
        assert desk.player.snapshot().alerts == alerts
    again = alerts_again(desk.player.recording, rules(fleet.alerts, fleet.alert_rules, fleet.limits))
    assert [(each.word, each.alert.key, each.alert.raised_at, each.alert.cleared_at) for each in again] == told


def test_rules_are_looked_at_each_second_also_where_nothing_was_written(path: Path) -> None:
    first = incident(0)
    writer = Recorder(path)
    for second in (0, 10, 12):
        writer.take(replace(first, at=START_AT + second, time=START_TIME + second))
    writer.close()
    from quarterdeck.engine.recording.again import moments

    assert [seen.at - START_AT for seen in moments(Recording(path))] == list(range(11))
