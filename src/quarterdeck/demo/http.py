"""A small HTTP/1.1 server on asyncio streams, for many simulated servers in one process.

Keep-alive and pipelining, bodies by Content-Length or chunked, streamed answers, HEAD, limits. A request it can't read is
answered 400 (or 413, 431) and the connection closed; a client that goes away cancels the handler that works for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from quarterdeck.demo.request import MAX_HEAD_BYTES, BadRequest, Request, read_request

IDLE_S = 75.0
"""A connection that sends no request for so long is closed."""
WRITE_S = 30.0
"""A client that doesn't read for so long is dropped."""

log = logging.getLogger(__name__)

Chunks = AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: ``body``, or ``stream`` sent in chunks (SSE, NDJSON) as they come."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    stream: Chunks | None = None
    close: bool = False
    """Whether the connection ends with it."""


Handler = Callable[[Request], Awaitable[Response]]
Routes = Mapping[tuple[str, str], Handler]
"""(method, path) → handler. A path that ends in ``/*`` takes everything below it."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the answers of an engine have in common."""

    server: str | None = None
    date: bool = True
    lower: bool = False
    """Header names in lower case (uvicorn)."""
    extra: tuple[tuple[str, str], ...] = ()
    keep_alive: str | None = None
    """Value of a Keep-Alive header on answers that keep the connection."""
    not_found: Response = Response(404, b"404 page not found", "text/plain")
    not_allowed: Response | None = None
    """Answer to a wrong method on a known path; ``None`` = as not found."""
    head: bool = True
    """Whether HEAD works wherever GET does."""


class HttpServer:
    """One listening port. It can be made to refuse connections for a while and then comes back on the same port."""

    def __init__(self, routes: Routes, style: Style = Style(), *, host: str = "127.0.0.1") -> None:
        """Nothing is opened until ``start``."""
        self.style = style
        self.routes = routes
        self._host = host
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self.connections: set[_Connection] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers, without a trailing slash."""
        return f"http://{self._host}:{self.port}"

    @property
    def listening(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    async def start(self) -> None:
        """Listen; the first time on a free port, later on the same one again."""
        if self._server is None:
            sock = self._socket or self._bind(self.port)
            self._socket = None
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Connection(self), sock=sock, backlog=1024)

    def refuse(self) -> None:
        """Drop every connection and refuse new ones; the port stays ours."""
        self._close()
        if self._socket is None:
            # Bound but not listening: the kernel refuses, as it does while a vLLM is still loading.
            self._socket = self._bind(self.port)

    def stop(self) -> None:
        """Drop every connection and give the port back."""
        self._close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def answer(self, request: Request) -> Response:
        """Route and handle; a handler that fails is a 500 (and a traceback on stderr)."""
        handler = self._find(request.method, request.path)
        if handler is None and request.method == "HEAD" and self.style.head:
            handler = self._find("GET", request.path)
        if handler is None:
            return self._unrouted(request.path)
        try:
            return await handler(request)
        except BadRequest as bad:
            return Response(bad.status, str(bad).encode(), "text/plain; charset=utf-8", close=True)
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return Response(500, b"Internal Server Error", "text/plain; charset=utf-8", close=True)

    def _find(self, method: str, path: str) -> Handler | None:
        found = self.routes.get((method, path))
        while found is None and path:
            path = path.rpartition("/")[0]
            found = self.routes.get((method, path + "/*"))
        return found

    def _unrouted(self, path: str) -> Response:
        allowed = sorted(method for method, known in self.routes if known == path)
        if not allowed or self.style.not_allowed is None:
            return self.style.not_found
        other = self.style.not_allowed
        return Response(other.status, other.body, other.content_type, (("Allow", ", ".join(allowed)),))

    def _bind(self, port: int) -> socket.socket:
        # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind((self._host, port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        return sock

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self.connections):
            connection.drop()


class _Connection(asyncio.StreamReaderProtocol):
    """One client, served request by request; cancelled the moment the client closes its side."""

    def __init__(self, server: HttpServer) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(asyncio.StreamReader(MAX_HEAD_BYTES, loop), self._connected, loop)
        self._http = server
        self._client: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None
        self._handling = False

    def drop(self) -> None:
        """Reset the connection now."""
        if self._client is not None:
            self._client.transport.abort()
        if self._serving is not None:
            self._serving.cancel()

    def eof_received(self) -> bool | None:
        self._gone()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        super().connection_lost(exc)

    def _gone(self) -> None:
        if self._handling and self._serving is not None:
            self._serving.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._client = writer
        self._http.connections.add(self)
        self._serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add_done_callback(self._served)

    def _served(self, _: asyncio.Task[None]) -> None:
        self._http.connections.discard(self)
        if self._client is not None:
            self._client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):  # the client has gone, or sleeps
            while await self._exchange(reader, writer):
                pass

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether another may follow."""
        try:
            async with asyncio.timeout(IDLE_S):
                request = await read_request(reader, writer)
        except BadRequest as bad:
            body = str(bad).encode()
            await self._send(writer, None, Response(bad.status, body, "text/plain; charset=utf-8", close=True))
            return False
        self._handling = True
        response = await self._http.answer(request)
        await self._send(writer, request, response)
        self._handling = False
        return request.keep_alive and not response.close and (response.stream is None or request.http11)

    async def _send(self, writer: asyncio.StreamWriter, request: Request | None, response: Response) -> None:
        keep = request is not None and request.keep_alive and not response.close
        chunked = response.stream is not None and request is not None and request.http11
        writer.write(head_bytes(self._http.style, response, keep=keep, chunked=chunked))
        if request is not None and request.method == "HEAD":
            if response.stream is not None:
                await response.stream.aclose()
        elif response.stream is not None:
            await _send_stream(writer, response.stream, chunked=chunked)
        else:
            writer.write(response.body)
        async with asyncio.timeout(WRITE_S):
            await writer.drain()


async def _send_stream(writer: asyncio.StreamWriter, stream: Chunks, *, chunked: bool) -> None:
    async with aclosing(stream):
        async for chunk in stream:
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                async with asyncio.timeout(WRITE_S):
                    await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")


@lru_cache(maxsize=2)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def head_bytes(style: Style, response: Response, *, keep: bool, chunked: bool) -> bytes:
    """Status line and headers of an answer."""
    headers: list[tuple[str, str]] = []
    if style.date:
        headers.append(("Date", _http_date(int(time.time()))))
    if style.server is not None:
        headers.append(("Server", style.server))
    headers += response.headers
    if response.stream is None:
        headers.append(("Content-Length", str(len(response.body))))
    if response.content_type is not None:
        headers.append(("Content-Type", response.content_type))
    headers += style.extra
    if chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    if not keep or (response.stream is not None and not chunked):
        headers.append(("Connection", "close"))
    elif style.keep_alive is not None:
        headers.append(("Keep-Alive", style.keep_alive))
    phrase = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name.lower() if style.lower else name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
