"""The key that times a request: when it asks, what it says meanwhile, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from console_driver import Console, console
from fakes import config, endpoint_view, snapshot
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import Boundary, State
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.own import OwnRequest
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.fleet import FleetScreen

QWEN = ModelReading("qwen3-32b", state=ModelState.SERVED)
TOOK = OwnRequest(at=10_000.0, ttft_s=0.043, tokens=16, decode_s=15 / 73)


@asynccontextmanager
async def opened(*, read_only: bool = False, **known: Any) -> AsyncIterator[Console]:
    view = endpoint_view("qwen", **({"models": (QWEN,)} | known))
    fleet = config()
    settings = replace(fleet, console=replace(fleet.console, read_only=read_only))
    async with console(fleet=snapshot(view), configured=settings, size=(120, 24)) as it:
        it.app.open_endpoint("qwen")
        await it.pilot.pause()
        yield it


def answered(it: Console) -> None:
    assert it.engine.probed is not None
    it.engine.probed.set_result((QWEN, TOOK))


async def test_it_is_sent_and_its_times_are_told() -> None:  # key: time_request
    async with opened() as it:
        await it.press("t")
        assert it.engine.asked("probe") == ["qwen"]
        assert "timing a request to qwen …" in it.text
        it.clock.advance(30)
        await it.tick()
        assert "timing a request to qwen …" in it.text, "as long as it takes"
        await it.press("t")
        assert it.engine.asked("probe") == ["qwen"], "one at a time"
        assert "is being timed" in it.text
        answered(it)
        await it.pilot.pause()
        assert "qwen qwen3-32b: TTFT 43 ms, 73 tok/s (16 tokens)" in it.text
        it.clock.advance(25)
        await it.tick()
        assert "TTFT 43 ms" not in it.text.splitlines()[-1], "news, not a monument"


async def test_it_goes_on_when_the_page_is_left() -> None:
    async with opened() as it:
        await it.press("t", "escape")
        assert isinstance(it.app.screen, FleetScreen)
        answered(it)
        await it.pilot.pause()
        assert "qwen qwen3-32b: TTFT 43 ms" in it.text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (QuarterdeckError("qwen did not answer: HTTP 503"), "qwen did not answer: HTTP 503"),
        (ZeroDivisionError("x"), "qwen can't be timed (ZeroDivisionError)"),
    ],
)
async def test_a_failure_is_told_and_another_try_is_free(error: Exception, said: str) -> None:
    async with opened() as it:
        await it.press("t")
        assert it.engine.probed is not None
        it.engine.probed.set_exception(error)
        await it.pilot.pause()
        assert said in it.text
        await it.press("t")
        assert it.engine.asked("probe") == ["qwen", "qwen"]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"boundary": Boundary.EXTERNAL}, "It goes outside, and may cost money."),
        ({"engine": "litellm"}, "This is a gateway"),
        ({"protected": True}, "The fleet file calls this endpoint protected."),
    ],
)
async def test_it_asks_first_where_it_may_matter(known: dict[str, Any], reason: str) -> None:
    async with opened(**known) as it:
        await it.press("t")
        assert isinstance(it.app.screen, ConfirmScreen)
        assert reason in it.text
        await it.press("enter")
        assert isinstance(it.app.screen, EndpointScreen), "Enter is No"
        assert not it.engine.asked("probe")
        await it.press("t", "y")
        assert it.engine.asked("probe") == ["qwen"]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"read_only": True}, "the fleet file says read_only"),
        (
            {"state": State.DOWN, "reason": "connection refused"},
            "qwen is DOWN: connection refused. A request would fail",
        ),
        ({"state": State.SLEEPING, "reason": "asleep"}, "qwen is SLEEPING: asleep. A request would fail, or wake it."),
        ({"models": (replace(QWEN, state=ModelState.INSTALLED),)}, "no model in memory. A request would load one."),
    ],
)
async def test_it_is_refused_with_the_reason(known: dict[str, Any], said: str) -> None:
    async with opened(**known) as it:
        await it.press("t")
        assert said in it.text
        assert not it.engine.asked("probe")


async def test_an_endpoint_that_is_gone() -> None:
    async with opened() as it:
        await it.show(snapshot())
        await it.press("t")
        assert "qwen is no longer watched" in it.text
