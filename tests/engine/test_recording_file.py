"""A recording in its file: written while it happens, read back to the same rows, and as far as it goes where it is damaged."""

from __future__ import annotations

import errno
import os
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes import endpoint_view
from quarterdeck.config.fleet import Auth, EndpointSpec, FleetConfig
from quarterdeck.engine.recording import frames
from quarterdeck.engine.recording.delta import DamagedError
from quarterdeck.engine.recording.frames import HEAD_SIZE, MARK, Kind, dumped, packed
from quarterdeck.engine.recording.keeping import Redaction, keep_recording, recorder
from quarterdeck.engine.recording.reader import Cursor, Recording, snapshot_at
from quarterdeck.engine.recording.writer import KEY_EVERY, Recorder
from quarterdeck.errors import UsageError
from quarterdeck.model.chat.price import Price
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.model.job import Job, Order
from recordings import START_AT, alike, everything_in, moments, recorded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "incident.qdrec"


def played(path: Path) -> Iterator[FleetSnapshot]:
    recording = Recording(path)
    cursor = Cursor(recording)
    place = 0
    while place < len(recording):
        cursor.go(place)
        if cursor.place != place:
            break
        yield cursor.snapshot()
        place += 1
    cursor.close()


def same(one: FleetSnapshot, other: FleetSnapshot) -> None:
    assert (one.at, one.time) == (other.at, other.time)
    for room in ("endpoints", "hosts", "jobs", "alerts"):
        mine, theirs = getattr(one, room), getattr(other, room)
        assert len(mine) == len(theirs)
        for left, right in zip(mine, theirs, strict=True):
            alike(left, right)


def test_what_was_recorded_is_read(file: Path) -> None:
    snapshots = recorded(file)
    found = list(played(file))
    assert len(found) == len(snapshots)
    for one, other in zip(found, snapshots, strict=True):
        same(one, other)
    assert Recording(file).note == ""


def test_rows_that_did_not_change_are_the_same_objects(file: Path) -> None:
    recorded(file, 4)
    first, second, *_ = played(file)
    assert first.endpoints[1] is second.endpoints[1]
    assert first.endpoints[0] is not second.endpoints[0]
    assert first.jobs is second.jobs


def test_seeking_finds_what_reading_on_finds(file: Path) -> None:
    snapshots = moments(40)
    long = [
        replace(each, at=each.at + 40 * turn, time=each.time + 40 * turn) for turn in range(12) for each in snapshots
    ]
    writer = Recorder(file)
    for snapshot in long:
        writer.take(snapshot)
    writer.close()
    recording = Recording(file)
    assert len(recording) == len(long) > 2 * KEY_EVERY
    in_turn = list(played(file))
    cursor = Cursor(recording)
    for place in random.Random(7).sample(range(len(long)), 40):
        cursor.go(place)
        same(cursor.snapshot(), in_turn[place])
    cursor.close()


def test_between_two_samples_holds_the_first(file: Path) -> None:
    snapshots = recorded(file, 10)
    found = snapshot_at(Recording(file), START_AT + 3.5)
    same(replace(found, at=snapshots[3].at, time=snapshots[3].time), snapshots[3])
    assert (found.at, found.time) == (snapshots[3].at + 0.5, snapshots[3].time + 0.5)


# ---- writing


def test_the_file_is_its_owners_and_nothing_is_overwritten(file: Path) -> None:
    recorded(file, 2)
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        Recorder(file)
    assert file.read_bytes() == before
    with pytest.raises(UsageError, match="can't record"):
        Recorder(file.parent / "no" / "such" / "folder")


def test_what_comes_too_soon_or_says_nothing_new_is_left_out(file: Path) -> None:
    first = moments(1)[0]
    writer = Recorder(file)
    for after in (0.0, 0.3, 1.0, 5.0, 10.0, 11.0):
        writer.take(replace(first, at=first.at + after, time=first.time + after))
    writer.close()
    assert [at - first.at for at in Recording(file).ats] == [0.0, 10.0]


