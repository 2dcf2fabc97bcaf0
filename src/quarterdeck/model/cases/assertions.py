"""What an answer can be held against: the same kinds, names and verdicts as promptfoo's of that name. Pure.

======================================================  =========================================================
contains, icontains, starts-with, ends-with, equals     a text; equals also a JSON value, held against the answer as JSON
contains-any, contains-all, icontains-any, -all         a list, or texts with commas between
regex                                                   found anywhere in the answer, as JavaScript has it
is-json, contains-json                                  JSON; with a value: that follows this JSON Schema
number                                                  the last number in the answer, within ``tolerance`` (not in promptfoo)
word-count, character-count                             a number, or ``{min, max}``
latency, cost                                           at most ``threshold``: milliseconds, US dollars
finish-reason                                           the server's word: stop, length, …
python                                                  an expression; only where somebody allows it
======================================================  =========================================================

Each can begin with ``not-``. A regex may take for ever: whoever calls `held` with a stranger's does so where it can be ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from quarterdeck.model.cases.case import Assertion, Json
from quarterdeck.model.cases.json_text import BadSchemaError, contained, mistakes, parsed
from quarterdeck.model.cases.jsregex import compiled
from quarterdeck.model.cases.numbers import last_number, within
from quarterdeck.model.cases.values import QUOTED, figure, plain, quoted, text_of, texts_of
from quarterdeck.model.cases.verdict import Finding

PYTHON = "python"
SLOW = ("regex", "is-json", "contains-json")
"""Kinds whose time a case file or an answer decides."""


@dataclass(frozen=True, slots=True)
class Output:
    """What there is of an answer."""

    text: str
    latency_ms: float | None = None
    cost: float | None = None
    finish: str | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """Whether it holds (before ``not-``), and why."""

    holds: bool | None
    reason: str = ""
    detail: str = ""
    final: bool = False
    """``not-`` doesn't turn it round: the assertion itself is wrong."""


def held(assertion: Assertion, output: Output) -> Finding:
    """One assertion against an answer. Never raises."""
    check = _CHECKS.get(assertion.kind)
    if check is None:
        found = _Held(None, "this kind of assertion is not supported")
    else:
        try:
            found = check(assertion, output)
        except (ValueError, TypeError, RecursionError, MemoryError) as error:
            found = _Held(None, "it can't be judged", str(error)[:QUOTED])
    return told(assertion, found.holds, found.reason, found.detail, turned=not found.final)


def told(
    assertion: Assertion,
    holds: bool | None,
    reason: str = "",
    detail: str = "",
    *,
    score: float | None = None,
    turned: bool = True,
) -> Finding:
    """The finding, with ``not-`` taken into account."""
    passed = holds if holds is None or not turned else holds is not assertion.inverse
    if passed:
        reason = detail = ""
    elif assertion.inverse and holds and turned:
        reason = "it is so, and must not be"
        detail = quoted(assertion.value)
    return Finding(assertion.label, passed, reason, detail, score, assertion.weight)


# ---- texts


def _contains(assertion: Assertion, output: Output) -> _Held:
    wanted = text_of(assertion.value)
    holds = wanted in output.text
    return _Held(holds, "not in the answer", quoted(assertion.value))


def _icontains(assertion: Assertion, output: Output) -> _Held:
    folded = replace(assertion, value=text_of(assertion.value).lower())
    return replace(_contains(folded, replace(output, text=output.text.lower())), detail=quoted(assertion.value))


def _starts(assertion: Assertion, output: Output) -> _Held:
    return _Held(
        output.text.startswith(text_of(assertion.value)), "the answer begins otherwise", quoted(assertion.value)
    )


def _ends(assertion: Assertion, output: Output) -> _Held:
    return _Held(output.text.endswith(text_of(assertion.value)), "the answer ends otherwise", quoted(assertion.value))


def _equals(assertion: Assertion, output: Output) -> _Held:
    wanted = assertion.value
    detail = f"expected {quoted(wanted)}, got {quoted(output.text)}"
    if isinstance(wanted, dict | list):
        try:
            return _Held(_same(parsed(output.text), wanted), "another JSON value", detail)
        except ValueError:
            return _Held(False, "the answer is no JSON", detail)
    return _Held(output.text == plain(wanted), "the answer is another text", detail)


