"""What a console reads each second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs import Wall, Workers, job, order
from quarterdeck.engine.jobs.board import JobBoard
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.model.job import JobState, Progress


def test_nothing_changes_where_nothing_changed(tmp_path: Path) -> None:
    workers, wall = Workers(), Wall()
    folder = JobFolder(tmp_path, wall=wall, spawn=workers)
    board = JobBoard(folder)
    assert board.read() == ()
    first = folder.create(job())
    wall.now += 1
    second = folder.create(job(order(model="b")))
    seen = board.read()
    assert [each.id for each in seen] == [second.id, first.id], "the newest first"
    assert board.read() is seen
    folder.write(replace(first, progress=Progress("half", 0.5)))
    after = board.read()
    assert after is not seen
    assert after[0] is seen[0], "what did not change is the same object"
    assert after[1].progress.fraction == 0.5
    folder.write(replace(second, state=JobState.DONE))
    workers.dies(second.id)
    assert [each.id for each in board.read()] == [first.id, second.id], "what goes on comes first"


def test_a_worker_that_dies_is_seen_though_nobody_writes_it_down(tmp_path: Path) -> None:
    workers = Workers()
    folder = JobFolder(tmp_path, spawn=workers)
    board = JobBoard(folder)
    made = folder.create(job())
    assert board.read()[0].state is JobState.QUEUED
    workers.dies(made.id)
    assert board.read()[0].state is JobState.DEAD
    folder.resume(made.id)
    assert board.read()[0].state is JobState.QUEUED


def test_what_has_ended_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers()
    folder = JobFolder(tmp_path, spawn=workers)
    board = JobBoard(folder)
    made = folder.create(job())
    folder.write(replace(made, state=JobState.DONE))
    workers.dies(made.id)
    seen = board.read()

    def never(_: str) -> None:
        raise AssertionError

    monkeypatch.setattr(folder, "read_one", never)
    assert board.read() is seen


def test_without_a_folder_there_are_no_jobs(tmp_path: Path) -> None:
    assert JobBoard(JobFolder(tmp_path / "nowhere")).read() == ()
