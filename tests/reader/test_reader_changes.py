"""What is different between two snapshots, in sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_cases import CASES
from fakes import FrozenClock, endpoint_view, event, gpu, host_view, model, snapshot
from fleets import mixed_fleet
from jobs import job
from quarterdeck.format import printable
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.events import EventKind
from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView, Xid
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import JobState, Progress
from quarterdeck.model.models import ModelState
from quarterdeck.reader import endpoints, machines
from quarterdeck.reader.changes import Change, Kind, changes
from quarterdeck.reader.opening import in_between, opening

NOW = FrozenClock().monotonic
WALL = FrozenClock().wall
EVIL = "\x1b[31mevil\x07\r\n\u202ename\x9b2J"


def text_of(before: FleetSnapshot, after: FleetSnapshot) -> list[str]:
    return [f"{one.text} {one.advice}".rstrip() for one in changes(before, after)]


def turned(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return text_of(snapshot(endpoint_view(**before)), snapshot(endpoint_view(**after)))


def alert(rule: str = "queue", **known: Any) -> Alert:
    usual: dict[str, Any] = {
        "key": f"{rule} vllm-a",
        "rule": rule,
        "severity": Severity.WARNING,
        "subject": "vllm-a",
        "what": "12 requests waiting",
        "since": WALL - 40,
        "raised_at": WALL,
        "evidence": ("x",),
        "cause": "more comes in than it can do",
        "advice": "Send requests elsewhere (n in the console).",
        "endpoint": "vllm-a",
    }
    return Alert(**(usual | known))


# ---- endpoints


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"state": State.DOWN, "since": NOW - 3, "reason": "connection refused"}, "vllm-a has been DOWN for 3 seconds: connection refused."),
        ({}, {"state": State.DOWN, "since": NOW, "reason": "connection refused"}, "vllm-a is DOWN: connection refused."),
        ({"state": State.DOWN, "since": NOW - 70}, {}, "vllm-a is OK again, after 1 minute 10 seconds DOWN."),
        ({"state": State.BUSY}, {}, "vllm-a is OK again."),
        ({}, {"state": State.BUSY, "since": NOW, "reason": "9 waiting"}, "vllm-a is BUSY: 9 waiting."),
        ({"state": None}, {}, "vllm-a is OK."),
        ({}, {"state": State.RESTARTED, "reason": "its counters began again"}, "vllm-a has RESTARTED: its counters began again."),
        ({}, {"state": State.STALLED, "since": NOW - 12, "reason": "no token for 12 s; 3 running"}, "vllm-a has been STALLED for 12 seconds: no token for 12 seconds; 3 running."),
        ({}, {"state": State.DOWN, "since": NOW, "reason": EVIL}, "vllm-a is DOWN: evil name."),
    ],
)  # fmt: skip
def test_a_state_that_turns(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    assert turned(before, after) == [said]


def test_what_is_only_another_number_is_no_change() -> None:
    assert turned({"running": 3, "reason": "9 waiting"}, {"running": 70, "reason": "12 waiting"}) == []


def test_an_endpoint_that_is_new_is_told_when_it_is_known() -> None:
    assert text_of(EMPTY_FLEET, snapshot(endpoint_view(state=None))) == []
    assert text_of(EMPTY_FLEET, snapshot(endpoint_view())) == ["vllm-a is OK."]


def test_models_that_come_and_go() -> None:
    before = endpoint_view("mac", events=(event(60, "loaded", "old", EventKind.MODEL),))
    news = (event(2, "loaded", "qwen3:8b", EventKind.MODEL), event(1, "unloaded", "old", EventKind.MODEL))
    after = replace(before, events=(*before.events, *news, event(0, "models", "3 more came or went", EventKind.MODEL)))
    assert text_of(snapshot(before), snapshot(after)) == [
        "Model qwen3:8b on mac is in memory now.",
        "Model old on mac has left memory.",
        "mac: 3 more came or went.",
    ]


# ---- machines


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"lost": True}, "GPU 1 of box is LOST: it does not answer any more."),
        ({"lost": True}, {}, "GPU 1 of box answers again."),
        ({}, {"throttle": ("hardware thermal slowdown",)}, "GPU 1 of box is slowed down by hardware thermal slowdown, at 54 degrees."),
        ({"throttle": ("hardware thermal slowdown",)}, {"throttle": ()}, "GPU 1 of box runs at full speed again."),
    ],
)  # fmt: skip
def test_gpus_that_are_lost_or_hot(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    one, other = (snapshot(hosts=(host_view("box", gpu(1, **known)),)) for known in (before, after))
    assert text_of(one, other) == [said]


def test_a_gpu_at_its_power_limit_is_daily_life() -> None:
    one, other = (snapshot(hosts=(host_view("box", gpu(1, throttle=how)),)) for how in ((), ("power cap",)))
    assert text_of(one, other) == []


def test_a_machine_that_cannot_be_read_and_can_again() -> None:
    well = host_view("box", source="http://box:9400/metrics")
    bad = replace(well, reason="connection refused")
    assert text_of(snapshot(hosts=(well,)), snapshot(hosts=(bad,))) == [
        "Machine box cannot be read: connection refused."
    ]
    assert text_of(snapshot(hosts=(bad,)), snapshot(hosts=(well,))) == ["Machine box can be read again."]
    assert text_of(snapshot(hosts=(well,)), snapshot(hosts=(replace(well, source="nvml", reason="no driver"),))) == []


def test_a_sink_that_cannot_be_told_now_and_one_of_old() -> None:
    now, old = (Happening(WALL - ago, Topic.SINK, "pager", "failed", "401") for ago in (1, 900))
    assert text_of(snapshot(), replace(snapshot(), happenings=(old, now))) == ["Sink pager: failed: 401."]
    both = replace(snapshot(), happenings=(old, now))
    assert text_of(both, replace(both, happenings=(old, now))) == []


# ---- jobs and alerts


def test_a_job_from_its_beginning_to_its_end() -> None:
    queued = job(id="abcde", state=JobState.QUEUED)
    half = replace(queued, state=JobState.RUNNING, progress=Progress("pulling 1 of 2", 0.5, 2**30, 2**31, 2**20, 60.0))
    done = replace(half, state=JobState.FAILED, words="no space left\nDelete a model.")
    frames = [replace(snapshot(), jobs=known) for known in ((), (queued,), (half,), (done,))]
    assert text_of(frames[0], frames[1]) == ["Job abcde, pull qwen3:8b on e, has begun."]
    assert text_of(frames[1], frames[2]) == [
        "Job abcde, pull qwen3:8b on e, goes on: pulling 1 of 2, 50 percent, 1.0 gibibytes of 2.0 gibibytes, "
        "1.0 mebibytes per second, 1 minute left."
    ]
    assert text_of(frames[2], frames[3]) == [
        "Job abcde, pull qwen3:8b on e, has FAILED: no space left. Delete a model."
    ]
    assert text_of(frames[3], frames[3]) == []


def test_alerts_are_raised_and_over() -> None:
    well, raised = snapshot(endpoint_view()), replace(snapshot(endpoint_view()), alerts=(alert(),))
    assert text_of(well, raised) == [
        "Warning alert: vllm-a: 12 requests waiting. Likely cause: more comes in than it can do. Try: Send requests elsewhere."
    ]
    seen = replace(raised, alerts=(alert(acknowledged=Acknowledged(WALL, "ann", "on it")),))
    assert text_of(raised, seen) == ["Alert queue vllm-a was acknowledged by ann, who says: on it."]
    over = replace(raised, alerts=(alert(cleared_at=WALL, ending="3 requests waiting"),))
    assert text_of(raised, over) == ["Alert over: vllm-a: 3 requests waiting."]
    assert text_of(over, over) == []


def test_an_alert_about_a_state_adds_what_to_try_and_repeats_nothing() -> None:
    well, stalled = endpoint_view(), endpoint_view(state=State.STALLED, since=NOW, reason="no token for 9 s")
    told = alert("stalled", severity=Severity.CRITICAL, what="STALLED: no token for 9 s")
    at_once = replace(snapshot(stalled), alerts=(told,))
    assert text_of(snapshot(well), at_once) == [
        "vllm-a is STALLED: no token for 9 seconds. Critical alert. Likely cause: more comes in than it can do. "
        "Try: Send requests elsewhere."
    ]
    (later,) = text_of(snapshot(stalled), replace(snapshot(stalled), alerts=(told,)))
    assert later.startswith("Critical alert: vllm-a is still STALLED. Likely cause: ")
    over = replace(snapshot(well), alerts=(replace(told, cleared_at=WALL, ending="OK"),))
    assert text_of(at_once, over) == ["vllm-a is OK again, after 0 seconds STALLED."]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name or case.rule)
def test_every_built_in_alert_can_be_read_out(case: Any) -> None:
    told = alert(
        case.rule,
        key=f"{case.rule} {case.subject}",
        subject=case.subject,
        what=case.says,
        endpoint=None,
        severity=case.severity,
    )
    (said,) = text_of(snapshot(), replace(snapshot(), alerts=(told,)))
    assert said == printable(said, 10_000)
    assert said.isascii()
    assert not any(sign in said for sign in ("%", "°C", "GiB", "TTFT", "p95"))


# ---- whatever comes

STATES = st.sampled_from([None, *State])
TEXTS = st.one_of(st.just(""), st.just(EVIL), st.text(max_size=40))


@st.composite
def views(draw: st.DrawFn) -> EndpointView:
    return endpoint_view(
        draw(st.sampled_from(["a", "b", "c"])),
        state=draw(STATES),
        reason=draw(TEXTS),
        since=draw(st.one_of(st.none(), st.floats(0, NOW))),
        running=draw(st.one_of(st.none(), st.integers(0, 10**9))),
        kv_used=draw(st.one_of(st.none(), st.floats(0, 1))),
        models=tuple(
            model(text, draw(st.sampled_from(list(ModelState)))) for text in draw(st.lists(TEXTS, max_size=2))
        ),
    )


@st.composite
def gpus(draw: st.DrawFn) -> GpuView:
    heat = draw(st.sampled_from([None, (), ("power cap",), ("hardware thermal slowdown", EVIL)]))
    xids = (Xid(79, None, EVIL),) if draw(st.booleans()) else ()
    return gpu(draw(st.integers(0, 3)), lost=draw(st.booleans()), throttle=heat, xids=xids, name=draw(TEXTS))


@st.composite
def snapshots(draw: st.DrawFn) -> FleetSnapshot:
    known = {view.name: view for view in draw(st.lists(views(), max_size=3))}
    cards = {card.index: card for card in draw(st.lists(gpus(), max_size=3))}
    hosts = (host_view("box", *cards.values(), source="ssh", reason=draw(TEXTS)),) if draw(st.booleans()) else ()
    state = draw(st.sampled_from(list(JobState)))
    jobs = (job(id="abcde", state=state, words=draw(TEXTS), progress=Progress(draw(TEXTS), 0.3)),)
    alerts = (alert(draw(st.sampled_from(["down", "queue"])), what=draw(TEXTS), advice=draw(TEXTS)),)
    return replace(
        snapshot(*known.values(), hosts=hosts),
        jobs=jobs if draw(st.booleans()) else (),
        alerts=alerts if draw(st.booleans()) else (),
    )


def clean(lines: list[str]) -> None:
    for line in lines:
        assert line == printable(line, 100_000)
        assert line


@given(snapshots(), snapshots())
def test_each_state_that_turned_is_told_once_and_nothing_else_of_endpoints(
    before: FleetSnapshot, after: FleetSnapshot
) -> None:
    found = changes(before, after)
    clean([each for one in found for each in (one.text, one.advice, one.named) if each])
    was = {view.name: view.state for view in before.endpoints}
    expected = {v.name for v in after.endpoints if v.state is not None and was.get(v.name) is not v.state}
    told = [one for one in found if one.kind is Kind.STATE]
    assert {one.subject for one in told} == expected
    assert len(told) == len(expected)
    states = {view.name: view.state for view in after.endpoints}
    for one in told:
        state = states[one.subject]
        assert state is not None
        assert state.value in one.text
    assert len({one.key for one in found if one.kind is not Kind.MODEL}) == len(
        [one for one in found if one.kind is not Kind.MODEL]
    )


@given(snapshots())
def test_nothing_is_told_where_nothing_changed(seen: FleetSnapshot) -> None:
    assert changes(seen, seen) == ()
    again = replace(seen, endpoints=tuple(replace(view) for view in seen.endpoints))
    assert changes(seen, again) == ()


@given(snapshots())
def test_everything_that_can_be_asked_has_words(seen: FleetSnapshot) -> None:
    clean([*opening(seen), in_between(seen), *endpoints.status(seen), *endpoints.models(seen), *machines.gpus(seen)])
    for view in seen.endpoints:
        clean(endpoints.whole(view, seen))


def test_the_opening_begins_with_the_worst() -> None:
    said = opening(mixed_fleet())
    assert said[0].startswith("Of ")
    states = [
        next(state.value for state in endpoints.WORST_FIRST if state and state.value in line) for line in said[1:4]
    ]
    order = [state.value for state in endpoints.WORST_FIRST if state is not None]
    assert [order.index(state) for state in states] == sorted(order.index(state) for state in states)


def test_a_large_fleet_is_summed_up() -> None:
    well = [endpoint_view(f"e{number}") for number in range(40)]
    seen = snapshot(*well, endpoint_view("bad", state=State.DOWN, since=NOW - 9, reason="refused"))
    said = endpoints.status(seen)
    assert said[0] == "Of 41 endpoints, 1 is DOWN and 40 are OK."
    assert said[1] == "bad has been DOWN for 9 seconds: refused."
    assert len(said) == 3
    assert len(endpoints.status(seen, whole=True)) == 42
    assert opening(seen)[:2] == said[:2]


def test_a_change_names_what_it_is_about() -> None:
    (one,) = changes(snapshot(endpoint_view()), snapshot(endpoint_view(state=State.AUTH, since=NOW)))
    assert isinstance(one, Change)
    assert (one.kind, one.subject, one.word, one.grave) == (Kind.STATE, "vllm-a", "AUTH", True)
