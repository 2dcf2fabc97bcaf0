"""The two ends of the conversation: lines that come in, and lines that go out."""

from __future__ import annotations

import asyncio
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.reader.ears import LONGEST, Ears, reader
from quarterdeck.reader.voice import Voice, writer


async def heard(*chunks: bytes, fails: bool = False) -> list[str]:
    """Every line that comes of these chunks."""
    left = list(chunks)

    def read() -> bytes:
        if left:
            return left.pop(0)
        if fails:
            raise OSError("the terminal is gone")
        return b""

    ears, lines = Ears(read), []
    ears.listen()
    while (line := await ears.next()) is not None:
        lines.append(line)
    assert await ears.next() is None
    return lines


@given(st.binary(max_size=200), st.lists(st.integers(1, 20), max_size=30))
def test_lines_are_the_same_however_they_come(data: bytes, sizes: list[int]) -> None:
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    pieces = [chunk for chunk in (*chunks, data[at:]) if chunk]
    expected = data.split(b"\n")
    expected = expected if expected[-1] else expected[:-1]
    lines = asyncio.run(heard(*pieces))
    assert lines == [part.rstrip(b"\r").decode("utf-8", "replace") for part in expected]


async def test_a_line_without_end_is_cut_and_the_next_one_is_whole() -> None:
    chunk = b"x" * 50_000
    assert [len(line) for line in await heard(chunk, chunk, chunk, b"\nnext\n")] == [LONGEST, 4]


async def test_a_terminal_that_is_gone_is_the_end() -> None:
    assert await heard(b"status\nhalf", fails=True) == ["status", "half"]


async def test_more_lines_than_anybody_takes_wait() -> None:
    assert len(await heard(b"a\n" * 5000)) == 5000


async def test_a_pipe_is_read() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    ears = Ears(reader(ours))
    ears.listen()
    os.write(theirs, b"status\n")
    assert await ears.next() == "status"
    assert not ears.waiting
    os.close(theirs)
    assert await ears.next() is None
    os.close(ours)


# ---- what is said


def voice(prompt: str = "> ") -> tuple[Voice, list[str]]:
    written: list[str] = []
    return Voice(written.append, prompt=prompt), written


async def test_news_stand_above_a_fresh_prompt() -> None:
    one, written = voice()
    await one.say(["Hello."])
    await one.prompt()
    await one.news(["a is DOWN."])
    await one.news([])
    one.entered()
    await one.say(["Answer."])
    assert "".join(written) == "Hello.\n> \na is DOWN.\n> Answer.\n"


async def test_a_question_waits_at_the_end_of_its_line_and_comes_again() -> None:
    one, written = voice()
    await one.question("Really? [no]")
    await one.news(["x."])
    one.entered()
    await one.say(["Done."])
    await one.end()
    assert "".join(written) == "Really? [no] \nx.\nReally? [no] Done.\n"


async def test_for_a_program_a_question_is_a_line_and_there_is_no_prompt() -> None:
    one, written = voice("")
    await one.prompt()
    await one.question("Really? [no]")
    await one.news(["x."])
    await one.say([])
    await one.end()
    assert "".join(written) == "Really? [no]\nx.\n"


async def test_what_the_terminal_wrote_itself_ends_with_its_line() -> None:
    one, written = voice()
    await one.prompt()
    await one.end()
    one.broken()
    await one.say(["Stopped."])
    assert "".join(written) == "> \n\nStopped.\n"


async def test_lines_of_two_speakers_never_mix() -> None:
    one, written = voice("")
    await asyncio.gather(*(one.say([f"{number} a", f"{number} b"]) for number in range(50)))
    lines = "".join(written).splitlines()
    assert all(lines[place].split()[0] == lines[place + 1].split()[0] for place in range(0, 100, 2))


def test_a_stream_without_a_file_and_one_that_takes_little_at_a_time() -> None:
    stream = io.StringIO()
    writer(stream)("–\n")
    assert stream.getvalue() == "–\n"
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with os.fdopen(theirs, "w", encoding="ascii") as file:
        writer(file)("a – b\n" * 100)
    assert os.read(ours, 10_000) == b"a ? b\n" * 100
    os.close(ours)


def test_nobody_reads() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as file:
        write = writer(file)
        with pytest.raises(BrokenPipeError):
            write("x\n")
