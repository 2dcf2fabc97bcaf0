"""Which replica is not like the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.imbalance import ENTER_S, LEAVE_S, Held, Member, held, odd_ones, shown


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([Member("0", itl_s=0.021), Member("1", itl_s=0.048), Member("2", itl_s=0.020)], {("1", "itl_s"): "ITL 48 ms, the others 21 ms"}),
        ([Member("0", ttft_s=0.4), Member("1", ttft_s=1.5), Member("2", ttft_s=0.4)], {("1", "ttft_s"): "TTFT 1.5 s, the others 400 ms"}),
        ([Member("0", ttft_s=0.4), Member("1", ttft_s=0.01), Member("2", ttft_s=0.4)], {}),
        ([Member("0", running=20), Member("1", running=0), Member("2", running=19)], {("1", "running"): "0 running, the others 19"}),
        ([Member("0", running=20), Member("1", running=2)], {("0", "running"): "20 running, the others 2"}),
        ([Member("0", running=6), Member("1", running=2), Member("2", running=2)], {}),
        ([Member("0", running=3), Member("1", running=0), Member("2", running=0)], {}),
        ([Member("0", kv_used=0.9), Member("1", kv_used=0.3), Member("2", kv_used=0.35)], {("0", "kv_used"): "KV cache 90%, the others 35%"}),
        ([Member("0", running=20), Member("1"), Member("2")], {}),
        ([Member("0", running=20)], {}),
        ([], {}),
    ],
    ids=["slow", "late", "a faster one is no trouble", "starved", "of two the fuller", "by chance", "too little to tell", "fuller",
         "unknown", "alone", "none"],
)  # fmt: skip
def test_the_odd_one_is_named(members: list[Member], expected: dict[tuple[str, str], str]) -> None:
    assert odd_ones(members) == expected


values = st.none() | st.floats(0, 1e6)


@given(
    st.lists(st.builds(Member, st.sampled_from("abcd"), values, values, values, values), max_size=6),
    st.floats(0.001, 1e6),
)
def test_equal_replicas_are_never_odd(members: list[Member], value: float) -> None:
    alike = [Member(str(place), value, value, value, value) for place in range(len(members))]
    assert odd_ones(alike) == {}
    assert all(name in {m.name for m in members} for name, _ in odd_ones(members))


def test_what_is_odd_is_told_and_forgotten_with_delay() -> None:
    key = ("1", "running")
    odd: dict[tuple[str, str], Held] = held({}, {key: "then"}, 0.0)
    assert shown(odd) == {}
    odd = held(odd, {key: "now"}, ENTER_S)
    assert shown(odd) == {key: "now"}
    odd = held(odd, {}, ENTER_S + 2)
    odd = held(odd, {}, ENTER_S + LEAVE_S - 0.1)
    assert shown(odd) == {key: "now (a moment ago)"}, "the numbers beside it are others now"
    assert held(odd, {}, ENTER_S + LEAVE_S) == {}