def _same(one: Json, other: Json) -> bool:
    """Equal as JavaScript has it: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _any(assertion: Assertion, output: Output) -> _Held:
    holds = any(each in output.text for each in texts_of(assertion.value))
    return _Held(holds, "none of them is in the answer", quoted(assertion.value))


def _all(assertion: Assertion, output: Output) -> _Held:
    wanted = texts_of(assertion.value)
    missing = [each for each in wanted if each not in output.text]
    return _Held(not missing, f"{len(missing)} of {len(wanted)} not in the answer", quoted(list(missing)))


def _folded(check: Callable[[Assertion, Output], _Held]) -> Callable[[Assertion, Output], _Held]:
    def folding(assertion: Assertion, output: Output) -> _Held:
        lower: list[Json] = [each.lower() for each in texts_of(assertion.value)]
        return check(replace(assertion, value=lower), replace(output, text=output.text.lower()))

    return folding


def _regex(assertion: Assertion, output: Output) -> _Held:
    try:
        pattern = compiled(text_of(assertion.value))
    except ValueError as error:
        return _Held(False, "the regex can't be used", str(error), final=True)
    return _Held(pattern.search(output.text) is not None, "the regex finds nothing", quoted(assertion.value))


# ---- JSON


def _is_json(assertion: Assertion, output: Output) -> _Held:
    try:
        value = parsed(output.text)
    except ValueError as error:
        return _Held(False, "the answer is no JSON", str(error)[:QUOTED])
    return _follows([value], assertion)


def _contains_json(assertion: Assertion, output: Output) -> _Held:
    values = list(contained(output.text))
    if not values:
        return _Held(False, "there is no JSON in the answer")
    return _follows(values, assertion)


def _follows(values: list[Json], assertion: Assertion) -> _Held:
    if assertion.value is None or assertion.value == "":
        return _Held(True)
    worst: list[tuple[str, str, str]] = []
    for value in values:
        try:
            worst = mistakes(value, assertion.value)
        except BadSchemaError as error:
            return _Held(False, "the schema can't be used", str(error), final=True)
        if not worst:
            return _Held(True)
    detail = "; ".join(f"{path}: {message[:QUOTED]}" for _, path, message in worst[:3])
    return _Held(False, f"it doesn't follow the schema ({worst[0][0]})", detail)


# ---- numbers


def _number(assertion: Assertion, output: Output) -> _Held:
    wanted = figure(assertion.value)
    found = last_number(output.text)
    if found is None:
        return _Held(False, "there is no number in the answer", f"expected {wanted:g}")
    holds = within(found, wanted, assertion.threshold or 0.0, relative=assertion.relative)
    return _Held(holds, "another number", f"expected {wanted:g}, got {found:g}")


def _words(assertion: Assertion, output: Output) -> _Held:
    return _counted(assertion, len(output.text.split()), "words")


def _characters(assertion: Assertion, output: Output) -> _Held:
    return _counted(assertion, len(output.text), "characters")


def _counted(assertion: Assertion, count: int, what: str) -> _Held:
    value = assertion.value
    if isinstance(value, dict):
        least = figure(value["min"]) if "min" in value else None
        most = figure(value["max"]) if "max" in value else None
        holds = (least is None or count >= least) and (most is None or count <= most)
        room = " and ".join(
            text
            for text in (
                f"at least {least:g}" if least is not None else "",
                f"at most {most:g}" if most is not None else "",
            )
            if text
        )
        return _Held(holds, f"{count} {what}, expected {room}")
    wanted = figure(value)
    return _Held(count == wanted, f"{count} {what}, expected {wanted:g}")


def _latency(assertion: Assertion, output: Output) -> _Held:
    if output.latency_ms is None or assertion.threshold is None:
        return _Held(None, "how long it took is not known")
    holds = output.latency_ms <= assertion.threshold
    return _Held(holds, f"it took {output.latency_ms:.0f} ms, at most {assertion.threshold:g} are allowed")


def _cost(assertion: Assertion, output: Output) -> _Held:
    if output.cost is None or assertion.threshold is None:
        return _Held(None, "what it cost is not known")
    holds = output.cost <= assertion.threshold
    return _Held(holds, f"it cost {output.cost:.2g} $, at most {assertion.threshold:g} are allowed")


def _finish(assertion: Assertion, output: Output) -> _Held:
    wanted = text_of(assertion.value).lower()
    if output.finish is None:
        return _Held(None, "the server doesn't tell why the answer ended")
    return _Held(output.finish.lower() == wanted, f"it ended with {output.finish[:40]!r}")


_CHECKS: dict[str, Callable[[Assertion, Output], _Held]] = {
    "contains": _contains,
    "icontains": _icontains,
    "starts-with": _starts,
    "ends-with": _ends,
    "equals": _equals,
    "contains-any": _any,
    "contains-all": _all,
    "icontains-any": _folded(_any),
    "icontains-all": _folded(_all),
    "regex": _regex,
    "is-json": _is_json,
    "contains-json": _contains_json,
    "number": _number,
    "word-count": _words,
    "character-count": _characters,
    "latency": _latency,
    "cost": _cost,
    "finish-reason": _finish,
}
KINDS = (*_CHECKS, PYTHON)
"""All there are."""
