"""Answers held against assertions: the verdicts that promptfoo's documentation gives for the same."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.model.cases.assertions import KINDS, PYTHON, Output, held
from quarterdeck.model.cases.case import Assertion, Json
from quarterdeck.model.cases.jsregex import compiled
from quarterdeck.model.cases.numbers import last_number
from quarterdeck.model.cases.verdict import Finding, Verdict, conclude

PERSON = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}

ROWS: list[tuple[str, Any, str, bool]] = [
    ("contains", "Paris", "It is Paris.", True),
    ("contains", "paris", "It is Paris.", False),
    ("contains", 42, "the answer: 42", True),
    ("icontains", "PARIS", "It is paris.", True),
    ("starts-with", "It is", "It is Paris.", True),
    ("starts-with", "is", "It is Paris.", False),
    ("ends-with", "Paris.", "It is Paris.", True),
    ("contains-any", ["x", "Paris"], "It is Paris.", True),
    ("contains-any", ["x", "y"], "It is Paris.", False),
    ("contains-all", ["It", "Paris"], "It is Paris.", True),
    ("contains-all", ["It", "Rome"], "It is Paris.", False),
    ("icontains-any", ["PARIS"], "it is paris", True),
    ("icontains-all", ["IT", "PARIS"], "it is paris", True),
    ("equals", "Paris", "Paris", True),
    ("equals", "Paris", "Paris.", False),
    ("equals", 5, "5", True),
    ("equals", {"a": [1, True]}, '{"a": [1, true]}', True),
    ("equals", {"a": 1}, '{"a": true}', False),
    ("equals", {"a": 1}, "no JSON", False),
    ("regex", r"\d{4}", "in 1789", True),
    ("regex", r"^\d{4}$", "in 1789", False),
    ("regex", r"end$", "the end\n", False),
    ("regex", r"(?<year>\d+)-\k<year>", "7-7", True),
    ("regex", r"[^]b", "a\nb", True),
    ("regex", r"a\/b", "a/b", True),
    ("regex", r"(?<=\$)\d+", "$42", True),
    ("is-json", None, '{"a": 1}', True),
    ("is-json", None, "{'a': 1}", False),
    ("is-json", None, "NaN", False),
    ("is-json", PERSON, '{"name": "Ada", "age": 36}', True),
    ("is-json", PERSON, '{"name": "Ada", "age": -1}', False),
    ("is-json", PERSON, '{"name": "Ada", "age": 36, "x": 1}', False),
    ("contains-json", None, 'Here: {"a": 1}, see?', True),
    ("contains-json", None, "Here: {a: 1}", False),  # promptfoo takes that for an object; JSON it is not
    ("contains-json", PERSON, 'No {"a": 1} but {"name": "Ada", "age": 36}.', True),
    ("word-count", 3, "one two three", True),
    ("word-count", {"min": 2, "max": 4}, "one two three", True),
    ("word-count", {"max": 2}, "one two three", False),
    ("character-count", {"min": 4}, "abc", False),
    ("finish-reason", "stop", "whatever", True),
    ("finish-reason", "length", "whatever", False),
]


@pytest.mark.parametrize(("kind", "value", "text", "passes"), ROWS)
def test_an_assertion_and_its_opposite(kind: str, value: Any, text: str, passes: bool) -> None:
    output = Output(text, finish="stop")
    found = held(Assertion(kind, value), output)
    opposite = held(Assertion(kind, value, inverse=True), output)
    assert found.passed is passes
    assert bool(found.reason) is not passes
    assert opposite.passed is (not passes)
    assert opposite.label == f"not-{kind}"


@pytest.mark.parametrize(
    ("text", "wanted", "tolerance", "relative", "passes"),
    [
        ("It is 42.", 42, None, False, True),
        ("first 7, then 1,234.5 in all", 1234.5, None, False, True),
        ("about 3.14", 3.14159, 0.01, False, True),
        ("about 3.2", 3.14159, 0.01, False, False),
        ("98", 100, 0.02, True, True),
        ("97", 100, 0.02, True, False),
        ("-5 °C", -5, None, False, True),
        ("1.2e3", 1200, None, False, True),
        ("no figure", 1, 100.0, False, False),
    ],
)
def test_numbers_within_a_tolerance(
    text: str, wanted: float, tolerance: float | None, relative: bool, passes: bool
) -> None:
    assert held(Assertion("number", wanted, threshold=tolerance, relative=relative), Output(text)).passed is passes


def test_numbers_that_are_part_of_words_are_none() -> None:
    assert last_number("model qwen3:8b, version v2") is None
    assert last_number("1" * 1000) is None
    assert last_number("") is None


def test_limits_of_time_and_cost() -> None:
    quick = Output("x", latency_ms=400.0, cost=0.002)
    assert held(Assertion("latency", threshold=400.0), quick).passed is True
    assert held(Assertion("latency", threshold=399.0), quick).passed is False
    assert held(Assertion("latency", threshold=399.0, inverse=True), quick).passed is True
    assert held(Assertion("cost", threshold=0.001), quick).passed is False
    unknown = held(Assertion("cost", threshold=1.0), Output("x"))
    assert unknown.passed is None
    assert "not known" in unknown.reason
    assert conclude([unknown]).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "("}}},
    ],
)
def test_a_schema_that_can_t_be_followed_fails_whichever_way_round(schema: Any) -> None:
    for inverse in (False, True):
        found = held(Assertion("is-json", schema, inverse=inverse), Output('{"a": "b"}'))
        assert found.passed is False
        assert found.reason == "the schema can't be used"


def test_references_inside_a_schema_are_followed() -> None:
    schema: Json = {"definitions": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/definitions/n"}}}
    assert held(Assertion("is-json", schema), Output('{"a": 1}')).passed is True
    assert held(Assertion("is-json", schema), Output('{"a": "1"}')).passed is False


def test_formats_count() -> None:
    schema: Json = {"type": "string", "format": "ipv4"}
    assert held(Assertion("is-json", schema), Output('"10.0.0.1"')).passed is True
    assert held(Assertion("is-json", schema), Output('"10.0.0.999"')).passed is False


def test_hostile_answers_are_judged() -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, "\ud800", "\0" * 1000):
        for kind in ("is-json", "contains-json", "contains"):
            assert held(Assertion(kind, "x" if kind == "contains" else None), Output(text)).passed is False


@pytest.mark.parametrize("kind", ["contains", "icontains", "starts-with", "ends-with", "equals", "regex"])
@pytest.mark.parametrize("inverse", [True, False])
def test_reasons_quote_neither_case_nor_answer_but_details_do(kind: str, inverse: bool) -> None:
    text = "qzx77" if inverse else "wvy88"
    found = held(Assertion(kind, "qzx77", inverse=inverse), Output(text))
    assert found.passed is False
    assert not {"qzx77", "wvy88"} & {*found.reason.replace('"', " ").split()}
    assert "qzx77" in found.detail


@pytest.mark.parametrize("pattern", ["(", "[", r"\p{L}", "(?P<a>x)(?P<a>y)", "a{99999999999}", "*"])
def test_what_is_no_regex_is_said(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"regex|regular"):
        compiled(pattern)


def finding(passed: bool | None, weight: float = 1.0, score: float | None = None) -> Finding:
    return Finding("contains", passed, "" if passed else "not in the answer", weight=weight, score=score)


@pytest.mark.parametrize(
    ("findings", "threshold", "verdict"),
    [
        ([], None, Verdict.PASS),
        ([], 0.5, Verdict.PASS),
        ([finding(True), finding(False)], None, Verdict.FAIL),
        ([finding(True), finding(False)], 0.5, Verdict.PASS),
        ([finding(True), finding(False)], 0.6, Verdict.FAIL),
        ([finding(True, 3), finding(False)], 0.75, Verdict.PASS),
        ([finding(False, 0)], None, Verdict.PASS),
        ([finding(None, 0)], None, Verdict.PASS),
        ([finding(True), finding(None)], None, Verdict.ERROR),
        ([finding(True, score=0.4), finding(True)], 0.7, Verdict.PASS),
        ([finding(False)], 0.0, Verdict.PASS),
    ],
)
def test_findings_come_to_a_verdict(findings: list[Finding], threshold: float | None, verdict: Verdict) -> None:
    judged = conclude(findings, threshold)
    assert judged.verdict is verdict
    assert bool(judged.reason) is (verdict is not Verdict.PASS)


def test_every_kind_is_in_the_table_of_kinds() -> None:
    assert {kind for kind, *_ in ROWS} | {"number", "latency", "cost", PYTHON} == set(KINDS)
    assert held(Assertion("llm-rubric", "x"), Output("y")).passed is None
