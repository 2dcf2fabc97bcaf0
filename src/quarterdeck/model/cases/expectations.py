"""Assertions as case files write them: ``{type, value, …}``, or "contains:Paris" in a CSV. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.assertions import KINDS, PYTHON
from quarterdeck.model.cases.case import Assertion, Json
from quarterdeck.model.cases.jsregex import compiled
from quarterdeck.model.cases.parts import plain_json, yaml_value
from quarterdeck.model.cases.problems import Problems
from quarterdeck.model.cases.template import filled_in
from quarterdeck.model.cases.values import figure, split

_KEYS = ("type", "value", "threshold", "weight", "metric", "tolerance")
_LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")
_TEXTS = ("contains", "icontains", "starts-with", "ends-with", "regex", "finish-reason", PYTHON)
_COUNTS = ("word-count", "character-count")
_SCHEMAS = ("is-json", "contains-json")
_LIMITS = ("latency", "cost")
_TYPED = re.compile(r"(?P<type>[a-z][a-z0-9-]*)(?:\((?P<threshold>\d+(?:\.\d+)?)\))?(?::(?P<value>[\s\S]*))?")
_SCRIPTS = ("javascript:", "fn:", "eval:", "grade:", "llm-rubric:", "file://")
_FOREIGN = """
agent-rubric answer-relevance assert-set bleu classifier contains-html contains-sql contains-xml context-faithfulness
context-recall context-relevance conversation-relevance factuality g-eval gleu guardrails human is-html is-refusal is-sql
is-valid-function-call is-valid-openai-function-call is-valid-openai-tools-call is-xml javascript levenshtein llm-rubric
max-score meteor model-graded-closedqa model-graded-factuality moderation perplexity perplexity-score pi rouge-n ruby
search-rubric select-best similar skill-used tokens-used tool-call-f1 webhook
"""
"""Kinds that promptfoo has and we don't: "similar:x" in a CSV means one of them, not a text."""


def from_text(text: str) -> dict[str, Any]:
    """A cell of an ``__expected`` column as the mapping it stands for. Raises UsageError."""
    cell = text.strip()
    for script in _SCRIPTS:
        if cell.startswith(script):
            raise UsageError(f"{script.rstrip(':/')!r} in an expectation is not supported")
    match = _TYPED.fullmatch(cell)
    if match is None or not _is_kind(match["type"]):
        return {"type": "equals", "value": text}
    made: dict[str, Any] = {"type": match["type"]}
    if match["value"] is not None:
        made["value"] = match["value"]
    if match["threshold"] is not None:
        made["threshold"] = float(match["threshold"])
    return made


def _is_kind(word: str) -> bool:
    kind = word.removeprefix("not-")
    return kind in KINDS or kind in _FOREIGN.split() or kind.startswith(("trace-", "trajectory"))


def read(given: object, where: str, problems: Problems, *, allow_python: bool) -> Assertion | None:
    """One assertion, its templates not yet filled in; ``None`` where ``problems`` has grown."""
    if not isinstance(given, Mapping):
        problems.add(where, "an assertion is a mapping with a type")
        return None
    before = len(problems.found)
    problems.keys(where, given, _KEYS, of="an assertion")
    label = given.get("type")
    kind = label.removeprefix("not-") if isinstance(label, str) else ""
    if kind not in KINDS:
        problems.add(where, f"the type {printable(str(label), 60)!r} is not supported")
        return None
    if kind == PYTHON and not allow_python:
        problems.add(where, "python expressions are off; --allow-python runs those of this file on this machine")
    with problems.at(where):
        made = _made(kind, str(label), given)
        return made if len(problems.found) == before else None
    return None


def _made(kind: str, label: str, given: Mapping[str, Any]) -> Assertion:
    value: Json = plain_json(given.get("value"))
    threshold, relative = _threshold(kind, given)
    weight = given.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise ValueError("weight must be a number, 0 or more")
    if kind in _LISTS and isinstance(value, str):
        value = [*split(value)]
    if isinstance(value, str) and value.startswith("file://"):
        raise UsageError(f"{label}: a value in another file ({printable(value, 80)}) is not supported")
    if kind in _SCHEMAS and isinstance(value, str) and value.strip():
        value = plain_json(yaml_value(value, label))
    _check(kind, value, threshold)
    metric = given.get("metric")
    return Assertion(
        kind, value, label.startswith("not-"), threshold, float(weight), str(metric) if metric else "", relative
    )


def _threshold(kind: str, given: Mapping[str, Any]) -> tuple[float | None, bool]:
    found = given.get("tolerance", given.get("threshold")) if kind == "number" else given.get("threshold")
    if "tolerance" in given and kind != "number":
        raise ValueError("tolerance belongs to the type number")
    relative = isinstance(found, str) and found.strip().endswith("%")
    if relative:
        found = float(str(found).strip().removesuffix("%")) / 100
    if found is None:
        return None, False
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found < 0:
        raise ValueError("threshold must be a number, 0 or more")
    return float(found), relative


def _check(kind: str, value: Json, threshold: float | None) -> None:
    """Raises ValueError for a value that the kind can't take."""
    if kind in _TEXTS:
        _check_text(kind, value)
    if kind in _LISTS and not (isinstance(value, list) and value):
        raise ValueError(f"{kind} needs a list of texts as value")
    if kind == "equals" and value is None:
        raise ValueError("equals needs a value")
    if kind in _SCHEMAS and not isinstance(value, dict | bool | None) and value != "":
        raise ValueError(f"{kind} takes a JSON Schema as value, or none")
    if kind in _LIMITS and threshold is None:
        raise ValueError(f'{kind} needs a threshold ("{kind}(500)" in a CSV)')
    if kind in ("number", *_COUNTS):
        _check_figures(kind, value)


def _check_text(kind: str, value: Json) -> None:
    if isinstance(value, bool | dict | list) or value is None or value == "":
        raise ValueError(f"{kind} needs a text as value")
    if kind == "regex" and "{{" not in str(value):
        compiled(str(value))


def _check_figures(kind: str, value: Json) -> None:
    figures = [value]
    if kind in _COUNTS and isinstance(value, dict):
        if not value or set(value) - {"min", "max"}:
            raise ValueError(f"{kind} takes min and max")
        figures = [*value.values()]
    for each in figures:
        if not (isinstance(each, str) and "{{" in each):
            figure(each)


def filled(assertion: Assertion, variables: Mapping[str, Json]) -> Assertion:
    """With its templates filled in. Raises UsageError, ValueError."""
    if assertion.kind in _SCHEMAS:
        return assertion
    value = filled_in(assertion.value, variables)
    if value == assertion.value:
        return assertion
    _check(assertion.kind, value, assertion.threshold)
    return replace(assertion, value=value)
