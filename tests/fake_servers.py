"""Small HTTP servers on loopback for tests: they record what they are asked, and misbehave as told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Writer = asyncio.StreamWriter
Body = bytes | str | object


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes
    body: bytes = b""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``body``: bytes and str as they are, anything else as JSON."""

    body: Body = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The whole answer."""
        body = self.body
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers.items())]
        if not {"content-length", "transfer-encoding"} & {name.lower() for name in self.headers}:
            lines.append(f"Content-Length: {len(data)}")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data


Respond = Callable[[Asked, Writer], Awaitable[bool]]
"""Answers on the writer; False ends the connection."""


class Recorder:
    """What a server was asked, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.connections = 0

    @property
    def targets(self) -> list[str]:
        """Paths with queries, in order."""
        return [one.target for one in self.asked]

    @property
    def everything(self) -> bytes:
        """All bytes of all requests."""
        return b"".join(one.raw for one in self.asked)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])


async def _read_request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    first, *rest = raw.decode("latin-1").split("\r\n")
    words = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
    try:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, OSError):
        return None
    return Asked(words[0], words[1] if len(words) > 1 else "", headers, raw + body, body)


@asynccontextmanager
async def serving(
    respond: Respond, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Recorder]:
    """A server that lets ``respond`` answer; ends every connection at the end."""
    writers: set[Writer] = set()

    async def connected(reader: asyncio.StreamReader, writer: Writer) -> None:
        recorder.connections += 1
        writers.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while (asked := await _read_request(reader)) is not None:
                recorder.asked.append(asked)
                if not await respond(asked, writer):
                    break
        writers.discard(writer)
        writer.transport.abort()

    server = await asyncio.start_server(connected, host, port, ssl=tls)
    shown = f"[{host}]" if ":" in host else host
    recorder = Recorder(f"{'https' if tls else 'http'}://{shown}:{server.sockets[0].getsockname()[1]}")
    try:
        yield recorder
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


Pages = Mapping[str, Reply | Body] | Callable[[Asked], Reply | Body | None]


def reply_of(pages: Pages, asked: Asked) -> Reply:
    """Looks up the whole target, then the path, then "*"; 404 where there is nothing."""
    found = pages(asked) if callable(pages) else pages.get(asked.target, pages.get(asked.path, pages.get("*")))
    if found is None:
        return Reply({"detail": "Not Found"}, 404)
    return found if isinstance(found, Reply) else Reply(found)


@asynccontextmanager
async def pages_server(
    pages: Pages, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Recorder]:
    """Serves ``pages`` (path → answer, or a function), keep-alive."""

    async def respond(asked: Asked, writer: Writer) -> bool:
        writer.write(reply_of(pages, asked).encoded())
        await writer.drain()
        return True

    async with serving(respond, tls=tls, host=host, port=port) as recorder:
        yield recorder


@asynccontextmanager
async def raw_server(*chunks: bytes, pause: float = 0.0, hang: bool = False) -> AsyncIterator[Recorder]:
    """Answers every request with ``chunks``, then closes (or hangs)."""

    async def respond(_: Asked, writer: Writer) -> bool:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)
        if hang:
            await asyncio.sleep(3600)
        return False

    async with serving(respond) as recorder:
        yield recorder


def free_port() -> int:
    """A port on which nobody listens (until somebody does)."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
