"""Dataclasses to plain values and back, and what changed between two of them: for any snapshot there can be."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleets import mixed_fleet
from gpu_fleets import gpu_fleet
from quarterdeck.engine.recording.codec import from_plain, to_plain
from quarterdeck.engine.recording.delta import SAME, DamagedError, apply, diff
from quarterdeck.engine.recording.frames import dumped, loaded
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.chat.price import Price
from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import Boundary, EndpointView, State
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder, Xid
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.host import HostView
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.latency import Latencies, Window
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Histogram
from recordings import alike

TEXT = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\u00a0"), max_size=12).map(
    lambda text: "".join(each for each in text if each.isprintable())
)
MAYBE_TEXT = st.none() | TEXT
INTS = st.integers(-(2**62), 2**62)
FLOATS = st.floats(allow_nan=False)
EVENTS = st.builds(Event, FLOATS, st.sampled_from(EventKind), TEXT, TEXT)
MODELS = st.builds(ModelReading, TEXT, st.sampled_from(ModelState), st.none() | INTS, expires_at=st.none() | FLOATS)
WINDOWS = st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=4).map(
    lambda pairs: Window(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
)
COUNTS = st.lists(st.floats(0, 1e9), min_size=1, max_size=5).map(tuple)
LATENCIES = st.builds(Latencies, st.dictionaries(TEXT, WINDOWS, max_size=2), st.dictionaries(TEXT, WINDOWS, max_size=2))
ENGINES = st.builds(EngineReading, TEXT, st.none() | INTS, ttft=st.none() | st.builds(Histogram, COUNTS, COUNTS))
ENDPOINTS = st.builds(
    EndpointView,
    TEXT,
    TEXT,
    host=MAYBE_TEXT,
    boundary=st.sampled_from(Boundary),
    protected=st.booleans(),
    state=st.none() | st.sampled_from(State),
    since=st.none() | FLOATS,
    evidence=st.lists(TEXT, max_size=3).map(tuple),
    running=st.none() | INTS,
    waiting_by_reason=st.lists(st.tuples(TEXT, INTS), max_size=2).map(tuple),
    finished_ps=st.none() | st.lists(st.tuples(TEXT, FLOATS), max_size=2).map(tuple),
    latencies=st.none() | LATENCIES,
    models=st.lists(MODELS, max_size=3).map(tuple),
    identity=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    cannot=st.dictionaries(TEXT, TEXT, max_size=2),
    prices=st.dictionaries(TEXT, st.builds(Price, st.none() | FLOATS, st.none() | FLOATS), max_size=2),
    engines=st.lists(ENGINES, max_size=2).map(tuple),
    estimates=st.frozensets(TEXT, max_size=3),
    events=st.lists(EVENTS, max_size=3).map(tuple),
    tps_history=st.lists(st.none() | FLOATS, max_size=4).map(tuple),
)
PROCESSES = st.builds(GpuProcess, INTS, holder=st.sampled_from(Holder), ports=st.none() | st.lists(INTS).map(tuple))
GPUS = st.builds(
    GpuView,
    INTS,
    uuid=MAYBE_TEXT,
    utilization=st.none() | FLOATS,
    processes=st.none() | st.lists(PROCESSES, max_size=2).map(tuple),
    throttle=st.none() | st.lists(TEXT, max_size=2).map(tuple),
    xids=st.lists(st.builds(Xid, INTS, st.none() | FLOATS, TEXT), max_size=2).map(tuple),
    lost=st.booleans(),
)
HOSTS = st.builds(HostView, TEXT, TEXT, cpu=st.none() | FLOATS, gpus=st.lists(GPUS, max_size=2).map(tuple))
OPTIONS = st.dictionaries(TEXT, st.booleans() | TEXT | INTS | FLOATS, max_size=3)
JOBS = st.builds(
    Job,
    TEXT,
    st.builds(Order, TEXT, TEXT, MAYBE_TEXT, OPTIONS),
    st.sampled_from(JobState),
    progress=st.builds(Progress, TEXT, st.none() | FLOATS),
)
ALERTS = st.builds(
    Alert,
    TEXT,
    TEXT,
    st.sampled_from(Severity),
    TEXT,
    TEXT,
    FLOATS,
    FLOATS,
    st.lists(TEXT, min_size=1, max_size=2).map(tuple),
    acknowledged=st.none() | st.builds(Acknowledged, FLOATS, TEXT),
)
HAPPENINGS = st.builds(Happening, FLOATS, st.sampled_from(Topic), TEXT, TEXT, TEXT)
ANYTHING = st.one_of(ENDPOINTS, HOSTS, JOBS, ALERTS, HAPPENINGS)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING)
def test_what_is_written_comes_back(value: Any) -> None:
    alike(from_plain(type(value), loaded(dumped(to_plain(value)))), value)


def test_every_kind_of_fleet_comes_back() -> None:
    for snapshot in (mixed_fleet(), gpu_fleet()):
        for row in (*snapshot.endpoints, *snapshot.hosts):
            alike(from_plain(type(row), loaded(dumped(to_plain(row)))), row)


@pytest.mark.parametrize("kind", [EndpointView, HostView, Job, Alert, Happening])
def test_every_field_but_histories_is_written(kind: Any) -> None:
    """A field that somebody adds to the model is recorded, or this says that it can't be."""
    from quarterdeck.engine.recording.codec import _fields

    written = {field.name for field in _fields(kind)}
    assert {field.name for field in dataclasses.fields(kind)} - written <= {"history", "histories"}


