"""Answers that are longer or shorter than they say, and what becomes of their connection."""

from __future__ import annotations

import gzip
import zlib

import pytest

from fake_servers import Asked, Reply, Writer, pages_server, serving
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target


@pytest.mark.parametrize(
    "extra", [b"\r\n", b"x", Reply(b"not yours").encoded()], ids=["line break", "byte", "a whole answer"]
)
async def test_bytes_behind_an_answer_are_not_taken_for_the_next_one(extra: bytes) -> None:
    async def respond(asked: Asked, writer: Writer) -> bool:
        writer.write(Reply(asked.path.encode()).encoded() + extra)
        return True

    async with serving(respond) as server:
        fetch = Fetch(Target(server.url))
        bodies = [(await fetch.get(f"/{index}")).body for index in range(4)]
        await fetch.close()
    assert bodies == [b"/0", b"/1", b"/2", b"/3"]
    assert server.connections == 4


async def test_a_clean_connection_is_kept() -> None:
    async with pages_server({"/x": b"{}"}) as server:
        fetch = Fetch(Target(server.url))
        for _ in range(4):
            await fetch.get("/x")
        await fetch.close()
    assert server.connections == 1


async def get(reply: Reply) -> bytes:
    async with pages_server({"/x": reply}) as server:
        fetch = Fetch(Target(server.url))
        try:
            return (await fetch.get("/x")).body
        finally:
            await fetch.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_packed_answer_that_ends_half_way(coding: str) -> None:
    plain = b'{"a": 1}' * 100
    packed = gzip.compress(plain) if coding == "gzip" else zlib.compress(plain)
    headers = {"Content-Encoding": coding}
    assert await get(Reply(packed, headers=headers)) == plain
    assert await get(Reply(b"", headers=headers)) == b""
    for length in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(Failure, match=f"^the {coding} answer ends half-way$"):
            await get(Reply(packed[:length], headers=headers))


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "?a=b"}])
async def test_a_redirect_to_nowhere(headers: dict[str, str]) -> None:
    with pytest.raises(Failure, match=r"^304: redirects to elsewhere; set url to that$"):
        await get(Reply(b"", 304, headers))
