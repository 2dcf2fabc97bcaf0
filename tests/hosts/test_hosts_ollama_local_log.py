"""Ollama's access log: its lines, the last minute of them, and where they are read."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.hosts.ollama import sources
from quarterdeck.hosts.ollama.log import SHORTEST_S, SILENT, WINDOW_S, Entry, parse, seconds, summary
from quarterdeck.hosts.ollama.sources import Journal, LogFile

NOW = 1_795_370_400.0


class Wall:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def gin(at: float, status: int = 200, took: str = "2.5s", method: str = "POST", path: str = "/api/chat") -> bytes:
    """A line as Ollama writes it."""
    when = time.strftime("%Y/%m/%d - %H:%M:%S", time.localtime(at))
    return f'[GIN] {when} | {status} | {took:>12} | {"127.0.0.1":>15} | {method:<8} "{path}"\n'.encode()


def ours(at: float) -> bytes:
    """What our own polls leave in the log."""
    return gin(at, took="44.5µs", method="GET", path="/api/ps")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.193048411s", 2.193048411),
        ("44.5µs", 44.5e-6),
        ("12.3ms", 0.0123),
        ("123ns", 123e-9),
        ("1m2.5s", 62.5),
        ("1h0m3s", 3603.0),
        ("0s", 0.0),
        ("", None),
        ("soon", None),
        ("5", None),
        ("-5s", None),
        ("1s later", None),
    ],
)
def test_durations(text: str, value: float | None) -> None:
    found = seconds(text)
    assert found == (None if value is None else pytest.approx(value))


def test_lines() -> None:
    assert parse(gin(NOW), NOW) == Entry(NOW, 200, 2.5, prompt=True)
    assert parse(ours(NOW), NOW) == Entry(NOW, 200, seconds("44.5µs"), prompt=False)
    assert parse(
        b"Nov 22 20:40:00 gpu-1 ollama[77]: " + gin(NOW, 503, "1m30s", path="/v1/chat/completions?x=1"), NOW
    ) == Entry(NOW, 503, 90.0, prompt=True)
    coloured = b'[GIN] 2026/11/22 - 20:40:00 |\x1b[97;42m 200 \x1b[0m|   12ms | ::1 |\x1b[97;46m POST    \x1b[0m "/api/generate"'
    found = parse(coloured, NOW)
    assert found is not None
    assert (found.status, found.latency_s, found.prompt) == (200, 0.012, True)


def test_the_journals_own_times_are_taken() -> None:
    found = parse(b"1795370399.250000 gpu-1 ollama[77]: " + gin(NOW - 5000), NOW)
    assert found is not None
    assert found.at == 1795370399.25


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[GIN]",
        b'time=2026-11-22T20:40:00Z level=INFO msg="llama runner started"',
        b"[GIN] 2026/11/22 - 20:40:00 | 200 |",
        b'[GIN] 2026/99/99 - 99:99:99 | xxx | 1s | 127.0.0.1 | POST "/api/chat"',
        b"x" * 9000 + gin(NOW),
        b"[GIN] " * 2000,
    ],
)
def test_other_lines(line: bytes) -> None:
    assert parse(line, NOW) is None


@given(st.binary(max_size=300), st.sampled_from([b"", b"[GIN] ", gin(NOW)[:40], gin(NOW)[:-3]]), st.binary(max_size=60))
def test_any_bytes_are_a_line_or_none(before: bytes, middle: bytes, after: bytes) -> None:
    found = parse(before + middle + after, NOW)
    assert found is None or (0 <= found.status <= 999 and (found.latency_s is None or found.latency_s >= 0))


def test_a_minute_in_numbers() -> None:
    entries = [Entry(NOW - i, 200 if i < 30 else 503, float(i), prompt=True) for i in range(120)]
    entries += [Entry(NOW - i, 200, 0.001, prompt=False) for i in range(0, 120, 2)]
    log, reason = summary(entries, NOW - 500, NOW, "here")
    assert log is not None
    assert (log.requests_per_minute, reason, log.origin) == (60.0, "", "here")
    assert log.by_status == (("2xx", 30), ("5xx", 30))
    assert (log.latency_p50_s, log.latency_p95_s) == (29.0, 56.0)


def test_less_than_a_minute_is_scaled_and_too_little_is_nothing() -> None:
    entries = [Entry(NOW - 5, 200, None, prompt=True), Entry(NOW - 19, 200, None, prompt=True)]
    log, _ = summary(entries, NOW - 20, NOW, "")
    assert log is not None
    assert (log.requests_per_minute, log.latency_p50_s) == (6.0, None)
    assert summary(entries, NOW - SHORTEST_S + 0.1, NOW, "") == (None, "the log has been read for a few seconds only")


def test_a_log_without_even_our_own_requests_is_another_servers() -> None:
    assert summary([Entry(NOW - 600, 200, 1.0, prompt=True)], NOW - 3600, NOW, "") == (None, SILENT)
    log, _ = summary([Entry(NOW - 1, 200, 1.0, prompt=False)], NOW - 3600, NOW, "")
    assert log is not None
    assert (log.requests_per_minute, log.by_status) == (0.0, ())


def rate(source: LogFile) -> float | None:
    log, reason = source.read()
    assert (log is None) == bool(reason)
    return None if log is None else log.requests_per_minute


def test_a_file_is_read_from_its_end_and_then_on(tmp_path: Path) -> None:
    wall, path = Wall(), tmp_path / "server.log"
    old = b"".join(gin(NOW - 3000 + i) for i in range(2900))
    path.write_bytes(old + b"".join(gin(NOW - 55 + i) for i in range(0, 55, 5)) + ours(NOW))
    source = LogFile(str(path), wall)
    assert rate(source) == 11.0
    with path.open("ab") as stream:
        stream.write(gin(NOW + 5)[:40])
        stream.flush()
        wall.now += 5
        assert rate(source) == 10.0  # the first of them was a minute ago; half a line is none
        stream.write(gin(NOW + 5)[40:])
        stream.flush()
        assert rate(source) == 11.0
    wall.now += 59
    assert rate(source) == 1.0
    wall.now += 3600
    assert source.read() == (None, SILENT)


def test_a_huge_file_is_read_at_its_end_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, path = Wall(), tmp_path / "server.log"
    line = ours(NOW - 30)
    with path.open("wb") as stream:
        stream.truncate(20 * 2**30)  # sparse: 20 GiB that are nowhere
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + line * 100 + gin(NOW - 1) * 2)
    source, read = LogFile(str(path), wall), list[int]()
    plain = source._next

    def counted(stream: BinaryIO) -> bytes:
        data = plain(stream)
        read.append(len(data))
        return data

    monkeypatch.setattr(source, "_next", counted)
    log, _ = source.read()
    assert log is not None
    assert log.requests_per_minute == pytest.approx(2 * 60 / 30)  # what is known begins 30 s ago
    assert read == [sources.TAIL_BYTES]


def test_a_file_that_is_rotated_or_truncated(tmp_path: Path) -> None:
    wall, path = Wall(), tmp_path / "server.log"
    path.write_bytes(gin(NOW - 60) + gin(NOW - 50) * 3)
    source = LogFile(str(path), wall)
    assert rate(source) == 3.0
    path.rename(tmp_path / "server.log.1")
    assert source.read() == (None, f"{path} can't be read: no such file or directory; see access_log in fleet.toml")
    wall.now += 5
    path.write_bytes(gin(wall.now) * 4)
    assert rate(source) == 7.0  # those of the file before still count
    path.write_bytes(b"")
    wall.now += 1
    assert rate(source) == 7.0
    with path.open("ab") as stream:
        stream.write(gin(wall.now) * 2)
    assert rate(source) == 9.0
    (tmp_path / "new").write_bytes(gin(wall.now))
    (tmp_path / "new").replace(path)
    assert rate(source) == 10.0


def test_more_than_can_be_read_at_once_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_BYTES", 4000)
    monkeypatch.setattr(sources, "TAIL_BYTES", 2000)
    wall, path = Wall(), tmp_path / "server.log"
    path.write_bytes(gin(NOW - 60) + gin(NOW - 30))
    source = LogFile(str(path), wall)
    assert rate(source) == 1.0
    with path.open("ab") as stream:
        stream.writelines(gin(NOW - 20 + i / 10) for i in range(200))
    log, _ = source.read()
    assert log is None  # the end of the file reaches back a second or two, no longer
    wall.now += 15
    log, _ = source.read()
    assert log is not None
    assert 10 < log.requests_per_minute * 17 / 60 <= 2000 / len(gin(NOW))


def test_a_log_of_another_time_zone_is_counted_from_now_on(tmp_path: Path) -> None:
    wall, path, off = Wall(), tmp_path / "server.log", -8 * 3600
    path.write_bytes(gin(NOW + off) * 50)
    source = LogFile(str(path), wall)
    assert source.read()[0] is None
    for _ in range(6):
        wall.now += 2
        with path.open("ab") as stream:
            stream.write(gin(wall.now + off) + ours(wall.now + off))
        log, _ = source.read()
    assert log is not None
    assert log.requests_per_minute == pytest.approx(6 * 60 / 12)


def test_a_pause_does_not_make_old_requests_new(tmp_path: Path) -> None:
    wall, path = Wall(), tmp_path / "server.log"
    path.write_bytes(gin(NOW - 60) + ours(NOW))
    source = LogFile(str(path), wall)
    assert rate(source) == 0.0
    wall.now += 1800
    with path.open("ab") as stream:
        stream.write(gin(NOW + 5) * 500 + gin(wall.now - 3) + ours(wall.now))
    assert rate(source) == 1.0


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumps_makes_no_absurd_number(tmp_path: Path, jump: float) -> None:
    wall, path = Wall(), tmp_path / "server.log"
    path.write_bytes(gin(NOW - 60) + gin(NOW - 1) * 10 + ours(NOW))
    source = LogFile(str(path), wall)
    assert rate(source) == 10.0
    wall.now += jump
    for _ in range(20):
        wall.now += 2
        with path.open("ab") as stream:
            stream.write(gin(wall.now) + ours(wall.now))
        found = rate(source)
        assert found is None or 0 <= found <= 40
    assert found == pytest.approx(30, rel=0.5)


def test_what_is_no_file_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    os.mkfifo(tmp_path / "fifo")
    assert "is a directory" in LogFile(str(tmp_path), wall).read()[1]
    assert "not a regular file" in LogFile(str(tmp_path / "fifo"), wall).read()[1]
    assert "not a regular file" in LogFile("/dev/zero", wall).read()[1]
    (tmp_path / "mine").write_bytes(ours(NOW - 20) + ours(NOW))
    source = LogFile(str(tmp_path / "mine"), wall)
    assert rate(source) == 0.0

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    assert source.read() == (
        None,
        f"{tmp_path / 'mine'} can't be read: this user may not; see access_log in fleet.toml",
    )


def journalctl(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put another journalctl in front of the real one."""
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def read_twice(journal: Journal) -> tuple[object, str]:
    journal.read()
    journal.settle()
    return journal.read()


