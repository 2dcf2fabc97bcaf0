"""One connection to a server, and the exchange on it: the usual answer to a GET is read without h11."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import NamedTuple, SupportsIndex

import h11
import httpx

from quarterdeck.wire.together import QUICK_S, Together, current
from quarterdeck.wire.usual import usual

READ_BYTES = 64 * 1024
_START = b"HTTP/"
_AS_SENT = "as_sent"
"""Under this name a request that is sent again and again keeps its bytes."""


class Closed(httpx.RemoteProtocolError):
    """The server closed the connection before its answer was complete."""


class Page(NamedTuple):
    """A usual answer: status 200."""

    head: bytes
    """With its headers, see `quarterdeck.wire.usual.headers_of`."""
    body: bytes
    began: float
    """When it began to come, by `time.perf_counter`."""


class Reader(asyncio.StreamReader):
    """Knows when an answer began to come, and wakes who waits for it when it is time to read."""

    def __init__(self) -> None:
        super().__init__(limit=READ_BYTES, loop=asyncio.get_running_loop())
        self._waits: asyncio.Future[None] | None = None
        self._with: Together | None = None
        self._asked = self.began = 0.0

    @property
    def unread(self) -> bool:
        """Whether something has come that was not read: who greets first, say. (asyncio has no public word for it.)"""
        return bool(getattr(self, "_buffer", b""))

    def answer(self) -> asyncio.Future[None]:
        """Done when there is something to be read, or the connection ended; ``began`` is then when it came (`time.perf_counter`)."""
        self._asked = time.perf_counter()
        self._with = current()
        waits = self._waits = asyncio.get_running_loop().create_future()
        if self.unread or self.at_eof() or self.exception() is not None:
            self._came()
        return waits

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Called by the transport."""
        super().feed_data(data)
        self._came()

    def feed_eof(self) -> None:
        """Called by the transport: there is no more."""
        super().feed_eof()
        self._came()

    def set_exception(self, exc: Exception) -> None:
        """Called by the transport: the connection broke."""
        super().set_exception(exc)
        self._came()

    def _came(self) -> None:
        waits, self._waits = self._waits, None
        if waits is None or waits.done():
            return
        self.began = time.perf_counter()
        if self._with is not None and self.began - self._asked < QUICK_S:
            self._with.came(waits)
        else:
            waits.set_result(None)


class Connection:
    """One connection and the state of the exchange on it."""

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.protocol = h11.Connection(h11.CLIENT)
        self._first = b""
        self._plain = True
        """Whether h11 has seen nothing of it yet."""

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it: bytes behind an answer would be taken for the next one."""
        if self.reader.unread or self.reader.at_eof() or self.writer.is_closing():
            return False
        return self._plain or (self.protocol.our_state is h11.IDLE and not self.protocol.trailing_data[0])

    def send(self, request: httpx.Request, body: bytes) -> None:
        """Write a request."""
        self._first, self._plain = b"", False
        self.writer.write(_encoded(self.protocol, request, body))

    async def page(self, request: httpx.Request, most: int) -> Page | None:
        """Send a GET and read its answer, if that is a usual one of at most ``most`` bytes.

        Else ``None``: what came of it so far is h11's, and `event` goes on. Raises Closed, httpx.RemoteProtocolError, OSError.
        """
        self._first = b""
        sent = request.extensions.get(_AS_SENT)
        if sent is None:
            sent = request.extensions[_AS_SENT] = _encoded(h11.Connection(h11.CLIENT), request, b"")
        waits = self.reader.answer()
        self.writer.write(sent)
        await waits
        data = await self.reader.read(READ_BYTES)
        if not data:
            raise Closed("closed without sending a response")
        self._check_start(data)
        pieces, size = [data], len(data)
        found = usual(data)
        if found is not None and found.end - found.start <= most:
            while size < found.end and (data := await self.reader.read(READ_BYTES)):
                pieces.append(data)
                size += len(data)
            if size == found.end:
                whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                return Page(found.head, whole[found.start :], self.reader.began)
        self._plain = False
        _encoded(self.protocol, request, b"")
        self.protocol.receive_data(b"".join(pieces))
        if not data:
            self.protocol.receive_data(b"")
        return None

    async def event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next part of the answer. Raises Closed, httpx.RemoteProtocolError, OSError."""
        while True:
            try:
                event = self.protocol.next_event()
                if event is not h11.NEED_DATA:
                    return event
                data = await self.reader.read(READ_BYTES)
                if not data and self.protocol.their_state is h11.SEND_RESPONSE:
                    raise Closed("closed without sending a response")
                self._check_start(data)
                self.protocol.receive_data(data)
            except h11.RemoteProtocolError as error:
                incomplete = "complete" in str(error) or "closed" in str(error)
                raise (Closed if incomplete else httpx.RemoteProtocolError)(str(error)[:200]) from None

    def _check_start(self, data: bytes) -> None:
        """Refuse at once what greets with another protocol (SSH, Redis): h11 would wait for an empty line."""
        if len(self._first) < len(_START):
            self._first += data[: len(_START) - len(self._first)]
            if data and not _START.startswith(self._first):
                raise httpx.RemoteProtocolError("not HTTP")

    def done(self) -> None:
        """The answer is complete: make ready for the next request, or close where the server doesn't keep it open."""
        if self.protocol.our_state is h11.DONE and self.protocol.their_state is h11.DONE:
            self.protocol.start_next_cycle()
        else:
            self.writer.close()


def _encoded(protocol: h11.Connection, request: httpx.Request, body: bytes) -> bytes:
    """What is to be sent. ``protocol`` takes it for sent."""
    head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
    parts = [
        protocol.send(head),
        protocol.send(h11.Data(data=body)) if body else b"",
        protocol.send(h11.EndOfMessage()),
    ]
    return b"".join(part for part in parts if part)
