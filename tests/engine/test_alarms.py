"""Alarms: what people say to alerts, what is remembered, and what several consoles share of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fakes import endpoint_view
from quarterdeck.config.fleet import AlertSettings, EndpointSpec, FleetConfig
from quarterdeck.engine.alerting.alarms import Alarms, Told
from quarterdeck.engine.alerting.record import from_json, to_json
from quarterdeck.engine.alerting.state import state_path
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.happening import Topic

FLEET = FleetConfig(endpoints=(EndpointSpec("a", "http://a"), EndpointSpec("b", "http://b")))
DAY = 86_400.0


@dataclass
class Time:
    now: float = 5000.0
    wall: float = 1_795_370_400.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


@dataclass
class Console:
    """One of several that watch the same fleet."""

    time: Time
    path: Path
    by: str = "ana"
    fleet: FleetConfig = FLEET
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alarms = Alarms(self.fleet, path=self.path, by=self.by, wall=lambda: self.time.wall)
        self.alarms.listen(self.told.extend)
        self.seen = FleetSnapshot(0.0, 0.0)

    def look(self, **rows: dict[str, Any]) -> tuple[Alert, ...]:
        """A look at endpoints as given, and what others wrote meanwhile."""
        views = tuple(
            endpoint_view(name, now=self.time.now, answered=self.time.now, **known) for name, known in rows.items()
        )
        self.seen = self.alarms.look(FleetSnapshot(self.time.now, self.time.wall, views))
        self.alarms.sync()
        return self.seen.alerts

    @property
    def words(self) -> list[str]:
        return [f"{told.happening.word} {told.alert.key}" for told in self.told]


DOWN = {"state": State.DOWN, "reason": "connection refused"}


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def new(time: Time, tmp_path: Path) -> Callable[..., Console]:
    """Makes consoles that share a state folder."""
    return lambda by="ana", fleet=FLEET: Console(time, tmp_path / "alerts" / "fleet.json", by, fleet)


def run(consoles: list[Console], seconds: int, **rows: dict[str, Any]) -> None:
    """All of them look each second."""
    for _ in range(seconds):
        consoles[0].time.pass_(1)
        for console in consoles:
            console.look(**rows)


def test_alerts_are_in_the_snapshot_and_told(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 10, a=DOWN | {"since": 5001.0}, b={})
    (alert,) = console.seen.alerts
    assert alert.key == "down a"
    (told,) = console.told
    assert told.alert == alert
    happening = told.happening
    assert (happening.topic, happening.subject, happening.word) == (Topic.ALERT, "a", "raised")
    assert (happening.text, happening.severity, happening.key) == ("DOWN: connection refused", "critical", "down a")
    assert happening.at == alert.raised_at
    run([console], 20, a={}, b={})
    assert console.words == ["raised down a", "cleared down a"]
    assert console.told[1].happening.text == "DOWN: connection refused; over after 20 s: OK"


def test_it_looks_once_a_second_and_returns_the_same_tuple(new: Callable[..., Console], time: Time) -> None:
    console = new()
    run([console], 10, a=DOWN)
    before = console.seen.alerts
    for _ in range(9):
        time.pass_(0.1)
        console.look(a=DOWN)
        assert console.seen.alerts is before
    run([console], 3, a=DOWN)
    assert console.seen.alerts is before


def test_nothing_is_looked_at_while_paused(new: Callable[..., Console], time: Time) -> None:
    console = new()
    for _ in range(30):
        time.pass_(1)
        view = endpoint_view("a", now=time.now, **DOWN)
        seen = console.alarms.look(FleetSnapshot(time.now, time.wall, (view,)), paused=True)
        assert seen.alerts == ()
    assert console.told == []


def test_acknowledge(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 10, a=DOWN)
    said = console.alarms.acknowledge("down a", "restarting\x1b[31m it")
    assert said.acknowledged is not None
    assert (said.acknowledged.by, said.acknowledged.note) == ("ana", "restarting it")
    run([console], 2, a=DOWN)
    assert console.seen.alerts[0].acknowledged == said.acknowledged
    assert console.words[-1] == "acknowledged down a"
    assert console.told[-1].happening.text == "DOWN: connection refused; seen by ana: restarting it"
    # What is over is over; what comes back is not seen yet.
    run([console], 20, a={})
    assert console.seen.alerts[0].acknowledged == said.acknowledged
    run([console], 10, a=DOWN)
    opened = [alert for alert in console.seen.alerts if alert.open]
    assert [alert.acknowledged for alert in opened] == [None]


def test_only_what_is_open_can_be_acknowledged(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 10, a=DOWN)
    with pytest.raises(UsageError, match="no alert 'down b' is open") as caught:
        console.alarms.acknowledge("down b")
    assert "down a" in (caught.value.hint or "")
    run([console], 20, a={})
    with pytest.raises(UsageError):
        console.alarms.acknowledge("down a")


@pytest.mark.parametrize("name", ["down a", "down", "a"])
def test_silence_by_alert_rule_or_subject(name: str, new: Callable[..., Console], time: Time) -> None:
    console = new()
    run([console], 10, a=DOWN, b={})
    silence = console.alarms.silence(name, 600, "known")
    assert silence.until == time.wall + 600
    run([console], 2, a=DOWN, b={})
    assert console.seen.alerts[0].silenced_until == silence.until
    assert console.words[-1] == "silenced down a"
    assert console.alarms.silences == (silence,)
    console.alarms.unsilence(name)
    run([console], 2, a=DOWN, b={})
    assert console.seen.alerts[0].silenced_until is None
    assert console.words[-1] == "unsilenced down a"
    assert console.alarms.silences == ()
    with pytest.raises(UsageError):
        console.alarms.unsilence(name)


def test_a_silence_holds_for_what_is_raised_later_and_ends_by_itself(new: Callable[..., Console], time: Time) -> None:
    console = new()
    run([console], 2, a={}, b={})
    until = console.alarms.silence("b", 60).until
    run([console], 10, a=DOWN, b=DOWN)
    silenced = {alert.key: alert.silenced_until for alert in console.seen.alerts}
    assert silenced == {"down a": None, "down b": until}
    run([console], 60, a=DOWN, b=DOWN)
    assert console.alarms.silences == ()
    assert all((alert.silenced_until or 0) <= time.wall for alert in console.seen.alerts)


def test_a_silence_again_takes_the_place_of_the_one_before(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 2, a={})
    console.alarms.silence("down", 60)
    longer = console.alarms.silence("down", 600)
    assert console.alarms.silences == (longer,)


def test_what_can_t_be_silenced(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 2, a={})
    with pytest.raises(UsageError, match="is no alert, rule, endpoint, machine or GPU") as caught:
        console.alarms.silence("quue", 60)
    assert "'queue'" in (caught.value.hint or "")
    for seconds in (0.0, -1.0, float("nan"), float("inf"), 1e9):
        with pytest.raises(UsageError, match="a silence lasts"):
            console.alarms.silence("down", seconds)


def test_two_consoles_share_what_is_said(new: Callable[..., Console], time: Time) -> None:
    one, two = new("ana"), new("ben")
    run([one], 4, a=DOWN)
    run([one, two], 10, a=DOWN)  # ben came later
    assert one.seen.alerts[0].raised_at < one.seen.alerts[0].raised_at + 1
    assert two.seen.alerts[0].raised_at == one.seen.alerts[0].raised_at  # … and knows since when it is told
    one.alarms.acknowledge("down a", "on it")
    run([one, two], 2, a=DOWN)
    seen = two.seen.alerts[0].acknowledged
    assert seen is not None
    assert (seen.by, seen.note) == ("ana", "on it")
    two.alarms.silence("a", 60)
    run([one, two], 2, a=DOWN)
    assert one.seen.alerts[0].silenced_until == two.seen.alerts[0].silenced_until != None  # noqa: E711
    run([one, two], 20, a={})
    assert one.words.count("raised down a") == two.words.count("raised down a") == 1
    # For the history it was one alert.
    (kept,) = new("eve").alarms.history or one.alarms.history
    assert kept.acknowledged == seen
    assert not kept.open


def test_who_only_asks_sees_what_a_running_console_raised(new: Callable[..., Console], time: Time) -> None:
    """The command line has no snapshot of its own."""
    console, asking = new("ana"), new("ben")
    run([console], 10, a=DOWN)
    asking.alarms.sync()
    assert [alert.key for alert in asking.alarms.open] == ["down a"]
    asking.alarms.acknowledge("down a", "from the shell")
    run([console], 2, a=DOWN)
    assert console.seen.alerts[0].acknowledged is not None
    asking.alarms.silence("down a", 60)
    run([console], 2, a=DOWN)
    assert console.seen.alerts[0].silenced_until is not None


def test_what_a_console_that_died_left_open_is_over(new: Callable[..., Console], time: Time) -> None:
    console, later = new(), new()
    run([console], 10, a=DOWN)
    time.pass_(3600)
    later.alarms.sync()
    assert later.alarms.open == ()
    (left,) = later.alarms.history
    assert left.cleared_at is not None
    assert left.ending == "nobody watched on"
    run([later], 10, a=DOWN)
    assert [alert.open for alert in later.alarms.history] == [False, True]


def test_a_console_that_watches_on_keeps_its_alerts_open_for_the_others(new: Callable[..., Console]) -> None:
    console, asking = new(), new()
    run([console], 1000, a=DOWN)
    asking.alarms.sync()
    assert [alert.key for alert in asking.alarms.open] == ["down a"]


def test_history_is_kept_for_as_long_as_it_is_said(new: Callable[..., Console], time: Time) -> None:
    fleet = replace(FLEET, alerts=AlertSettings(keep=2 * DAY))
    console = new(fleet=fleet)
    for _ in range(4):
        run([console], 10, a=DOWN)
        run([console], 400, a={})
        time.pass_(DAY)
    run([console], 10, a={})
    kept = console.alarms.history
    assert 1 <= len(kept) <= 3
    assert all(alert.cleared_at is not None and time.wall - alert.cleared_at <= 2 * DAY for alert in kept)


GARBAGE = [
    b"",
    b"\x00\xff" * 100,
    b"{",
    b"[]",
    b"null",
    b'{"alerts": 3, "silences": []}',
    b'{"version": 1}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_file_that_is_none_is_put_aside_and_said(garbage: bytes, new: Callable[..., Console]) -> None:
    console = new()
    console.path.parent.mkdir()
    console.path.write_bytes(garbage)
    run([console], 3, a=DOWN)
    assert len(console.alarms.notes) == 1
    assert "can't be read as alerts; it is ignored" in console.alarms.notes[0]
    run([console], 10, a=DOWN)
    assert [alert.key for alert in console.seen.alerts] == ["down a"]
    assert console.path.with_suffix(".broken").read_bytes() == garbage
    run([console], 70, a=DOWN)
    assert not [*console.alarms.notes]
    assert json.loads(console.path.read_text())["alerts"][0]["key"] == "down a"


def test_entries_that_make_no_sense_are_left_out(new: Callable[..., Console], time: Time) -> None:
    console = new()
    run([console], 10, a=DOWN)
    document = json.loads(console.path.read_text())
    good = document["alerts"][0]
    hostile = [
        None,
        3,
        {},
        good | {"evidence": []},
        good | {"severity": "bad"},
        good | {"since": 10**400},
        good | {"raised_at": "x"},
        good | {"key": 5},
    ]
    silences = [None, {"kind": "x", "name": "a", "until": 1e12}, {"kind": "rule", "name": "\x1b[2J", "until": True}]
    text = good | {"key": "down z", "subject": "\x1b]0;x\x07z", "what": "a\nb" * 2000, "acknowledged": {"at": None}}
    console.path.write_text(json.dumps({"alerts": [*hostile, text, good], "silences": silences}))
    later = new()
    later.alarms.sync()
    assert later.alarms.notes == ()
    assert sorted(alert.key for alert in later.alarms.open) == ["down a", "down z"]
    odd = next(alert for alert in later.alarms.open if alert.key == "down z")
    assert odd.subject == "z"
    assert odd.what.isprintable()
    assert len(odd.what) <= 1000
    assert odd.acknowledged is None
    assert later.alarms.silences == ()


def test_a_folder_that_can_t_be_written(tmp_path: Path, time: Time) -> None:
    (tmp_path / "file").write_text("")
    console = Console(time, tmp_path / "file" / "fleet.json")
    run([console], 10, a=DOWN)
    assert [alert.key for alert in console.seen.alerts] == ["down a"]  # it goes without
    assert console.alarms.notes[0].startswith("alerts are not kept:")
    with pytest.raises(QuarterdeckError, match="nothing was done"):
        console.alarms.acknowledge("down a")
    with pytest.raises(QuarterdeckError, match="nothing was done"):
        console.alarms.silence("a", 60)
    (tmp_path / "file").unlink()
    run([console], 2, a=DOWN)
    assert not console.alarms.notes
    assert [alert.key for alert in console.alarms.history] == ["down a"]


def test_the_file_is_only_its_owner_s(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 10, a=DOWN)
    assert console.path.stat().st_mode & 0o777 == 0o600
    assert console.path.parent.stat().st_mode & 0o777 == 0o700
    assert not list(console.path.parent.glob("*.new"))


def test_many_writers_at_once_lose_nothing(new: Callable[..., Console], time: Time) -> None:
    consoles = [new(f"user{number}") for number in range(8)]
    run(consoles[:1], 2, a={}, b={})
    rules = [rule.id for rule in consoles[0].alarms.rules][:8]

    def silence(place: int) -> None:
        consoles[place].alarms.silence(rules[place], 600)

    threads = [threading.Thread(target=silence, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = new()
    fresh.alarms.sync()
    assert {silence.name for silence in fresh.alarms.silences} == set(rules)


def test_a_listener_that_fails_hides_nothing(new: Callable[..., Console]) -> None:
    console = new()

    def fails(told: tuple[Told, ...]) -> None:
        raise ValueError("secret")

    console.alarms._listeners.insert(0, fails)
    run([console], 10, a=DOWN)
    assert console.words == ["raised down a"]
    assert console.alarms.notes == ("somebody could not be told of an alert (ValueError)",)


def test_an_alert_survives_being_written_and_read(new: Callable[..., Console]) -> None:
    console = new()
    run([console], 10, a=DOWN)
    alert = console.alarms.acknowledge("down a", "x")
    assert from_json(json.loads(json.dumps(to_json(alert)))) == alert


def test_each_fleet_file_has_a_state_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    paths = {state_path(None), state_path(Path("/etc/a.toml")), state_path(Path("/etc/b.toml"))}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {tmp_path / "quarterdeck" / "alerts"}
    assert state_path(Path("a.toml")) == state_path(Path.cwd() / "a.toml")


def test_switched_off_there_are_no_rules(new: Callable[..., Console]) -> None:
    console = new(fleet=replace(FLEET, alerts=AlertSettings(enabled=False)))
    run([console], 30, a=DOWN)
    assert console.seen.alerts == ()
