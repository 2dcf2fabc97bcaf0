"""A small HTTP server for a few pages that are only read: GET and HEAD, nothing else.

It is made to stand on a port where anybody may knock: a request has a longest size and time, a client that doesn't read is
dropped, and of too many clients the one goes that has asked for nothing for longest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

MAX_HEAD_BYTES = 8 * 1024
HEAD_S = 5.0
"""A request that began must be complete within this."""
IDLE_S = 180.0
"""A connection that asks for nothing for so long is closed; scrapes may be minutes apart."""
WRITE_S = 10.0
"""A client that doesn't read its answer within this is dropped."""
MAX_CLIENTS = 64

_REQUEST = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,4096}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A page."""

    body: bytes
    content_type: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[str], Answer]
"""Makes a page, given the request's Accept header ("" where there is none). Quick, for it is called in the event loop."""


class _Request(NamedTuple):
    method: str
    path: str
    accept: str
    keep: bool


class _BadRequest(Exception):  # noqa: N818  (the name HTTP gives it)
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class PageServer:
    """Answers on one address. ``pages``: path → page."""

    def __init__(self, pages: Mapping[str, Page], *, max_clients: int = MAX_CLIENTS) -> None:
        """Nothing is opened until ``start``."""
        self._pages = pages
        self._max = max_clients
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: dict[asyncio.StreamWriter, None] = {}
        """Clients that nothing is being sent to, the one that has been silent for longest first."""
        self.addresses: tuple[tuple[str, int], ...] = ()
        """Where it listens: host and port."""

    async def start(self, host: str | None, port: int) -> None:
        """Listen; ``None`` is every address of this machine. Raises OSError where that can't be."""
        self._server = await asyncio.start_server(self._come, host, port, limit=MAX_HEAD_BYTES)
        self.addresses = tuple(sorted({sock.getsockname()[:2] for sock in self._server.sockets}))

    async def stop(self) -> None:
        """Take no more clients and drop those there are."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.2)

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: one that asyncio makes complains of being cancelled (Python 3.11).
        task = asyncio.get_running_loop().create_task(self._client(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # it has gone, or it is too slow
        finally:
            self._idle.pop(writer, None)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._has_room():
            await self._send(writer, _error(503), keep=False, head=False)
            return
        keep = True
        while keep:
            self._idle[writer] = None
            try:
                request = await _read(reader)
            except _BadRequest as bad:
                await self._send(writer, _error(bad.status), keep=False, head=False)
                return
            del self._idle[writer]
            keep = request.keep
            await self._send(writer, self._answer(request), keep=keep, head=request.method == "HEAD")

    def _has_room(self) -> bool:
        """Whether another client may come; the one that has been silent for longest makes room."""
        if len(self._tasks) <= self._max:
            return True
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        del self._idle[oldest]
        oldest.transport.abort()
        return True

    def _answer(self, request: _Request) -> Answer:
        page = self._pages.get(request.path)
        if page is None:
            return _error(404)
        if request.method not in ("GET", "HEAD"):
            return _error(405, ("Allow", "GET, HEAD"))
        return page(request.accept)

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer, *, keep: bool, head: bool) -> None:
        headers = (
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *answer.headers,
            ("Connection", "keep-alive" if keep else "close"),
        )
        status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"
        text = "\r\n".join([status, *(f"{name}: {value}" for name, value in headers), "", ""])
        writer.write(text.encode("latin-1"))
        if not head:
            writer.write(answer.body)
        try:
            async with asyncio.timeout(WRITE_S):
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
            raise


async def _read(reader: asyncio.StreamReader) -> _Request:
    """The next request. Raises `_BadRequest`, and what reading a stream raises."""
    async with asyncio.timeout(IDLE_S):
        first = await reader.readexactly(1)
    try:
        async with asyncio.timeout(HEAD_S):
            head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise _BadRequest(431) from error
    line, *lines = head[:-4].split(b"\r\n")
    asked = _REQUEST.fullmatch(line)
    if asked is None:
        raise _BadRequest(400)
    headers: dict[str, str] = {}
    for each in lines:
        header = _HEADER.fullmatch(each)
        if header is None:
            raise _BadRequest(400)
        name, value = (part.decode("latin-1") for part in header.groups())
        headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
    if headers.get("content-length", "0").strip() != "0" or "transfer-encoding" in headers:
        raise _BadRequest(413)  # no page here takes one, and what isn't read would be taken for the next request
    method, target, minor = (part.decode("ascii") for part in asked.groups())
    wish = headers.get("connection", "").lower()
    keep = "close" not in wish if minor == "1" else "keep-alive" in wish
    return _Request(method, target.partition("?")[0], headers.get("accept", ""), keep)


def _error(status: int, *headers: tuple[str, str]) -> Answer:
    return Answer(f"{status} {HTTPStatus(status).phrase}\n".encode(), _PLAIN, status, headers)


def wants(accept: str, content_type: str, other: str) -> bool:
    """Whether a client that says ``accept`` would rather have ``content_type`` (named, not by a wildcard) than ``other``.

    Both are without parameters. What can't be read in the header is taken as not said.
    """
    mine, others = _quality(accept, content_type), _quality(accept, other)
    if others is None:
        wild = [_quality(accept, f"{other.partition('/')[0]}/*"), _quality(accept, "*/*")]
        others = next((quality for quality in wild if quality is not None), 0.0)
    return mine is not None and mine > 0 and mine >= others


def _quality(accept: str, content_type: str) -> float | None:
    found: list[float] = []
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name != content_type:
            continue
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                with suppress(ValueError):
                    quality = float(parameter[2:])
        found.append(quality)
    return max(found, default=None)
