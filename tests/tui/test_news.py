"""How a job ended that was begun here is said where nobody looks at it, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console_driver import Console, console
from fakes import config, endpoint_view, snapshot
from quarterdeck.engine.preflight import Check
from quarterdeck.model.fleet import State
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.tui.news import READ_S, News, ended_text, joined
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.form import FormScreen
from quarterdeck.tui.screens.jobs import JobsScreen
from quarterdeck.tui.screens.log import LogScreen

FLEET = snapshot(endpoint_view("mac", engine="ollama", state=State.OK))
PULL = Job("aaaaa", Order("pull", "mac", "qwen3:8b"), JobState.RUNNING, created=1.0, progress=Progress("x", 0.5))


def ended(state: JobState = JobState.DONE, words: str = "pulled qwen3:8b, 5.2 GiB", **known: Any) -> Job:
    return replace(PULL, state=state, words=words, ended=9.0, **known)


FULL = ended(JobState.FAILED, "no space left\nFree some.")


# ---- words


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (ended(words="pulled qwen3:8b"), "pulled qwen3:8b onto mac"),
        (ended(), "pulled qwen3:8b onto mac, 5.2 GiB"),
        (ended(words="qwen3:8b was there already, up to date"), "qwen3:8b on mac: qwen3:8b was there already, up to date"),
        (ended(words="left memory", order=Order("unload", "mac", "m")), "m on mac: left memory"),
        (ended(words="", order=Order("stop", "server")), "server: done"),
        (FULL, "FAILED: pull qwen3:8b on mac: no space left"),
        (ended(JobState.FAILED, ""), "FAILED: pull qwen3:8b on mac"),
        (ended(JobState.DEAD, "its worker is gone"), "DEAD: pull qwen3:8b on mac: its worker is gone"),
        (ended(JobState.CANCELLED, "cancelled"), "cancelled: pull qwen3:8b on mac"),
        (ended(words="x\x1b[31m", order=Order("unload_all", "m\x07ac")), "mac: x"),
    ],
)  # fmt: skip
def test_how_one_ended(job: Job, text: str) -> None:
    assert ended_text(job) == text


def test_several_are_joined_and_what_failed_comes_first() -> None:
    done = ended(words="pulled qwen3:8b")
    assert joined([done]) == "pulled qwen3:8b onto mac"
    assert joined([done, FULL]) == (
        "FAILED: pull qwen3:8b on mac: no space left; 6 shows it · pulled qwen3:8b onto mac"
    )
    assert joined([FULL, FULL]).startswith("2 FAILED, pull qwen3:8b on mac: no space left; 6 shows them")
    assert joined([done] * 3) == "3 jobs have ended: qwen3:8b on mac, qwen3:8b on mac, qwen3:8b on mac"


# ---- which


def unseen(_: Job) -> bool:
    return False


def test_only_what_was_begun_here_and_once() -> None:
    news = News()
    assert news.look([FULL], 0.0, unseen) == ""
    news.follow(PULL)
    assert news.look([PULL], 0.0, unseen) == ""
    assert "no space left" in news.look([FULL], 1.0, unseen)
    assert news.look([FULL], 2.0, unseen) == ""


def test_what_is_resumed_has_not_ended_by_the_record_of_the_attempt_before() -> None:
    news = News()
    news.follow(replace(PULL, attempts=2))
    assert news.look([FULL], 0.0, unseen) == ""
    assert news.look([ended(attempts=2)], 1.0, unseen) == "pulled qwen3:8b onto mac, 5.2 GiB"


def test_what_was_seen_is_not_told_later() -> None:
    news = News()
    news.follow(PULL)
    assert news.look([FULL], 0.0, lambda job: job.id == "aaaaa") == ""
    assert news.look([FULL], 1.0, unseen) == ""


def test_what_is_still_read_is_told_again_with_what_is_new() -> None:
    news = News()
    for identity in ("aaaaa", "bbbbb", "ccccc"):
        news.follow(replace(PULL, id=identity))
    news.look([ended()], 0.0, unseen)
    told = news.look([ended(), ended(id="bbbbb", order=Order("load", "mac", "b"), words="loaded")], 5.0, unseen)
    assert told == "pulled qwen3:8b onto mac, 5.2 GiB · b on mac: loaded"
    third = ended(id="ccccc", order=Order("load", "mac", "c"), words="loaded")
    assert news.look([third], 5.0 + READ_S, unseen) == "c on mac: loaded"


# ---- in the console


@pytest.fixture(autouse=True)
def _submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def submit(_: object, order: Order, **__: Any) -> Job:
        return replace(PULL, order=order)

    async def nothing(*_: object) -> list[Check]:
        return []

    monkeypatch.setattr("quarterdeck.engine.operate.submit", submit)
    monkeypatch.setattr("quarterdeck.engine.preflight.preflight", nothing)


async def pull(it: Console) -> None:
    await it.press("P")
    assert isinstance(it.app.screen, FormScreen)
    await it.press(*"qwen3", "colon", *"8b", "enter")
    await it.sees("is job aaaaa")
    await it.show(replace(FLEET, jobs=(PULL,)))


async def test_the_end_of_a_job_is_said_and_goes_away() -> None:
    async with console(FLEET, size=(120, 24), configured=config()) as it:
        await pull(it)
        await it.show(replace(FLEET, jobs=(FULL,)))
        assert "FAILED: pull qwen3:8b on mac: no space left; 6 shows it" in it.text
        it.clock.advance(READ_S - 1)
        await it.tick()
        assert "no space left" in it.text
        it.clock.advance(2.0)
        await it.tick()
        assert "no space left" not in it.text
        assert it.app.notice == ""


async def test_lesser_news_come_before_it_only_for_a_while() -> None:
    async with console(FLEET, size=(120, 24), configured=config()) as it:
        await pull(it)
        await it.show(replace(FLEET, jobs=(FULL,)))
        await it.press("s")
        assert "no space left" not in it.text
        it.clock.advance(6.0)
        await it.tick()
        assert "no space left" in it.text


async def test_it_is_said_under_a_dialog() -> None:
    async with console(FLEET, size=(120, 24), configured=config()) as it:
        await pull(it)
        it.app.push_screen(ConfirmScreen("Really?", [], "Yes", lambda: None))
        await it.pilot.pause()
        await it.show(replace(FLEET, jobs=(FULL,)))
        await it.sees("no space left; 6 shows it")
        assert "Really?" in it.text


@pytest.mark.parametrize("where", ["jobs", "dialog over the jobs", "its log"])
async def test_nothing_is_said_to_who_looks_at_it(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.engine.jobs.folder.JobFolder.log_path", lambda *_: tmp_path / "log.txt")
    async with console(FLEET, size=(120, 24), configured=config()) as it:
        await pull(it)
        it.clock.advance(60)
        await it.tick()
        await it.press("6")
        assert isinstance(it.app.screen, JobsScreen)
        if where == "its log":
            await it.press("l")
            assert isinstance(it.app.screen, LogScreen)
        elif where != "jobs":
            await it.press("x")
            assert isinstance(it.app.screen, ConfirmScreen)
        await it.show(replace(FLEET, jobs=(FULL,)))
        assert it.app.notice == ""
        await it.press("escape", "escape")
        await it.tick()
        assert it.app.notice == ""


async def test_another_jobs_log_is_not_where_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.engine.jobs.folder.JobFolder.log_path", lambda *_: tmp_path / "log.txt")
    other = replace(FULL, id="zzzzz")
    async with console(FLEET, size=(120, 24), configured=config()) as it:
        await pull(it)
        await it.show(replace(FLEET, jobs=(other, PULL)))
        await it.press("6", "G", "l")
        assert isinstance(it.app.screen, LogScreen)
        await it.show(replace(FLEET, jobs=(other, ended())))
        assert "pulled qwen3:8b onto mac" in it.text


async def test_who_looks_has_read_it() -> None:
    async with console(FLEET, size=(120, 24), configured=config()) as it:
        await pull(it)
        await it.show(replace(FLEET, jobs=(FULL,)))
        assert "6 shows it" in it.text
        await it.press("6")
        assert "6 shows it" not in it.text
        assert "no space left" in it.text
        await it.press("escape")
        assert "6 shows it" not in it.text


@pytest.mark.parametrize("width", [80, 60])
async def test_news_take_the_place_of_what_can_wait(width: int) -> None:
    async with console(FLEET, size=(width, 24), configured=config()) as it:
        await pull(it)
        await it.show(replace(FLEET, jobs=(FULL,)))
        assert "FAILED: pull qwen3:8b on mac: no space left; 6 shows it" in it.text
