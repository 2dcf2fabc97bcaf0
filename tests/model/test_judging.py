"""Votes, differences and the order of blind columns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.judging.blind import letter, shuffled
from quarterdeck.model.judging.difference import Change, Span, difference
from quarterdeck.model.judging.votes import Choice, Vote, standings, wilson


def test_wilson_s_interval_has_the_published_values() -> None:
    # Wilson (1927) as tabulated: 8 of 10, 0 of 10, 81 of 263 (Newcombe 1998, table I: 0.2553 … 0.3662).
    for wins, count, low, high in ((8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662)):
        found = wilson(wins, count)
        assert found is not None
        assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)
        assert found.share == wins / count
    assert wilson(0, 0) is None


def test_votes_add_up_whichever_way_round_they_were_cast() -> None:
    votes = [
        Vote("b", "a", Choice.FIRST),
        Vote("a", "b", Choice.SECOND),
        Vote("a", "b", Choice.FIRST),
        Vote("a", "b", Choice.TIE),
        Vote("b", "a", Choice.BOTH_BAD),
        Vote("c", "a", Choice.FIRST),
        Vote("a", "a", Choice.FIRST),
    ]
    first, second = standings(votes)
    assert (first.first, first.second, first.first_better, first.second_better) == ("a", "b", 1, 2)
    assert (first.ties, first.both_bad, first.count) == (1, 1, 5)
    assert first.win_rate is not None
    assert first.win_rate.share == pytest.approx(1 / 3)
    assert not first.win_rate.decides
    assert (second.first, second.second, second.second_better) == ("a", "c", 1)
    assert standings([Vote("a", "b", Choice.TIE)])[0].win_rate is None


def test_enough_votes_decide() -> None:
    (standing,) = standings([Vote("a", "b", Choice.FIRST)] * 12 + [Vote("a", "b", Choice.SECOND)])
    assert standing.win_rate is not None
    assert standing.win_rate.decides


def sides(spans: list[Span]) -> tuple[str, str]:
    first = "".join(span.text for span in spans if span.change is not Change.ADDED)
    second = "".join(span.text for span in spans if span.change is not Change.REMOVED)
    return first, second


@given(st.text(alphabet="ab c\n.", max_size=200), st.text(alphabet="ab c\n.", max_size=200))
def test_a_difference_gives_both_texts_back(first: str, second: str) -> None:
    spans = difference(first, second)
    assert sides(spans) == (first, second)
    assert all(one.change is not other.change for one, other in pairwise(spans))


def test_a_difference_is_told_in_words() -> None:
    assert difference("the quick fox\nends", "the slow fox\nends") == [
        Span(Change.SAME, "the "),
        Span(Change.REMOVED, "quick"),
        Span(Change.ADDED, "slow"),
        Span(Change.SAME, " fox\nends"),
    ]
    assert difference("same", "same") == [Span(Change.SAME, "same")]
    assert difference("", "") == []


@pytest.mark.parametrize("gap", [" ", "\n"], ids=["one line", "many lines"])
def test_long_texts_without_anything_in_common_cost_little(gap: str) -> None:
    first = gap.join(f"a{number}" for number in range(30_000))
    second = gap.join(f"b{number}" for number in range(30_000))
    assert sides(difference(first, second)) == (first, second)


def test_long_texts_that_differ_in_a_word_show_that_word() -> None:
    words = [f"w{number % 977}" for number in range(40_000)]
    other = [*words]
    other[20_000] = "CHANGED"
    spans = difference(" ".join(words), " ".join(other))
    assert [span.text for span in spans if span.change is Change.ADDED] == ["CHANGED"]


def test_blind_columns_are_shuffled_by_their_seed() -> None:
    things = list("abcd")
    assert shuffled(things, 3) == shuffled(things, 3)
    assert sorted(shuffled(things, 3)) == things
    assert len({tuple(shuffled(things, seed)) for seed in range(60)}) > 12
    assert things == list("abcd")
    assert [letter(place) for place in (0, 3, 25, 26)] == ["A", "D", "Z", "27"]
