"""Jobs as lines: at every width what is done, to what, and how far it is or how it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from fakes import endpoint_view, snapshot
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.tui.jobs.lines import LOOKS, details, header, row_line
from quarterdeck.tui.status import Status, status_line

GOING = Job(
    "k3fxa", Order("pull", "workbench", "qwen3:4b"), JobState.RUNNING, created=0.0, started=1.0,
    progress=Progress("pulling layer 1", 0.61, 610_000_000, 1_000_000_000, 41e6, 9.5),
)  # fmt: skip
FAILED = replace(
    GOING, state=JobState.FAILED, ended=2.0, words="no space left\nFree some.", progress=Progress(completed=0)
)
LONG = replace(GOING, order=Order("pull", "workbench", "hf.co/" + "名前" * 40))
WIDTHS = (40, 59, 60, 80, 99, 100, 120, 200)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("state", list(JobState))
def test_a_row_tells_what_and_how_it_is(width: int, state: JobState) -> None:
    job = replace(GOING if not state.ended else FAILED, state=state)
    text = row_line(job, width, 60.0, selected=False).text
    assert "pull qwen3:4b on workbe" in text.lower() or ("Pull" in text and "qwen3:4b on workbench" in text)
    assert LOOKS[state].glyph in text
    assert ("61%" if state is JobState.RUNNING else LOOKS[state].word) in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("job", [GOING, FAILED, LONG])
def test_no_line_is_too_long(width: int, job: Job) -> None:
    lines = [header(width), row_line(job, width, 60.0, selected=True), *details(job, width, 60.0, 10)]
    assert all(cell_len(line.text) <= width for line in lines)
    assert LOOKS[job.state].glyph in lines[1].text
    assert ("61%" if job.state is JobState.RUNNING else "FAILED") in lines[1].text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_why_it_failed_comes_before_all_else(width: int) -> None:
    lines = [line.text for line in details(FAILED, width, 60.0, 3)]
    assert "qwen3:4b on workbench" in lines[0]
    assert "FAILED" in lines[0]
    assert "no space left" in lines[1]
    assert "Free some." in lines[2]


def test_what_failed_before_a_byte_came_tells_of_none() -> None:
    assert not any("bytes" in line.text for line in details(FAILED, 80, 60.0, 10))
    some = replace(FAILED, progress=Progress(completed=5_000_000))
    assert any("bytes" in line.text for line in details(some, 80, 60.0, 10))


# ---- the status line


FLEET = snapshot(endpoint_view("a"), endpoint_view("b", state=State.BUSY))
HINTS = (("Esc", "fleet"), ("?", "help"))


def status(width: int, fleet: FleetSnapshot | None = None, **known: object) -> str:
    line = status_line(Status(fleet or replace(FLEET, jobs=(GOING,)), 2.0, hints=HINTS, **known), width)  # type: ignore[arg-type]
    assert cell_len(line.text) <= width
    return line.text


def test_short_news_are_never_left_out() -> None:
    assert "job nhexr has ended" in status(40, notice="job nhexr has ended")


def test_long_news_take_the_whole_line_and_keep_what_to_do() -> None:
    news = "FAILED: pull qwen3:8b on mac: " + "the registry can't be reached " * 5 + "; 6 shows it"
    for width in (60, 80, 120):
        text = status(width, notice=news)
        assert text.startswith(" FAILED: pull qwen3:8b on mac: the registry")
        assert text.rstrip().endswith("; 6 shows it")
    assert "FAILED: pull qwen3:8b on" in status(40, notice=news)


def test_news_that_fit_stand_beside_the_rest() -> None:
    text = status(80, notice="asking all now")
    assert "well" in text
    assert "1 job 61%" in text
    assert "asking all now" in text


def test_a_narrow_line_keeps_the_way_back() -> None:
    assert "Esc fleet" in status(40, FLEET)
