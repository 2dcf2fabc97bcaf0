"""A comparison for JSON. Unknown is null; times in seconds, costs in US dollars, moments as RFC 3339 in UTC."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from quarterdeck.model.cases.cells import reason
from quarterdeck.model.cases.result import Comparison, Result, Sums, of_all, of_target
from quarterdeck.model.chat.fairness import Spread
from quarterdeck.report.values import rounded, timestamp

SCHEMA_VERSION = 1


def document(run: Comparison, *, texts: bool) -> dict[str, Any]:
    """All of it; prompts and answers only with ``texts``."""
    cells = run.cells()
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run.id,
        "begun": timestamp(run.begun),
        "settings": dict(run.settings),
        "notes": list(run.notes),
        "sums": _sums(of_all(run)),
        "models": [
            {"endpoint": target.endpoint, "model": target.model, **_sums(of_target(run, place))}
            for place, target in enumerate(run.targets)
        ],
        "cases": [
            {
                "id": case.id,
                "description": case.description,
                "where": case.where,
                **({"messages": [{"role": m.role.value, "content": m.text} for m in case.messages]} if texts else {}),
                "assertions": [each.words if texts else each.label for each in case.assertions],
                "results": [
                    [None if one is None else result(one, texts=texts) for one in cells.get((number, place), [])]
                    for place in range(len(run.targets))
                ],
            }
            for number, case in enumerate(run.cases)
        ],
    }


def result(one: Result, *, texts: bool) -> dict[str, Any]:
    """One answer."""
    return {
        "verdict": one.verdict.value,
        "reason": reason(one, texts=texts),
        "assertions": [
            {
                "type": each.label,
                "passed": each.passed,
                "reason": each.words if texts else each.reason,
                "score": rounded(each.score, 6),
                "weight": each.weight,
            }
            for each in one.findings
        ],
        "ending": one.ending,
        "finish": one.finish,
        "ttft_s": rounded(one.ttft_s, 4),
        "total_s": rounded(one.total_s, 4),
        "decode_tps": rounded(one.decode_tps, 2),
        "prompt_tokens": one.prompt_tokens,
        "output_tokens": one.output_tokens,
        "cost_usd": rounded(one.cost, 9),
        "cost_source": one.cost_source,
        "cold": one.cold,
        "asked": one.asked,
        "at": timestamp(one.at),
        "notes": list(one.notes),
        "circumstances": asdict(one.circumstances),
        **({"text": one.text} if texts else {}),
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "pairs": sums.pairs,
        "passed": sums.passed,
        "failed": sums.failed,
        "errors": sums.errors,
        "not_asked": sums.missing,
        "share": rounded(sums.share, 6),
        "cold": sums.cold,
        "prompt_tokens": sums.prompt_tokens,
        "output_tokens": sums.output_tokens,
        "cost_usd": rounded(sums.cost, 9),
        "cost_unknown": sums.unpriced,
        "time_s": rounded(sums.time_s, 3),
        "ttft_s": spread(sums.ttft, 4),
        "total_s": spread(sums.total, 4),
        "decode_tps": spread(sums.decode, 2),
    }


def spread(found: Spread | None, digits: int) -> dict[str, Any] | None:
    """Median, and the middle half."""
    if found is None:
        return None
    return {
        "count": found.count,
        "median": rounded(found.median, digits),
        "low": rounded(found.low, digits),
        "high": rounded(found.high, digits),
    }
