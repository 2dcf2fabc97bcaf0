"""Answers side by side: nothing is lost between the lines, nothing of a model's text reaches the terminal as a command."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FrozenClock
from quarterdeck.cli import compare_columns
from quarterdeck.cli.compare_columns import cells, cleaned, final, numbers, showing, wrapped
from quarterdeck.cli.compare_progress import shower, words
from quarterdeck.cli.compare_prompt import Column
from quarterdeck.engine.comparing.run import Progress
from quarterdeck.model.cases.result import Target
from quarterdeck.model.chat.answer import Answer, Circumstances, Ending, Piece, ServerTimings, Usage

TEXT = st.text(alphabet="ab 日é\n\t\x1b\x07", max_size=300)


@given(TEXT, st.integers(min_value=2, max_value=30))
def test_wrapping_keeps_every_letter_within_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cells(line) <= width for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", cleaned(text))
    assert all(line.isprintable() for line in lines)


def test_lines_break_at_spaces_and_long_words_where_they_must() -> None:
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert wrapped("    code\n\nend", 20) == ["    code", "", "end"]
    assert wrapped("日本語", 4) == ["日本", "語"]


def answered(text: str, name: str = "qwen3:8b") -> Column:
    answer = Answer("bench", name, sent_at=10.0, circumstances=Circumstances(running=2, waiting=1, loaded=True))
    answer.take(Piece(text), 10.5)
    answer.take(
        Piece(finish="stop", usage=Usage(7, 21), timings=ServerTimings("llama.cpp", decode_s=0.5, output_tokens=21)),
        11.0,
    )
    answer.last_at = 11.0
    answer.end(Ending.DONE, 11.5)
    return Column(Target("bench", name), [answer], ended=True)


def size(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int = 24) -> None:
    monkeypatch.setattr(compare_columns, "_size", lambda: (columns, lines))


def test_the_numbers_of_an_answer() -> None:
    told = numbers(answered("x").answers[0])
    assert told == "TTFT 500 ms · 40 tok/s · 7 → 21 tok · 1.5 s · stop · warm · queue 2+1 · its own word: 42 tok/s"


@pytest.mark.parametrize(("columns", "beside"), [(100, True), (60, False)])
def test_side_by_side_where_there_is_room(monkeypatch: pytest.MonkeyPatch, columns: int, beside: bool) -> None:
    size(monkeypatch, columns)
    shown = final([answered("first answer"), answered("second answer", "gemma3:12b")])
    assert any("first answer" in line and "second answer" in line for line in shown.splitlines()) is beside
    assert all(cells(line) < columns for line in shown.splitlines())


def test_hostile_text_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    size(monkeypatch, 100)
    column = answered("\x1b]0;title\x07\x1b[2J red \u202e", "m\x1b[31m")
    column.answers[0].notes.append("\x1b[5m note")
    shown = final([column, answered("x")])
    assert shown.replace("\n", "").isprintable()


async def test_while_they_stream_the_screen_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size(monkeypatch, 100, 10)
    monkeypatch.setattr(compare_columns, "EVERY_S", 0.001)
    clock = FrozenClock(12.0)
    column = Column(Target("bench", "qwen3:8b"))

    async def asking() -> None:
        await asyncio.sleep(0.01)
        column.answers.append(answered("word " * 400).answers[0])
        await asyncio.sleep(0.01)
        column.ended = True

    await showing(asking(), [column, answered("x")], clock.clock)
    written = capsys.readouterr().out
    assert "waiting" in written
    assert "word word" in written
    assert written.endswith("\r\x1b[J")
    drawn = written.split("\x1b[8A")[0]
    assert drawn.count("\n") <= 9


def progress(done: int, **more: int) -> Progress:
    counts = {"total": 400, "passed": done, "failed": 0, "errors": 0, "flying": 1, "before": 0} | more
    return Progress(done=done, **counts)


def test_progress_in_words() -> None:
    assert words(progress(0), 0.0) == "0 of 400"
    assert words(progress(100), 25.0) == "100 of 400, 100 passed, 4.0/s, 1m left"
    assert words(progress(10, passed=7, failed=2, errors=1, before=5), 100.0) == (
        "10 of 400, 7 passed, 2 failed, 1 error, 3.0/min, 2h left"
    )
    assert words(progress(400), 100.0) == "400 of 400, 400 passed, 4.0/s"


def test_on_a_pipe_a_line_is_written_at_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    show = shower(lambda: 1.0)
    for done in range(401):
        show.take(progress(done))
    show.end()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[0] for line in lines] == [str(40 * step) for step in range(1, 11)]
