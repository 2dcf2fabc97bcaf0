from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from quarterdeck.tui.lines import ALL, Line, Run, beside, changed_spans, cut, fit, spread, width_of, wrap

TEXTS = st.text(alphabet="abc def日本🚀é–", max_size=30)
RUNS = st.lists(st.builds(Run, TEXTS, st.sampled_from(["", "muted"])), max_size=5).map(tuple)


@given(TEXTS, st.integers(0, 40), st.booleans())
def test_fit_is_exactly_as_wide_as_asked(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(text, width, right=right)) == width


def test_fit_aligns_and_marks_what_it_cuts() -> None:
    assert fit("ab", 4) == "ab  "
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("abcdef", 4) == "abc…"
    assert fit("日本語", 4) == "日 …"


@given(RUNS, st.integers(0, 40))
def test_cut_never_exceeds_the_width(runs: tuple[Run, ...], width: int) -> None:
    assert width_of(cut(runs, width)) <= width
    if width_of(runs) <= width:
        assert cut(runs, width) == runs


def test_spread_puts_two_parts_at_the_ends_and_drops_the_right_one_first() -> None:
    left, right = (Run("left"),), (Run("right"),)
    assert Line(spread(left, right, 12)).text == "left   right"
    assert Line(spread(left, right, 9)).text == "left"
    assert Line(spread(left, right, 3)).text == "le…"


@given(TEXTS, st.integers(1, 30))
def test_wrap_keeps_within_the_width(text: str, width: int) -> None:
    for line in wrap(text, width):
        assert cell_len(line) <= width


def test_wrap_breaks_at_spaces_and_keeps_what_fits() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("a   b", 7) == ["a   b"]
    assert wrap("", 7) == []


def test_beside_starts_the_second_block_at_its_column() -> None:
    lines = beside([Line((Run("ab"),)), Line((Run("c"),))], [Line((Run("x"),))], 4)
    assert [line.text for line in lines] == ["ab  x", "c"]


def test_only_the_runs_that_differ_are_changed() -> None:
    old = Line((Run("name"), Run(" 12"), Run(" ok")))
    assert changed_spans(old, old) == []
    assert changed_spans(old, Line((Run("name"), Run(" 13"), Run(" ok")))) == [(4, 3)]
    assert changed_spans(old, Line((Run("name"), Run(" 12", "warn"), Run(" ok")))) == [(4, 3)]
    assert changed_spans(old, Line((Run("name"), Run(" 123"), Run(" ok")))) == [(4, ALL)]
    assert changed_spans(old, Line(old.runs, "selected")) == [(0, ALL)]
    assert changed_spans(None, old) == [(0, ALL)]
    assert changed_spans(old, Line(old.runs[:2])) == [(7, ALL)]


@given(RUNS, RUNS)
def test_what_is_not_in_a_changed_span_is_the_same_on_both_lines(old: tuple[Run, ...], new: tuple[Run, ...]) -> None:
    before, after = _cells(old), _cells(new)
    changed = {x for start, width in changed_spans(Line(old), Line(new)) for x in range(start, min(start + width, 400))}
    for x in range(max(len(before), len(after))):
        if x not in changed:
            assert before[x : x + 1] == after[x : x + 1]


def _cells(runs: tuple[Run, ...]) -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    for run in runs:
        for character in run.text:
            cells += [(character, run.tone), ("", run.tone)][: cell_len(character)]
    return cells
