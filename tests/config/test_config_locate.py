from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.locate import line_map, line_of
from quarterdeck.config.problem import KeyPath

SAMPLE = Path(__file__).parents[2] / "fleet.toml"

TRICKY = '''\
# [comment]
top = "[not] # a = {comment}" # x = 1

"quoted.key" = 'a\\'
'literal"key' = """
[[endpoint]]
url = \\"""
"""""
"esc\\u0061pe\\t" = \'\'\'
x = 1 \'\'\'
dotted . "in between".key = 3
[console] # here
list = [ # comment ]
  "a]",
  { x = 1, y = { z = [
    2 ] } }, # ,
  1979-05-27 07:32:00,
]
[[endpoint]]
name = "a"
auth = { env = "A", "header" = 'B' }
[endpoint.tls]
ca = "x"
[[endpoint.sub]]
n = 1
[[endpoint.sub]]
n = 2
[[ endpoint ]]
  [ endpoint . "tls" ]
  tls.ca = -inf
'''


def test_tricky_source() -> None:
    lines = line_map(TRICKY)
    expected: dict[KeyPath, int] = {
        ("top",): 2,
        ("quoted.key",): 4,
        ('literal"key',): 5,
        ("escape\t",): 9,
        ("dotted",): 11,
        ("dotted", "in between"): 11,
        ("dotted", "in between", "key"): 11,
        ("console",): 12,
        ("console", "list"): 13,
        ("console", "list", 0): 14,
        ("console", "list", 1): 15,
        ("console", "list", 1, "x"): 15,
        ("console", "list", 1, "y"): 15,
        ("console", "list", 1, "y", "z"): 15,
        ("console", "list", 1, "y", "z", 0): 16,
        ("console", "list", 2): 17,
        ("endpoint",): 19,
        ("endpoint", 0): 19,
        ("endpoint", 0, "name"): 20,
        ("endpoint", 0, "auth"): 21,
        ("endpoint", 0, "auth", "env"): 21,
        ("endpoint", 0, "auth", "header"): 21,
        ("endpoint", 0, "tls"): 22,
        ("endpoint", 0, "tls", "ca"): 23,
        ("endpoint", 0, "sub"): 24,
        ("endpoint", 0, "sub", 0): 24,
        ("endpoint", 0, "sub", 0, "n"): 25,
        ("endpoint", 0, "sub", 1): 26,
        ("endpoint", 0, "sub", 1, "n"): 27,
        ("endpoint", 1): 28,
        ("endpoint", 1, "tls"): 29,
        ("endpoint", 1, "tls", "tls"): 30,
        ("endpoint", 1, "tls", "tls", "ca"): 30,
    }
    assert lines == expected
    assert set(paths(tomllib.loads(TRICKY))) == set(expected)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_both_line_ends(end: str) -> None:
    assert line_map(f"# c{end}{end}a = 1{end}[b]{end}") == {("a",): 3, ("b",): 4}


@pytest.mark.parametrize(
    "text", ["", "\n", "#", "a", "a =", "a = [", "a = {", "[", "[[a]", 'a = "', '"\\q" = 1', "]", "= 1"]
)
def test_broken_text_ends(text: str) -> None:
    assert set(line_map(text)) <= {("a",), ("a", 0)}


def test_what_is_missing_is_told_by_what_is_around_it() -> None:
    lines = line_map("[[endpoint]]\nname = 'a'\n")
    assert line_of(lines, ("endpoint", 0, "url")) == 1
    assert line_of(lines, ("endpoint", 0, "name")) == 2
    assert line_of(lines, ("host",)) is None


def test_the_sample_is_understood() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    assert line_map(text)[("limits",)] == text.splitlines().index("[limits]") + 1


def paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path of a parsed document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from paths(inside, (*path, key))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from paths(inside, (*path, index))


def leaves(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, int]]:
    """Every whole number of a parsed document."""
    if isinstance(value, int):
        yield path, value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield from leaves(inside, (*path, key))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from leaves(inside, (*path, index))


# Sources whose every number "@" is then replaced by the number of its own line.
NOISE = [
    '"# [x] {"',
    "'\\'",
    '"""\n[q]\nk = 1\n\\""" """""',
    "'''\n'' # '''",
    '"\\"\\\\"',
    "1979-05-27 07:32:00",
    "true",
]
KEYS = ["a", "b-1", '"c.d"', "'#e'", '"f\\u0067"', "h.i", 'j . "k]"', "1", '"="', '""']
GAP = st.sampled_from(["", " ", "\n", " # ] } ,\n", "\t\n\n"])


LINE_END = " # ''' \"\"\" [\n"


def pairs_of(values: st.SearchStrategy[str], *, end: str) -> st.SearchStrategy[list[str]]:
    """Key = value, each key once."""
    pairs = st.lists(st.tuples(st.sampled_from(KEYS), values), max_size=5, unique_by=lambda pair: pair[0])
    return pairs.map(lambda drawn: [f"{key} = {value}{end}" for key, value in drawn])


def containers(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(st.tuples(GAP, values, GAP).map("".join), max_size=4)
    lists = st.tuples(items, GAP).map(lambda drawn: "[" + ",".join(drawn[0]) + drawn[1] + "]")
    return lists | pairs_of(values, end="").map(lambda pairs: "{ " + ", ".join(pairs) + " }")


VALUES = st.recursive(st.just("@") | st.sampled_from(NOISE), containers, max_leaves=8)
PAIRS = pairs_of(VALUES, end=LINE_END).map("".join)
HEADS = st.sampled_from(["[[m]]\n", "[[ m.n ]] # x\n", "[[m.'o.p']]\n"])
SECTION = st.lists(st.tuples(HEADS, PAIRS).map("".join), max_size=4).map(lambda parts: "[[m]]\n" + "".join(parts))
DOCUMENTS = st.tuples(PAIRS, SECTION, st.just("[z.'y x']\n"), PAIRS).map("".join)


@given(DOCUMENTS)
def test_every_number_is_found_on_its_line(pattern: str) -> None:
    text = "".join(line.replace("@", str(number)) for number, line in enumerate(pattern.splitlines(keepends=True), 1))
    document = tomllib.loads(text)
    lines = line_map(text)
    assert set(paths(document)) == set(lines)
    for path, value in leaves(document):
        if value is not True:
            assert lines[path] == value


@given(st.text(alphabet="ab.=[]{}\"'\\#\n, 1"))
def test_any_text_is_walked_to_its_end_or_left(text: str) -> None:
    lines = line_map(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(paths(document)) == set(lines)
