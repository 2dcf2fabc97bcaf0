"""The audit log: lines are only ever added, and whatever lies in the file is read."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import NOW
from quarterdeck.engine.audit import BEGUN, Audit, iso, read


def written(path: Path, *records: dict[str, object], at: float = NOW) -> None:
    log = Audit(path, lambda: at)
    for record in records:
        log.write(record)
    log.close()


def test_a_line_says_when_who_and_what(tmp_path: Path) -> None:
    path = tmp_path / "state" / "audit.jsonl"
    written(path, {"action": "pull", "result": BEGUN}, {"action": "pull", "result": "done"})
    begun, done = read(path)
    assert (begun["time"], begun["action"], begun["result"]) == ("2026-11-22T18:00:00+00:00", "pull", "begun")
    assert begun["user"]
    assert done["result"] == "done"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    written(path, {"action": "unload"})
    assert [line["action"] for line in read(path)] == ["pull", "pull", "unload"], "nothing is ever taken away"


def test_since_and_the_last_of_many(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for hour in range(5):
        written(path, {"n": hour}, at=NOW + hour * 3600)
    assert [line["n"] for line in read(path, since=NOW + 2 * 3600)] == [2, 3, 4]
    assert [line["n"] for line in read(path, limit=2)] == [3, 4]
    assert read(path, limit=0) == []


@given(st.lists(st.binary(max_size=40) | st.just(b"[" * 70_000) | st.just(b"{}" + b" " * 70_000), max_size=5))
def test_rubbish_between_lines_costs_nothing_but_itself(tmp_path: Path, rubbish: list[bytes]) -> None:
    path = tmp_path / "a"
    path.unlink(missing_ok=True)
    for index, piece in enumerate(rubbish):
        written(path, {"n": index})
        with path.open("ab") as file:
            file.write(b"\n" + piece + b"\n")
    assert [line["n"] for line in read(path) if "n" in line] == list(range(len(rubbish)))


def test_a_name_that_is_no_text_is_written(tmp_path: Path) -> None:
    written(tmp_path / "a", {"model": "a\udcff", "words": "ä\n\x1b"})
    assert len((tmp_path / "a").read_bytes().splitlines()) == 1
    assert read(tmp_path / "a")[0]["words"] == "ä\n\x1b"


def test_no_file_is_no_lines_and_no_place_is_an_error(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == []
    assert read(tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        Audit(tmp_path / "file" / "a")


def test_half_a_line_on_a_disk_that_fills_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Audit(tmp_path / "a")
    monkeypatch.setattr(os, "write", lambda _, data: len(data) - 1)
    with pytest.raises(OSError, match="No space left"):
        log.write({"n": 1})
    monkeypatch.undo()
    log.close()


def _writes(path: Path, who: int) -> None:
    log = Audit(path)
    for n in range(50):
        log.write({"who": who, "n": n, "long": "x" * 3000})
    log.close()


def test_lines_of_many_never_mix(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_writes, args=(tmp_path / "a", who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = [json.loads(line) for line in (tmp_path / "a").read_bytes().splitlines()]
    assert sorted((line["who"], line["n"]) for line in lines) == [(w, n) for w in range(4) for n in range(50)]


def test_times_are_utc() -> None:
    assert iso(0) == "1970-01-01T00:00:00+00:00"
