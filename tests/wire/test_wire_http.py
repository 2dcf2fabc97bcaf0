"""One server after another misbehaves; every time the reason says what happened."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_servers import Asked, Recorder, Reply, Writer, free_port, pages_server, raw_server, serving
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Answer, Fetch, Target
from quarterdeck.wire.stream import bounded

OK = b"HTTP/1.1 200 OK\r\n"


async def get(url: str, path: str = "/x", *, timeout: float = 2.0) -> Answer:
    fetch = Fetch(Target(url, timeout))
    try:
        return await fetch.get(path)
    finally:
        await fetch.close()


async def failure_of(url: str, path: str = "/x", *, timeout: float = 2.0) -> Failure:
    with pytest.raises(Failure) as caught:
        await get(url, path, timeout=timeout)
    return caught.value


async def test_an_answer_and_what_is_asked() -> None:
    async with pages_server({"/base/x": Reply({"a": 1})}) as server:
        answer = await get(f"{server.url}/base", "/x?y=1")
    assert answer.json() == {"a": 1}
    (asked,) = server.asked
    assert asked.target == "/base/x?y=1"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"].startswith("quarterdeck/")
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_refused(host: str) -> None:
    failure = await failure_of(f"http://{host}:{free_port()}")
    assert (failure.outcome, failure.reason) == (Outcome.REFUSED, "connection refused")


async def test_a_host_that_does_not_exist() -> None:
    failure = await failure_of("http://no-such-host.invalid")
    assert (failure.outcome, failure.reason) == (Outcome.FAILED, "host name not found")


@pytest.mark.parametrize(
    "server",
    [
        raw_server(hang=True),
        raw_server(OK, hang=True),
        raw_server(b"HT", hang=True),
        raw_server(OK + b"Content-Length: 5\r\n\r\nabc", hang=True),
        raw_server(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 200, pause=0.005),
        raw_server(*[b"HTTP/1.1 100 Continue\r\n\r\n" * 100] * 200, pause=0.002, hang=True),
    ],
    ids=["silent", "half a head", "half a word", "half a body", "dripping", "continue"],
)
async def test_no_answer_inside_the_deadline(server: AbstractAsyncContextManager[Recorder]) -> None:
    async with server as recorder:
        failure = await failure_of(recorder.url, timeout=0.05)
    assert (failure.outcome, failure.reason) == (Outcome.TIMEOUT, "no answer in 0.05 s")


async def test_a_server_that_recovers_after_many_timeouts_is_read_again() -> None:
    answering = asyncio.Event()

    async def respond(_: Asked, writer: Writer) -> bool:
        await answering.wait()
        writer.write(Reply(b"fine").encoded())
        return True

    async with serving(respond) as server:
        fetch = Fetch(Target(server.url, 0.01))
        for _ in range(12):
            with pytest.raises(Failure, match="no answer"):
                await fetch.get("/")
        fetch.target = Target(server.url, 2.0)
        answering.set()
        assert (await fetch.get("/")).body == b"fine"
        await fetch.close()


async def test_a_body_over_the_cap_is_not_read_to_its_end() -> None:
    async with raw_server(OK + b"Content-Length: 1000000000\r\n\r\n", *[bytes(2**20)] * 10, hang=True) as server:
        failure = await failure_of(server.url)
    assert (failure.outcome, failure.reason) == (Outcome.FAILED, "the answer is larger than 8 MiB")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP"])
async def test_what_is_packed_unasked_is_unpacked(coding: str) -> None:
    packed = zlib.compress(b'{"a": 1}') if coding == "deflate" else gzip.compress(b'{"a": 1}')
    async with pages_server({"/x": Reply(packed, headers={"Content-Encoding": coding})}) as server:
        assert (await get(server.url)).json() == {"a": 1}


async def test_a_gzip_bomb_never_unfolds() -> None:
    bomb = gzip.compress(bytes(200 * 2**20), 9)
    async with pages_server({"/x": Reply(bomb, headers={"Content-Encoding": "gzip"})}) as server:
        tracemalloc.start()
        try:
            failure = await failure_of(server.url)
            assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
        finally:
            tracemalloc.stop()
    assert failure.reason == "the answer is larger than 8 MiB"


@pytest.mark.parametrize(
    ("coding", "reason"),
    [("br", "the answer is packed as br, unasked"), ("gzip", "the answer is not gzip, as it says it is")],
)
async def test_what_cannot_be_unpacked(coding: str, reason: str) -> None:
    async with pages_server({"/x": Reply(b"\x00\x01 text", headers={"Content-Encoding": coding})}) as server:
        assert (await failure_of(server.url)).reason == reason


CUT = "connection closed before the answer was complete"


@pytest.mark.parametrize(
    ("chunks", "outcome", "reason"),
    [
        ((b"",), Outcome.FAILED, CUT),
        ((OK,), Outcome.FAILED, CUT),
        ((OK + b'Content-Length: 50\r\n\r\n{"a":',), Outcome.FAILED, CUT),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",), Outcome.FAILED, CUT),
        ((b"SSH-2.0-OpenSSH_9.6\r\n",), Outcome.FOREIGN, "answers, but not in HTTP"),
        ((b"\x00\x01\x02\xff\xfe\r\n\r\n",), Outcome.FOREIGN, "answers, but not in HTTP"),
        ((b"\x15\x03\x01\x00\x02\x02\x50",), None, None),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab",), Outcome.FOREIGN, "answers, but not in HTTP"),
        ((OK + b"Content-Length: many\r\n\r\n",), Outcome.FOREIGN, "answers, but not in HTTP"),
        ((OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",), Outcome.FOREIGN, "answers, but not in HTTP"),
        ((OK, *[b"X-Pad: " + b"x" * 8000 + b"\r\n"] * 50), Outcome.FOREIGN, "answers, but not in HTTP"),
        ((b"HTTP/1.1 999999 Huh\r\n\r\n",), Outcome.FOREIGN, "answers, but not in HTTP"),
    ],
)
async def test_what_is_no_http_answer(chunks: tuple[bytes, ...], outcome: Outcome | None, reason: str | None) -> None:
    async with raw_server(*chunks) as server:
        failure = await failure_of(server.url)
    if outcome is not None:
        assert (failure.outcome, failure.reason) == (outcome, reason)
    assert failure.outcome in (Outcome.FAILED, Outcome.FOREIGN)


async def test_another_protocol_is_known_by_its_greeting() -> None:
    async with raw_server(b"SSH-2.0-OpenSSH_9.6\r\n", hang=True) as server:
        assert (await failure_of(server.url)).reason == "answers, but not in HTTP"


async def test_a_body_without_length_ends_with_the_connection() -> None:
    async with raw_server(OK + b"\r\nall of it") as server:
        assert (await get(server.url)).body == b"all of it"


@settings(max_examples=40)
@given(st.binary(max_size=200), st.sampled_from([b"", OK, OK + b"\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n"]))
async def test_any_bytes_are_an_answer_or_a_failure(data: bytes, head: bytes) -> None:
    async with raw_server(head + data) as server:
        with contextlib.suppress(Failure):  # anything else is a bug
            await get(server.url, timeout=0.5)


@pytest.mark.parametrize("farewell", [b"", Reply({"error": "idle"}, 408, {"Connection": "close"}).encoded()])
async def test_a_kept_connection_that_the_server_closed_meanwhile_is_no_failure(farewell: bytes) -> None:
    writers: list[Writer] = []

    async def respond(_: Asked, writer: Writer) -> bool:
        writers.append(writer)
        writer.write(Reply(b"fine").encoded())
        return True

    async with serving(respond) as server:
        fetch = Fetch(Target(server.url))
        for _ in range(4):
            assert (await fetch.get("/")).body == b"fine"
            assert (await fetch.get("/")).body == b"fine"
            writers[-1].write(farewell)
            writers[-1].close()
            if farewell:
                await asyncio.sleep(0.01)
        await fetch.close()
    assert server.connections == 4
    assert len(server.asked) == 8


async def test_a_server_that_closes_in_mid_flight_is_asked_once_more_on_a_new_connection() -> None:
    asked = 0

    async def respond(_: Asked, writer: Writer) -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            return False
        writer.write(Reply(str(asked)).encoded())
        return True

    async with serving(respond) as server:
        fetch = Fetch(Target(server.url))
        assert [(await fetch.get("/")).body for _ in range(3)] == [b"1", b"3", b"4"]
        await fetch.close()


async def test_one_connection_serves_all_requests() -> None:
    async with pages_server({"*": b"x"}) as server:
        fetch = Fetch(Target(server.url))
        for index in range(20):
            await fetch.get(f"/{index}")
        await fetch.close()
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_told_and_not_followed(status: int) -> None:
    async with pages_server({"*": b"secret"}) as elsewhere:
        there = elsewhere.url.replace("http://", "http://user:password@") + "/v1?token=abc"
        async with pages_server({"/x": Reply(b"", status, {"Location": there})}) as server:
            failure = await failure_of(server.url)
    assert not elsewhere.asked
    assert failure.outcome is Outcome.FAILED
    assert failure.reason.startswith(f"{status}: redirects to ")
    assert f"127.0.0.1:{elsewhere.port}/v1" in failure.reason
    assert "password" not in failure.reason
    assert "token" not in failure.reason


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (Reply({"error": "Unauthorized"}, 401), Outcome.AUTH, "401: key missing or wrong"),
        (Reply(b"", 403), Outcome.AUTH, "403: not allowed (wrong key, or a Host header that is refused)"),
        (Reply({"error": {"message": "no such key"}}, 403), Outcome.AUTH, "403: not allowed (no such key)"),
        (Reply({"error": {"message": "Loading model", "code": 503}}, 503), Outcome.LOADING, "loading the model"),
        (Reply({"error": "server busy"}, 503), Outcome.FAILED, "503: server busy"),
        (Reply(b"<html>Bad gateway</html>", 502), Outcome.FAILED, "502: the proxy can't reach the server behind it"),
        (Reply(b"", 503), Outcome.FAILED, "503: not available"),
        (Reply(b"", 504), Outcome.FAILED, "504: the proxy got no answer from the server behind it"),
        (Reply(b"", 429), Outcome.BUSY, "429: too many requests"),
        (Reply({"detail": "Not Found"}, 404), Outcome.FAILED, "404: Not Found"),
        (Reply({"message": "bad\x1b[31m\nnews\x00"}, 500), Outcome.FAILED, "500: bad news"),
        (Reply({"error": {"message": {"deep": 1}}}, 500), Outcome.FAILED, "500: X"),
        (Reply({"error": "x" * 5000}, 500), Outcome.FAILED, "500: " + "x" * 99 + "…"),
        (Reply(b"x" * 100_000, 500), Outcome.FAILED, "500: X"),
        (Reply(b"{" * 60_000, 418), Outcome.FAILED, "418: X"),
    ],
)
async def test_refusals_in_words(reply: Reply, outcome: Outcome, reason: str) -> None:
    async with pages_server({"/x": reply}) as server:
        failure = await failure_of(server.url)
    assert (failure.outcome, failure.reason, failure.status) == (outcome, reason, reply.status)


@pytest.mark.parametrize(("status", "missing"), [(404, True), (405, True), (501, True), (400, False), (500, False)])
async def test_optional_pages_may_be_missing(status: int, missing: bool) -> None:
    async with pages_server({"/x": Reply(b"", status)}) as server:
        fetch = Fetch(Target(server.url))
        if missing:
            assert await fetch.optional("/x") is None
        else:
            with pytest.raises(Failure, match=str(status)):
                await fetch.optional("/x")
        await fetch.close()


async def test_the_environment_and_netrc_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password sesame\ndefault login me password sesame\n")
    async with pages_server({"*": b"from the proxy"}) as proxy, pages_server({"*": b"from the server"}) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".netrc").write_text(netrc.read_text())
        answer = await get(server.url)
    assert answer.body == b"from the server"
    assert not proxy.asked
    assert b"authorization" not in server.everything.lower()


async def test_a_proxy_that_is_set_is_used() -> None:
    async with pages_server({"*": b"from the proxy"}) as proxy:
        fetch = Fetch(Target("http://model-server.invalid:8000", proxy=proxy.url))
        assert (await fetch.get("/v1/models")).body == b"from the proxy"
        await fetch.close()
    assert proxy.targets == ["http://model-server.invalid:8000/v1/models"]


async def test_a_proxy_that_is_gone() -> None:
    fetch = Fetch(Target("http://model-server.invalid:8000", proxy=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Failure, match="connection refused"):
        await fetch.get("/v1/models")
    await fetch.close()


async def test_own_headers_are_sent() -> None:
    async with pages_server({"*": b""}) as server:
        fetch = Fetch(Target(server.url, headers={"X-Team": "ops"}))
        await fetch.get("/")
        await fetch.close()
    assert server.asked[0].headers["x-team"] == "ops"


async def test_the_first_answer_of_a_poll_is_timed() -> None:
    async with pages_server({"*": b""}) as server:
        fetch = Fetch(Target(server.url))
        fetch.begin()
        assert fetch.first_answer_s is None
        await fetch.get("/")
        first = fetch.first_answer_s
        assert first is not None
        await fetch.get("/")
        assert fetch.first_answer_s == first
        await fetch.close()
        await fetch.close()


class InPieces(httpx.AsyncByteStream):
    """A body of single bytes that are all there: reading them never waits."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(4096):
            yield b"a"


async def test_an_answer_in_many_small_pieces_leaves_others_their_turn() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    body = await bounded(httpx.Response(200, stream=InPieces()), 2**20, str)
    task.cancel()
    assert len(body) == 4096
    assert turns >= 16