def test_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b"".join(f"{NOW - i}00000 gpu-1 ollama[7]: ".encode() + gin(NOW - i) for i in range(30, 0, -1))
    (tmp_path / "said").write_bytes(b"-- Boot 1f --\n" + lines)
    journalctl(tmp_path, monkeypatch, f'echo "$@" >> {tmp_path}/asked; cat {tmp_path}/said')
    at = [100.0]
    journal = Journal("ollama.service", lambda: NOW, lambda: at[0])
    assert journal.read() == (None, "the journal is being read")
    journal.settle()
    log, _ = journal.read()
    assert log is not None
    assert (log.requests_per_minute, log.by_status, log.latency_p95_s) == (30.0, (("2xx", 30),), 2.5)
    assert log.origin == "journal of ollama.service"
    for _ in range(4):
        at[0] += 2.0
        journal.read()
        journal.settle()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == 1  # it takes a processor some milliseconds
    assert asked[0].split() == [
        "--unit=ollama.service", "--output=short-unix", "--no-pager", "--lines=10000", f"--since=-{WINDOW_S + 5:.0f}s",
    ]  # fmt: skip
    at[0] += 2.0
    journal.read()
    journal.settle()
    assert len((tmp_path / "asked").read_text().splitlines()) == 2


DENIED = "Hint: You are currently not seeing messages from other users and the system."


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo -- No entries --", SILENT),
        (f"echo '{DENIED}' >&2; echo -- No entries --", sources._GROUP),
        ("echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1", sources._GROUP),
        ("head -c 20000000 /dev/zero", SILENT),
        ("kill -9 $$", SILENT),
    ],
)
def test_a_journal_that_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    journalctl(tmp_path, monkeypatch, script)
    assert read_twice(Journal("ollama", lambda: NOW, time.monotonic)) == (None, reason)


def test_a_journal_that_hangs_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "JOURNAL_WITHIN_S", 0.2)
    journalctl(tmp_path, monkeypatch, "exec sleep 60")
    journal = Journal("ollama", lambda: NOW, lambda: 0.0)
    assert journal.read() == journal.read() == (None, "the journal is being read")
    journal.settle()
    assert journal.read() == (None, SILENT)


def test_without_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not sources.has_journal()
    found = read_twice(Journal("ollama", lambda: NOW, time.monotonic, of_user=True))
    assert found == (None, "journalctl can't be run: no such file or directory")
