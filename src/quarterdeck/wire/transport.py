"""An httpx transport on plain asyncio streams, with h11 for the protocol.

httpx's own one brings httpcore and anyio: 80 ms at import, and twice the time per request. A poller sends one GET after another
to one server, so one kept-alive connection is all that has to be managed. The usual answer to one is read without h11 (`get`).
The deadline is the caller's (`asyncio.timeout`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple, SupportsIndex

import h11
import httpx

from quarterdeck.wire.together import QUICK_S, Together, current
from quarterdeck.wire.usual import usual

READ_BYTES = 64 * 1024
_START = b"HTTP/"
_NEXT_ADDRESS_S = 0.25
BEGAN = "began"
"""Under this name an answer that isn't a usual one tells when it began to come, as `Page.began` does."""
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


class _Reader(asyncio.StreamReader):
    """Knows when an answer began to come, and wakes who waits for it when it is time to read."""

    def __init__(self) -> None:
        super().__init__(limit=READ_BYTES, loop=asyncio.get_running_loop())
        self._waits: asyncio.Future[None] | None = None
        self._with: Together | None = None
        self._asked = self.began = 0.0

    def answer(self) -> asyncio.Future[None]:
        """Done when there is something to be read, or the connection ended; ``began`` is then when it came (`time.perf_counter`)."""
        self._asked = time.perf_counter()
        self._with = current()
        self._waits = asyncio.get_running_loop().create_future()
        return self._waits

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


class _Connection:
    """One connection and the state of the exchange on it."""

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.protocol = h11.Connection(h11.CLIENT)
        self._first = b""
        self._plain = True
        """Whether h11 has seen nothing of it yet."""

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it: bytes behind an answer would be taken for the next one."""
        # asyncio doesn't say otherwise what has come and was not read yet.
        if getattr(self.reader, "_buffer", b"") or self.reader.at_eof() or self.writer.is_closing():
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


class _Body(httpx.AsyncByteStream):
    """The body of an answer, read as it comes."""

    def __init__(self, connection: _Connection, transport: StreamTransport) -> None:
        self._connection = connection
        self._transport = transport
        self._complete = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._connection.event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
                continue
            self._complete = True
            return

    async def aclose(self) -> None:
        """Give the connection back; one whose answer was not read to its end is of no use any more."""
        if self._complete:
            self._connection.done()
            self._transport.keep(self._connection)
        else:
            self._connection.writer.transport.abort()


class StreamTransport(httpx.AsyncBaseTransport):
    """For one server. Keeps one idle connection."""

    def __init__(self, context: ssl.SSLContext, socket: str | None = None) -> None:
        """``socket``: a Unix socket that leads to the server, whatever host and port its URL names."""
        self._context = context
        self._socket = socket
        self._idle: _Connection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send and read the answer's head; a GET on a kept-alive connection that was closed meanwhile is sent again.

        Whatever else is sent goes on a connection of its own: nobody could tell whether it was done before that one broke.
        """
        body = await request.aread()
        connection = self._take() if request.method == "GET" else None
        if connection is not None:
            with contextlib.suppress(Closed, OSError):
                response = await self._exchange(connection, request, body)
                if response.status_code != 408:
                    return response
                await response.aclose()  # said before our request came: some proxies end an idle connection so
        return await self._exchange(await self._open(request.url), request, body)

    async def get(self, request: httpx.Request, most: int) -> Page | httpx.Response:
        """As `handle_async_request`, for a GET whose answer is read at once: a usual one of at most ``most`` bytes is given whole."""
        connection = self._take()
        if connection is not None:
            with contextlib.suppress(Closed, OSError):
                found = await self._got(connection, request, most)
                if isinstance(found, Page) or found.status_code != 408:
                    return found
                await found.aclose()
        return await self._got(await self._open(request.url), request, most)

    async def aclose(self) -> None:
        """Close the idle connection."""
        connection = self._take()
        if connection is not None:
            connection.writer.close()

    def keep(self, connection: _Connection) -> None:
        """Take a connection back after use."""
        if self._idle is None and connection.usable:
            self._idle = connection
        else:
            connection.writer.close()

    def _take(self) -> _Connection | None:
        connection, self._idle = self._idle, None
        if connection is not None and not connection.usable:
            connection.writer.close()
            return None
        return connection

    async def _open(self, url: httpx.URL) -> _Connection:
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        host = url.raw_host.decode("ascii")
        tls, name = (self._context, host) if secure else (None, None)
        loop = asyncio.get_running_loop()
        reader = _Reader()
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        if self._socket is not None:
            transport, _ = await loop.create_unix_connection(
                lambda: protocol, self._socket, ssl=tls, server_hostname=name
            )
        else:
            transport, _ = await loop.create_connection(
                lambda: protocol, host, port, ssl=tls, server_hostname=name, happy_eyeballs_delay=_NEXT_ADDRESS_S
            )
        return _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def _exchange(self, connection: _Connection, request: httpx.Request, body: bytes) -> httpx.Response:
        try:
            connection.send(request, body)
            await connection.writer.drain()
        except BaseException:
            connection.writer.transport.abort()
            raise
        return await self._head(connection, request)

    async def _got(self, connection: _Connection, request: httpx.Request, most: int) -> Page | httpx.Response:
        try:
            page = await connection.page(request, most)
        except BaseException:
            connection.writer.transport.abort()
            raise
        if page is None:
            response = await self._head(connection, request)
            response.extensions[BEGAN] = connection.reader.began
            return response
        self.keep(connection)
        return page

    async def _head(self, connection: _Connection, request: httpx.Request) -> httpx.Response:
        """The answer, of which the head was read."""
        try:
            event = await connection.event()
            while isinstance(event, h11.InformationalResponse):
                event = await connection.event()
        except BaseException:
            connection.writer.transport.abort()
            raise
        if not isinstance(event, h11.Response):
            connection.writer.transport.abort()
            raise Closed("closed before the answer was complete")
        return httpx.Response(
            event.status_code,
            headers=event.headers.raw_items(),
            stream=_Body(connection, self),
            request=request,
            extensions={"reason_phrase": event.reason},
        )
