"""A result as a line of the ledger and back. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from quarterdeck.model.cases.result import Result
from quarterdeck.model.cases.verdict import Finding, Verdict
from quarterdeck.model.chat.answer import Circumstances

_NUMBERS = ("ttft_s", "total_s", "decode_tps", "cost", "at")
_COUNTS = ("prompt_tokens", "output_tokens")
_WORDS = ("reason", "ending", "cost_source")
_CIRCUMSTANCES = tuple(each.name for each in fields(Circumstances))


def to_line(result: Result, *, texts: bool) -> dict[str, Any]:
    """JSON values; the answer and what quotes it only with ``texts``."""
    line: dict[str, Any] = {"verdict": result.verdict.value}
    for name in (*_WORDS, *_NUMBERS, *_COUNTS, "finish", "cold"):
        value = getattr(result, name)
        if value not in (None, ""):
            line[name] = value
    if result.notes:
        line["notes"] = list(result.notes)
    if result.findings:
        line["findings"] = [_finding(each, texts=texts) for each in result.findings]
    known = {name: value for name, value in asdict(result.circumstances).items() if value is not None}
    if known:
        line["when"] = known
    if texts and result.text is not None:
        line["text"] = result.text
    if texts and result.detail:
        line["detail"] = result.detail
    return line


def _finding(finding: Finding, *, texts: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"label": finding.label, "passed": finding.passed}
    if finding.reason:
        told["reason"] = finding.reason
    if finding.score is not None:
        told["score"] = finding.score
    if finding.weight != 1.0:
        told["weight"] = finding.weight
    if texts and finding.detail:
        told["detail"] = finding.detail
    return told


def from_line(line: Mapping[str, Any], *, asked: int) -> Result | None:
    """``None`` where it is no result."""
    try:
        verdict = Verdict(str(line.get("verdict")))
    except ValueError:
        return None
    when = line.get("when")
    told = when if isinstance(when, dict) else {}
    notes, findings, cold = line.get("notes"), line.get("findings"), line.get("cold")
    known: dict[str, Any] = {name: _number(line.get(name)) for name in _NUMBERS}
    known |= {name: None if (value := _number(line.get(name))) is None else int(value) for name in _COUNTS}
    known |= {name: value for name in (*_WORDS, "finish", "text", "detail") if isinstance(value := line.get(name), str)}
    return Result(
        verdict,
        findings=tuple(map(_read_finding, findings)) if isinstance(findings, list) else (),
        cold=cold if isinstance(cold, bool) else None,
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
        circumstances=Circumstances(**{name: told[name] for name in _CIRCUMSTANCES if name in told}),
        asked=max(1, asked),
        **known,
    )


def _read_finding(line: object) -> Finding:
    told = line if isinstance(line, dict) else {}
    passed = told.get("passed")
    return Finding(
        str(told.get("label", "")),
        passed if isinstance(passed, bool) else None,
        str(told.get("reason", "")),
        str(told.get("detail", "")),
        _number(told.get("score")),
        1.0 if (weight := _number(told.get("weight"))) is None else weight,
    )


def _number(value: object) -> Any:
    """A finite number as it is, else ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
