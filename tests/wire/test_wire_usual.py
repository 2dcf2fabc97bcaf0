"""What is read without h11 must mean to it what it means to us."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fake_servers import Asked, Reply, Writer, pages_server, serving
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.usual import headers_of, usual

HEADERS = (
    b"Content-Length: 5",
    b"content-length:5 ",
    b"Content-Length: 05",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: 6",
    b"Content-Length : 5",
    b"Transfer-Encoding: chunked",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Content-Encoding: gzip",
    b"Upgrade: h2c",
    b"Server: x",
    b"Server: \xc3\xa9",
    b"X-Odd: a\x00b",
    b"X-Odd: a\rb",
    b"X-Odd: a\nContent-Length: 5",
    b" folded",
    b"no colon",
    b": no name",
    b"X Y: 1",
)
STARTS = (
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200 ",
    b"HTTP/1.1 200",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 204 No",
    b"HTTP/1.1 2000 OK",
)


def by_h11(data: bytes) -> tuple[dict[str, str], bytes]:
    """What h11 makes of it, which must leave the connection as good as new."""
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(data)
    head = peer.next_event()
    assert isinstance(head, h11.Response)
    assert head.status_code == 200
    body = b""
    while isinstance(event := peer.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    peer.start_next_cycle()
    assert not peer.trailing_data[0]
    headers: dict[str, str] = {}
    for name, value in head.headers:
        known = headers.get(name.decode())
        headers[name.decode()] = value.decode("latin-1") if known is None else f"{known}, {value.decode('latin-1')}"
    return headers, body


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(HEADERS), max_size=5),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"abcd", b"abcde", b"abcdef"]),
)
@example(STARTS[0], [HEADERS[0], HEADERS[13], HEADERS[8]], b"\r\n", b"abcde")
def test_what_is_usual_is_the_same_to_h11(start: bytes, headers: list[bytes], ending: bytes, body: bytes) -> None:
    data = ending.join([start, *headers, b"", b""]) + body
    found = usual(data)
    if found is None or found.end != len(data):
        return
    assert by_h11(data) == (headers_of(found.head), data[found.start :])


@pytest.mark.parametrize("header", [b"Content-Length: 5", b"Content-Length:\t5", b"CONTENT-LENGTH: 5 "])
def test_the_answers_of_the_servers_we_know_are_usual(header: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\n" + header + b"\r\n\r\n"
    found = usual(head + b"abcde")
    assert found is not None
    assert (headers_of(found.head), found.start, found.end) == (
        {"server": "uvicorn", "content-length": "5"},
        len(head),
        len(head) + 5,
    )


@pytest.mark.parametrize(
    "header",
    [
        b"Connection: close",
        b"Content-Encoding: gzip",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c",
        b"Content-Length: 5",
        b"A: b\n c",
    ],
)
def test_what_is_left_to_h11(header: bytes) -> None:
    assert usual(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + header + b"\r\n\r\nabcde") is None


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    usual(data)
    usual(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + data + b"\r\n\r\n")


@pytest.mark.parametrize("cut", range(1, 60, 6))
async def test_an_answer_in_two_parts_is_read_whole_and_the_connection_kept(cut: int) -> None:
    async def respond(asked: Asked, writer: Writer) -> bool:
        data = Reply(b'{"path": "%s"}' % asked.path.encode()).encoded()
        writer.write(data[:cut])
        await writer.drain()
        writer.write(data[cut:])
        return True

    async with serving(respond) as server:
        fetch = Fetch(Target(server.url))
        bodies = [(await fetch.get(f"/{index}")).body for index in range(3)]
        await fetch.close()
    assert bodies == [b'{"path": "/%d"}' % index for index in range(3)]
    assert server.connections == 1


async def test_headers_are_found_whatever_their_case() -> None:
    for headers in (
        {"X-Mixed": "a"},
        {"X-Mixed": "a", "Content-Encoding": "identity"},
        {"X-Mixed": "a", "Connection": "close"},
    ):
        async with pages_server({"/x": Reply(b"{}", headers=headers)}) as server:
            fetch = Fetch(Target(server.url))
            answer = await fetch.get("/x")
            await fetch.close()
        assert answer.headers["x-mixed"] == "a"


async def test_a_usual_answer_over_the_cap_is_not_read() -> None:
    async with pages_server({"/x": b"a" * 100_000}) as server:
        fetch = Fetch(Target(server.url))
        with pytest.raises(Failure, match="larger than 64 KiB"):
            await fetch.get("/x", most=64 * 1024)
        assert len((await fetch.get("/x")).body) == 100_000
        await fetch.close()


async def test_one_that_is_cut_off_in_its_body_is_a_failure() -> None:
    async def respond(_: Asked, writer: Writer) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf of it")
        return False

    async with serving(respond) as server:
        fetch = Fetch(Target(server.url))
        with pytest.raises(Failure, match=r"closed the connection|connection closed"):
            await fetch.get("/x")
        await fetch.close()
