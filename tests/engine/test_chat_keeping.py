"""Prompts and answers that are kept: found, exported, gone when deleted, and nobody else's to read."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quarterdeck.engine.chat.keeping import Chats
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.chat.answer import Answer, Ending, Piece, Usage
from quarterdeck.model.chat.request import ChatRequest, Image, Message, Role, Sampling


def exchange(prompt: str, said: str = "fine") -> tuple[ChatRequest, Answer]:
    image = Image("cat.png", "image/png", b"secret pixels")
    request = ChatRequest("qwen3:8b", (Message(Role.USER, prompt, (image,)),), Sampling(temperature=0.5, stop=("x",)))
    answer = Answer("mac", "qwen3:8b", 1.0)
    answer.take(Piece(said, usage=Usage(3, 4)), 2.0)
    answer.end(Ending.DONE, 3.0)
    return request, answer


def test_saved_found_and_shown(tmp_path: Path) -> None:
    now = iter([10.0, 20.0, 30.0])
    chats = Chats(tmp_path / "state" / "chats.db", wall=lambda: next(now))
    first = chats.save("s", *exchange("How do I 100%_really do it?", "so\x1b[31m"))
    chats.save("s", *exchange("Something else \ud800"))
    assert [kept.prompt for kept in chats.search()] == ["Something else ?", "How do I 100%_really do it?"]
    assert [kept.id for kept in chats.search("HOW mac")] == [first]
    assert [kept.id for kept in chats.search("100%_")] == [first]
    assert chats.search("10_%") == []
    assert chats.search("'; DROP TABLE exchange; --") == []
    kept = chats.read(first)
    assert kept is not None
    assert (kept.at, kept.endpoint, kept.answer) == (10.0, "mac", "so\x1b[31m")
    assert kept.details["messages"][0]["images"] == ["cat.png"]
    assert kept.details["sampling"] == {"temperature": 0.5, "stop": ["x"]}
    assert kept.details["output_tokens"] == 4


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "chats.db")
    chats.save("s", *exchange("x"))
    assert stat.S_IMODE(chats.path.stat().st_mode) == 0o600


def test_what_is_deleted_is_nowhere_in_the_file(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "chats.db")
    number = chats.save("s", *exchange("MARKER-ONE"))
    chats.save("s", *exchange("MARKER-TWO"))
    assert chats.delete(number=number) == 1
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"MARKER-ONE" not in everything
    assert b"MARKER-TWO" in everything
    assert chats.delete(before=0.0) == 0
    assert chats.delete() == 1
    assert chats.search() == []


def test_reading_nothing_makes_no_file(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "chats.db")
    assert (chats.search(), chats.read(1), chats.delete()) == ([], None, 0)
    assert list(tmp_path.iterdir()) == []


def test_many_at_once(tmp_path: Path) -> None:
    def save(index: int) -> int:
        return Chats(tmp_path / "chats.db").save("s", *exchange(f"prompt {index}"))

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(save, range(40)))
    assert len(set(numbers)) == 40
    assert len(Chats(tmp_path / "chats.db").search(limit=100)) == 40


@pytest.mark.parametrize("kind", ["garbage", "newer", "folder"])
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "chats.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "garbage":
        path.write_bytes(b"this is no database" * 100)
    else:
        with sqlite3.connect(path) as base:
            base.execute("PRAGMA user_version = 99")
        base.close()
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(QuarterdeckError, match=r"chats\.db"):
        Chats(path).save("s", *exchange("x"))
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_several_consoles_may_be_the_first(tmp_path: Path) -> None:
    """SQLite doesn't wait by itself where two make the same file."""
    with ThreadPoolExecutor(8) as pool:
        for turn in range(12):
            path = tmp_path / f"{turn}.db"
            saved = [pool.submit(Chats(path).save, "s", *exchange("at once")) for _ in range(8)]
            assert sorted(one.result() for one in saved) == list(range(1, 9))
