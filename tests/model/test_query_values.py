"""Numbers as people type them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck import format as shown
from quarterdeck.config import units
from quarterdeck.model.query.values import Kind, amount


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("80", Kind.SHARE, 0.8),
        ("80%", Kind.SHARE, 0.8),
        ("0.8", Kind.SHARE, 0.8),
        ("1", Kind.SHARE, 0.01),
        ("1.0", Kind.SHARE, 1.0),
        ("99.5", Kind.SHARE, 0.995),
        ("0", Kind.SHARE, 0.0),
        ("20GiB", Kind.BYTES, 20 * 2**30),
        ("20 gib", Kind.BYTES, 20 * 2**30),
        ("20G", Kind.BYTES, 20 * 2**30),
        ("20Gi", Kind.BYTES, 20 * 2**30),
        ("20GB", Kind.BYTES, 20 * 10**9),
        ("512b", Kind.BYTES, 512),
        ("0", Kind.BYTES, 0),
        ("500ms", Kind.SECONDS, 0.5),
        ("1m30s", Kind.SECONDS, 90),
        ("3 min", Kind.SECONDS, 180),
        ("0", Kind.SECONDS, 0),
        ("1.2k", Kind.COUNT, 1200),
        ("7B", Kind.COUNT, 7e9),
        ("-3", Kind.COUNT, -3),
        (".5", Kind.COUNT, 0.5),
        ("32k", Kind.COUNT, 32_000),
    ],
)
def test_numbers_with_units(text: str, kind: Kind, value: float) -> None:
    found = amount(text, kind)
    assert found is not None
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("20", Kind.BYTES),
        ("5", Kind.SECONDS),
        ("8x", Kind.SHARE),
        ("80GiB", Kind.SHARE),
        ("", Kind.COUNT),
        (".", Kind.COUNT),
        ("1e9", Kind.COUNT),
        ("inf", Kind.COUNT),
        ("nan", Kind.COUNT),
        ("5q", Kind.BYTES),
        ("5GiBB", Kind.BYTES),
        ("5kibi", Kind.BYTES),
        ("5s5", Kind.SECONDS),
        ("ms", Kind.SECONDS),
        ("9" * 30, Kind.COUNT),
    ],
)
def test_what_is_no_number_of_that_kind(text: str, kind: Kind) -> None:
    assert amount(text, kind) is None


def test_a_unit_of_the_field_may_stand_behind() -> None:
    assert amount("300W", Kind.COUNT, "W") == amount("300", Kind.COUNT)
    assert amount("10MiB/s", Kind.BYTES, "/s") == amount("10MiB", Kind.BYTES)
    assert amount("300V", Kind.COUNT, "W") is None


def test_equal_to_the_digits_that_were_typed() -> None:
    typed = amount("20GiB", Kind.BYTES)
    assert typed is not None
    assert typed.equals(20.4 * 2**30)
    assert not typed.equals(20.6 * 2**30)
    exact = amount("0.9", Kind.SHARE)
    assert exact is not None
    assert exact.equals(0.94)
    assert not exact.equals(0.96)


@given(st.text(max_size=40), st.sampled_from(Kind), st.sampled_from(["", "W", "/s"]))
def test_never_fails_and_never_gives_what_is_no_number(text: str, kind: Kind, unit: str) -> None:
    found = amount(text, kind, unit)
    assert found is None or (math.isfinite(found.value) and found.step > 0)


@given(st.from_regex(units.DURATION_PATTERN, fullmatch=True).filter(bool))
def test_durations_of_the_fleet_file_mean_the_same(text: str) -> None:
    there = units.duration(text)
    here = amount(text, Kind.SECONDS)
    if there is not None:
        assert here is not None
        assert here.value == pytest.approx(there)


@given(st.integers(0, 10**6), st.sampled_from(["B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "kb", "gib"]))
def test_sizes_of_the_fleet_file_mean_the_same(number: int, unit: str) -> None:
    here = amount(f"{number}{unit}", Kind.BYTES)
    assert here is not None
    assert here.value == units.size(f"{number}{unit}")


@given(st.floats(0.001, 1e8))
def test_what_the_screen_shows_can_be_typed(value: float) -> None:
    for text, kind, tolerance in (
        (shown.duration(value), Kind.SECONDS, 0.5),
        (shown.age(value), Kind.SECONDS, None),
        (shown.size(value * 1e6), Kind.BYTES, None),
        (shown.rate(value), Kind.COUNT, None),
        (shown.percent(min(1.0, value)), Kind.SHARE, None),
    ):
        found = amount(text, kind)
        assert found is not None, text
        if tolerance is not None and value < 3e5:
            assert found.value == pytest.approx(value, rel=tolerance)
