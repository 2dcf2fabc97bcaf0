"""Answers that wait for each other: in the order they came, all at once, and never for long."""

from __future__ import annotations

import asyncio

from quarterdeck.wire.together import LONGEST_S, QUICK_S, Together, turn
from virtual_time import in_virtual_time


async def poll(together: Together, after_s: float, read: list[tuple[float, float]], requests: int = 1) -> None:
    """Whose answers come so long after they are asked for; notes when each came and when it was read."""
    loop = asyncio.get_running_loop()
    with together.polling():
        for _ in range(requests):
            await asyncio.sleep(after_s)
            came = loop.time() - 1000
            await turn(after_s)
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


def test_a_slow_server_keeps_the_others_a_moment_only_and_itself_waits_for_nobody() -> None:
    released = round(0.01 + LONGEST_S, 3)
    assert polled(0.01, 0.02, 1.0) == [(0.01, released), (0.02, released), (1.0, 1.0)]
    assert polled(QUICK_S, 2.0)[0] == (QUICK_S, QUICK_S)


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


async def test_who_polls_nothing_waits_for_nobody() -> None:
    await turn(0.0)
