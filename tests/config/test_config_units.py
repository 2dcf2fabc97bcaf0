from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config import units


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2s", 2.0),
        ("500ms", 0.5),
        ("9ms", 0.009),
        ("1m30s", 90.0),
        ("1h 30m", 5400.0),
        ("1.5 h", 5400.0),
        ("1d", 86400.0),
        ("1m500ms", 60.5),
        ("0s", 0.0),
        (2, 2.0),
        (0.25, 0.25),
        (0, 0.0),
    ],
)
def test_duration(value: object, seconds: float) -> None:
    assert units.duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *["", " ", "2", "s", "fast", "2 sec", "2S", "-2s", "30s1m", "1s1s", "2s ", " 2s", "２s", "2s\n", "1e3s", ".s"],
        *[True, None, [], {}, -1, math.inf, math.nan, -0.5, 10**400],
    ],
)
def test_not_a_duration(value: object) -> None:
    assert units.duration(value) is None


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("16 GiB", 16 * 2**30),
        ("80GB", 80 * 10**9),
        ("1.5 MiB", 3 * 2**19),
        ("512 kb", 512_000),
        ("7B", 7),
        ("2TiB", 2**41),
        (4096, 4096),
        (0, 0),
    ],
)
def test_size(value: object, size: int) -> None:
    assert units.size(value) == size


@pytest.mark.parametrize("value", ["", "16", "16 G", "GiB", "-1 GiB", "1 iB", "16 gigs", True, -1, 1.5, None, []])
def test_not_a_size(value: object) -> None:
    assert units.size(value) is None


@pytest.mark.parametrize(
    ("value", "share"), [(0.9, 0.9), ("90%", 0.9), ("90 %", 0.9), ("12.5%", 0.125), (1, 1), (0, 0)]
)
def test_fraction(value: object, share: float) -> None:
    assert units.fraction(value) == share


@pytest.mark.parametrize("value", [90, 1.01, -0.1, "101%", "0.9", "%", "90", True, math.nan, math.inf, None, []])
def test_not_a_fraction(value: object) -> None:
    assert units.fraction(value) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (2, "2s"),
        (2.5, "2.5s"),
        (90, "1m30s"),
        (3600, "1h"),
        (90061.5, "1d1h1m1.5s"),
        (60.25, "1m250ms"),
        (1 / 3, None),
        (-1, None),
        (math.inf, None),
    ],
)
def test_duration_text(seconds: float, text: str | None) -> None:
    assert units.duration_text(seconds) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_text_reads_back_exactly(seconds: float) -> None:
    text = units.duration_text(seconds)
    assert text is None or units.duration(text) == seconds


@given(st.integers(min_value=0, max_value=86_400_000))
def test_whole_seconds_always_have_a_text(seconds: int) -> None:
    assert units.duration_text(seconds) is not None


@given(st.text() | st.from_regex(r"[0-9.]{1,4} ?(ms|[dhmsGM%]i?B?)", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (units.duration, units.size, units.fraction):
        value = read(text)
        assert value is None or (value >= 0 and math.isfinite(value))
