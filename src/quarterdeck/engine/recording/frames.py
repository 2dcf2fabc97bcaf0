"""The file of a recording: a mark, then frames. docs/replay.md describes it.

A frame is a head (kind, sizes, both clocks, a checksum over everything) and a payload. Samples form groups: a key frame holds all
that is known, the frames after it what changed. The payloads of a group are one zlib stream, flushed after each frame, so that what
a process wrote before it died can be read; what two frames of a group have in common is written once.
"""

from __future__ import annotations

import json
import struct
import zlib
from enum import IntEnum
from typing import Any, NamedTuple

from quarterdeck.engine.recording.delta import DamagedError

MARK = b"QDREC\x00\r\n"
VERSION = 1
_HEAD = struct.Struct("<2sBIIIdd")
HEAD_SIZE = _HEAD.size
_SIGN = b"\xf1Q"
MOST_PAYLOAD = 64 * 1024 * 1024
MOST_PLAIN = 128 * 1024 * 1024
"""Bytes of one frame: more is no recording of ours, but an attempt to fill the memory."""


class Kind(IntEnum):
    """What a frame holds; frames of other kinds are skipped."""

    ABOUT = 1
    """JSON: who wrote it, with which limits."""
    KEY = 2
    CHANGE = 3
    END = 4
    """Nothing: it was closed in order."""


class Head(NamedTuple):
    """A frame's head. ``at`` and ``time``: monotonic and Unix seconds of the snapshot."""

    kind: int
    size: int
    """Bytes of the payload as it lies in the file …"""
    plain: int
    """… and uncompressed."""
    checksum: int
    at: float
    time: float


def packed(kind: Kind, payload: bytes, plain: int, at: float, time: float) -> bytes:
    """A whole frame."""
    bare = _HEAD.pack(_SIGN, kind, len(payload), plain, 0, at, time)
    return _HEAD.pack(_SIGN, kind, len(payload), plain, zlib.crc32(payload, zlib.crc32(bare)), at, time) + payload


def head_of(data: bytes) -> Head:
    """Raises DamagedError where it is none."""
    if len(data) < HEAD_SIZE:
        raise DamagedError("it ends within a sample")
    sign, kind, size, plain, checksum, at, time = _HEAD.unpack(data[:HEAD_SIZE])
    if sign != _SIGN:
        raise DamagedError("a sample doesn't begin where it should")
    if size > MOST_PAYLOAD or plain > MOST_PLAIN:
        raise DamagedError("a sample says that it is larger than any can be")
    return Head(kind, size, plain, checksum, at, time)


def checked(head: Head, payload: bytes) -> bytes:
    """``payload``, if it is what was written. Raises DamagedError."""
    if len(payload) < head.size:
        raise DamagedError("it ends within a sample")
    bare = _HEAD.pack(_SIGN, head.kind, head.size, head.plain, 0, head.at, head.time)
    if zlib.crc32(payload, zlib.crc32(bare)) != head.checksum:
        raise DamagedError("a sample is damaged")
    return payload


def dumped(plain: object) -> bytes:
    """JSON, as short as it gets."""
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def loaded(raw: bytes) -> Any:
    """What JSON holds. Raises DamagedError."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise DamagedError("a sample is no JSON") from None


class Inflater:
    """The stream of one group, frame by frame."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def plain(self, head: Head, payload: bytes) -> bytes:
        """The payload uncompressed, never more than its head says. Raises DamagedError."""
        try:
            raw = self._stream.decompress(payload, head.plain + 1)
        except zlib.error:
            raise DamagedError("a sample can't be uncompressed") from None
        if len(raw) != head.plain or self._stream.unconsumed_tail:
            raise DamagedError("a sample has another size than it says")
        return raw
