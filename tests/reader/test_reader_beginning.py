"""How a reader begins: what was prepared, what is wrong with the file, what is watched."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import pytest

from chat_fakes import FakeDesk
from fakes import config
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.reader.ears import Ears
from quarterdeck.reader.opening import HOW, watched
from quarterdeck.reader.reader import Prepare, Reader
from quarterdeck.reader.voice import Voice


class Found(NamedTuple):
    text: str
    lines: tuple[str, ...] = ()


class Watching(FakeDesk):
    """An engine that a reader can run."""

    witness = None
    alarms = None


async def begins(desk: FakeDesk, *typed: str, prepare: Prepare | None = None, **more: Any) -> list[str]:
    """What is said until the end of input."""
    chunks, written = [f"{line}\n".encode() for line in typed], list[str]()
    reader = Reader(
        cast(Any, desk),
        Voice(written.append),
        Ears(lambda: chunks.pop(0) if chunks else b""),
        interactive=False,
        prepare=prepare,
        **more,
    )
    assert await reader.run() == 0
    assert [call for call, _ in desk.calls if call in ("start", "stop")] == ["start", "stop"]
    return "".join(written).splitlines()


async def test_what_was_found_is_said_first() -> None:
    async def prepare(engine: object) -> Found:
        return Found("found 4 model servers on this machine", ("Port 8001: no idea what that is.",))

    said = await begins(Watching(), prepare=prepare, first=["Looking for model servers on this machine."])
    assert said == [
        "Looking for model servers on this machine.",
        "Found 4 model servers on this machine.",
        "Port 8001: no idea what that is.",
        "Quarterdeck watches 4 endpoints, asked every 2 seconds.",
        "All 4 endpoints are OK.",
    ]


async def test_where_nothing_was_found_is_said_what_to_do() -> None:
    async def prepare(engine: object) -> Found:
        return Found(
            "no model server found", ("No model server found on this machine.", "", "To watch one, start one.")
        )

    desk = Watching(config=FleetConfig())
    desk.newest = EMPTY_FLEET
    assert await begins(desk, prepare=prepare) == [
        "No model server found on this machine.",
        "To watch one, start one.",
        "Nothing is watched. quarterdeck --url http://HOST:PORT --reader watches a server.",
    ]


async def test_what_could_not_be_prepared() -> None:
    async def prepare(engine: object) -> None:
        raise QuarterdeckError("the demo fleet did not start: no port is free", hint="Try again.")

    said = await begins(Watching(), "interval", prepare=prepare)
    assert said[:2] == ["the demo fleet did not start: no port is free.", "Try again."]
    assert said[-1] == "The servers are asked every 2 seconds.", "what is watched is watched all the same"


async def test_what_is_wrong_with_the_file_is_said_once() -> None:
    said = await begins(Watching(), problems=["fleet.toml:3: url: expected a URL"])
    assert said[0].startswith("fleet.toml:3: url: expected a URL. Everything else in the file is used")
    assert len(said) == 3


async def test_a_reader_that_has_gone_is_the_end() -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError

    desk = Watching()
    reader = Reader(cast(Any, desk), Voice(broken), Ears(lambda: b""), interactive=False)
    with pytest.raises(BrokenPipeError):
        await reader.run()
    assert desk.calls[-1] == ("stop", None)


@pytest.mark.parametrize(
    ("fleet", "interval", "said"),
    [
        (config("a"), 1.0, "Quarterdeck watches 1 endpoint, asked every second."),
        (config("a", "b", read_only=True), 0.5, "Quarterdeck watches 2 endpoints, asked every 0.5 seconds. Read-only: nothing can be changed from here."),
        (FleetConfig(), 2.0, "Nothing is watched. quarterdeck --url http://HOST:PORT --reader watches a server."),
    ],
)  # fmt: skip
def test_what_is_watched(fleet: FleetConfig, interval: float, said: str) -> None:
    assert watched(fleet, interval) == said
    assert HOW.isascii()
