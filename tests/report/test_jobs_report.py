"""Jobs and audit lines as text and as JSON."""

from __future__ import annotations

import json

from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.report.jobs import audit_line, document, far, line, table

GIB = 1024**3
GOING = Job(
    "abcde",
    Order("pull", "mac", "qwen3:8b"),
    JobState.RUNNING,
    created=1_000.0,
    started=1_001.0,
    progress=Progress("pulling layer 2", 0.5, 2 * GIB, 4 * GIB, GIB / 4, 8.0),
)
HOSTILE = Job(
    "fghjk",
    Order("lora_load", "vllm", None, {"name": "a\x1b[31m"}),
    JobState.FAILED,
    created=900.0,
    ended=910.0,
    words="no\x1b]0;x\x07 such thing\ntry another",
)


def test_a_line_says_how_far_it_is() -> None:
    assert line(GOING) == "qwen3:8b on mac: pulling layer 2, 50%, 2.0 GiB of 4.0 GiB, 256 MiB/s, 8s left"
    assert far(Job("a", GOING.order)) == []


def test_nothing_that_a_server_said_reaches_the_terminal_as_it_is() -> None:
    for text in (line(HOSTILE), table([HOSTILE], 1_000.0), audit_line({"words": HOSTILE.words, "target": "a\x1bb"})):
        assert not set(text) & {"\x1b", "\x07"}
    assert "try another" in line(HOSTILE)
    assert "\n" not in line(HOSTILE)


def test_a_table_has_a_line_a_job_and_the_typed_words() -> None:
    titles, first, second = table([GOING, HOSTILE], 1_060.0).splitlines()
    assert titles.split() == ["ID", "STATE", "ACTION", "WHAT", "DONE", "RATE", "LEFT", "AGE"]
    assert " ".join(first.split()) == "abcde running pull qwen3:8b on mac 50% 256 MiB/s 8s 1m pulling layer 2"
    assert second.split()[:3] == ["fghjk", "failed", "lora-load"]


def test_unknown_is_null_in_json() -> None:
    told = json.loads(json.dumps(document(Job("abcde", Order("wake", "vllm")))))
    assert (told["model"], told["started"], told["fraction"], told["total_bytes"]) == (None, None, None, None)
    assert document(GOING)["started"] == "1970-01-01T00:16:41+00:00"


def test_an_audit_line_of_strange_values() -> None:
    assert audit_line({}).endswith("\n")
    entry = {"time": "t", "user": "me", "action": "pull", "model": "m", "target": "mac", "result": "done"}
    assert audit_line(entry | {"duration_s": 2.04}) == "t  me  pull m on mac  done in 2.0 s\n"
    assert audit_line(entry | {"duration_s": "long"}) == "t  me  pull m on mac  done\n"
