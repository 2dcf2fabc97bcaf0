"""What the commands that act say: bars, names that are nearly right, what can't be read, and what is asked."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.cli import jobs, waiting
from quarterdeck.cli.agreeing import agreed
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.meant import meant
from quarterdeck.engine.safety import Asking, Refused
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.actions import BY_ID
from quarterdeck.model.job import Job, JobState, Order, Progress

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck


def job(name: str = "qwen3:8b", fraction: float | None = 0.5, state: JobState = JobState.RUNNING) -> Job:
    return Job("abcde", Order("pull", "mac", name), state, progress=Progress("pulling layer 1", fraction))


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


@given(st.text(max_size=80), st.one_of(st.none(), st.floats(0, 1)), st.integers(1, 200))
def test_a_bar_fits_its_terminal_whatever_the_name(name: str, fraction: float | None, width: int) -> None:
    text = waiting.bar_line(job(name, fraction), width)
    assert cells(text) <= max(1, width - 1)
    assert "\n" not in text
    assert "\x1b" not in text


def test_a_bar_says_what_it_is_at() -> None:
    assert waiting.bar_line(job(), 80) == f"qwen3:8b on mac  {'━' * 12}{'─' * 12}  50%  pulling layer 1"


def test_a_bar_is_drawn_over_only_when_something_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = (80, 24)
    monkeypatch.setattr(waiting, "_size", lambda: size)
    bars = waiting._Bars()
    bars.show([job()])
    assert "\x1b[1A" not in capsys.readouterr().err
    bars.show([job()])
    assert capsys.readouterr().err == ""
    size = (30, 24)
    bars.show([job(fraction=0.6)])
    assert capsys.readouterr().err.startswith("\x1b[3A")  # 63 cells have become three lines
    bars.show([job("x" * 60, state=JobState.DONE)])
    assert "x" * 60 in capsys.readouterr().err  # the last words are whole


def test_more_jobs_than_the_screen_has_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "_size", lambda: (80, 5))
    waiting._Bars().show([job("ended", state=JobState.DONE), *(job(f"m{number}") for number in range(5))])
    told = capsys.readouterr().err
    assert told.count("\n") == 4
    assert "ended" not in told
    assert "… and 3 more" in told


async def test_interrupted_it_says_that_the_job_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = asyncio.Event()

    def read(_folder: JobFolder, identity: str) -> Job:
        loop.call_soon_threadsafe(looked.set)
        return job()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(JobFolder, "read", read)
    task = asyncio.create_task(waiting.wait_for(["abcde"], quiet=True))
    await looked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    told = capsys.readouterr()
    assert told.out == ""
    assert "abcde goes on. `quarterdeck jobs watch abcde` follows it" in told.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("qwen-chta", "Did you mean qwen-chat?"),
        ("zzz", "There is bench, qwen-chat."),
        ("", "There is bench, qwen-chat."),
    ],
)
def test_what_was_meant(name: str, words: str) -> None:
    assert meant(name, ["qwen-chat", "bench"], none="none") == words
    assert meant(name, [], none="none") == "none"


def test_each_protected_endpoint_takes_its_own_name() -> None:
    given_names = argparse.Namespace(confirm=["a", "b"], yes=True)
    for name in ("a", "b"):
        asking = Asking(needs="name", name=name)
        assert agreed(given_names, BY_ID["pull"], Order("pull", name, "m"), asking) == name
    with pytest.raises(Refused, match="c is protected"):
        agreed(given_names, BY_ID["pull"], Order("pull", "c", "m"), Asking(needs="name", name="c"))


QUESTION = """
import asyncio, sys
from quarterdeck.cli.agreeing import question
async def ask():
    question("Delete? [y/N]")
    print("went on")
try:
    asyncio.run(ask())
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_at_a_question_ends_it_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", QUESTION],
        stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment,
    ) as process:  # fmt: skip
        os.close(slave)
        assert process.stderr is not None
        assert process.stdout is not None
        assert process.stderr.read(len("Delete? [y/N] ")) == b"Delete? [y/N] "
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 130
        finally:
            process.kill()
        assert process.stdout.read() == b""
    os.close(master)


