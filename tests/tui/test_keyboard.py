"""What a terminal may send: pastes with anything in them, noise, and nothing that makes the console deaf."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from quarterdeck.tui.terminal.keyboard import Keyboard, Typed

PIECES = [
    "\x1b", "\x1b[", "\x1b[20", "0~", "\x1b[200~", "\x1b[201~", "\x1b[<0;1;1M", "\x1b[<9;99999999999;99999999999m", "\x1b[97;5u",
    "\x1b[99999999999;1u", "\x1b[1114112u", "\x1b[97;5;55296u", "\x1b[48;99999;99999;0;0t", "\x1b[1;1R", "\x1bO", "\x1b]52;c;",
    "q", "\x00", "é", "日", "\r",
]  # fmt: skip


def keys(found: list[Message]) -> list[str]:
    return [each.key for each in found if isinstance(each, events.Key)]


def pastes(found: list[Message]) -> list[str]:
    return [each.text for each in found if isinstance(each, events.Paste)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_nothing_of_a_paste_is_a_key(size: int) -> None:
    sent = "a\x1b[200~\x1b[31mError\x1b[0m: quit? y\x1bq\x00 D\x9b1m and much more than thirty-two characters\r\ttail\x1b[201~b"
    typed = Typed()
    found = [each for at in range(0, len(sent), size) for each in typed.feed(sent[at : at + size])]
    assert keys(found) == ["a", "b"]
    assert pastes(found) == ["Error: quit? yq D1m and much more than thirty-two characters\r\ttail"]


def test_escape_before_a_paste_is_a_key() -> None:
    assert keys(Typed().feed("\x1b\x1b[200~x\x1b[201~")) == ["escape"]


def test_a_paste_whose_end_comes_late_ends() -> None:
    typed = Typed()
    typed.feed("\x1b[200~text\x1b")
    assert typed.tick() == []
    assert pastes(typed.feed("[201~")) == ["text"]


@pytest.mark.parametrize("noise", ["\x1b[99999999999;1u", "\x1b[1114112u", "\x1b[97;5;1114112u"])
def test_what_the_parser_fails_at_is_left_out(noise: str) -> None:
    assert keys(Typed().feed(f"j{noise}\x1b[Ak")) == ["j", "up", "k"]


def test_no_size_is_taken_from_what_is_typed() -> None:
    typed = Typed()
    found = typed.feed("\x1b[48;50000;50000;0;0t") + typed.feed("\x1b[<0;5;6M")
    assert [type(each) for each in found] == [events.MouseDown]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=12), st.integers(1, 9))
def test_after_anything_keys_are_read(pieces: list[str], size: int) -> None:
    typed, sent = Typed(), "".join(pieces)
    for at in range(0, len(sent), size):
        assert not any(isinstance(each, events.Resize) for each in typed.feed(sent[at : at + size]))
    typed.feed("\x1b[201~" + " " * 40)  # whatever is open is over
    typed.tick()
    assert "k" in keys(typed.feed("k"))


def test_the_thread_outlives_noise() -> None:
    reading, writing = os.pipe()
    came = threading.Event()

    def told(message: Message) -> None:
        if isinstance(message, events.Key) and message.key == "k":
            came.set()

    keyboard = Keyboard(reading, told, lambda: None)
    try:
        os.write(writing, b"\x1b[1114112u\x1b[A")
        os.write(writing, b"k")
        assert came.wait(10)
    finally:
        keyboard.stop()
        os.close(reading)
        os.close(writing)


def test_a_terminal_made_non_blocking_by_somebody_else_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    came, gone, refused = threading.Event(), threading.Event(), threading.Event()
    read = os.read

    def taken_by_another(fd: int, most: int) -> bytes:
        if fd == reading and not refused.is_set():
            refused.set()
            raise BlockingIOError
        return read(fd, most)

    monkeypatch.setattr("quarterdeck.tui.terminal.keyboard.os.read", taken_by_another)
    keyboard = Keyboard(reading, lambda _: came.set(), gone.set)
    try:
        os.write(writing, b"k")
        assert came.wait(10)
        assert refused.is_set()
        assert not gone.is_set()
    finally:
        keyboard.stop()
        os.close(reading)
        os.close(writing)


@pytest.fixture
def many_files() -> Iterator[None]:
    """More open files than `select` has numbers for, as a console with a large fleet has after `fg`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if most < 1300:
        pytest.skip("so many files can't be had here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    held = [os.dup(0) for _ in range(1100)]
    try:
        yield
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="poll knows terminals on Linux only")
@pytest.mark.usefixtures("many_files")
def test_keys_are_read_however_many_files_are_open() -> None:
    reading, writing = os.pipe()
    came = threading.Event()
    keyboard = Keyboard(reading, lambda _: came.set(), lambda: None)
    try:
        os.write(writing, b"k")
        assert came.wait(10)
    finally:
        keyboard.stop()
        os.close(reading)
        os.close(writing)


def test_a_terminal_that_is_closed_is_gone() -> None:
    reading, writing = os.pipe()
    gone = threading.Event()
    keyboard = Keyboard(reading, lambda _: None, gone.set)
    try:
        os.close(writing)
        assert gone.wait(10)
    finally:
        keyboard.stop()
        os.close(reading)
