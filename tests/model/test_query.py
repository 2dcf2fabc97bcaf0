"""The language of filters."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.query.field import Around, Field, Vocabulary
from quarterdeck.model.query.query import Query, query
from quarterdeck.model.query.terms import LONGEST, MOST_TERMS, Term, parsed
from quarterdeck.model.query.values import Kind


class Ship(NamedTuple):
    """A row."""

    name: str
    state: str = "OK"
    load: float | None = None
    used: float | None = None
    delay: float | None = None
    cargo: tuple[str, ...] = ()


SHIPS = [
    Ship("Alpha", "OK", 0.2, 10 * 2**30, 0.1, ("qwen3:8b",)),
    Ship("beta box", "DOWN"),
    Ship("Straße", "STALE", 0.9, 60 * 2**30, 2.0),
    Ship("delta", "DOWN", 0.0, 0.0, 0.0, ("phi4", "a,b")),
]
AROUND = Around(EMPTY_FLEET, 0.0, 0.0)
WORDS: Vocabulary[Ship] = Vocabulary(
    (
        Field("name", "Its name.", "name:alpha", texts=lambda ship, _: (ship.name,)),
        Field("state", "Its state.", "state:down,stale", texts=lambda ship, _: (ship.state,)),
        Field("load", "Its load.", "load>80", ("gpu",), number=lambda ship, _: ship.load, kind=Kind.SHARE),
        Field("mem", "Its memory.", "mem>20GiB", number=lambda ship, _: ship.used, kind=Kind.BYTES,
              share=lambda ship, _: None if ship.used is None else ship.used / (80 * 2**30)),
        Field("delay", "Its delay.", "delay>500ms", number=lambda ship, _: ship.delay, kind=Kind.SECONDS, timed=True),
        Field("cargo", "What it has.", "cargo:qwen3", texts=lambda ship, _: ship.cargo, number=lambda ship, _: len(ship.cargo)),
    ),
    lambda ship: (ship.name, ship.state, *ship.cargo),
)  # fmt: skip


def kept(text: str) -> str:
    """First letters of the ships that a filter keeps."""
    return "".join(ship.name[0] for ship in Query(text, WORDS).keep(SHIPS, AROUND).rows)


def said(text: str) -> str:
    """What is said of a filter."""
    return "; ".join(str(problem) for problem in Query(text, WORDS).keep(SHIPS, AROUND).problems)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", "AbSd"),
        ("   ", "AbSd"),
        ("alpha", "A"),
        ("ALPHA", "A"),
        ("a", "AbSd"),
        ("b box", "b"),
        ("box beta", "b"),
        ('"beta box"', "b"),
        ('"box beta"', ""),
        ("!down", "AS"),
        ("! down", "AS"),
        ("!down !alpha", "S"),
        ("down delta", "d"),
        ("strasse", "S"),
        ("STRASSE", "S"),
        ("straße", "S"),
        ("state:down", "bd"),
        ("STATE:Down", "bd"),
        ("state:down,stale", "bSd"),
        ("state:do", "bd"),
        ("state=do", ""),
        ("state=down", "bd"),
        ("state==down", "bd"),
        ("state!=down", "AS"),
        ("!state!=down", "bd"),
        ("!state:down", "AS"),
        ('name:"beta box"', "b"),
        ('name="beta box",delta', "bd"),
        ('name:"beta bo', "b"),
        ("load>80", "S"),
        ("gpu>80", "S"),
        ("gpu>80%", "S"),
        ("gpu>0.8", "S"),
        ("gpu:>80", "S"),
        ("load>=90", "S"),
        ("load>90", ""),
        ("load<80", "Ad"),
        ("load<=0", "d"),
        ("load=0", "d"),
        ("load:20,90", "AS"),
        ("!load>80", "Abd"),
        ("!load<=80", "bS"),
        ("mem>20GiB", "S"),
        ("mem>20G", "S"),
        ("mem>50%", "S"),
        ("mem<50%", "Ad"),
        ("delay>500ms", "S"),
        ("delay<1m", "ASd"),
        ("delay>0", "AS"),
        ("cargo:qwen", "A"),
        ("cargo:qwen3:8b", "A"),
        ("cargo>1", "d"),
        ('cargo:"a,b"', "d"),
        ("cargo:a,b", "Ad"),
        ('cargo=""', "bS"),
        ('load=""', "b"),
        ('!load=""', "ASd"),
        ("state:down load=0", "d"),
        ("down !beta", "d"),
    ],
)
def test_what_is_kept(text: str, rows: str) -> None:
    assert kept(text) == rows
    if rows:
        assert not said(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state:", "state: what?"),
        ("state=", "Such as state:down,stale"),
        ("load>", "Such as load>80"),
        ("load>=", "load>= what?"),
        ("load>x", "x is no value of load"),
        ("load>8x", "8x is no value of load"),
        ("load:busy", "busy is no value of load"),
        ("mem>20", "a unit is missing, as in 20GiB"),
        ("delay>20", "a unit is missing, as in 500ms or 2m"),
        ("delay>20%", "20% is no value of delay"),
        ("name>a", "name is text"),
        ("!load>", "load> what?"),
    ],
)
def test_a_term_that_is_half_typed_counts_as_not_there(text: str, words: str) -> None:
    assert kept(text) == "AbSd"
    assert words in said(text)
    assert kept(f"{text} state:down") == "bd"


@pytest.mark.parametrize("text", ["!", "!!", '"', '!"', ",", "! !"])
def test_signs_alone_drop_nothing_that_they_could_mean(text: str) -> None:
    query = Query(text, WORDS)
    assert not query.problems
    if text != ",":
        assert kept(text) in ("AbSd", "")


def test_a_lone_exclamation_mark_drops_nothing() -> None:
    assert kept("!") == kept("! ") == "AbSd"


@pytest.mark.parametrize("text", ["stat:down", "statee:down", "stat>3", "!statee:down"])
def test_an_unknown_field_empties_nothing_and_is_said(text: str) -> None:
    assert kept(text) == "AbSd"
    assert said(text).startswith("no field stat")
    assert "did you mean state?" in said(text)
    assert "name, state, load, mem, delay, cargo" in said(text)


def test_an_unknown_field_is_a_word_where_something_has_it() -> None:
    assert kept("qwen3:8b") == "A"
    assert kept("!qwen3:8b") == "bSd"
    assert not said("qwen3:8b")
    assert kept("qwen3:9") == "AbSd"
    assert "no field qwen3 here" in said("qwen3:9")
    assert kept('"qwen3:9"') == ""


def test_the_order_stays_and_queries_are_read_once() -> None:
    assert query("a", WORDS) is query("a", WORDS)
    assert query("a", WORDS) is not query("b", WORDS)
    assert Query("delay>1m", WORDS).timed
    assert not Query("load>80", WORDS).timed
    assert not Query("  ", WORDS)


def test_terms_as_they_are_read() -> None:
    assert parsed('!state:a,"b c" x') == [Term("state:a,b c", True, "state", ":", ("a", "b c")), Term("x")]
    assert parsed("a\tb\nc") == [Term("a"), Term("b"), Term("c")]
    assert parsed("http://box:8000") == [Term("http://box:8000", False, "http", ":", ("//box:8000",))]
    assert parsed("12:30 >3 =x") == [Term("12:30"), Term(">3"), Term("=x")]
    assert parsed("tok/s>5")[0].field == "tok/s"


def test_a_huge_text_is_cut() -> None:
    assert len(parsed("a " * 100_000)) == MOST_TERMS
    assert len(parsed("x" * 10_000_000)[0].text) == LONGEST


@pytest.mark.parametrize("text", ["a " * (MOST_TERMS + 1), "name:" + "a," * LONGEST, "x" * 10_000])
def test_what_is_not_read_of_a_filter_is_said(text: str) -> None:
    for asked in (Query(text, WORDS), query(text, WORDS)):
        assert str(asked.problems[0]) == "the filter is too long; only 500 characters and 24 terms are read"
    fits = "a " * MOST_TERMS + " " * LONGEST
    assert not query(fits, WORDS).problems


TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            ["state", "load", "mem", "delay", "name", "nope", ":", "=", ">", "<", ">=", "!=", "!", '"', ",", " ", "80", "80%",
             "2GiB", "5ms", "down", "é", "e\u0301", "\0", "\x1b[2J", "😀", "-", ".", "/"]
        ),
        max_size=16,
    ).map("".join),
)  # fmt: skip


@given(TEXTS)
def test_no_text_makes_it_fail(text: str) -> None:
    query = Query(text, WORDS)
    found = query.keep(SHIPS, AROUND)
    assert [ship for ship in SHIPS if ship in found.rows] == found.rows
    assert all(str(problem).isprintable() for problem in found.problems)
    assert query or found.rows == SHIPS


@given(TEXTS)
def test_kept_rows_do_not_depend_on_case(text: str) -> None:
    assert kept(text) == kept(text.swapcase()) or not text.isascii()


@given(st.sampled_from(["down", "state:down", "load>80", "mem<50%", 'load=""', "cargo:phi", "delay>500ms"]))
def test_the_inverse_keeps_the_others(text: str) -> None:
    assert sorted(kept(text) + kept(f"!{text}")) == sorted("AbSd")


@given(
    st.sampled_from(["down", "state:down", "load>80", "a"]), st.sampled_from(["!box", "load<80", "name:a", "cargo>0"])
)
def test_several_terms_are_joined_by_and(one: str, other: str) -> None:
    both = set(kept(one)) & set(kept(other))
    assert set(kept(f"{one} {other}")) == both


def test_accents_may_be_put_together_either_way() -> None:
    ship = Ship("cafe\u0301")
    assert Query("caf\u00e9", WORDS).keep([ship], AROUND).rows == [ship]
    assert Query("cafe\u0301", WORDS).keep([Ship("CAF\u00c9")], AROUND).rows