def test_each_sample_is_in_the_file_at_once(file: Path) -> None:
    """Whoever is killed loses nothing that was taken."""
    writer = Recorder(file)
    for count, snapshot in enumerate(moments(5), 1):
        writer.take(snapshot)
        recording = Recording(file)
        assert len(recording) == count
        assert "not closed" in recording.note
    writer.close()


def test_a_full_disk_ends_the_recording_and_nothing_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Recorder(file)
    real, left = os.write, [6000]

    def write(number: int, data: Any) -> int:
        part = bytes(data)[: left[0]]
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= len(part)
        return real(number, part)

    monkeypatch.setattr(os, "write", write)
    snapshots = moments(60)
    for snapshot in snapshots:
        writer.take(snapshot)
    monkeypatch.undo()
    assert "recording stopped" in writer.problem
    assert "No space left" in writer.problem
    writer.close()
    found = list(played(file))
    assert 0 < len(found) < 60
    for one, other in zip(found, snapshots, strict=False):
        same(one, other)
    assert file.stat().st_size == writer.size


class Watched:
    """An engine under whose recorder the disk fills up."""

    fleet = FleetConfig()

    def __init__(self, writer: Recorder) -> None:
        self._writer = writer

    def snapshot(self) -> FleetSnapshot:
        self._writer.problem = "recording stopped"
        return EMPTY_FLEET


async def test_a_full_disk_is_told_once(file: Path) -> None:
    said: list[str] = []
    writer = Recorder(file)
    writer.problem = "recording stopped: x: No space left on device"
    await keep_recording(writer, Watched(writer), said.append)
    assert said == []  # who stopped it before has said so
    writer.problem = ""
    await keep_recording(writer, Watched(writer), said.append)
    assert said == ["recording stopped"]


# ---- what must not be in it

KEY = "sk-verysecret/0123456789+abc"