@pytest.mark.parametrize("arguments", [("--last", "-1"), ("--last", "0"), ("--last", "many")])
def test_audit_takes_whole_numbers(quarterdeck: Quarterdeck, arguments: tuple[str, ...]) -> None:
    done = quarterdeck("audit", *arguments)
    assert done.returncode == 2
    assert "expected a whole number above 0" in done.stderr


def test_audit_of_longer_than_there_was_time(quarterdeck: Quarterdeck) -> None:
    done = quarterdeck("audit", "--since", "99999999d")
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_changed_while_the_fleet_file_is_wrong(
    quarterdeck: Quarterdeck, tmp_path: Path, ollama: str
) -> None:
    (tmp_path / "fleet.toml").write_text(f"[[endpoint]]\nname = 'lab'\nurl = '{ollama}'\nprotectd = true\n")
    done = quarterdeck("pin", "qwen3:8b", "--yes")
    assert done.returncode == 2
    assert "fleet.toml:4" in done.stderr
    assert "Nothing is changed" in done.stderr
    assert not list((tmp_path / ".local").rglob("job.json"))


def test_an_endpoint_that_is_down_is_not_said_to_lack_a_model(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[[endpoint]]\nname = 'lab'\nurl = 'http://127.0.0.1:1'\nengine = 'ollama'\n")
    done = quarterdeck("load", "qwen3:8b", "--on", "lab")
    assert done.returncode == 2
    assert "lab is DOWN: connection refused" in done.stderr


def test_jobs_that_cannot_be_read_are_not_no_jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "quarterdeck/jobs").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(QuarterdeckError, match="can't be read"):
        jobs.run(argparse.Namespace(action="list", ids=[], json=False, all=False, filter=None))


@pytest.fixture
def ended(tmp_path: Path) -> str:
    """The id of a job that has ended and whose log holds what must not reach a terminal."""
    folder = tmp_path / ".local/state/quarterdeck/jobs/abcde"
    folder.mkdir(parents=True)
    record = {"action": "pull", "target": "lab", "model": "m", "state": "failed", "created": 1.0, "words": "no"}
    (folder / "job.json").write_text(json.dumps(record))
    (folder / "log.txt").write_text("one\x1b[31m\ntwo\n")
    return "abcde"


def test_the_log_of_a_job(quarterdeck: Quarterdeck, ended: str) -> None:
    plain, followed = quarterdeck("jobs", "log", ended), quarterdeck("jobs", "log", ended[:2], "-f")
    assert plain.stdout == followed.stdout
    assert "two\n" in plain.stdout
    assert "\x1b" not in plain.stdout
    told = json.loads(quarterdeck("jobs", "log", ended, "--json").stdout)
    assert (told["id"], told["lines"][1]) == (ended, "two")
    assert quarterdeck("jobs", "log", ended, "--json", "-f").returncode == 2


def test_of_several_jobs_all_must_exist(quarterdeck: Quarterdeck, ended: str) -> None:
    done = quarterdeck("jobs", "resume", ended, "zzzzz")
    assert done.returncode == 2
    assert "no job is called 'zzzzz'" in done.stderr
    (left,) = json.loads(quarterdeck("jobs", "--all", "--json").stdout)
    assert left["attempts"] == 1


def test_watching_nothing_is_still_one_json_document(quarterdeck: Quarterdeck) -> None:
    assert json.loads(quarterdeck("jobs", "watch", "--json").stdout) == []


def test_jobs_that_a_filter_keeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    there = [job("a", state=JobState.DONE), job("b", state=JobState.FAILED)]
    monkeypatch.setattr(JobFolder, "read_all", lambda _: there)

    def told(text: str) -> tuple[str, str]:
        assert jobs.run(argparse.Namespace(action="list", ids=[], json=False, all=True, filter=text)) == 0
        said = capsys.readouterr()
        return said.out, said.err

    out, err = told("state:failed")
    assert "failed" in out
    assert "done" not in out
    assert err == ""
    assert told("state:dead") == ("", "no job fits the filter\n")
    with pytest.raises(UsageError, match="no field status here"):
        jobs.run(argparse.Namespace(action="list", ids=[], json=False, all=True, filter="status:x"))
