"""Values out of JSON that may hold anything."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.format import printable
from quarterdeck.wire import body

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(anything)
def test_getters_give_the_wanted_type_or_nothing(value: object) -> None:
    text, number, whole, share = body.text(value), body.number(value), body.whole(value), body.fraction(value)
    assert text is None or (text == printable(text, body.LONGEST_TEXT) and text)
    assert number is None or math.isfinite(number)
    assert whole is None or 0 <= whole <= body.LARGEST_WHOLE
    assert share is None or 0 <= share <= 1
    assert body.mapping(value) == (value if isinstance(value, dict) else {})
    assert body.items(value, 2) == (value[:2] if isinstance(value, list) else [])
    when = body.unix_time(value, 0.0)
    assert when is None or when > 0


@given(anything)
def test_json_goes_in_and_comes_out(value: object) -> None:
    encoded = json.dumps(value).encode()
    assert json.dumps(body.parse(encoded)) == json.dumps(json.loads(encoded))


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a":', b"<html>", b"\xff\xfe", b"[" * 100_000, b"9" * 10_000, b'"\\ud800', b"nul"]
)
def test_what_is_not_json_is_nothing(data: bytes) -> None:
    assert body.parse(data) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (5.0, 5),
        (5.5, None),
        (-1, None),
        (True, None),
        ("5", None),
        (2**63, None),
        (1e300, None),
        (math.nan, None),
        (0, 0),
    ],
)
def test_whole_numbers(value: object, expected: int | None) -> None:
    assert body.whole(value) == expected


NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T15:45:43.472244353Z", datetime(2026, 11, 22, 15, 45, 43, 472244, UTC).timestamp()),
        ("2026-11-22T16:45:43+01:00", datetime(2026, 11, 22, 15, 45, 43, tzinfo=UTC).timestamp()),
        ("2026-11-22T15:45:43", datetime(2026, 11, 22, 15, 45, 43, tzinfo=UTC).timestamp()),
        ("2319-03-04T15:23:00.600541946Z", math.inf),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        ("2026-11-22T15:45:43Z" * 9, None),
        (1795370400, None),
    ],
)
def test_times(text: object, expected: float | None) -> None:
    assert body.unix_time(text, NOW) == expected
