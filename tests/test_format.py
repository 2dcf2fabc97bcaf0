from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck import format as fmt

ANY_NUMBER = st.one_of(st.none(), st.floats(), st.integers(min_value=0, max_value=2**70).map(float))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("qwen3-32b", "qwen3-32b"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("a\tb\r\nc", "a b c"),
        ("bell\x07 null\x00 del\x7f", "bell null del"),
        ("abc\u202etxt.exe", "abctxt.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\ud800", "�"),
        ("\ue000", "�"),
        ("a" + "\u0301" * 9, "á\u0301\u0301"),
        ("[red]markup[/red]", "[red]markup[/red]"),
        ("日本語 🚀", "日本語 🚀"),
        ("  padded\u2028lines  ", "padded lines"),
    ],
)
def test_printable_keeps_text_and_drops_tricks(text: str, shown: str) -> None:
    assert fmt.printable(text) == shown


def test_printable_cuts_with_an_ellipsis() -> None:
    assert fmt.printable("abcdef", 4) == "abc…"
    assert fmt.printable("abcd", 4) == "abcd"
    assert fmt.printable("é" * 9, 0) == ""
    assert len(fmt.printable("x" * 10**6, 80)) == 80


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(min_value=0, max_value=60))
def test_printable_is_safe_bounded_and_idempotent(text: str, limit: int) -> None:
    shown = fmt.printable(text, limit)
    assert len(shown) <= limit
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert fmt.printable(shown, limit) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-1, "–"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1.25 * 2**30, "1.2 GiB"),
        (62.1 * 2**30, "62.1 GiB"),
        (640 * 2**20, "640 MiB"),
        (1023.7 * 2**20, "1.0 GiB"),
        (2**62, "> 1 EiB"),
    ],
)
def test_size(value: float | None, shown: str) -> None:
    assert fmt.size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.01, "0"),
        (4.12, "4.1"),
        (4.0, "4"),
        (9.96, "10"),
        (41.4, "41"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (1234.0, "1.2k"),
        (12_345.0, "12k"),
        (3.4e6, "3.4M"),
        (-2.0, "-2"),
    ],
)
def test_rate(value: float | None, shown: str) -> None:
    assert fmt.rate(value) == shown


def test_tokens_per_second_names_its_unit_only_where_known() -> None:
    assert fmt.tokens_per_second(41.2) == "41 tok/s"
    assert fmt.tokens_per_second(None) == "–"


@pytest.mark.parametrize(("value", "shown"), [(None, "–"), (0, "0"), (12345, "12345"), (123_456, "123k")])
def test_count(value: int | None, shown: str) -> None:
    assert fmt.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0%"),
        (0.001, "1%"),
        (0.874, "87%"),
        (0.999, "99%"),
        (1.0, "100%"),
        (1.04, "104%"),
        (-0.5, "–"),
    ],
)
def test_percent(value: float | None, shown: str) -> None:
    assert fmt.percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (-3, "0s"),
        (12.9, "12s"),
        (60, "1m"),
        (3599, "59m"),
        (47 * 3600, "47h"),
        (9 * 86_400, "9d"),
        (3 * 365.25 * 86_400, "3y"),
        (math.inf, "–"),
    ],
)
def test_age(value: float | None, shown: str) -> None:
    assert fmt.age(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.042, "42 ms"),
        (0.9996, "1.0 s"),
        (12.0, "12 s"),
        (180.0, "3 min"),
        (1e6, "278 h"),
    ],
)
def test_duration(value: float | None, shown: str) -> None:
    assert fmt.duration(value) == shown


def test_spark_shows_the_newest_values_with_gaps() -> None:
    assert fmt.spark((0.0, None, 4.0, 8.0), 6) == "  ▁ ▄▇"
    assert fmt.spark((9.0, 1.0, 1.0), 2) == "▇▇"
    assert fmt.spark((), 3) == "   "
    assert fmt.spark((0.0, 0.0), 2) == "▁▁"
    assert fmt.spark((0.5,), 1, top=1.0) == "▄"
    assert fmt.spark((1.0,), 0) == ""


@given(ANY_NUMBER)
def test_formats_have_bounded_widths_and_no_nan(value: float | None) -> None:
    shown = {
        8: [fmt.size(value)],
        5: [fmt.rate(value), fmt.count(None if value is None or not math.isfinite(value) else int(value))],
        4: [fmt.age(value), fmt.percent(value)],
        6: [fmt.duration(value)],
    }
    for width, texts in shown.items():
        for text in texts:
            assert 1 <= len(text) <= width
            assert "nan" not in text
            assert "inf" not in text


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=50), st.integers(min_value=0, max_value=60))
def test_spark_is_exactly_as_wide_as_asked(values: list[float | None], width: int) -> None:
    assert len(fmt.spark(values, width)) == width
    assert len(fmt.spark(values, width, top=5e-324)) == width
