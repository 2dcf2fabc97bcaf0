"""The little server of `quarterdeck export` against all kinds of clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from quarterdeck.cli import serving
from quarterdeck.cli.serving import Answer, PageServer

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"a 1\n" * 3


# ---- the server


@contextlib.asynccontextmanager
async def server(**settings: int) -> AsyncIterator[tuple[PageServer, int]]:
    """One page, at /metrics."""
    pages = PageServer({"/metrics": lambda accept: Answer(accept.encode() or BODY, "text/plain")}, **settings)
    await pages.start("127.0.0.1", 0)
    try:
        yield pages, pages.addresses[0][1]
    finally:
        await pages.stop()


async def asked(port: int, sent: bytes) -> bytes:
    """Everything that comes back until the server closes; the client closes its side first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


async def test_pages_are_read_and_only_read() -> None:
    async with server() as (_, port):
        got = await asked(port, GET)
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"Content-Length: {len(BODY)}".encode() in head
        assert body == BODY
        assert (await asked(port, GET.replace(b"GET", b"HEAD"))) == head + b"\r\n\r\n"
        assert (await asked(port, GET.replace(b"/metrics", b"/metrics?name[]=x"))).endswith(BODY)
        assert (await asked(port, GET.replace(b"/metrics", b"/etc/passwd"))).startswith(b"HTTP/1.1 404 ")
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS"):
            refused = await asked(port, GET.replace(b"GET", method))
            assert refused.startswith(b"HTTP/1.1 405 ")
            assert b"Allow: GET, HEAD\r\n" in refused


async def test_a_connection_is_used_again() -> None:
    async with server() as (_, port):
        assert (await asked(port, GET * 3)).count(b"HTTP/1.1 200 OK") == 3
        closing = GET.replace(b"Host: x", b"Connection: close")
        assert (await asked(port, closing + GET)).count(b"HTTP/1.1 200 OK") == 1
        assert (await asked(port, GET.replace(b"HTTP/1.1", b"HTTP/1.0") * 2)).count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", b"400"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nA: b\x00\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"413"),
        (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"413"),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"b" * 20_000 + b"\r\n\r\n", b"431"),
        (b"x" * 20_000, b"431"),
    ],
)
async def test_what_is_no_request_ends_the_connection(sent: bytes, status: bytes) -> None:
    async with server() as (_, port):
        got = await asked(port, sent + GET)
        # Where more was sent than read, the kernel may reset the connection before the answer is read.
        assert got.startswith(b"HTTP/1.1 " + status) or (status == b"431" and got == b"")
        assert b" 200 OK" not in got
        assert (await asked(port, GET)).endswith(BODY)


async def test_a_client_that_dawdles_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.02)
    monkeypatch.setattr(serving, "IDLE_S", 0.02)
    async with server() as (_, port):
        for said in (b"", b"GET /met", GET + b"G"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            assert (await reader.read()).count(b"200 OK") == said.count(GET)
            writer.close()


async def test_a_client_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "WRITE_S", 0.02)
    big = b"x" * 20_000_000
    pages = PageServer({"/metrics": lambda _: Answer(big, "text/plain")})
    await pages.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", pages.addresses[0][1], limit=1024)
    writer.write(GET)
    while pages._tasks or not reader._buffer:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    writer.transport.abort()
    await pages.stop()


async def test_the_most_silent_client_makes_room() -> None:
    async with server(max_clients=3) as (pages, port):
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in clients[1:]:
            writer.write(GET)
        for reader, _ in clients[1:]:
            assert (await reader.readuntil(BODY)).startswith(b"HTTP/1.1 200")
        assert (await asked(port, GET)).endswith(BODY)
        with contextlib.suppress(ConnectionError):
            assert await clients[0][0].read() == b""
        clients[2][1].write(GET)
        assert (await clients[2][0].readuntil(BODY)).startswith(b"HTTP/1.1 200")
        for _, writer in clients:
            writer.close()
        assert len(pages._tasks) <= 3


async def test_many_ask_at_once() -> None:
    async with server(max_clients=200) as (_, port):
        assert {
            (await each)[-len(BODY) :] for each in asyncio.as_completed([asked(port, GET) for _ in range(150)])
        } == {BODY}
