"""The file of events: who writes what once, its bounds, and everything that can be wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quarterdeck.config.fleet import EventSettings
from quarterdeck.engine.timeline import pruning
from quarterdeck.engine.timeline.book import Book, Entry
from quarterdeck.engine.timeline.reading import read, read_after
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.happening import Happening, Topic

NOW = 1_795_370_400.0


def down(at: float = NOW, subject: str = "vllm-a", word: str = "DOWN", text: str = "refused") -> Happening:
    return Happening(at, Topic.STATE, subject, word, text)


def alert(at: float = NOW, word: str = "raised") -> Happening:
    return Happening(at, Topic.ALERT, "vllm-a", word, "DOWN", "critical", "down vllm-a")


def two(tmp_path: Path) -> tuple[Book, Book]:
    return Book(EventSettings(), tmp_path / "q/events.db", seer="one"), Book(EventSettings(), tmp_path / "q/events.db")


def kept(tmp_path: Path) -> list[Happening]:
    return [row.happening for row in read(tmp_path / "q/events.db")[0]]


def test_what_is_written_is_read_and_for_nobody_else(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    assert read(tmp_path / "q/events.db") == ([], 0)
    book.add([Entry(down()), Entry(alert(NOW + 5))], NOW)
    assert kept(tmp_path) == [down(), alert(NOW + 5)]
    for file in (tmp_path / "q").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o700


def test_two_who_see_the_same_write_it_once(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.add([Entry(down(), 4.0), Entry(alert(NOW + 5), 10.0)], NOW)
    other.add([Entry(down(NOW + 3, text="no answer in 2 s"), 2.0), Entry(alert(NOW + 14), 1.0)], NOW)
    assert kept(tmp_path) == [down(), alert(NOW + 5)]
    # What comes later than both could see the same is another one, and so is what one sees twice.
    other.add([Entry(down(NOW + 10, word="OK"), 2.0), Entry(down(NOW + 12), 2.0)], NOW)
    one.add([Entry(down(NOW + 10.5, word="OK"), 2.0), Entry(down(NOW + 11.5), 2.0)], NOW)
    one.add([Entry(down(NOW + 12.5), 2.0)], NOW)
    assert [(each.word, each.at - NOW) for each in kept(tmp_path)] == [
        ("DOWN", 0.0),
        ("raised", 5.0),
        ("OK", 10.0),
        ("DOWN", 12.0),
    ]


def test_models_of_other_names_are_other_ones(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    loaded = [Happening(NOW, Topic.MODEL, "mac", "loaded", name) for name in ("a", "b", "b")]
    one.add([Entry(loaded[0], 5.0)], NOW)
    other.add([Entry(loaded[0], 5.0), Entry(loaded[1], 5.0)], NOW)
    assert [each.text for each in kept(tmp_path)] == ["a", "b"]


def test_a_state_in_which_it_was_found_and_that_was_known_is_no_news(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.add([Entry(down())], NOW)
    found = [Entry(down(NOW + 9000), found=True), Entry(down(NOW + 9000, "vllm-b"), found=True)]
    other.add(found, NOW)
    assert [each.subject for each in kept(tmp_path)] == ["vllm-a", "vllm-b"]
    other.add([Entry(down(NOW + 9500))], NOW)  # it was found well, which is no event, and went down
    assert len(kept(tmp_path)) == 3


def test_records_that_all_share_come_once_whoever_tells_them(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    job = Happening(NOW, Topic.JOB, "mac", "dead", "its worker is gone", key="abcde")
    deed = Happening(NOW, Topic.ACTION, "mac", "load", "q, by ana", key="abcde")
    sink = Happening(NOW, Topic.SINK, "pager", "failing", "500")
    for book, at in ((one, NOW), (other, NOW + 4000), (one, NOW + 9000)):
        moved = Happening(at, Topic.JOB, "mac", "dead", "its worker is gone", key="abcde")
        book.add([Entry(moved), Entry(deed), Entry(sink)], NOW)
    assert job in kept(tmp_path)
    assert sorted(each.topic for each in kept(tmp_path)) == ["action", "job", "sink", "sink", "sink"]


WRITER = """
import sys
from pathlib import Path
from quarterdeck.config.fleet import EventSettings
from quarterdeck.engine.timeline.book import Book, Entry
from quarterdeck.model.happening import Happening, Topic
book = Book(EventSettings(), Path(sys.argv[1]))
for number in range(120):
    at = 1_795_370_400.0 + 100 * number + float(sys.argv[2])
    book.add([Entry(Happening(at, Topic.STATE, "a", "DOWN" if number % 2 else "OK", "x"), 5.0)], at)
