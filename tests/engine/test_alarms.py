"""Alarms: alerts in the snapshot, and what people say to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alarm_consoles import DOWN, FLEET, Console, Time, run
from fakes import endpoint_view
from quarterdeck.config.fleet import AlertSettings
from quarterdeck.engine.alerting.alarms import Told
from quarterdeck.engine.alerting.record import from_json, to_json
from quarterdeck.engine.alerting.state import state_path
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Topic


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def new(time: Time, tmp_path: Path) -> Callable[..., Console]:
    """Makes consoles that share a state folder."""
    return lambda by="ana", fleet=FLEET: Console(time, tmp_path / "alerts" / "fleet.json", by, fleet)


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
