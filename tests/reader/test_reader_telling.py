"""When changes are told: floods, flapping, jobs, levels."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FrozenClock, endpoint_view, snapshot
from jobs import job
from quarterdeck.model.fleet import State
from quarterdeck.model.job import Job, JobState, Progress
from quarterdeck.reader.changes import Change, Kind, changes
from quarterdeck.reader.saying import AS_BEFORE, GATHER_S, MOST_LINES, Level, clock, told
from quarterdeck.reader.telling import FLAPS, SETTLED_S, Memory, heard

WALL = FrozenClock().wall
NOW = 10_000.0


def state(name: str, word: str = "DOWN", reason: str = "refused", *, grave: bool = True) -> Change:
    text = f"{name} is {word}: {reason}."
    return Change(Kind.STATE, name, word, text, WALL, f"endpoints are {word}", reason, name, grave=grave)


def progress(known: Job) -> Change:
    return Change(
        Kind.PROGRESS, known.id, "progress", f"goes on: {known.progress.phase}.", WALL, "", "", "", False, known
    )


def at(phase: str, fraction: float) -> Job:
    return job(id="abcde", state=JobState.RUNNING, progress=Progress(phase, fraction))


def said(memory: Memory, level: Level = Level.ALL) -> list[str]:
    return [line.partition(" ")[2] for line in told(memory, level)[1]]


def test_a_line_begins_with_its_time() -> None:
    (line,) = told(heard(Memory(), [state("a")], NOW), Level.ALL)[1]
    assert line == f"{clock(WALL)} a is DOWN: refused."
    assert len(clock(WALL)) == len("14:03:21")


@pytest.mark.parametrize("unix", [float("nan"), float("inf"), 1e300, -1e300])
def test_a_time_that_is_none_is_no_error(unix: float) -> None:
    assert clock(unix)


def test_a_flood_is_summed_up() -> None:
    down = [state(f"e{number}") for number in range(12)]
    auth = state("x", "AUTH", "401")
    assert said(heard(Memory(), [*down, auth], NOW)) == [
        "12 endpoints are DOWN: e0, e1, e2 and 9 more. All for the same reason: refused.",
        "x is AUTH: 401.",
    ]
    mixed = [state(f"e{number}", reason=str(number)) for number in range(12)]
    assert said(heard(Memory(), mixed, NOW)) == ["12 endpoints are DOWN: e0, e1, e2 and 9 more."]


def test_a_flood_that_lasts_some_seconds_is_summed_up_in_few_lines() -> None:
    memory, spoken = Memory(), []
    for second in range(3):
        memory = heard(memory, [state(f"e{second}{number}") for number in range(10)], NOW + second)
        memory, lines = told(memory, Level.ALL)
        spoken += lines
    assert len(spoken) == 1
    memory, lines = told(heard(memory, [], NOW + GATHER_S), Level.ALL)
    assert [line.partition(" ")[2] for line in lines] == [
        "20 endpoints are DOWN: e10, e11, e12 and 17 more. All for the same reason: refused."
    ]
    assert told(memory, Level.ALL)[1] == []


def test_the_same_advice_is_not_given_again_and_again() -> None:
    advised = [replace(state(each), advice="Try: wait.") for each in "ab"]
    memory, lines = told(heard(Memory(), advised, NOW), Level.ALL)
    assert [line.partition(" ")[2] for line in lines] == [
        "a is DOWN: refused. Try: wait.",
        f"b is DOWN: refused. {AS_BEFORE}",
    ]
    later = heard(memory, [replace(state("c"), advice="Try: wait.")], NOW + 3600)
    assert said(told(heard(memory, [], NOW + 3500), Level.ALL)[0]) == []
    assert said(later) == ["c is DOWN: refused. Try: wait."]


def test_an_alert_about_what_flaps_is_not_told() -> None:
    memory = Memory()
    for number in range(FLAPS):
        memory = heard(memory, [state("a", "DOWN" if number % 2 else "OK")], NOW + number)
    still = Change(Kind.ALERT, "down a", "raised critical", "a is still DOWN.", WALL, about="a")
    memory = heard(told(memory, Level.ALL)[0], [still, replace(still, subject="down b", about="b")], NOW + 9)
    assert list(memory.held) == [(Kind.ALERT, "down b")]


def test_a_real_flood_from_two_snapshots() -> None:
    before = [endpoint_view(f"e{number}") for number in range(12)]
    after = [replace(view, state=State.DOWN, since=NOW - 5, reason="connection refused") for view in before]
    found = changes(snapshot(*before), snapshot(*after))
    assert said(heard(Memory(), found, NOW)) == [
        "12 endpoints are DOWN: e0, e1, e2 and 9 more. All for the same reason: connection refused."
    ]


def test_what_waits_is_replaced_by_what_comes_later() -> None:
    memory = heard(Memory(), [state("a")], NOW)
    memory = heard(memory, [state("a", "OK", "again")], NOW + 1)
    assert said(memory) == ["a is OK: again."]


def test_what_was_told_is_not_told_again() -> None:
    memory, lines = told(heard(Memory(), [state("a")], NOW), Level.ALL)
    assert len(lines) == 1
    assert told(heard(memory, [], NOW + 1), Level.ALL)[1] == []


def test_what_flaps_is_told_once_until_it_has_settled() -> None:
    memory, spoken = Memory(), []
    for number in range(FLAPS + 20):
        memory = heard(memory, [state("a", "DOWN" if number % 2 else "OK")], NOW + number)
        memory, lines = told(memory, Level.ALL)
        spoken += lines
    assert len(spoken) == FLAPS
    assert "a keeps changing, 5 times in 4 seconds. Now: a is OK: refused." in spoken[-1]
    memory = heard(memory, [], NOW + FLAPS + 19 + SETTLED_S - 1)
    assert said(memory) == []
    memory = heard(memory, [], NOW + FLAPS + 19 + SETTLED_S)
    assert said(memory) == ["a has settled: a is OK: refused."]
    memory = heard(told(memory, Level.ALL)[0], [state("a")], NOW + 1000)
    assert said(memory) == ["a is DOWN: refused."], "it may speak again"


def test_what_changes_now_and_then_does_not_flap() -> None:
    memory = Memory()
    for number in range(20):
        memory = heard(memory, [state("a")], NOW + number * 60)
        memory, lines = told(memory, Level.ALL)
        assert len(lines) == 1


def test_a_job_speaks_at_quarters_not_at_every_percent() -> None:
    begun = Change(Kind.JOB, "abcde", "begun", "begun.", WALL)
    memory, spoken = told(heard(Memory(), [begun], NOW), Level.ALL)
    for second in range(1, 101):
        memory = heard(memory, [progress(at("pulling", second / 100))], NOW + second)
        memory, lines = told(memory, Level.ALL)
        spoken += lines
    assert len(spoken) == 1 + 5, "begun, its first phase, then at 25, 50, 75 and 100 percent"


def test_a_phase_that_only_counts_down_is_the_same_phase() -> None:
    memory, spoken = heard(Memory(), [progress(at("stopping: 90 requests left", 0.0))], NOW), []
    for second in range(1, 200):
        memory = heard(memory, [progress(at(f"stopping: {90 - second // 3} requests left", 0.0))], NOW + second)
        memory, lines = told(memory, Level.ALL)
        spoken += lines
    assert spoken == []
    memory = heard(memory, [progress(at("stopping: 2 requests left", 0.0))], NOW + 301)
    assert said(memory) == ["goes on: stopping: 2 requests left."], "but it is not silent for ever"


def test_the_end_of_a_job_takes_the_place_of_its_progress() -> None:
    memory = heard(Memory(), [Change(Kind.JOB, "abcde", "begun", "begun.", WALL)], NOW)
    memory = heard(told(memory, Level.ALL)[0], [progress(at("pulling", 0.6))], NOW + 60)
    memory = heard(memory, [Change(Kind.JOB, "abcde", "done", "done.", WALL)], NOW + 61)
    assert said(memory) == ["done."]


def test_the_beginning_of_what_was_begun_here_is_known() -> None:
    memory = heard(Memory(), [Change(Kind.JOB, "abcde", "begun", "begun.", WALL)], NOW)
    assert told(memory, Level.ALL, known_jobs={"abcde"})[1] == []
    assert len(told(memory, Level.ALL, known_jobs=())[1]) == 1


def test_what_waited_is_told_in_the_order_in_which_it_happened() -> None:
    memory = heard(Memory(), [replace(state("b", "BUSY", grave=False), at=WALL - 60), state("a")], NOW)
    memory = heard(memory, [replace(state("c", "OK", grave=False), at=WALL - 30)], NOW)
    assert [line.split()[1] for line in told(memory, Level.ALL)[1]] == ["b", "c", "a"]


def test_levels() -> None:
    small = state("b", "BUSY", grave=False)
    done = Change(Kind.JOB, "abcde", "done", "done.", WALL, grave=False)
    memory = heard(Memory(), [small, state("a"), done], NOW)
    assert said(memory, Level.TROUBLE) == ["a is DOWN: refused.", "done."]
    assert said(memory, Level.QUIET) == []
    quiet, _ = told(memory, Level.QUIET)
    assert said(quiet) == ["a is DOWN: refused.", "b is BUSY: refused.", "done."], "nothing is lost"


KINDS = st.sampled_from([Kind.STATE, Kind.MODEL, Kind.ALERT, Kind.GPU])
FOUND = st.lists(
    st.builds(
        lambda kind, name, word, grave: Change(
            kind, name, word, f"{name} {word}.", WALL, f"things are {word}", "", name, grave=grave
        ),
        KINDS,
        st.sampled_from([f"n{number}" for number in range(30)]),
        st.sampled_from(["DOWN", "OK", "BUSY"]),
        st.booleans(),
    ),
    max_size=60,
)


@given(st.lists(FOUND, max_size=12))
def test_no_second_says_more_than_a_few_lines_and_nothing_waits_for_ever(seconds: list[list[Change]]) -> None:
    memory = Memory()
    for second, found in enumerate(seconds):
        memory = heard(memory, found, NOW + second)
        memory, lines = told(memory, Level.ALL)
        assert len(lines) <= MOST_LINES
    memory, lines = told(heard(memory, [], NOW + len(seconds) + GATHER_S), Level.ALL)
    assert len(lines) <= MOST_LINES
    assert not memory.held
    memory = heard(memory, [], NOW + len(seconds) + 1000)
    assert not memory.restless
    assert not memory.lately
    settled = told(memory, Level.ALL)
    assert len(settled[1]) <= MOST_LINES
    assert not settled[0].held
