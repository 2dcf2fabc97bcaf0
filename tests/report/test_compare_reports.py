"""A comparison in every form: the same bytes for the same results, and no markup out of what models and files say."""

from __future__ import annotations

import html.parser
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.cases.case import Assertion, Case
from quarterdeck.model.cases.result import Comparison, Pair, Result, Target, of_all, of_target
from quarterdeck.model.cases.verdict import Finding, Verdict
from quarterdeck.model.chat.answer import Circumstances
from quarterdeck.model.chat.request import Message, Role
from quarterdeck.report.compare.document import document
from quarterdeck.report.compare.html import html as html_page
from quarterdeck.report.compare.junit import junit
from quarterdeck.report.compare.markdown import markdown
from quarterdeck.report.compare.text import text
from quarterdeck.report.compare.writing import check_names, rendered, write

HOSTILE = '<script>alert(1)</script> | `x` **b** \x1b[31m ]]> & "q" [a](http://x) \ufffe'
PASSED = Result(
    Verdict.PASS,
    ttft_s=0.1,
    total_s=1.0,
    decode_tps=40.0,
    prompt_tokens=10,
    output_tokens=36,
    cost=0.001,
    circumstances=Circumstances(running=2, waiting=1, kv_used=0.5, vram_bytes=8 * 2**30, watts=250.0),
    at=1.795e9,
    text="It is Paris.",
)
FAILED = replace(
    PASSED,
    verdict=Verdict.FAIL,
    reason="contains: not in the answer",
    findings=(Finding("contains", False, "not in the answer", '"Paris"'), Finding("latency", True)),
    total_s=3.0,
    decode_tps=20.0,
    cost=None,
    text=HOSTILE,
)
ERROR = Result(Verdict.ERROR, "connection refused", detail="connection refused", ending="failed", total_s=0.01)


def comparison(*, name: str = "capital", answer: Result = FAILED) -> Comparison:
    cases = (
        Case(name, (Message(Role.USER, "Capital of France?"),), (Assertion("contains", "Paris"),), "geography", None, "c.yaml:3"),
        Case("2", (Message(Role.USER, "2 + 2?"),), (), "", None, "c.yaml:9"),
    )  # fmt: skip
    targets = (Target("bench", "qwen3:8b"), Target("cloud", "atlas"))
    pairs = tuple(Pair(f"{c}{t}", c, t, 0) for t in (0, 1) for c in (0, 1))
    results = {"00": PASSED, "10": answer, "01": replace(PASSED, cold=True, total_s=9.0), "11": ERROR}
    return Comparison(
        "k7m2qp",
        cases,
        targets,
        1,
        pairs,
        results,
        {"temperature": 0.0, "repeat": 1},
        ("both run on box: asked one after another there",),
        1.795e9,
    )


TEXT = """\
case               qwen3:8b@bench  atlas@cloud
capital geography  ✓ 1.0 s         ✓ 9.0 s cold
2                  ✗ 3.0 s         ! 10 ms

fail  2 qwen3:8b@bench: contains: not in the answer – "Paris"
error  2 atlas@cloud: connection refused

model           passed        failed  errors  TTFT                      time                   tok/s        cold  tokens   cost
qwen3:8b@bench  1 of 2 (50%)  1       0       100 ms (100 ms … 100 ms)  2.0 s (1.0 s … 3.0 s)  30 (20 … 40)  0     20 → 72  $0.001 (1 unknown)
atlas@cloud     1 of 2 (50%)  0       1       –                         –                      –            1     10 → 36  $0.001 (1 unknown)
Times and tok/s: the median, and where the middle half lies (the extremes below four); cold starts are left out.

both run on box: asked one after another there

2 of 4 (50%) passed, $0.002 (2 answers of unknown cost)
"""


def squeezed(table: str) -> list[str]:
    return [" ".join(line.split()) for line in table.splitlines()]


def test_as_text() -> None:
    assert squeezed(text(comparison())) == squeezed(TEXT)


MARKDOWN = """\
# Comparison k7m2qp

2 of 4 (50%) passed, $0.002.

Begun 2026-11-18T11:06:40.000Z.

The same for all: temperature 0.0, repeat 1.

| model | passed | failed | errors | TTFT | time | tok/s | cold | tokens | cost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| qwen3:8b@bench | 1 of 2 (50%) | 1 | 0 | 100 ms (100 ms … 100 ms) | 2.0 s (1.0 s … 3.0 s) | 30 (20 … 40) | 0 | 20 → 72 | $0.001 (1 unknown) |
| atlas@cloud | 1 of 2 (50%) | 0 | 1 | – | – | – | 1 | 10 → 36 | $0.001 (1 unknown) |

Times and tok/s: the median, and where the middle half lies (the extremes below four); cold starts are left out.

- both run on box: asked one after another there

## Cases

| case | qwen3:8b@bench | atlas@cloud |
| --- | --- | --- |
| capital geography | ✓ 1.0 s | ✓ 9.0 s cold |
| 2 | ✗ 3.0 s | ! 10 ms |

## Not passed

- **fail** 2 (c.yaml:9), qwen3:8b@bench: contains: not in the answer [queue 2+1, KV 50%, VRAM 8.0 GiB, 250 W]
- **error** 2 (c.yaml:9), atlas@cloud: connection refused
"""


