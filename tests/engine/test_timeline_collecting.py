"""What happened between two snapshots: each thing once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fakes import FrozenClock, endpoint_view, event, snapshot
from quarterdeck.engine.timeline.collecting import happenings
from quarterdeck.engine.timeline.deeds import deed_of
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import Job, JobState, Order

UNIX = 1_795_370_400.0
DOWN = event(30, "DOWN", "connection refused")
RESTART = event(20, "restart", "its counters began again", EventKind.RESTART)
LOADED = event(10, "loaded", "qwen3-32b", EventKind.MODEL)
JOB = Job("abcde", Order("pull", "mac", "qwen3:8b"), JobState.RUNNING, created=UNIX - 60, user="ana")
ALERT = Alert(
    "down vllm-a",
    "down",
    Severity.CRITICAL,
    "vllm-a",
    "DOWN: refused",
    UNIX - 9,
    UNIX - 4,
    ("now: DOWN",),
    endpoint="vllm-a",
)


def words(found: tuple[Happening, ...]) -> list[tuple[str, str, str]]:
    return [(one.topic.value, one.subject, one.word) for one in found]


def test_events_of_endpoints_come_once_and_by_the_wall_clock() -> None:
    first = snapshot(endpoint_view("a", events=(DOWN,)), endpoint_view("b"))
    second = snapshot(endpoint_view("a", events=(DOWN, RESTART, LOADED)), endpoint_view("b"))
    assert words(happenings(EMPTY_FLEET, first)) == [("state", "a", "DOWN")]
    found = happenings(first, second)
    assert words(found) == [("restart", "a", "restart"), ("model", "a", "loaded")]
    assert [one.at for one in found] == [UNIX - 20, UNIX - 10]
    assert found[1].text == "qwen3-32b"
    assert happenings(second, second) == ()
    assert happenings(second, snapshot(endpoint_view("a", events=(RESTART, LOADED)))) == ()


def with_jobs(*jobs: Job) -> FleetSnapshot:
    return replace(snapshot(), jobs=jobs)


def test_a_job_begins_ends_and_is_resumed() -> None:
    begun, asked = with_jobs(JOB), with_jobs(replace(JOB, state=JobState.QUEUED))
    failed = replace(JOB, state=JobState.FAILED, ended=UNIX - 5, words="no space left\nDelete something.")
    (first,) = happenings(EMPTY_FLEET, asked)
    assert (first.topic, first.word, first.at, first.subject, first.key) == (
        Topic.JOB,
        "begun",
        UNIX - 60,
        "mac",
        "abcde",
    )
    assert first.text.endswith("qwen3:8b on mac, by ana")
    assert happenings(asked, begun) == ()
    (end,) = happenings(begun, with_jobs(failed))
    assert (end.word, end.at) == ("failed", UNIX - 5)
    assert end.text.endswith("qwen3:8b on mac: no space left")
    again = replace(failed, state=JobState.RUNNING, attempts=2, started=UNIX - 3, ended=None, words="")
    (resumed,) = happenings(with_jobs(failed), with_jobs(again))
    assert (resumed.word, resumed.at) == ("resumed, attempt 2", UNIX - 3)
    done = replace(again, state=JobState.DONE, ended=UNIX - 1)
    assert [one.word for one in happenings(with_jobs(again), with_jobs(done))] == ["done, attempt 2"]


def test_a_job_of_before_comes_with_its_own_times() -> None:
    done = replace(JOB, state=JobState.DONE, ended=UNIX - 30)
    assert [(one.word, one.at) for one in happenings(EMPTY_FLEET, with_jobs(done))] == [
        ("begun", UNIX - 60),
        ("done", UNIX - 30),
    ]


def with_alerts(*alerts: Alert) -> FleetSnapshot:
    return replace(snapshot(), alerts=alerts)


def test_an_alert_is_raised_said_something_to_and_cleared() -> None:
    raised = with_alerts(ALERT)
    (first,) = happenings(EMPTY_FLEET, raised)
    assert (first.word, first.at, first.severity, first.key) == ("raised", UNIX - 4, "critical", "down vllm-a")
    # Another console had raised it earlier: it is the same one.
    earlier = replace(ALERT, raised_at=UNIX - 8, what="DOWN: no answer")
    assert happenings(raised, with_alerts(earlier)) == ()
    seen = replace(earlier, acknowledged=Acknowledged(UNIX - 2, "ana", "mine"))
    (said,) = happenings(raised, with_alerts(seen))
    assert (said.word, said.at, said.text) == ("acknowledged", UNIX - 2, "DOWN: no answer: seen by ana (mine)")
    silent = replace(seen, silenced_until=UNIX + 7200)
    assert [one.word for one in happenings(with_alerts(seen), with_alerts(silent))] == ["silenced"]
    assert [one.word for one in happenings(with_alerts(silent), with_alerts(seen))] == ["unsilenced"]
    cleared = replace(seen, cleared_at=UNIX - 1, ending="it answers")
    (over,) = happenings(with_alerts(seen), with_alerts(cleared))
    assert (over.word, over.at, over.text) == ("cleared", UNIX - 1, "it answers")
    back = replace(ALERT, raised_at=UNIX)
    assert [one.word for one in happenings(with_alerts(cleared), with_alerts(back, cleared))] == ["raised"]


KINDS = st.sampled_from(EventKind)
EVENTS = st.lists(
    st.builds(Event, at=st.floats(0, 10_000), kind=KINDS, word=st.sampled_from("abc"), text=st.text(max_size=5)),
    max_size=12,
    unique=True,
)


@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_no_order_of_snapshots_tells_a_thing_twice(steps: list[list[Event]]) -> None:
    before, seen, told = EMPTY_FLEET, set[Event](), 0
    clock = FrozenClock()
    for number in range(len(steps)):
        events = tuple(each for step in steps[: number + 1] for each in step)
        after = snapshot(endpoint_view("a", events=events), clock=clock)
        found = happenings(before, after)
        told += len(found)
        seen |= set(events)
        assert [one.at for one in found] == sorted(one.at for one in found)
        before = after
    assert told == len(seen)


def test_what_servers_say_is_made_safe() -> None:
    nasty = endpoint_view("a", events=(event(1, "DOWN", "\x1b]0;owned\x07\x1b[31mred\n\u202e" + "x" * 5000),))
    (one,) = happenings(EMPTY_FLEET, snapshot(nasty))
    assert one.text.isprintable()
    assert len(one.text) <= 300


def test_deeds_of_the_audit_log() -> None:
    line = {
        "time": "2026-11-23T01:02:03+00:00",
        "user": "ana",
        "action": "load",
        "target": "mac",
        "model": "q",
        "job": "abcde",
    }
    begun = deed_of({**line, "result": "begun"})
    assert begun == Happening(1_795_395_723.0, Topic.ACTION, "mac", "load", "q, by ana", key="abcde")
    assert deed_of({**line, "result": "done"}) is None  # the job's end says that
    orphan = {
        "time": "2026-11-23T01:02:03+00:00",
        "user": "ana",
        "action": "end-orphan",
        "host": "gpu-1",
        "title": "python",
    }
    assert deed_of({**orphan, "result": "begun"}) is None
    ended = deed_of({**orphan, "result": "done", "words": "process 7 has ended"})
    assert ended is not None
    assert (ended.subject, ended.text) == ("gpu-1", "python, by ana, done: process 7 has ended")


@given(
    st.dictionaries(
        st.sampled_from(["time", "action", "result", "job", "target", "user", "words"]),
        st.none() | st.integers() | st.text(max_size=20) | st.just("begun") | st.just("9999-99-99") | st.just(["x"]),
    )
)
def test_no_line_of_the_audit_log_is_too_strange(entry: dict[str, object]) -> None:
    deed_of(entry)
