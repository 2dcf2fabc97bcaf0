"""Whatever a server sends, however often it is asked again: the bar never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pulls import Line, layer, no_step_back, steady
from quarterdeck.model.pulling import advance, begin, restarted

SIZES: st.SearchStrategy[object] = st.one_of(
    st.integers(0, 10_000),
    st.sampled_from([-1, 2**60, 2**61, 10**400, True, float("nan"), float("inf"), -0.5, 1e300, "5", None, [], {}]),
)
LAYERS: st.SearchStrategy[Line] = st.fixed_dictionaries(
    {"status": st.sampled_from(["pulling a", "pulling manifest", "\x1b[2Jodd", 7, None, []])},
    optional={"digest": st.sampled_from(["a", "b", "c", "", 3, None]), "total": SIZES, "completed": SIZES},
)
FILES: st.SearchStrategy[object] = st.dictionaries(
    st.sampled_from(["u", "v", ""]), st.fixed_dictionaries({}, optional={"done": SIZES, "total": SIZES}) | SIZES
)
OTHERS: st.SearchStrategy[Line] = st.one_of(
    st.fixed_dictionaries(
        {"status": st.fixed_dictionaries({"value": st.sampled_from(["downloading", 3]), "progress": FILES})}
    ),
    st.fixed_dictionaries({"status": st.just("downloading"), "total_size_bytes": SIZES, "downloaded_bytes": SIZES}),
    st.fixed_dictionaries({"progress": FILES | SIZES}),
    st.dictionaries(st.sampled_from(["status", "digest", "total", "completed"]), SIZES),
)
ENDS: st.SearchStrategy[Line] = st.sampled_from(
    [{"status": "success"}, {"error": "max retries exceeded: EOF"}, {"error": 10**400}, {"error": {"message": 5}}]
)
PLAIN: st.SearchStrategy[Line] = st.builds(layer, st.sampled_from("ab"), st.integers(0, 100), st.integers(50, 10_000))
"""Layers whose sizes grow and shrink at will."""
TIMES = st.floats(-5, 30) | st.sampled_from([float("nan"), float("inf"), 1e308, -1e308])
STEPS = st.lists(st.tuples(st.one_of(PLAIN, PLAIN, LAYERS, OTHERS, ENDS, st.none()), TIMES), max_size=40)


@given(st.one_of(st.none(), st.integers(-5, 30_000), st.just(10**30)), STEPS)
def test_the_bar_never_goes_back_whatever_comes(expected: int | None, steps: list[tuple[Line | None, float]]) -> None:
    progress, at = begin(expected), 0.0
    for line, passed in steps:
        at = passed if not abs(passed) <= 1e9 else (at if abs(at) <= 1e9 else 0.0) + passed
        before = progress
        progress = restarted(progress, at) if line is None else advance(progress, line, at)
        assert no_step_back(before, progress)
        assert steady(progress)
        assert progress.status.isprintable()


@given(st.one_of(st.none(), st.integers(1, 500)), st.lists(st.one_of(PLAIN, st.none()), max_size=12))
def test_sizes_that_come_and_go_take_nothing_back(expected: int | None, lines: list[Line | None]) -> None:
    progress = begin(expected)
    for at, line in enumerate(lines):
        before = progress
        progress = restarted(progress, at) if line is None else advance(progress, line, at)
        assert no_step_back(before, progress)
        assert steady(progress)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.integers(1, 700), st.booleans(), st.data())
def test_an_honest_server_that_drops_the_line_any_number_of_times_ends_full(
    sizes: list[int], speed: int, known: bool, data: st.DataObject
) -> None:
    """Layers one after another; the connection drops at will; the partial file is kept or lost."""
    there = [0] * len(sizes)
    progress, at = begin(sum(sizes) if known else None), 0.0
    drops = data.draw(st.integers(0, 4))
    while there != sizes:
        place = next(i for i, size in enumerate(sizes) if there[i] < size)
        there[place] = min(sizes[place], there[place] + speed)
        at += 1.0
        before, progress = progress, advance(progress, layer(str(place), there[place], sizes[place]), at)
        assert no_step_back(before, progress)
        assert steady(progress)
        if drops and data.draw(st.booleans()):
            drops -= 1
            progress = restarted(progress, at)
            if data.draw(st.booleans()):
                there[place] = 0
    progress = advance(progress, {"status": "success"}, at)
    assert (progress.done, progress.fraction, progress.completed) == (True, 1.0, sum(sizes))
    assert steady(progress)
