"""An httpx transport on plain asyncio streams, with h11 for the protocol.

httpx's own one brings httpcore and anyio: 80 ms at import, and twice the time per request. A poller sends one GET after another
to one server, so one kept-alive connection is all that has to be managed. The usual answer to one is read without h11 (`get`).
The deadline is the caller's (`asyncio.timeout`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import h11
import httpx

from quarterdeck.wire.connection import Closed, Connection, Page, Reader

_NEXT_ADDRESS_S = 0.25
BEGAN = "began"
"""Under this name an answer that isn't a usual one tells when it began to come, as `Page.began` does."""


class _Body(httpx.AsyncByteStream):
    """The body of an answer, read as it comes."""

    def __init__(self, connection: Connection, transport: StreamTransport) -> None:
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
        self._idle: Connection | None = None

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

    def keep(self, connection: Connection) -> None:
        """Take a connection back after use."""
        if self._idle is None and connection.usable:
            self._idle = connection
        else:
            connection.writer.close()

    def _take(self) -> Connection | None:
        connection, self._idle = self._idle, None
        if connection is not None and not connection.usable:
            connection.writer.close()
            return None
        return connection

    async def _open(self, url: httpx.URL) -> Connection:
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        host = url.raw_host.decode("ascii")
        tls, name = (self._context, host) if secure else (None, None)
        loop = asyncio.get_running_loop()
        reader = Reader()
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        if self._socket is not None:
            transport, _ = await loop.create_unix_connection(
                lambda: protocol, self._socket, ssl=tls, server_hostname=name
            )
        else:
            transport, _ = await loop.create_connection(
                lambda: protocol, host, port, ssl=tls, server_hostname=name, happy_eyeballs_delay=_NEXT_ADDRESS_S
            )
        return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def _exchange(self, connection: Connection, request: httpx.Request, body: bytes) -> httpx.Response:
        try:
            connection.send(request, body)
            await connection.writer.drain()
        except BaseException:
            connection.writer.transport.abort()
            raise
        return await self._head(connection, request)

    async def _got(self, connection: Connection, request: httpx.Request, most: int) -> Page | httpx.Response:
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

    async def _head(self, connection: Connection, request: httpx.Request) -> httpx.Response:
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
