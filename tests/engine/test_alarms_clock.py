"""The alerts' file when the clock is set back, when it holds times that no calendar has, and when it grows too large."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alarm_consoles import DAY, DOWN, FLEET, Console, Time, run
from quarterdeck.engine.alerting.state import MOST_ALERTS, MOST_BYTES, Kept, State, StateFile


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def new(time: Time, tmp_path: Path) -> Callable[..., Console]:
    return lambda by="ana": Console(time, tmp_path / "fleet.json", by, FLEET)


def test_the_clock_is_set_back_while_nobody_watches(new: Callable[..., Console], time: Time) -> None:
    """What a console that died left open is not open for a day more."""
    run([new()], 10, a=DOWN)
    time.wall -= DAY
    asking = new("ben")
    asking.alarms.sync()
    assert asking.alarms.open == ()
    assert [alert.open for alert in asking.alarms.history] == [False]


def test_the_clock_is_set_back_while_somebody_watches(new: Callable[..., Console], time: Time) -> None:
    console, asking = new("ana"), new("ben")
    run([console], 10, a=DOWN)
    console.alarms.acknowledge("down a", "on it")
    time.wall -= DAY
    run([console], 2, a=DOWN)
    asking.alarms.sync()
    (alert,) = asking.alarms.open
    assert (alert.key, alert.acknowledged is not None) == ("down a", True)
    assert console.words.count("raised down a") == 1
    run([console], 400, a=DOWN)  # longer than after which an alert is forgotten
    asking.alarms.sync()
    assert [alert.key for alert in asking.alarms.open] == ["down a"]
    assert len(asking.alarms.history) == 1


@pytest.mark.parametrize("wrong", [1e300, -1e300, 10**400, 3e11])
@pytest.mark.parametrize("name", ["seen", "raised_at", "cleared_at", "since"])
def test_times_that_no_calendar_has(name: str, wrong: float, new: Callable[..., Console], time: Time) -> None:
    console = new()
    run([console], 10, a=DOWN)
    told = json.loads(console.path.read_text())
    told["alerts"][0][name] = wrong
    console.path.write_text(json.dumps(told))
    asking = new("ben")
    asking.alarms.sync()
    latest = 253_402_300_799
    for alert in (*asking.alarms.open, *asking.alarms.history):
        for at in (alert.since, alert.raised_at, alert.cleared_at or 0.0):
            assert 0 <= at <= latest


def test_it_never_writes_what_it_could_not_read_again(new: Callable[..., Console], tmp_path: Path) -> None:
    console = new()
    run([console], 10, a=DOWN)
    (alert,) = console.seen.alerts
    long = replace(alert, evidence=("é" * 900,) * 20)
    state = State(tuple(Kept(replace(long, key=f"down {at}"), 0.0) for at in range(MOST_ALERTS)))
    file = StateFile(tmp_path / "large.json")
    file.change(lambda _: state)
    assert file.path.stat().st_size <= MOST_BYTES
    kept = StateFile(file.path)
    read = kept.read()
    assert (kept.problem, read.alerts[-1]) == ("", state.alerts[-1])  # the newest stay
