"""Files named in a prompt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quarterdeck.engine.chat.attaching import MOST_FILES, MOST_IMAGE, MOST_TEXT, prompt_of
from quarterdeck.errors import UsageError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_text_is_quoted_with_its_name_only_and_told_by_its_resolved_path(folder: Path) -> None:
    (folder / "real.py").write_text("x = '```'\n")
    (folder / "link.py").symlink_to("real.py")
    prompt = prompt_of("what is @link.py?")
    assert prompt.typed == "what is @link.py?"
    assert prompt.text == "what is @link.py?\n\nreal.py:\n````\nx = '```'\n````"
    assert prompt.files == (str((folder / "real.py").resolve()),)
    assert str(folder) not in prompt.text


def test_a_picture_is_told_by_its_bytes_not_its_name(folder: Path) -> None:
    (folder / "a b.txt").write_bytes(PNG)
    prompt = prompt_of('see @"a b.txt"')
    assert prompt.text == 'see @"a b.txt"'
    assert [(one.media_type, one.name, one.data) for one in prompt.images] == [("image/png", "a b.txt", PNG)]
    assert "PNG" not in repr(prompt.images[0])


@pytest.mark.parametrize("text", ["hello @alice", "mail me@example.com", "@", "a @ b", "@staticmethod"])
def test_a_word_is_no_file(text: str) -> None:
    assert prompt_of(text).attached == ()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"\x7fELF\0\0"), "neither text"),
        (lambda path: path.write_bytes(b"caf\xe9"), "neither text"),
        (lambda path: path.write_bytes(b"a" * (MOST_TEXT + 1)), "larger than 512 KiB"),
        (lambda path: path.write_bytes(PNG + b"a" * MOST_IMAGE), "larger than 10.0 MiB"),
        (lambda path: path.mkdir(), "is no file"),
        (os.mkfifo, "is no file"),
        (lambda path: None, "there is no file"),
    ],
)
def test_what_cannot_be_sent_says_why(folder: Path, make: object, reason: str) -> None:
    make(folder / "x.bin")  # type: ignore[operator]
    with pytest.raises(UsageError, match=reason):
        prompt_of("look at @./x.bin")


def test_a_device_is_no_file() -> None:
    with pytest.raises(UsageError, match="is no file"):
        prompt_of("@/dev/zero")


def test_there_is_a_bound_of_files_and_one_named_twice_counts_once(folder: Path) -> None:
    for number in range(MOST_FILES + 1):
        (folder / f"f{number}.txt").write_text("a")
    names = [f"@f{number}.txt" for number in range(MOST_FILES)]
    assert len(prompt_of(" ".join([*names, names[0]])).attached) == MOST_FILES
    with pytest.raises(UsageError, match=f"more than {MOST_FILES} files"):
        prompt_of(" ".join([*names, f"@f{MOST_FILES}.txt"]))


def test_files_named_in_pasted_text_are_not_read(folder: Path) -> None:
    (folder / "secret.txt").write_text("key")
    prompt = prompt_of("sum up: [paste 1: 9 characters]", {"[paste 1: 9 characters]": "@secret.txt and more"})
    assert prompt.attached == ()
    assert prompt.text == "sum up: @secret.txt and more"
