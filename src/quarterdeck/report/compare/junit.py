"""A comparison as JUnit XML, as CI systems read it: a suite for each model, a test for each case. Pure."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from quarterdeck.format import printable
from quarterdeck.model.cases.cells import reason
from quarterdeck.model.cases.result import Comparison, Result, of_all, of_target
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.report.values import timestamp

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(run: Comparison, *, texts: bool) -> str:
    """All of it; answers that failed only with ``texts``."""
    whole = of_all(run)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(
        f'<testsuites name="quarterdeck compare" tests="{whole.pairs}" failures="{whole.failed}" '
        f'errors="{whole.errors}" skipped="{whole.missing}" time="{whole.time_s or 0:.3f}">'
    )
    for place, target in enumerate(run.targets):
        sums = of_target(run, place)
        begun = timestamp(run.begun)
        when = f' timestamp="{begun[:19]}"' if begun is not None else ""
        lines.append(
            f'  <testsuite name={_attribute(target.label)} tests="{sums.pairs}" failures="{sums.failed}" '
            f'errors="{sums.errors}" skipped="{sums.missing}" time="{sums.time_s or 0:.3f}"{when}>'
        )
        for pair in run.pairs:
            if pair.target == place:
                case = run.cases[pair.case]
                name = f"{case.id} {case.description}".strip()
                name += f" [{pair.repeat + 1}]" if run.repeat > 1 else ""
                lines += _test(name, target.label, run.results.get(pair.id), texts=texts)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _test(name: str, model: str, one: Result | None, *, texts: bool) -> list[str]:
    head = f"    <testcase classname={_attribute(model)} name={_attribute(name)}"
    if one is None:
        return [f'{head} time="0">', '      <skipped message="not asked"/>', "    </testcase>"]
    head += f' time="{one.total_s or 0:.3f}"'
    if one.verdict is Verdict.PASS:
        return [f"{head}/>"]
    tag = "failure" if one.verdict is Verdict.FAIL else "error"
    inside = _text(one.text) if texts and one.text else ""
    return [
        f"{head}>",
        f"      <{tag} message={_attribute(reason(one, texts=texts))}>{inside}</{tag}>",
        "    </testcase>",
    ]


def _attribute(text: str) -> str:
    return quoteattr(_NO_XML.sub("", printable(text, 1000)))


def _text(text: str) -> str:
    return escape(_NO_XML.sub("", text))
