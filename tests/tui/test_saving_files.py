"""Files of views: whole or not at all, never over another one, every trouble in words; texts put together; JSON that is JSON."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.errors import UsageError
from quarterdeck.tui.lines import Line, Run
from quarterdeck.tui.saving.documents import dumped
from quarterdeck.tui.saving.doing import proposed
from quarterdeck.tui.saving.text import Block, joined
from quarterdeck.tui.saving.writing import ThereError, place, write

# ---- writing


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "a.txt", "Grüße\ud800\n")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").read_text() == "Grüße?\n"
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_there_stays_unless_somebody_agrees(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    path.chmod(0o600)
    with pytest.raises(ThereError, match=r"a\.txt is there already: 6 B"):
        write(path, "after")
    assert path.read_text() == "before"
    write(path, "after", over=True)
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "it was private, and still is"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_comes_at_the_last_moment_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    monkeypatch.setattr("quarterdeck.tui.saving.writing._mode_of", lambda path, over: None)
    path.write_text("theirs")
    with pytest.raises(ThereError):
        write(path, "ours")
    monkeypatch.setattr(Path, "hardlink_to", _no_links)
    with pytest.raises(ThereError):
        write(path, "ours")
    assert path.read_text() == "theirs"
    write(tmp_path / "b.txt", "ours")
    assert (tmp_path / "b.txt").read_text() == "ours", "on a file system without links"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def _no_links(self: Path, target: Path) -> None:
    raise OSError(95, "Operation not supported")


def test_every_trouble_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "nowhere" / "a.txt", "there is no folder"),
        (tmp_path / "file" / "a.txt", "there is no folder"),
        (tmp_path, "is a folder; name a file in it"),
        (tmp_path / "pipe", "is no ordinary file"),
        (tmp_path / ("x" * 300), "name too long"),
    ):
        with pytest.raises(UsageError, match=words):
            write(path, "text", over=True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), "permission denied"),
        (OSError(30, "Read-only file system"), "read-only"),
    ],
)
def test_a_folder_that_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def refuses(*arguments: object) -> int:
        raise error

    monkeypatch.setattr("quarterdeck.tui.saving.writing.os.open", refuses)
    with pytest.raises(UsageError, match=rf"a\.txt can't be written: {words}"):
        write(tmp_path / "a.txt", "text")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("quarterdeck.tui.saving.writing.os.fsync", full)
    with pytest.raises(UsageError, match="can't be written: no space left on device"):
        write(path, "after", over=True)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("before")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "a.txt")
    write(place(str(tmp_path / "link.txt")), "after", over=True)
    assert (tmp_path / "real" / "a.txt").read_text() == "after"
    assert (tmp_path / "link.txt").is_symlink()


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert place("a.txt") == Path(os.path.realpath(tmp_path / "a.txt"))
    assert place("~/a.txt") == Path(os.path.realpath("/home/ada/a.txt"))
    for typed in ("a\0b", "a\nb", "~nobody-of-that-name/x"):
        with pytest.raises(UsageError, match="no usable file name"):
            place(typed)


def test_proposed_names_sort_by_time() -> None:
    assert proposed("fleet", ".svg", 1_795_370_400.0) == "quarterdeck-fleet-2026-11-22T18-00-00.svg"
    assert proposed("fleet", ".svg", 1e300).startswith("quarterdeck-fleet-1970")


# ---- texts


def block(x: int, y: int, height: int, *texts: str) -> Block:
    return Block(x, y, height, [Line((Run(text),)) for text in texts])


def test_blocks_stand_as_on_the_screen() -> None:
    blocks = [
        block(0, 9, 1, "status"),
        block(40, 1, 8, "right", "数 two"),
        block(0, 0, 1, "title   "),
        block(0, 1, 8, "left", "", "three", "", "", ""),
    ]
    assert joined(blocks) == ["title", "left   right", "       数 two", "three", "", "status"]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60), st.integers(1, 60), st.lists(st.text(max_size=9)))))
def test_no_line_gets_lost(found: list[tuple[int, int, int, list[str]]]) -> None:
    blocks = [block(x, y, height, *texts) for x, y, height, texts in found]
    text = "\n".join(joined(blocks))
    for one in blocks:
        for line in one.lines:
            assert line.text.rstrip() in text


# ---- JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each) | st.tuples(each, each),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_told_is_json(document: object) -> None:
    text = dumped(document)
    json.loads(text, parse_constant=_never)
    text.encode()


def _never(name: str) -> None:
    raise AssertionError(name)


def test_what_json_has_no_word_for() -> None:
    assert json.loads(dumped({"a": math.inf, "b": math.nan, 1: Path("/x"), "c": (1, "\ud800")})) == {
        "a": None,
        "b": None,
        "1": "/x",
        "c": [1, "?"],
    }