def test_no_key_of_the_fleet_gets_into_the_file(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    kept = tmp_path / "key"
    kept.write_text("file-key-0123456789\n")
    fleet = FleetConfig(
        endpoints=(
            EndpointSpec("a", "http://a", auth=Auth(env="SOME_KEY")),
            EndpointSpec("b", "http://b", auth=Auth(file=kept)),
        )
    )
    writer = recorder(file, fleet)
    leaky = endpoint_view("a", reason=f"401: bad key {KEY}", notes=("file-key-0123456789 was refused", '"' + KEY + '"'))
    order = Order("load", "a", "qwen", {"keep_alive": KEY})
    writer.take(
        FleetSnapshot(at=1.0, time=1.0, endpoints=(leaky,), jobs=(Job("1", order, words=f"server said {KEY}"),))
    )
    writer.take(FleetSnapshot(at=2.0, time=2.0, endpoints=(replace(leaky, reason=f"again {KEY}"),)))
    writer.close()
    text = everything_in(file)
    assert "bad key [key]" in text
    assert "again [key]" in text
    assert KEY not in text
    assert "file-key" not in text
    assert len(list(played(file))) == 2


@pytest.mark.parametrize("key", ["null", "name", "1234", "true", "endpoints"])
def test_a_key_that_is_a_word_of_the_file_damages_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    fleet = FleetConfig(endpoints=(EndpointSpec("a", "http://a", auth=Auth(env="SOME_KEY")),))
    writer = recorder(file, fleet)
    view = endpoint_view("a", reason=f"401: bad key {key}", running=1234, prices={key: Price(1234.0, None)})
    writer.take(FleetSnapshot(at=1.0, time=1.0, endpoints=(view,)))
    writer.close()
    found = next(iter(played(file))).endpoints[0]
    assert (found.name, found.running, found.reason) == ("a", 1234, "401: bad key [key]")


def test_keys_of_endpoints_that_are_added_meanwhile_are_kept_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    redaction = Redaction(FleetConfig())
    assert redaction(KEY.encode()) == KEY.encode()
    redaction.follow(FleetConfig(endpoints=(EndpointSpec("a", "http://a", auth=Auth(env="SOME_KEY")),)))
    assert redaction(KEY.encode()) == b"[key]"
    redaction.follow(FleetConfig())
    assert redaction(KEY.encode()) == b"[key]"  # what was seen of it may still be shown


def test_neither_prompts_nor_answers_nor_command_lines_are_fields_of_what_is_recorded() -> None:
    """What a snapshot can hold is what its dataclasses have: this fails when somebody adds a field for such things."""
    from quarterdeck.engine.recording.codec import _fields
    from quarterdeck.model.alerts.alert import Alert
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.model.gpu import GpuProcess
    from quarterdeck.model.job import Job

    names = {field.name for kind in (EndpointView, Job, Alert, GpuProcess, Order) for field in _fields(kind)}
    assert not names & {
        "prompt",
        "answer",
        "messages",
        "content",
        "argv",
        "args",
        "command",
        "cmdline",
        "environment",
        "key_value",
    }


# ---- damage


def boundaries(data: bytes) -> list[int]:
    """Where each sample ends."""
    found, offset = [], len(MARK)
    while offset < len(data):
        head = frames.head_of(data[offset : offset + HEAD_SIZE])
        offset += HEAD_SIZE + head.size
        if head.kind in (Kind.KEY, Kind.CHANGE):
            found.append(offset)
    return found


def test_cut_off_anywhere_it_plays_up_to_the_last_whole_sample(file: Path, tmp_path: Path) -> None:
    snapshots = recorded(file, 4)
    data = file.read_bytes()
    ends = boundaries(data)
    cut = tmp_path / "cut"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        whole = sum(end <= length for end in ends)
        if not whole:
            with pytest.raises(UsageError):
                Recording(cut)
            continue
        recording = Recording(cut)
        assert len(recording) == whole
        assert recording.note
        same(snapshot_at(recording, recording.ats[-1]), snapshots[whole - 1])


def test_flipped_bits_end_it_where_they_are(file: Path, tmp_path: Path) -> None:
    snapshots = recorded(file, 6)
    data = file.read_bytes()
    first, *ends = boundaries(data)
    bad = tmp_path / "bad"
    chance = random.Random(11)
    for _ in range(300):
        place = chance.randrange(first, ends[-1])
        bad.write_bytes(data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :])
        whole = sum(end <= place for end in (first, *ends))
        found = list(played(bad))
        assert len(found) == whole
        same(found[-1], snapshots[whole - 1])
        assert "it ends early" in Recording(bad).note


def test_noise_is_no_recording(tmp_path: Path) -> None:
    bad = tmp_path / "noise"
    chance = random.Random(3)
    for length in (0, 1, 7, 8, 9, 40, 5000):
        for start in (b"", MARK):
            bad.write_bytes(start + chance.randbytes(length))
            with pytest.raises(UsageError):
                Recording(bad)


def sample(plain: object, kind: Kind = Kind.KEY, at: float = 1.0) -> bytes:
    return framed(dumped(plain), kind, at)


def framed(raw: bytes, kind: Kind = Kind.KEY, at: float = 1.0, said: int | None = None) -> bytes:
    """A frame with a right checksum, whatever is in it."""
    stream = zlib.compressobj(9)
    payload = stream.compress(raw) + stream.flush(zlib.Z_SYNC_FLUSH)
    return packed(kind, payload, len(raw) if said is None else said, at, at)


@pytest.mark.parametrize(
    "bad",
    [
        sample([]),
        sample({"s": []}),
        sample({"s": {"endpoints": {}}}),
        framed(b"{" * 100),
        framed(b"[" * 200_000),
        framed(b"\xff\xfe"),
        framed(b"x" * 50_000_000, said=10),
        framed(b"{}", said=9_000),
        sample({"s": {}}, Kind.CHANGE),
        sample({"s": {}}, at=float("nan")),
        sample({"s": {}}, at=float("inf")),
        MARK,
    ],
    ids=str,
)
def test_hostile_samples_are_told_in_words(bad: bytes, file: Path) -> None:
    """And take no more memory than their size allows."""
    file.write_bytes(MARK + bad)
    with pytest.raises(UsageError, match="incident"):
        list(played(file))