def test_what_is_not_finite() -> None:
    view = EndpointView("a", "http://a", running=1, since=math.inf, answered=-math.inf, kv_used=math.nan)
    back = from_plain(EndpointView, loaded(dumped(to_plain(view))))
    assert (back.since, back.answered) == (math.inf, -math.inf)
    assert back.kv_used is not None
    assert math.isnan(back.kv_used)


def test_defaults_cost_nothing() -> None:
    assert to_plain(EndpointView("a", "u")) == {"name": "a", "url": "u"}


def test_of_another_version() -> None:
    """Unknown fields are skipped, missing ones have their defaults; a state that nobody knows is unknown."""
    view = from_plain(
        EndpointView,
        {
            "name": "a",
            "url": "u",
            "state": "MELTED",
            "aura": {"colour": 3},
            "events": [
                {"at": 1, "kind": "eclipse", "word": "x", "text": "y"},
                {"at": 1, "kind": "state", "word": "x", "text": "y"},
            ],
        },
    )
    assert (view.state, view.interval, len(view.events)) == (None, 2.0, 1)


@pytest.mark.parametrize("plain", [None, 3, [], "x", {}, {"name": "a"}, {"name": 3, "url": "u"}])
def test_what_is_no_row(plain: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_plain(EndpointView, plain)


@given(PLAIN)
def test_hostile_values_become_rows_or_a_clear_no(plain: object) -> None:
    """Whatever stands in the place of a field: that field is its default, and texts are safe."""
    names = [field.name for field in dataclasses.fields(EndpointView) if field.name not in ("name", "url")]
    view = from_plain(EndpointView, {"name": "a", "url": "u", **dict.fromkeys(names, plain)})
    assert view.reason.replace("\n", "").isprintable()
    assert isinstance(view.models, tuple)
    assert view.vram_bytes is None


@given(PLAIN, PLAIN)
def test_a_patch_makes_the_new_of_the_old(old: object, new: object) -> None:
    patch = diff(old, new)
    if patch is SAME:
        assert old == new
    else:
        assert apply(old, loaded(dumped(patch))) == new


@given(st.lists(st.none() | FLOATS, max_size=9), st.lists(st.none() | FLOATS, max_size=3), st.integers(0, 9))
def test_a_list_that_moves_on_is_told_by_its_new_end(
    old: list[float | None], more: list[float | None], drop: int
) -> None:
    new = [*old[drop:], *more]
    patch = diff(old, new)
    assert new == (old if patch is SAME else apply(old, patch))


def test_a_history_costs_one_value_a_sample() -> None:
    old = [float(each) + 0.5 for each in range(120)]
    assert json.dumps(diff(old, [*old[1:], 7.5])) == '{"<": 1, ">": [7.5]}'


@given(PLAIN, PLAIN)
@settings(max_examples=300)
def test_hostile_patches_fit_or_are_damage(old: object, patch: object) -> None:
    with contextlib.suppress(DamagedError):
        assert apply(old, patch) is not Ellipsis
