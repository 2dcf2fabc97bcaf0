"""The ledger: cut off at any byte it goes on, nothing answered is lost, and no text is in it that may not be."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.engine.comparing import ledger as ledgers
from quarterdeck.engine.comparing.quoting import UNKEPT, kept, quotes
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.cases.result import Result
from quarterdeck.model.cases.verdict import Finding, Verdict
from quarterdeck.model.chat.answer import Circumstances

RESULT = Result(
    Verdict.FAIL,
    "contains: not in the answer",
    "the server said SECRET",
    (Finding("contains", False, "not in the answer", '"SECRET"', 0.5, 2.0), Finding("regex", None, "slow")),
    finish="stop",
    ttft_s=0.25,
    total_s=1.5,
    decode_tps=40.0,
    prompt_tokens=10,
    output_tokens=20,
    cost=0.001,
    cost_source="fleet.toml",
    cold=False,
    notes=("a note",),
    circumstances=Circumstances(state="OK", running=2, waiting=0, kv_used=0.5, watts=300.0, loaded=True),
    at=1.8e9,
    text="SECRET answer",
)


def filled(path: Path, *, texts: bool = True) -> bytes:
    ledger = ledgers.begin({"salt": "s"}, path, texts=texts, wall=lambda: 1.8e9)
    for number in range(4):
        ledger.asking(f"p{number}")
        if number < 3:
            ledger.answered(f"p{number}", RESULT)
    ledger.close()
    return path.read_bytes()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    filled(tmp_path / "run.jsonl")
    ledger = ledgers.resume(tmp_path / "run.jsonl")
    assert ledger.standing.results == {f"p{number}": RESULT for number in range(3)}
    assert ledger.standing.flying == {"p3"}
    assert ledger.standing.head["salt"] == "s"
    assert ledger.keeps_texts
    ledger.close()


def test_cut_off_at_any_byte_it_goes_on(tmp_path: Path) -> None:
    whole = filled(tmp_path / "whole.jsonl")
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 0x0A]
    path = tmp_path / "cut.jsonl"
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        if length < ends[0]:
            with pytest.raises(UsageError, match="no run"):
                ledgers.resume(path)
            continue
        ledger = ledgers.resume(path)
        lines = [json.loads(line) for line in whole[:length].split(b"\n")[:-1]]
        got = {line["got"] for line in lines if "got" in line}
        asked = {line["ask"] for line in lines if "ask" in line}
        assert ledger.standing.results.keys() == got
        assert ledger.standing.flying == asked - got
        assert len(ledger.standing.flying) <= 1
        ledger.asking("later")
        ledger.answered("later", RESULT)
        ledger.close()
        again = ledgers.read(path)
        assert again.results.keys() == got | {"later"}
        assert again.broken == 0


@given(st.binary(max_size=400))
def test_whatever_stands_in_the_file_nothing_raises_but_usage(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.jsonl"
    head = json.dumps({"run": {"v": 1, "id": "x"}}).encode() + b"\n"
    for content in (data, head + data):
        path.write_bytes(content)
        try:
            ledgers.resume(path).close()
        except UsageError:
            assert content is data or not content.startswith(head)


def test_lines_that_are_none_are_counted(tmp_path: Path) -> None:
    whole = filled(tmp_path / "run.jsonl")
    (tmp_path / "run.jsonl").write_bytes(whole + b"\0\0\0\n[1]\n" + b'{"got": "p9", "verdict": "odd"}\n{"ask": "p9"}\n')
    standing = ledgers.read(tmp_path / "run.jsonl")
    assert standing.broken == 3
    assert standing.flying == {"p3", "p9"}


def test_without_texts_nothing_of_them_is_on_disk(tmp_path: Path) -> None:
    assert b"SECRET" not in filled(tmp_path / "run.jsonl", texts=False)
    found = ledgers.read(tmp_path / "run.jsonl").results["p0"]
    assert (found.text, found.detail, found.findings[0].detail) == (None, "", "")
    assert (found.verdict, found.findings[0].reason, found.ttft_s) == (Verdict.FAIL, "not in the answer", 0.25)


def test_it_is_the_owner_s_alone_and_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    before = os.umask(0)
    try:
        ledger = ledgers.begin({}, path, texts=True)
        kept_at = ledgers.begin({}, texts=False)
    finally:
        os.umask(before)
    for each in (path, kept_at.path):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept_at.path.parent.stat().st_mode) == 0o700
    with pytest.raises(UsageError, match="in use"):
        ledgers.resume(path)
    with pytest.raises(UsageError, match="exists"):
        ledgers.begin({}, path, texts=True)
    ledger.close()
    ledgers.resume(path).close()
    assert ledgers.found(kept_at.id) == kept_at.path
    assert ledgers.found(kept_at.id[:5]) == kept_at.path
    kept_at.close()


def test_a_run_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run is called"):
        ledgers.found("zzzzzz")
    with pytest.raises(UsageError, match="there is no run"):
        ledgers.resume(tmp_path / "none.jsonl")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(UsageError, match="is no file"):
        ledgers.resume(fifo)
    with pytest.raises(QuarterdeckError, match="can't be kept"):
        ledgers.begin({}, tmp_path / "nowhere" / "run.jsonl", texts=False)
    old = tmp_path / "old.jsonl"
    old.write_text('{"run": {"v": 99}}\n')
    with pytest.raises(UsageError, match="another version"):
        ledgers.resume(old)


def test_asked_again_counts_as_not_answered(tmp_path: Path) -> None:
    filled(tmp_path / "run.jsonl")
    ledger = ledgers.resume(tmp_path / "run.jsonl")
    ledger.again(["p1", "p0"])
    assert ledger.standing.results.keys() == {"p2"}
    ledger.asking("p0")
    ledger.answered("p0", RESULT)
    ledger.close()
    standing = ledgers.read(tmp_path / "run.jsonl")
    assert standing.results.keys() == {"p0", "p2"}
    assert standing.results["p0"].asked == 2


def test_a_server_that_quotes_the_prompt_is_not_kept() -> None:
    prompt = "The launch code is Tango-77-Zulu, keep it."
    assert kept('400: invalid input "launch\\ncode is tango"', [prompt]) == f"400: {UNKEPT}"
    assert kept("bad value: TANGO 77 zulu", [prompt]) == UNKEPT
    assert kept("400: max_tokens too large", [prompt]) == "400: max_tokens too large"
    assert kept("connection refused", ["connection refused, connection refused"]) == "connection refused"
    assert quotes("hi!", ["Hi"])
    assert not quotes("", [prompt])
    assert not quotes("anything", ["", "…"])


@pytest.mark.parametrize(
    "ours",
    [
        "cancelled",
        "no token for 600 s",
        "401: key missing or wrong",
        "the server refuses temperature and seed: left out",
        "the answer was cut: max tokens or the context was reached",
        "cold start: loading took 3.2 s; not compared",
    ],
)
def test_our_own_words_stay_whatever_was_asked(ours: str) -> None:
    assert kept(ours, [f"What does it mean: {ours}?"]) == ours