"""


def test_processes_that_write_at_once_write_each_thing_once(tmp_path: Path) -> None:
    path = tmp_path / "q/events.db"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(late)], stderr=subprocess.PIPE, text=True)
        for late in (0.0, 1.0, 2.5)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    rows, _ = read(path, most=10_000)
    assert [row.happening.word for row in rows] == ["DOWN" if number % 2 else "OK" for number in range(120)]


def test_threads_of_one_program_may_use_it(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    jobs = [Happening(NOW, Topic.JOB, "mac", "begun", "", key=str(number)) for number in range(60)]
    threads = [threading.Thread(target=book.add, args=([Entry(job)], NOW)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(tmp_path)) == 60


def test_filters_and_what_came_after(tmp_path: Path) -> None:
    book, other = two(tmp_path)
    book.add([Entry(down(NOW + number, f"vllm-{number}")) for number in range(5)], NOW)
    path = tmp_path / "q/events.db"
    rows, last = read(path, since=NOW + 3)
    assert [row.happening.subject for row in rows] == ["vllm-3", "vllm-4"]
    assert [row.happening.subject for row in read(path, subjects=("*-[12]", "x"))[0]] == ["vllm-1", "vllm-2"]
    assert [row.happening.subject for row in read(path, most=1)[0]] == ["vllm-4"]
    assert read(path, topics=(Topic.JOB, Topic.ALERT))[0] == []
    other.add([Entry(alert()), Entry(Happening(NOW, Topic.SINK, "s", "lost", "x"))], NOW)
    assert [row.happening.topic for row in read_after(path, last)] == [Topic.ALERT, Topic.SINK]
    assert [row.happening.topic for row in read_after(path, last, (Topic.SINK,))] == [Topic.SINK]
    assert [row.happening.subject for row in book.after(0, (Topic.SINK,), others=True)] == ["s"]
    assert other.after(0, (Topic.SINK,), others=True) == []


def test_it_stays_within_its_age(tmp_path: Path) -> None:
    book = Book(EventSettings(keep=3600.0), tmp_path / "q/events.db")
    book.add([Entry(down(NOW - 4000)), Entry(down(NOW - 10, "b"))], NOW)
    assert [each.subject for each in kept(tmp_path)] == ["b"]


def test_it_stays_within_its_size_and_gives_room_back(tmp_path: Path) -> None:
    most = 2**20
    book = Book(EventSettings(most=most), tmp_path / "q/events.db")
    largest = 0
    for batch in range(60):
        text = "x" * 300
        book.add([Entry(down(NOW + batch, f"e{batch}-{number}", text=text)) for number in range(100)], NOW)
        largest = max(
            largest, sum(file.stat().st_size for file in (tmp_path / "q").glob("events.db*") if "shm" not in file.name)
        )
    assert largest <= most
    rows, _ = read(tmp_path / "q/events.db", most=100_000)
    assert rows[-1].happening.subject == "e59-99"
    assert 500 < len(rows) < 6000
    # A smaller bound shrinks the file itself.
    smaller = Book(EventSettings(keep=3600.0, most=most), tmp_path / "q/events.db")
    smaller.add([Entry(down(NOW + 50_000, "new"))], NOW + 50_000)
    assert (tmp_path / "q/events.db").stat().st_size < 100_000
    assert most > pruning.EVERY * 400


def test_a_full_disk_is_said_and_passes(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    book.add([Entry(down())], NOW)
    base = book._base
    assert base is not None
    pages = base.execute("PRAGMA page_count").fetchone()[0]
    base.execute(f"PRAGMA max_page_count = {pages}")  # SQLite answers as on a full disk
    many = [Entry(down(NOW + number, f"e{number}", text="x" * 300)) for number in range(200)]
    with pytest.raises(QuarterdeckError, match=r"kept in memory only: .*events\.db: database or disk is full"):
        book.add(many, NOW)
    assert kept(tmp_path) == [down()]  # all or nothing
    book.add(many, NOW)  # a new connection has no such limit: there is room again
    assert len(kept(tmp_path)) == 201


@pytest.mark.parametrize("damage", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_left_alone(tmp_path: Path, damage: bytes) -> None:
    book, _ = two(tmp_path)
    path = tmp_path / "q/events.db"
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(QuarterdeckError, match="kept in memory only"):
        book.add([Entry(down())], NOW)
    with pytest.raises(QuarterdeckError, match=r"events\.db"):
        read(path)
    assert path.read_bytes() == damage
    path.unlink()
    book.add([Entry(down())], NOW)
    assert kept(tmp_path) == [down()]


def test_a_file_damaged_in_the_middle(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    book.add([Entry(down(NOW + number, f"e{number}", text="x" * 300)) for number in range(190)], NOW)
    book.close()
    path = tmp_path / "q/events.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * 30_000)
    for _ in range(2):
        with pytest.raises(QuarterdeckError, match="is damaged; move it away"):
            book.add([Entry(alert())], NOW)


def test_a_file_of_a_newer_program_is_only_read(tmp_path: Path) -> None:
    book, other = two(tmp_path)
    book.add([Entry(down())], NOW)
    book.close()
    with sqlite3.connect(tmp_path / "q/events.db") as base:
        base.execute("PRAGMA user_version = 2")
    with pytest.raises(QuarterdeckError, match="written by a newer quarterdeck"):
        other.add([Entry(alert())], NOW)
    assert kept(tmp_path) == [down()]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    book.add([Entry(down())], NOW)
    book.close()
    (tmp_path / "q").chmod(0o500)
    (tmp_path / "q/events.db").chmod(0o400)
    with pytest.raises(QuarterdeckError, match="Permission denied"):
        book.add([Entry(alert())], NOW)
    assert kept(tmp_path) == [down()]


def test_a_folder_that_can_t_be_made(tmp_path: Path) -> None:
    (tmp_path / "q").write_text("a file")
    book, _ = two(tmp_path)
    with pytest.raises(QuarterdeckError, match=r"File exists|Not a directory"):
        book.add([Entry(down())], NOW)


def test_a_file_that_somebody_moves_away_is_begun_anew(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    book.add([Entry(down())], NOW)
    for file in [*(tmp_path / "q").iterdir()]:
        file.rename(file.with_name(f"old-{file.name}"))
    book.add([Entry(alert())], NOW)
    assert kept(tmp_path) == [alert()]
    assert [row.happening for row in read(tmp_path / "q/old-events.db")[0]] == [down()]


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.engine.timeline.book.BUSY_S", 0.0)
    book, other = two(tmp_path)
    book.add([Entry(down())], NOW)
    base = book._base
    assert base is not None
    base.execute("BEGIN IMMEDIATE")
    with pytest.raises(QuarterdeckError, match="locked"):
        other.add([Entry(alert())], NOW)
    base.execute("COMMIT")
    other.add([Entry(alert())], NOW)
    assert len(kept(tmp_path)) == 2


def test_halves_of_characters_are_no_trouble(tmp_path: Path) -> None:
    book, _ = two(tmp_path)
    book.add([Entry(down(subject="\ud83d", text="\udc00"))], NOW)
    assert kept(tmp_path)[0].text == "?"


def test_several_consoles_may_be_the_first(tmp_path: Path) -> None:
    """SQLite doesn't wait by itself where two make the same file."""
    with ThreadPoolExecutor(8) as pool:
        for turn in range(12):
            path = tmp_path / f"{turn}.db"
            books = [Book(EventSettings(), path) for _ in range(8)]
            entries = [Entry(Happening(NOW + 100 * place, Topic.STATE, "a", str(place), "x")) for place in range(8)]
            written = [pool.submit(book.add, [entry], NOW) for book, entry in zip(books, entries, strict=True)]
            assert [one.result() for one in written] == [None] * 8
            assert len(read(path, most=100)[0]) == 8
            for book in books:
                book.close()
