"""The folder of jobs: made once, found again, dead when nobody is at them, resumed; whatever lies in it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from jobs import NOW, Wall, Workers, job, order
from quarterdeck.config.fleet import JobSettings
from quarterdeck.engine.jobs import folder as folder_module
from quarterdeck.engine.jobs.folder import CANCEL, RECORD, JobFolder
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.job import Job, JobState

HOSTILE = ("", ".", "..", "../x", "/etc", "abcde/..", "ABCDE", "abcd\n", "abcdef", "\0", "a" * 5000, "*", ".lock")


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def folder(tmp_path: Path, workers: Workers, wall: Wall) -> JobFolder:
    return JobFolder(tmp_path / "state" / "jobs", wall=wall, spawn=workers)


def becomes(folder: JobFolder, workers: Workers, made: Job, state: JobState, at: float = NOW) -> None:
    """Its worker writes its end, and goes."""
    from dataclasses import replace

    folder.write(replace(made, state=state, ended=at))
    workers.dies(made.id)


def test_a_job_is_written_and_begun(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    assert workers.started == [made.id]
    assert folder.read(made.id) == made
    assert (made.state, made.created) == (JobState.QUEUED, NOW)
    assert (folder.path / made.id).stat().st_mode & 0o777 == 0o700
    assert (folder.path / made.id / RECORD).stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_the_same_is_not_begun_twice(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    assert folder.create(job()).id == made.id
    assert workers.started == [made.id]


@pytest.mark.parametrize(
    "other",
    [
        job(order(model="qwen3:14b")),
        job(order(action="load")),
        job(order(insecure=True)),
        job(url="http://127.0.0.1:11435"),
    ],
)
def test_what_differs_is_another_job(folder: JobFolder, workers: Workers, other: Job) -> None:
    folder.create(job())
    folder.create(other)
    assert len(set(workers.started)) == 2


def test_the_same_server_by_another_name_is_the_same_job(folder: JobFolder) -> None:
    assert folder.create(job(order(target="a"))).id == folder.create(job(order(target="b"))).id


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_what_has_ended_can_be_asked_for_again(folder: JobFolder, workers: Workers, state: JobState) -> None:
    made = folder.create(job())
    becomes(folder, workers, made, state)
    assert folder.create(job()).id != made.id


def test_a_job_whose_worker_is_gone_is_dead_and_can_be_resumed(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    workers.dies(made.id)
    assert folder.read(made.id).state is JobState.DEAD
    assert "gone" in folder.read(made.id).words
    folder.path.joinpath(made.id, CANCEL).touch()
    again = folder.resume(made.id)
    assert (again.state, again.attempts, again.id) == (JobState.QUEUED, 2, made.id)
    assert folder.read(made.id) == again
    assert not folder.cancelled(made.id), "somebody cancelled the attempt before"
    assert workers.started == [made.id, made.id]


def test_what_goes_on_or_is_done_is_not_resumed(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    with pytest.raises(UsageError, match="queued"):
        folder.resume(made.id)
    becomes(folder, workers, made, JobState.DONE)
    with pytest.raises(UsageError, match="done"):
        folder.resume(made.id)


def test_a_job_is_not_resumed_beside_one_that_does_the_same(folder: JobFolder, workers: Workers) -> None:
    first = folder.create(job())
    becomes(folder, workers, first, JobState.FAILED)
    second = folder.create(job())
    with pytest.raises(UsageError, match=second.id):
        folder.resume(first.id)


def test_a_worker_on_its_way_out_is_waited_for_but_not_for_ever(
    folder: JobFolder, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    made = folder.create(job())
    folder.write(replace(made, state=JobState.FAILED))  # and still holds its lock
    monkeypatch.setattr(folder_module, "_LEFT_WITHIN_S", 0.0)
    with pytest.raises(UsageError, match="not ended yet"):
        folder.resume(made.id)
    assert folder.read(made.id).state is JobState.FAILED
    workers.dies(made.id)
    assert folder.resume(made.id).attempts == 2


def test_cancelling_leaves_a_word_for_the_worker(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    assert not folder.cancelled(made.id)
    folder.cancel(made.id)
    assert folder.cancelled(made.id)
    becomes(folder, workers, made, JobState.CANCELLED)
    with pytest.raises(UsageError, match="has ended"):
        folder.cancel(made.id)


def test_the_beginning_of_an_id_is_enough_where_only_one_begins_so(folder: JobFolder) -> None:
    made = folder.create(job())
    assert folder.read(made.id[:3]).id == made.id
    for name in ("x2345", "x2346"):
        (folder.path / name).mkdir()
    with pytest.raises(UsageError, match="2 jobs begin"):
        folder.read("x234")


@pytest.mark.parametrize("identity", HOSTILE)
def test_an_id_is_never_a_path(folder: JobFolder, tmp_path: Path, identity: str) -> None:
    folder.create(job())
    outside = tmp_path / "state" / "x"
    outside.mkdir()
    (outside / RECORD).write_text("{}")
    for act in (folder.read, folder.cancel, folder.resume, folder.log_path, folder.cancelled):
        with pytest.raises(UsageError):
            act(identity)
    assert sorted(path.name for path in outside.iterdir()) == [RECORD]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"{}" * 200_000, b"[" * 100_000, b'{"created": 1e999}']
)
def test_a_damaged_record_is_a_dead_job(folder: JobFolder, workers: Workers, content: bytes) -> None:
    made = folder.create(job())
    other = folder.create(job(order(model="b")))
    (folder.path / made.id / RECORD).write_bytes(content)
    states = {each.id: each.state for each in folder.read_all()}
    assert states == {made.id: JobState.DEAD, other.id: JobState.QUEUED}


def test_a_record_that_is_a_folder_or_missing_is_a_dead_job(folder: JobFolder) -> None:
    made = folder.create(job())
    (folder.path / made.id / RECORD).unlink()
    assert folder.read_one(made.id).state is JobState.DEAD
    (folder.path / made.id / RECORD).mkdir()
    assert folder.read_one(made.id).state is JobState.DEAD


def test_what_is_no_job_in_the_folder_is_left_alone(folder: JobFolder) -> None:
    folder.create(job())
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / "OLD").mkdir()
    assert len(folder.read_all()) == 1


def test_old_jobs_are_forgotten_and_living_ones_never(folder: JobFolder, workers: Workers, wall: Wall) -> None:
    old, alive, damaged = (folder.create(job(order(model=name))) for name in "abc")
    becomes(folder, workers, old, JobState.DONE)
    (folder.path / damaged.id / RECORD).write_text("{")  # its worker lives
    wall.now += 31 * 86_400
    fresh = folder.create(job(order(model="d")), JobSettings(keep=30 * 86_400))
    assert {each.id for each in folder.read_all()} == {alive.id, damaged.id, fresh.id}


def test_a_damaged_record_is_kept_as_long_as_others(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    (folder.path / made.id / RECORD).write_text("{")
    workers.dies(made.id)
    now = (folder.path / made.id).stat().st_mtime
    later = JobFolder(folder.path, wall=lambda: now + 60, spawn=workers)
    later.create(job(order(model="b")))
    assert (folder.path / made.id).exists()


def test_a_clock_that_jumps_back_loses_nothing(folder: JobFolder, workers: Workers, wall: Wall) -> None:
    made = folder.create(job())
    becomes(folder, workers, made, JobState.DONE)
    wall.now = 0.0
    second = folder.create(job(order(model="b")))
    assert {each.id for each in folder.read_all()} == {made.id, second.id}
    assert folder.read_all()[0].id == second.id, "what goes on comes first, whatever the clock says"


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_nothing_is_begun_and_nothing_left(
    folder: JobFolder, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("json.dump", full)
    with pytest.raises(QuarterdeckError, match=r"nothing was done.*No space left"):
        folder.create(job())
    assert workers.started == []
    assert folder.read_all() == []


def test_a_worker_that_does_not_start_leaves_nothing(tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise QuarterdeckError("nothing was done: no memory")

    folder = JobFolder(tmp_path / "jobs", spawn=fails)
    with pytest.raises(QuarterdeckError, match="no memory"):
        folder.create(job())
    assert folder.read_all() == []


def test_a_resumed_job_whose_worker_does_not_start_is_as_it_was(folder: JobFolder, workers: Workers) -> None:
    made = folder.create(job())
    becomes(folder, workers, made, JobState.FAILED)
    before = folder.read(made.id)

    def fails(*_: object) -> None:
        raise QuarterdeckError("no")

    with pytest.raises(QuarterdeckError):
        JobFolder(folder.path, spawn=fails).resume(made.id)
    assert folder.read(made.id) == before


def test_a_state_folder_that_can_not_be_is_an_answer_in_words(tmp_path: Path, workers: Workers) -> None:
    (tmp_path / "file").write_text("")
    folder = JobFolder(tmp_path / "file" / "jobs", spawn=workers)
    assert folder.read_all() == []
    assert folder.stamps() == {}
    with pytest.raises(QuarterdeckError, match="nothing was done"):
        folder.create(job())


def test_without_descriptors_a_living_job_is_not_taken_for_dead(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folder.create(job())

    def none_left(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("os.open", none_left)
    assert folder.read_one(made.id).state is JobState.QUEUED


def test_a_record_is_replaced_whole_or_not_at_all(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    made = folder.create(job())

    def half(_: object, file: object) -> None:
        file.write('{"half')  # type: ignore[attr-defined]
        full()

    monkeypatch.setattr("json.dump", half)
    with pytest.raises(OSError, match="No space"):
        folder.write(replace(made, words="x"))
    assert json.loads((folder.path / made.id / RECORD).read_text())["words"] == ""
