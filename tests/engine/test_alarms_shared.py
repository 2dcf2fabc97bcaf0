"""What several consoles share of alerts, and the file it is in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alarm_consoles import DAY, DOWN, FLEET, Console, Time, run
from quarterdeck.config.fleet import AlertSettings
from quarterdeck.errors import QuarterdeckError


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def new(time: Time, tmp_path: Path) -> Callable[..., Console]:
    """Makes consoles that share a state folder."""
    return lambda by="ana", fleet=FLEET: Console(time, tmp_path / "alerts" / "fleet.json", by, fleet)


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
