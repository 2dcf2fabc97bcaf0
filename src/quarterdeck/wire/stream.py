"""Bodies of answers, bounded in size: whole, or read as they come."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import cast

import httpx

from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.refusal import Clean, words

_INFLATE = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_TURN_EVERY = 256
"""After so many pieces of one answer others get a turn: a server may send a megabyte in pieces of one byte."""


class Capped(httpx.AsyncByteStream):
    """Another stream, of which at most ``most`` bytes are read."""

    def __init__(self, stream: httpx.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise Failure(Outcome.FAILED, f"the answer is larger than {self._most // 2**10} KiB")
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back, or close it where the answer wasn't read to its end."""
        await self._stream.aclose()


def capped(response: httpx.Response, most: int) -> httpx.Response:
    """``response``, of whose body at most ``most`` bytes are read. Reading on raises Failure."""
    response.stream = Capped(cast("httpx.AsyncByteStream", response.stream), most)
    return response


async def bounded(response: httpx.Response, most: int, clean: Clean) -> bytes:
    """The body, unpacked here where a server compresses unasked: httpx would unpack a bomb before its size is known."""
    status = response.status_code
    named = response.headers.get("content-encoding", "")
    coding = named.strip().lower()
    if coding not in ("", "identity") and coding not in _INFLATE:
        raise Failure(Outcome.FAILED, f"the answer is packed as {words(named, 20, clean)}, unasked", status=status)
    unpack = zlib.decompressobj(_INFLATE[coding]) if coding in _INFLATE else None
    chunks: list[bytes] = []
    size = packed = 0
    async for raw in response.aiter_raw():
        try:
            chunk = unpack.decompress(raw, most + 1 - size) if unpack is not None else raw
        except zlib.error:
            raise Failure(Outcome.FAILED, f"the answer is not {coding}, as it says it is", status=status) from None
        size += len(chunk)
        if size > most:
            limit = f"{most // 2**20} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
            raise Failure(Outcome.FAILED, f"the answer is larger than {limit}", status=status)
        chunks.append(chunk)
        packed += len(raw)
        if not len(chunks) % _TURN_EVERY:
            await asyncio.sleep(0)
    if unpack is not None and packed and not unpack.eof:
        raise Failure(Outcome.FAILED, f"the {coding} answer ends half-way", status=status)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
