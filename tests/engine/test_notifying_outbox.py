"""The queue of a sink: in order, tried again, bounded; a loss is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fakes import FrozenClock
from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.notifying.notice import RAISED, Notice, trial
from quarterdeck.engine.notifying.outbox import MOST_WAITING, NotDeliveredError, Outbox, Outcome, Trouble

Fails = Callable[[int], NotDeliveredError | Exception | None]


class Rig:
    """An outbox whose clock moves only while it waits."""

    def __init__(self, fails: Fails = lambda _: None, retry_for: float = 600.0) -> None:
        self.clock = FrozenClock()
        self.tries: list[float] = []
        self.arrived: list[float] = []
        self.told: list[Outcome | Trouble] = []
        self.fails = fails
        self.hold: asyncio.Event | None = None
        spec = SinkSpec("s", command=("x",), retry_for=retry_for)
        self.box = Outbox(spec, self.send, self.told.append, self.clock.clock, self.pause)

    async def send(self, notice: Notice) -> None:
        self.tries.append(self.clock.monotonic)
        if self.hold is not None:
            await self.hold.wait()
        failure = self.fails(len(self.tries))
        if failure is not None:
            raise failure
        self.arrived.append(notice.at)

    async def pause(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.box.put(notice(number))

    async def settle(self) -> None:
        """Run it until nothing waits."""
        task = asyncio.ensure_future(self.box.run())
        while len(self.box):
            await asyncio.sleep(0)
        task.cancel()

    @property
    def losses(self) -> list[tuple[float, str]]:
        return [(one.notice.at, one.lost) for one in self.told if isinstance(one, Outcome) and one.lost]

    @property
    def troubles(self) -> list[str]:
        return [one.reason for one in self.told if isinstance(one, Trouble)]


def notice(number: int) -> Notice:
    return Notice(RAISED, trial(float(number)), float(number))


def broken(_: int) -> NotDeliveredError:
    return NotDeliveredError("500: oops")


async def test_in_order() -> None:
    rig = Rig()
    rig.put(1, 2, 3)
    await rig.settle()
    assert rig.arrived == [1, 2, 3]
    assert (rig.losses, rig.troubles) == ([], [])


async def test_it_is_tried_again_with_ever_longer_pauses_and_comes_once() -> None:
    rig = Rig(lambda count: broken(count) if count < 10 else None)
    rig.put(1, 2)
    await rig.settle()
    assert rig.arrived == [1, 2]
    pauses = [later - sooner for sooner, later in zip(rig.tries, rig.tries[1:], strict=False)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 0]
    assert rig.losses == []
    assert rig.troubles == ["500: oops", ""]  # said once, and that it works again


async def test_what_can_t_be_delivered_in_time_is_lost_and_said_to_be() -> None:
    rig = Rig(broken, retry_for=10.0)
    rig.put(1, 2)
    await rig.settle()
    assert rig.arrived == []
    assert rig.losses == [(1, "500: oops (tried for 10 s)"), (2, "500: oops (tried for 10 s)")]
    assert rig.tries[4] - rig.tries[0] == 10  # the last try is at the end of its time
    assert len(rig.tries) == 6  # the second waited as long already: one try
    assert rig.troubles == ["500: oops"]


async def test_without_retries_one_try_is_made() -> None:
    rig = Rig(broken, retry_for=0.0)
    rig.put(1)
    await rig.settle()
    assert len(rig.tries) == 1
    assert len(rig.losses) == 1


async def test_what_the_other_side_never_takes_holds_up_nothing() -> None:
    rig = Rig(lambda count: NotDeliveredError("400: no", final=True) if count == 1 else None)
    rig.put(1, 2)
    await rig.settle()
    assert rig.arrived == [2]
    assert rig.losses == [(1, "400: no")]


async def test_a_bug_in_a_sender_is_a_loss_and_no_end() -> None:
    rig = Rig(lambda count: ValueError("x") if count == 1 else None)
    rig.put(1, 2)
    await rig.settle()
    assert rig.arrived == [2]
    assert rig.losses == [(1, "a bug in this program: ValueError")]


async def test_it_is_bounded_and_keeps_the_newest() -> None:
    rig = Rig()
    rig.put(*range(MOST_WAITING + 3))
    assert len(rig.box) == MOST_WAITING
    await rig.settle()
    assert rig.arrived == [0, *range(4, MOST_WAITING + 3)]
    assert [at for at, _ in rig.losses] == [1, 2, 3]


async def test_what_somebody_else_tells_is_forgotten_here() -> None:
    rig = Rig(broken)
    rig.hold = asyncio.Event()
    task = asyncio.ensure_future(rig.box.run())
    rig.put(1, 2)
    await asyncio.sleep(0)
    assert rig.box.forget() == 2
    rig.hold.set()
    rig.put(3)
    rig.fails = lambda _: None
    while not rig.arrived or len(rig.box):
        await asyncio.sleep(0)
    task.cancel()
    assert rig.arrived[-1] == 3
    assert rig.losses == []


async def test_it_says_whether_something_is_on_its_way() -> None:
    rig = Rig(lambda count: broken(count) if count == 1 else None)
    rig.hold = asyncio.Event()
    assert rig.box.idle.is_set()
    task = asyncio.ensure_future(rig.box.run())
    rig.put(1, 2)
    await asyncio.sleep(0)
    assert not rig.box.idle.is_set()
    rig.hold.set()
    while len(rig.box):
        await asyncio.sleep(0)
    await rig.box.idle.wait()
    task.cancel()
    assert rig.arrived == [1, 2]