def test_a_hostile_sample_behind_good_ones_ends_it_there(file: Path) -> None:
    bads: list[dict[str, Any]] = [
        {"s": {"endpoints": {"=": {"9": {}}}}},
        {"s": {"endpoints": {">": [], "<": "x"}}},
        {"s": [3]},
    ]
    for bad in bads:
        stream = zlib.compressobj(6)
        raws = [dumped({"s": {"endpoints": [{"name": "a", "url": "u"}]}}), dumped(bad)]
        parts = [stream.compress(raw) + stream.flush(zlib.Z_SYNC_FLUSH) for raw in raws]
        both = [
            packed(Kind(kind), part, len(raw), at, at)
            for kind, part, raw, at in zip((2, 3), parts, raws, (1.0, 2.0), strict=True)
        ]
        file.write_bytes(MARK + b"".join(both))
        recording = Recording(file)
        cursor = Cursor(recording)
        cursor.go(1)
        assert (cursor.place, len(recording)) == (0, 1)
        assert "it ends early" in recording.note
        assert [view.name for view in cursor.snapshot().endpoints] == ["a"]
        cursor.close()


def test_texts_of_a_hostile_file_can_not_write_on_the_terminal(file: Path) -> None:
    rows = [{"name": "a\x1b[31m\n", "url": "u\x07", "reason": "\x1b]0;title\x07", "cannot": {"\x1b[2J": "\x9b1m"}}]
    file.write_bytes(MARK + sample({"s": {"endpoints": rows, "jobs": [{"id": "x", "order": {}}], "alerts": [3, None]}}))
    found = next(iter(played(file)))
    view = found.endpoints[0]
    assert (view.url, view.reason, found.jobs, found.alerts) == ("u", "", (), ())
    assert "\x1b" not in "".join([view.name, *view.cannot, *view.cannot.values()])


def test_a_recording_of_a_newer_program_says_so(file: Path) -> None:
    payload = dumped({"version": 9, "reads": 9, "program": "9.1.0"})
    file.write_bytes(MARK + packed(Kind.ABOUT, payload, len(payload), 0, 0) + sample({"s": {}}))
    with pytest.raises(UsageError, match=r"newer quarterdeck \(9\.1\.0\)"):
        Recording(file)


def test_a_newer_one_that_can_be_read_is_read(file: Path) -> None:
    """Frames of a kind that nobody knows are skipped."""
    payload = dumped(
        {"version": 9, "reads": 1, "program": "9.1.0", "limits": {"busy_kv": 0.5, "moon": 1}, "interval": 5}
    )
    strange = struct.pack("<2sBIIIdd", b"\xf1Q", 77, 3, 3, 0, 0.0, 0.0)
    strange = struct.pack("<2sBIIIdd", b"\xf1Q", 77, 3, 3, zlib.crc32(b"abc", zlib.crc32(strange)), 0.0, 0.0) + b"abc"
    about = packed(Kind.ABOUT, payload, len(payload), 0, 0)
    file.write_bytes(MARK + about + strange + sample({"s": {}, "new": 3}) + strange)
    recording = Recording(file)
    assert (len(recording), recording.limits.busy_kv, recording.interval) == (1, 0.5, 5.0)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        Recording(tmp_path / "nothing")
    with pytest.raises(UsageError, match="can't read"):
        Recording(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="can't read"):
        Recording(tmp_path / "pipe")


def test_a_frame_that_says_it_is_huge_is_not_read(file: Path) -> None:
    head = struct.pack("<2sBIIIdd", b"\xf1Q", 2, 0xFFFFFFF0, 1, 0, 1.0, 1.0)
    with pytest.raises(DamagedError, match="larger"):
        frames.head_of(head)
    file.write_bytes(MARK + head)
    with pytest.raises(UsageError, match="larger"):
        Recording(file)
