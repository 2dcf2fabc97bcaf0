"""Answers that wait for each other: in the order they came, all at once, and never for long."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from fake_servers import Asked, Reply, Writer, serving
from quarterdeck.wire.connection import Reader
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.together import AT_ONCE, LONGEST_S, Together
from virtual_time import in_virtual_time


async def poll(together: Together, after_s: float, read: list[tuple[float, float]], requests: int = 1) -> None:
    """Whose answers come so long after they are asked for; notes when each came and when it was read."""
    loop = asyncio.get_running_loop()
    with together.polling():
        for _ in range(requests):
            await asyncio.sleep(after_s)
            came = loop.time() - 1000
            waits = loop.create_future()
            together.came(waits)
            await waits
            read.append((round(came, 3), round(loop.time() - 1000, 3)))


def polled(*after_s: float, requests: int = 1) -> list[tuple[float, float]]:
    """When their answers came, and when they were read."""
    read: list[tuple[float, float]] = []

    async def main() -> None:
        together = Together()
        await asyncio.gather(*(poll(together, each, read, requests) for each in after_s))

    in_virtual_time(main)
    return read


def test_one_alone_waits_for_nobody() -> None:
    assert polled(0.01) == [(0.01, 0.01)]


def test_those_that_come_within_a_moment_are_read_together() -> None:
    assert polled(0.01, 0.02, 0.03) == [(0.03, 0.03), (0.01, 0.03), (0.02, 0.03)]


def test_a_slow_server_keeps_the_others_a_moment_only() -> None:
    released = round(0.01 + LONGEST_S, 3)
    assert polled(0.01, 0.02, 1.0) == [(0.01, released), (0.02, released), (1.0, 1.0)]


def test_many_are_read_in_parts_so_that_a_key_is_not_kept_waiting() -> None:
    parts: list[int] = []
    read: list[tuple[float, float]] = []

    async def key(first: asyncio.Task[None]) -> None:
        await first
        while not parts or parts[-1] < 3 * AT_ONCE:
            parts.append(len(read))
            await asyncio.sleep(0)

    async def main() -> None:
        together = Together()
        polls = [asyncio.ensure_future(poll(together, 0.01, read)) for _ in range(3 * AT_ONCE)]
        await asyncio.gather(key(polls[0]), *polls)

    in_virtual_time(main)
    assert parts[0] <= 2 * AT_ONCE
    assert all(after - before <= AT_ONCE for before, after in pairwise(parts))


def test_one_that_fails_is_not_waited_for() -> None:
    read: list[tuple[float, float]] = []

    async def failing(together: Together) -> None:
        with together.polling():
            await asyncio.sleep(0.02)

    async def main() -> None:
        together = Together()
        await asyncio.gather(poll(together, 0.01, read), failing(together))

    in_virtual_time(main)
    assert read == [(0.01, 0.02)]


def test_several_requests_of_a_poll_meet_again() -> None:
    assert polled(0.01, 0.02, requests=2) == [(0.02, 0.02), (0.01, 0.02), (0.04, 0.04), (0.03, 0.04)]


def test_one_that_is_given_up_while_it_waits_leaves_the_others_alone() -> None:
    read: list[tuple[float, float]] = []

    async def main() -> None:
        together = Together()
        impatient = asyncio.ensure_future(poll(together, 0.01, []))
        others = [asyncio.ensure_future(poll(together, each, read)) for each in (0.02, 0.04)]
        await asyncio.sleep(0.03)
        impatient.cancel()
        await asyncio.wait([impatient, *others])

    in_virtual_time(main)
    assert read == [(0.04, 0.04), (0.02, 0.04)]


async def test_an_answer_that_waited_is_timed_by_when_it_came_and_read_whole() -> None:
    """One of two servers answers a moment later: the first one's latency holds none of that."""
    late = asyncio.Event()

    async def respond(asked: Asked, writer: Writer) -> bool:
        if asked.path == "/late":
            await late.wait()
        writer.write(Reply(b"a" * 100_000).encoded())
        return True

    async def get(together: Together, url: str, path: str) -> tuple[float, int]:
        fetch = Fetch(Target(url))
        with together.polling():
            await fetch.get(path) if path == "/early" else None
            loop.call_later(LONGEST_S / 4, late.set) if path == "/early" else None
            answer = await fetch.get(path)
        await fetch.close()
        return fetch.first_answer_s or 0.0, len(answer.body)

    loop = asyncio.get_running_loop()
    together = Together()
    async with serving(respond) as server:
        found = await asyncio.gather(get(together, server.url, "/early"), get(together, server.url, "/late"))
    assert [size for _, size in found] == [100_000, 100_000]
    assert found[0][0] < found[1][0]


async def test_a_connection_that_breaks_while_it_is_waited_for_is_a_failure_at_once() -> None:
    async def respond(_: Asked, writer: Writer) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf")
        return False

    together = Together()
    async with serving(respond) as server:
        fetch = Fetch(Target(server.url))
        with together.polling(), pytest.raises(Failure, match="closed"):
            await fetch.get("/x")
        await fetch.close()


@pytest.mark.parametrize("what", ["greeting", "end", "reset"])
async def test_what_came_or_ended_before_it_was_waited_for_is_not_waited_for(what: str) -> None:
    reader = Reader()
    if what == "greeting":
        reader.feed_data(b"SSH-2.0-x\r\n")
    elif what == "end":
        reader.feed_eof()
    else:
        reader.set_exception(ConnectionResetError())
    await asyncio.wait_for(reader.answer(), 1.0)
