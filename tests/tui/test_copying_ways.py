"""By which way text gets to a clipboard: programs, tmux, sequences for the terminal, a file."""

from __future__ import annotations

import base64
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.errors import UsageError
from quarterdeck.tui.copying.osc52 import MOST, Between, between, sequence, understood
from quarterdeck.tui.copying.ways import FILE, Native, hand_over, native, of_tmux, to_file


def everything(name: str) -> str:
    return f"/usr/bin/{name}"


def nothing(name: str) -> None:
    return None


# ---- sequences


def inner(sent: str) -> str:
    """What the terminal gets of the plain sequence."""
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sent)
    assert found
    return base64.b64decode(found[1]).decode()


@given(st.text(max_size=2000))
def test_what_a_terminal_is_sent_is_the_text(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    sent = sequence(text)
    assert sent is not None
    assert inner(sent) == clean


@given(st.text(max_size=2000))
def test_tmux_gets_both_forms_and_passes_the_wrapped_one_on_as_it_was(text: str) -> None:
    plain, wrapped = sequence(text), sequence(text, Between.TMUX)
    assert plain is not None
    assert wrapped is not None
    assert wrapped.startswith(plain)
    found = re.fullmatch(r"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", wrapped[len(plain) :], re.DOTALL)
    assert found
    assert found[1].replace("\x1b\x1b", "\x1b") == plain


@given(st.text(max_size=4000))
def test_screen_gets_short_strings_that_join_to_the_sequence(text: str) -> None:
    plain, chunks = sequence(text), sequence(text, Between.SCREEN)
    assert plain is not None
    assert chunks is not None
    parts = re.findall(r"\x1bP(.*?)\x1b\\", chunks, re.DOTALL)
    assert "".join(f"\x1bP{part}\x1b\\" for part in parts) == chunks
    assert max(map(len, parts)) <= 256
    assert "".join(parts) == plain


@pytest.mark.parametrize("through", list(Between))
def test_what_is_too_long_for_terminals_is_not_sent(through: Between) -> None:
    longest = "x" * (MOST // 4 * 3)
    assert sequence(longest, through) is not None
    assert sequence(longest + "x", through) is None
    assert sequence("ü" * (len(longest) // 2 + 1), through) is None, "it is bytes that count"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Between.NOTHING),
        ({"TERM": "xterm-256color"}, Between.NOTHING),
        ({"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "screen-256color"}, Between.TMUX),
        ({"TERM": "tmux-256color"}, Between.TMUX),
        ({"STY": "1.pts-0", "TERM": "screen"}, Between.SCREEN),
        ({"TERM": "screen-256color"}, Between.NOTHING),
        ({"TMUX": "", "STY": ""}, Between.NOTHING),
    ],
)
def test_what_stands_between(environ: dict[str, str], expected: Between) -> None:
    assert between(environ) is expected


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("xterm-kitty", True),
        ("foot", True),
        ("linux", False),
        ("linux-16color", False),
        ("dumb", False),
        ("", False),
        ("vt100", False),
        ("vt220-w", False),
        ("screen.linux", True),
    ],
)
def test_terminals_that_would_print_it_are_sent_nothing(term: str, expected: bool) -> None:
    assert understood({"TERM": term}) is expected
    assert understood({"TERM": term, "TMUX": "x"}), "tmux takes it, whatever it calls itself"


# ---- programs


def test_no_program_of_this_machine_where_the_user_sits_at_another_one() -> None:
    here = {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}
    for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"):
        assert native({**here, name: "10.0.0.1 2 3 4"}, "linux", everything) is None
        assert native({name: "x"}, "darwin", everything) is None


@pytest.mark.parametrize(
    ("environ", "platform", "name"),
    [
        ({}, "darwin", "pbcopy"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux", "wl-copy"),
        ({"DISPLAY": ":0"}, "linux", "xclip"),
        ({"WSL_DISTRO_NAME": "Ubuntu", "DISPLAY": ":0"}, "linux", "clip.exe"),
    ],
)
def test_the_program_of_where_the_user_sits(environ: dict[str, str], platform: str, name: str) -> None:
    found = native(environ, platform, everything)
    assert found is not None
    assert found.name == name
    assert native(environ, platform, nothing) is None


def test_xsel_where_there_is_no_xclip_and_nothing_without_a_display() -> None:
    found = native({"DISPLAY": ":0"}, "linux", lambda name: None if name == "xclip" else name)
    assert found is not None
    assert found.name == "xsel"
    assert native({}, "linux", everything) is None


def test_tmux_only_within_tmux() -> None:
    assert of_tmux({"TMUX": "x"}, everything) is not None
    assert of_tmux({"TMUX": "x"}, nothing) is None
    assert of_tmux({}, everything) is None


def reader(code: str) -> Native:
    return Native("reader", (sys.executable, "-c", code))


async def test_a_program_is_given_the_text(tmp_path: Path) -> None:
    file = tmp_path / "got"
    code = f"import sys; open({str(file)!r}, 'wb').write(sys.stdin.buffer.read())"
    assert await hand_over(reader(code), "Grüße\nzwei", 30.0)
    assert file.read_bytes() == "Grüße\nzwei".encode()
    wide = reader(code)._replace(encoding="utf-16")
    assert await hand_over(wide, "Grüße", 30.0)
    assert file.read_bytes().decode("utf-16") == "Grüße"


async def test_a_program_that_fails_hangs_or_is_not_there() -> None:
    assert not await hand_over(reader("raise SystemExit(1)"), "x", 30.0)
    assert not await hand_over(reader("import time; time.sleep(600)"), "x" * 10_000_000, 0.2)
    assert not await hand_over(Native("none", ("/nowhere/at/all",)), "x")
    assert not await hand_over(reader("import sys; sys.stdin.close(); raise SystemExit(3)"), "x" * 1_000_000, 30.0)


async def test_what_a_program_leaves_running_is_not_waited_for() -> None:
    """As xclip and wl-copy do: they keep the clipboard in the background."""
    code = "import os, sys, time; sys.stdin.read(); os.fork() or time.sleep(20); os._exit(0)"
    assert await hand_over(reader(code), "x", 10.0)


# ---- a file


def test_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "quarterdeck"
    path = to_file("first", folder)
    assert path == folder / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert to_file("second\ud800", folder) == path
    assert path.read_text() == "second?"
    assert [each.name for each in folder.iterdir()] == [FILE]


def test_another_folder_where_the_first_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    other = tmp_path / "temporary"
    other.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(other))
    path = to_file("text", blocked / "quarterdeck")
    assert path.parent == other
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="can't be written"):
        to_file("text", blocked / "quarterdeck")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def full(handle: int, *arguments: object) -> object:
        os.close(handle)
        return real(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0)

    other = tmp_path / "temporary"
    other.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(other))
    monkeypatch.setattr("quarterdeck.tui.copying.ways.os.fdopen", full)
    with pytest.raises(UsageError, match=r"(?i)no space left"):
        to_file("text", tmp_path / "state")
    assert not list(other.iterdir())
    assert not list((tmp_path / "state").iterdir())