def test_as_markdown() -> None:
    assert markdown(comparison(), texts=False) == MARKDOWN
    assert 'contains: not in the answer – "Paris"' in markdown(comparison(), texts=True)


def test_sums_leave_cold_starts_out_of_times_but_not_out_of_verdicts() -> None:
    run = comparison()
    sums = of_target(run, 1)
    assert (sums.passed, sums.errors, sums.cold, sums.total, sums.time_s) == (1, 1, 1, None, 9.01)
    assert of_all(run).cost == pytest.approx(0.002)
    assert of_all(replace(run, results={})).share == 0.0
    assert of_all(replace(run, results={})).cost is None


def test_as_json() -> None:
    told = json.loads(rendered(comparison(), ".json", texts=True))
    assert told["sums"]["passed"] == 2
    assert [each["share"] for each in told["models"]] == [0.5, 0.5]
    first = told["cases"][0]
    assert first["messages"] == [{"role": "user", "content": "Capital of France?"}]
    assert first["results"][0][0]["text"] == "It is Paris."
    assert first["results"][0][0]["circumstances"]["kv_used"] == 0.5
    assert told["cases"][1]["results"][1][0]["reason"] == "connection refused"
    assert document(replace(comparison(), results={}), texts=True)["cases"][0]["results"] == [[None], [None]]


def test_as_junit() -> None:
    root = ET.fromstring(junit(comparison(answer=replace(FAILED, text=HOSTILE)), texts=True))
    assert root.attrib | {"time": ""} == {
        "name": "quarterdeck compare", "tests": "4", "failures": "1", "errors": "1", "skipped": "0", "time": "",
    }  # fmt: skip
    suites = {suite.get("name"): suite for suite in root}
    names = [test.get("name") for test in suites["qwen3:8b@bench"]]
    assert names == ["capital geography", "2"]
    failure = suites["qwen3:8b@bench"][1][0]
    assert failure.tag == "failure"
    assert failure.get("message") == 'contains: not in the answer – "Paris"'
    assert "<script>alert(1)</script>" in (failure.text or "")
    missing = ET.fromstring(junit(replace(comparison(), results={}), texts=False))
    assert missing.get("skipped") == "4"


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_as_html_without_script_or_anything_from_elsewhere() -> None:
    hostile = comparison(name="x", answer=FAILED)
    hostile = replace(
        hostile, cases=(replace(hostile.cases[0], description=HOSTILE), hostile.cases[1]), notes=(HOSTILE,)
    )
    page = _Tags()
    page.feed(html_page(hostile, texts=True))
    assert "script" not in page.tags
    assert "a" not in page.tags
    assert "alert(1)" in page.text
    assert not [name for name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]
    assert "\x1b" not in html_page(hostile, texts=False)


def test_markdown_takes_no_markup_from_answers_or_files() -> None:
    hostile = comparison(name="a|b<i>", answer=replace(FAILED, text="```\n# x\n```\x1b[2J"))
    made = markdown(hostile, texts=True)
    assert "a\\|b\\<i\\>" in made
    assert "  ````text\n  ```\n  # x\n  ```[2J\n  ````" in made
    assert "\x1b" not in made


@pytest.mark.parametrize("ending", [".md", ".json", ".xml", ".html"])
def test_without_texts_no_form_holds_any(ending: str) -> None:
    made = rendered(comparison(), ending, texts=False)
    assert not [word for word in ("Paris", "France", "alert") if word in made]
    assert made == rendered(comparison(), ending, texts=False)
    assert "Paris" in rendered(comparison(), ending, texts=True)


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    write(comparison(), path, texts=True)
    assert path.read_text() == markdown(comparison(), texts=True)
    assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(QuarterdeckError, match="can't be written"):
        write(comparison(), tmp_path / "none" / "r.md", texts=False)
    check_names([str(path)])
    for name in ("r.pdf", str(tmp_path / "none" / "r.md")):
        with pytest.raises(UsageError):
            check_names([name])


def test_repeats_are_counted_in_a_cell() -> None:
    run = comparison()
    pairs = tuple(Pair(f"{time}", 0, 0, time) for time in range(3))
    thrice = replace(run, cases=run.cases[:1], targets=run.targets[:1], repeat=3, pairs=pairs)
    shown = text(replace(thrice, results={"0": PASSED, "1": FAILED, "2": PASSED}))
    assert "✗ 2/3 1.0 s" in shown
    assert "(time 2)" in shown
    assert "✓ 3/3" in text(replace(thrice, results=dict.fromkeys("012", PASSED)))
    assert "! 1/3" in text(replace(thrice, results={"0": PASSED, "1": ERROR}))
    assert "\x1b" not in text(replace(run, notes=(HOSTILE,)))
