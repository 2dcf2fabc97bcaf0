"""The HTTP server of the demo fleet: what it accepts, what it refuses, and when it lets go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.demo.http import Handler, HttpServer, Response, Style
from quarterdeck.demo.request import BadRequest, Request, read_request

Listen = Callable[..., Awaitable[HttpServer]]
GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


async def hello(request: Request) -> Response:
    return Response(body=b"hello", content_type="text/plain")


async def echo(request: Request) -> Response:
    return Response(body=request.body, content_type="application/octet-stream")


async def broken(request: Request) -> Response:
    raise RuntimeError("oh")


def three(request: Request) -> Awaitable[Response]:
    async def chunks() -> AsyncGenerator[bytes, None]:
        for part in (b"one", b"", b"two", b"three"):
            yield part

    async def answer() -> Response:
        return Response(content_type="text/plain", stream=chunks())

    return answer()


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/hello"): hello,
    ("POST", "/echo"): echo,
    ("GET", "/broken"): broken,
    ("GET", "/stream"): three,
    ("GET", "/below/*"): hello,
}
STYLE = Style(not_allowed=Response(405, b"no"))


async def talk(server: HttpServer, sent: bytes) -> bytes:
    """Everything the server says to ``sent`` until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    return said


CLOSE = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_one_connection_serves_requests_one_after_another(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    said = await talk(server, GET + b"\r\n" + GET + CLOSE)
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.count(b"hello") == 3
    assert said.count(b"Connection: close") == 1


async def test_wants_of_http_1_0(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    said = await talk(server, b"GET /stream HTTP/1.0\r\n\r\n")
    assert b"Transfer-Encoding" not in said
    assert said.endswith(b"\r\n\r\nonetwothree")


async def test_streams_come_in_chunks(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    said = await talk(server, b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.endswith(b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")


async def test_bodies_by_length_and_by_chunks(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    chunked = (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3;note=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
    )
    assert (await talk(server, chunked)).endswith(b"\r\n\r\nabc0123456789")
    async with httpx.AsyncClient() as client:
        big = bytes(range(256)) * 4096
        assert (await client.post(f"{server.url}/echo", content=big)).content == big


async def test_a_client_that_asks_first_is_told_to_go_on(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    assert (await reader.read()).endswith(b"ok")
    writer.close()


async def test_head_has_the_length_and_no_body(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    said = await talk(server, CLOSE.replace(b"GET", b"HEAD"))
    assert b"Content-Length: 5\r\n" in said
    assert said.endswith(b"\r\n\r\n")


async def test_unknown_paths_and_wrong_methods(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/nope")).status_code == 404
        assert (await client.get("/below/a/b")).status_code == 200
        wrong = await client.post("/hello")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")


async def test_a_failing_handler_is_a_500(listen: Listen, caplog: pytest.LogCaptureFixture) -> None:
    server = await listen(ROUTES, STYLE)
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{server.url}/broken")).status_code == 500
            assert (await client.get(f"{server.url}/hello")).status_code == 200
    assert "GET /broken" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"GET\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET  /two-spaces HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    ],
)
async def test_a_bad_request_is_refused_and_the_connection_closed(listen: Listen, sent: bytes) -> None:
    server = await listen(ROUTES, STYLE)
    said = await talk(server, sent)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close\r\n" in said
    assert (await talk(server, CLOSE)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", b"413"),
    ],
)
async def test_limits(listen: Listen, sent: bytes, status: bytes) -> None:
    server = await listen(ROUTES, STYLE)
    assert (await talk(server, sent)).startswith(b"HTTP/1.1 " + status)


async def test_a_client_that_goes_away_ends_its_stream(listen: Listen) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def answer(_: Request) -> Response:
        return Response(stream=endless())

    server = await listen({("GET", "/hello"): answer}, STYLE)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    await reader.readuntil(b"first")
    writer.close()
    async with asyncio.timeout(10):
        await ended.wait()
    assert (await talk(server, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400")


async def test_refusing_and_coming_back_on_the_same_port(listen: Listen) -> None:
    server = await listen(ROUTES, STYLE)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    await reader.readuntil(b"hello")
    server.refuse()
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", server.port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    server.refuse()
    await server.start()
    assert (await talk(server, CLOSE)).endswith(b"hello")


class Mute:
    """A writer that keeps what it is given."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data


async def parse(data: bytes) -> Request | None:
    reader = asyncio.StreamReader(32 * 1024)
    reader.feed_data(data)
    reader.feed_eof()
    try:
        return await read_request(reader, cast("asyncio.StreamWriter", Mute()))
    except (BadRequest, asyncio.IncompleteReadError):
        return None


PARTS = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/", b"/x?y=%ff", b"http://[", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Host: x", b"Host:"),
        *(b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"3\r\nabc", b"0\r\n\r\n"),
        *(b"\n", b"\0"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS | st.binary(max_size=8), max_size=14).map(b"".join))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    request = asyncio.run(parse(data))
    assert request is None or request.path


async def test_a_body_that_is_no_object_is_a_value_error() -> None:
    for body in (b"[1]", b"\xff", b"{", b"[" * 100_000, b""):
        with pytest.raises(ValueError, match=r"."):
            Request("POST", "/", "", {}, body).json()
