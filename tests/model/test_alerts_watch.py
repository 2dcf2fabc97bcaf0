"""The step from snapshot to snapshot: durations, hysteresis, gaps, what supersedes what, and that nothing flaps."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from alert_play import DOWN, HOT, RULES, Play
from quarterdeck.model.alerts.alert import Severity
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.fleet import State


def test_a_queue_is_told_after_its_duration_and_is_over_below_the_clear_level() -> None:
    play = Play()
    assert play.run(60, waiting=20) == []
    assert play.run(60, waiting=21) == ["31 raised queue a"]
    (alert,) = play.alerts
    assert alert.raised_at - alert.since == 30
    assert play.run(60, waiting=11) == []  # between the two levels it is still open
    assert play.run(9, waiting=10) == []
    assert play.run(60, waiting=10) == ["3 cleared queue a"]
    assert not play.alerts[0].open
    assert play.alerts[0].ending == "10 requests waiting"


def test_one_good_reading_begins_the_duration_anew() -> None:
    play = Play()
    for _ in range(10):
        assert play.run(29, waiting=30) == []
        assert play.run(1, waiting=19) == []
    assert play.run(40, waiting=30) == ["31 raised queue a"]


def test_one_bad_reading_begins_the_calm_anew() -> None:
    play = Play()
    play.run(40, waiting=30)
    for _ in range(10):
        assert play.run(9, waiting=0) == []
        assert play.run(1, waiting=11) == []
    assert play.run(20, waiting=0) == ["11 cleared queue a"]


def test_the_same_reading_looked_at_for_minutes_proves_nothing() -> None:
    play = Play()
    assert play.run(10, waiting=30) == []
    assert play.repeat(300) == []
    play.run(40, waiting=30)
    assert [alert.key for alert in play.alerts] == ["queue a"]
    assert play.run(1, waiting=0) == []
    assert play.repeat(120) == []  # one calm reading does not clear it either


def test_what_is_polled_seldom_is_judged_by_its_own_pace() -> None:
    play = Play()
    told = play.run(100, every=30, interval=30.0, waiting=30)
    assert told == ["31 raised queue a"]
    assert play.run(100, every=30, interval=30.0, waiting=0) == ["31 cleared queue a"]


def test_nobody_looked_for_a_while() -> None:
    """Paused, or the program was stopped: what was about to be raised begins anew."""
    play = Play()
    play.run(28, waiting=30)
    play.wait(600)
    assert play.run(28, waiting=30) == []
    assert play.run(10, waiting=30) == ["3 raised queue a"]
    play.run(8, waiting=0)
    play.wait(600)
    assert play.run(8, waiting=0) == []  # nor is it over by what was calm before


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_wall_clock_that_jumps_raises_and_clears_nothing(jump: float) -> None:
    play = Play()
    play.run(20, waiting=30)
    play.wall += jump
    assert play.run(30, waiting=30) == []
    assert play.run(10, waiting=30) == ["1 raised queue a"]
    play.wall += jump
    assert play.run(10, waiting=30) == []
    assert play.alerts[0].open


def test_time_that_goes_backwards_is_survived() -> None:
    play = Play()
    play.run(40, waiting=30)
    play.now -= 500
    play.polled.clear()
    assert play.run(60, waiting=30) == []
    assert [alert.open for alert in play.alerts] == [True]
    assert play.run(20, waiting=0) == ["11 cleared queue a"]


def test_stale_numbers_raise_nothing_and_keep_what_is_open() -> None:
    play = Play()
    play.run(20, waiting=30)
    assert play.run(60, waiting=30, state=State.STALE) == []
    assert play.run(40, waiting=30) == ["31 raised queue a"]
    assert play.run(60, waiting=0, state=State.STALE) == []
    assert play.alerts[0].open


def test_down_supersedes_what_its_numbers_said() -> None:
    play = Play()
    play.run(40, waiting=30)
    assert play.run(60, state=State.DOWN, reason="connection refused", answered=play.now) == [
        "6 raised down a",
        "11 cleared queue a",
    ]
    ended = next(alert for alert in play.alerts if alert.rule == "queue")
    assert ended.ending == "superseded: a is DOWN"
    # Back, and the queue with it: it must last again before it is told.
    assert play.run(29, waiting=30) == ["11 cleared down a"]
    assert play.run(10, waiting=30) == ["3 raised queue a"]


def test_a_moment_of_down_supersedes_nothing() -> None:
    play = Play()
    play.run(40, waiting=30)
    for _ in range(5):
        assert play.run(4, state=State.DOWN, answered=play.now) == []
        assert play.run(8, waiting=30) == []
    assert [alert.key for alert in play.alerts] == ["queue a"]


def test_loading_ends_what_the_last_process_said() -> None:
    play = Play()
    play.run(40, waiting=30)
    play.run(20, state=State.LOADING, answered=play.now)
    assert play.alerts[0].ending == "superseded: a is LOADING"


def test_what_nothing_is_known_of_any_more_is_closed() -> None:
    play = Play()
    play.run(40, waiting=30)
    assert play.run(299) == []
    assert play.run(4) == ["1 cleared queue a"]
    assert play.alerts[0].ending == "nothing is known of it for 5 min"


def test_an_endpoint_that_is_taken_out_of_the_fleet() -> None:
    play = Play()
    play.run(40, waiting=30)
    play.polled.clear()
    assert play.repeat(299) == []
    assert play.repeat(4) == ["1 cleared queue a"]


def test_what_comes_and_goes_is_told_less_and_less_often() -> None:
    """20 s of trouble, 20 s without, for two hours: each time it must be well for twice as long."""
    play = Play((replace(DOWN, for_s=4, calm_s=10),))
    told = []
    for _ in range(180):
        told += play.run(20, state=State.DOWN, answered=play.now)
        told += play.run(20)
    raised = [line for line in told if " raised " in line]
    assert len(raised) <= 3
    assert play.alerts[0].open
    assert play.run(400) == ["81 cleared down a"] or play.alerts[0].cleared_at is not None


def test_what_stays_well_for_long_is_new_again() -> None:
    play = Play((replace(DOWN, for_s=4, calm_s=10),))
    for _ in range(4):
        assert play.run(20, state=State.DOWN, answered=play.now) == ["5 raised down a"]
        assert play.run(400) == ["11 cleared down a"]


def test_nothing_is_told_twice_and_the_tuple_stays_the_same() -> None:
    play = Play()
    play.run(40, waiting=30)
    before = play.alerts
    play.repeat(3)
    assert play.alerts is before
    play.run(2, waiting=30)
    play.run(2, waiting=31)
    assert play.alerts is not before
    assert play.alerts[0].what == "31 requests waiting"
    assert play.alerts[0].evidence[0].startswith("when it began: 30 requests waiting")
    assert play.alerts[0].raised_at == before[0].raised_at


def test_a_state_is_told_as_it_was_found() -> None:
    play = Play((Rule("stalled", "stalled", Severity.CRITICAL, 0.5, 0.5),))
    play.run(5, state=State.STALLED, reason="no token for 9 s")
    play.run(5, state=State.STALLED, reason="a token came; the next poll decides")
    (alert,) = play.alerts
    assert alert.what == "STALLED: no token for 9 s"
    assert alert.evidence[1].startswith("now: STALLED: a token came")


def test_without_alerts_it_is_the_same_empty_tuple() -> None:
    play = Play()
    play.run(5, waiting=0)
    before = play.alerts
    play.run(5, waiting=1)
    assert play.alerts is before == ()


def test_the_worst_and_newest_stand_on_top_and_what_is_over_below() -> None:
    play = Play()
    play.run(40, name="a", waiting=30)
    play.run(10, name="b", state=State.DOWN, answered=play.now)
    play.run(10, name="a", waiting=30)
    play.run(10, name="c", state=State.DOWN, answered=play.now)
    assert [alert.key for alert in play.alerts] == ["down c", "down b", "queue a"]
    play.run(30, name="c")
    assert [alert.key for alert in play.alerts] == ["down b", "queue a", "down c"]
    play.repeat(901)
    assert "down c" not in [alert.key for alert in play.alerts]


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_value_that_is_no_number_raises_nothing(value: float | None) -> None:
    play = Play(
        (Rule("kv", "kv", Severity.WARNING, 0.9, 0.9), Rule("low", "kv", Severity.WARNING, 0.1, 0.1, below=True))
    )
    assert play.run(30, kv_used=value) == []


def test_a_rule_that_is_changed_or_gone_ends_its_alerts() -> None:
    play = Play()
    play.run(40, waiting=30)
    play.rules = (DOWN, HOT)
    assert play.run(1, waiting=30) == ["1 cleared queue a"]
    assert play.alerts[0].ending == "its rule was changed or taken away"
    play.rules = RULES
    assert play.run(40, waiting=30) == ["31 raised queue a"]


def test_a_measure_that_nobody_knows_is_no_rule() -> None:
    play = Play((Rule("x", "mood", Severity.WARNING, 1, 1),))
    assert play.run(60, waiting=30) == []
