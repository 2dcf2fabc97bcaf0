"""What a worker keeps of its job: a bar that never goes back, and an end that is written whatever the disk says."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import NOW, Workers, job
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.hands import Hands
from quarterdeck.model.job import Job, JobState, Progress

share = st.none() | st.floats(0, 1)
count = st.none() | st.integers(0, 10**12)
progresses = st.builds(Progress, st.sampled_from(["", "pulling", "checking"]), share, count, count)


class Disk:
    """A folder whose disk is full so many times."""

    def __init__(self, times: int = 0) -> None:
        self.times = times
        self.written: list[Job] = []

    def write(self, one: Job) -> None:
        if self.times:
            self.times -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written.append(one)

    def cancelled(self, _: str) -> bool:
        return False


def hands(disk: Disk) -> Hands:
    return Hands(job(), disk, wall=lambda: NOW)  # type: ignore[arg-type]


@given(st.lists(progresses, max_size=12))
def test_the_bar_never_goes_back(told: list[Progress]) -> None:
    keeps = hands(Disk())
    highest = 0.0
    for progress in told:
        keeps.report(progress)
        now = keeps.job.progress.fraction
        assert (now or 0.0) >= highest
        assert (now or 0.0) >= (progress.fraction or 0.0)
        highest = now or 0.0


def test_a_word_between_two_numbers_does_not_lose_them() -> None:
    keeps = hands(Disk())
    keeps.report(Progress("pulling", 0.4, 400, 1000))
    keeps.report(Progress("checking"))
    assert keeps.job.progress == Progress("checking", 0.4, 400, 1000)


def test_the_log_has_each_phase_once_with_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    keeps = hands(Disk())
    for done in range(5):
        keeps.report(Progress("pulling", done / 5))
    keeps.report(Progress("checking\x1b[2J\nfake"))
    lines = capsys.readouterr().out.splitlines()
    assert [line[21:] for line in lines] == ["pulling", "checking", "fake"]
    assert all(line[4] == "-" and line[13] == ":" for line in lines)


def test_a_state_that_can_not_be_written_is_no_error_and_is_written_later() -> None:
    disk = Disk(times=1)
    keeps = hands(disk)
    keeps.becomes(JobState.RUNNING, started=NOW)
    assert disk.written == []
    keeps.becomes(JobState.RUNNING)
    assert [one.state for one in disk.written] == [JobState.RUNNING]


async def test_the_end_is_tried_again_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("asyncio.sleep", rest)
    disk = Disk(times=5)
    await hands(disk).finish(JobState.DONE, "pulled")
    assert len(rests) == 5
    (one,) = disk.written
    assert (one.state, one.words, one.ended) == (JobState.DONE, "pulled", NOW)


async def test_a_job_whose_folder_is_deleted_ends_all_the_same(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path, spawn=Workers())
    made = folder.create(job())
    shutil.rmtree(tmp_path / made.id)
    await Hands(made, folder).finish(JobState.DONE, "pulled")
    assert not (tmp_path / made.id).exists()
