"""Pulls that go wrong: connections that drop, servers that freeze, lie, refuse or send rubbish."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from acting_demo import HASTY, QUICK, Acted, acting, demo_ollama
from fake_servers import Asked, Recorder, Reply, Writer, serving
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.demo.pulling import Fault, Trouble
from quarterdeck.endpoints.acting.base import Interrupted
from quarterdeck.endpoints.acting.line import Patience
from quarterdeck.model.job import Progress
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

RECORDED = Path(__file__).parent.parent / "data" / "ollama"
BIG = "mistral-small3.2:24b"
NAME = "tiny-a"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
TAGS = Reply({"models": []}).encoded()
LAYER = {"status": "pulling abc", "digest": "sha256:abc", "total": 1000}
Send = Callable[[Writer], Awaitable[None]]


def line(**more: object) -> bytes:
    return json.dumps({**LAYER, **more}).encode() + b"\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def pulling(send: Send, patience: Patience = QUICK) -> AsyncIterator[tuple[Acted, Recorder]]:
    """An actor on an Ollama whose pull is what ``send`` writes."""

    async def respond(asked: Asked, writer: Writer) -> bool:
        if asked.path != "/api/pull":
            writer.write(TAGS)
            return True
        await send(writer)
        return False

    async with serving(respond) as server, acting(EndpointSpec("e", server.url), "ollama", patience) as acted:
        yield acted, server


def sending(*parts: bytes, chunked: bool = False) -> Send:
    async def send(writer: Writer) -> None:
        writer.write(HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Connection: close\r\n\r\n"))
        for part in parts:
            writer.write(chunk(part) if chunked else part)
            await writer.drain()
        writer.close()

    return send


def rising(said: list[Progress]) -> list[float]:
    fractions = [progress.fraction for progress in said if progress.fraction is not None]
    assert fractions == sorted(fractions)
    return fractions


@pytest.mark.parametrize("trouble", [Trouble.DROPPED, Trouble.HALF_LINE])
async def test_a_pull_that_is_cut_off_goes_on_when_asked_again(trouble: Trouble) -> None:
    async with demo_ollama() as demo:
        demo.ollama.downloads.faults[BIG] = Fault(trouble)
        with pytest.raises(Interrupted):
            await demo.do("pull", model=BIG)
        there = demo.said[-1].completed or 0
        assert 0.39 * 15e9 < there < 15e9
        assert BIG not in demo.ollama.models
        before = len(demo.said)
        assert await demo.do("pull", model=BIG) == f"pulled {BIG}, 14.1 GiB"
        assert (demo.said[before + 1].completed or 0) >= there
        assert rising(demo.said)[-1] == 1.0
        assert BIG in demo.ollama.models


async def test_a_server_that_restarts_mid_pull() -> None:
    async with demo_ollama() as demo:
        demo.ollama.downloads.bytes_s = 1e7
        task = asyncio.create_task(demo.do("pull", model=BIG))
        while not any(progress.completed for progress in demo.said):
            await asyncio.sleep(0.005)
        demo.http.refuse()
        with pytest.raises(Interrupted):
            await task
        with pytest.raises(Failure, match="connection refused") as refused:
            await demo.do("pull", model=BIG)
        assert refused.value.outcome is Outcome.REFUSED
        await demo.http.start()
        demo.ollama.downloads.bytes_s = 1e12
        assert (await demo.do("pull", model=BIG)).startswith("pulled")
        rising(demo.said)


async def test_lines_without_bytes_are_a_stall() -> None:
    async with demo_ollama(HASTY) as demo:
        demo.ollama.downloads.faults[BIG] = Fault(Trouble.STALLED, 0.0)
        demo.ollama.downloads.bytes_s = 1e6
        with pytest.raises(Interrupted, match=r"no progress for 0\.6 s"):
            await demo.do("pull", model=BIG)


async def test_a_frozen_server_is_a_stall() -> None:
    async def send(writer: Writer) -> None:
        writer.write(HEAD + b"Connection: close\r\n\r\n" + line(completed=10))
        await asyncio.sleep(3600)

    async with pulling(send, HASTY) as (acted, _):
        with pytest.raises(Interrupted, match=r"no progress for 0\.6 s"):
            await acted.do("pull", model=NAME)
        assert acted.said[-1].completed == 10


async def test_a_disk_that_is_full_is_the_end() -> None:
    async with demo_ollama() as demo:
        demo.ollama.downloads.faults[BIG] = Fault(Trouble.DISK_FULL)
        with pytest.raises(Failure, match="the disk is full: make room on the server, then resume"):
            await demo.do("pull", model=BIG)
        assert BIG not in demo.ollama.models


async def test_cancelling_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def send(writer: Writer) -> None:
        try:
            writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(line(completed=10)))
            while True:
                writer.write(chunk(line(completed=10)))
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            gone.set()

    async with pulling(send) as (acted, _):
        task = asyncio.create_task(acted.do("pull", model=NAME))
        while not acted.said:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await gone.wait()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pull_missing", "the registry has no such model: check its name and tag"),
        ("pull_https_mismatch", "the registry speaks plain HTTP, not HTTPS"),
    ],
)
async def test_recorded_refusals(name: str, reason: str) -> None:
    async with pulling(sending((RECORDED / f"{name}.ndjson").read_bytes(), chunked=True)) as (acted, _):
        with pytest.raises((Failure, Interrupted)) as ended:
            await acted.do("pull", model=NAME)
    assert str(ended.value) == reason


async def test_a_registry_that_is_down_can_come_back() -> None:
    async with pulling(sending((RECORDED / "pull_refused.ndjson").read_bytes())) as (acted, _):
        with pytest.raises(Interrupted, match="the registry can't be reached"):
            await acted.do("pull", model=NAME)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pull_big", f"pulled {NAME}, 290 MiB"),
        ("pull_big_again", f"pulled {NAME}, 290 MiB"),
        ("pull_small", f"pulled {NAME}, 442 KiB"),
    ],
)
async def test_recorded_pulls(name: str, words: str) -> None:
    async with pulling(sending((RECORDED / f"{name}.ndjson").read_bytes(), chunked=True)) as (acted, server):
        assert await acted.do("pull", model=NAME) == words
        assert rising(acted.said)[-1] == 1.0
    assert json.loads(server.asked[-1].body) == {"model": NAME, "stream": True, "insecure": False}


async def test_what_was_there_already() -> None:
    async with demo_ollama() as demo:
        assert await demo.do("pull", model="gemma3:12b") == "gemma3:12b was there already, up to date"


async def test_a_recorded_pull_that_was_cut_off() -> None:
    async with pulling(sending((RECORDED / "pull_big_cancelled.ndjson").read_bytes())) as (acted, _):
        with pytest.raises(Interrupted, match="the answer ended before the download did"):
            await acted.do("pull", model=NAME)


@pytest.mark.parametrize(
    ("parts", "kind", "reason"),
    [
        ((line(completed=10), b'{"status":"pul'), Interrupted, "the answer ended in the middle of a line"),
        ((line(completed=10),), Interrupted, "the answer ended before the download did"),
        ((b"",), Interrupted, "the answer ended before the download did"),
        ((b"[1,2]\n",), Failure, "answers, but not as Ollama"),
        ((b'"success"\n',), Failure, "answers, but not as Ollama"),
        ((b'{"status":7,"total":"x"}\n',), Failure, "answers, but not as Ollama"),
        ((b'{"error":{"message":"x"}}\n',), Failure, "answers, but not as Ollama"),
        ((b"\xff\xfe\n",), Interrupted, "the answer ended in the middle of a line"),
        ((b'{"status":"' + b"x" * 10_000_000 + b'"}\n',), Failure, "the server sent a line of more than 1024 KiB"),
        ((b'{"error":"\\u001b[2Jboom"}\n',), Failure, "boom"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_rubbish(parts: tuple[bytes, ...], kind: type[Exception], reason: str, *, chunked: bool) -> None:
    async with pulling(sending(*parts, chunked=chunked)) as (acted, _):
        with pytest.raises((Failure, Interrupted)) as ended:
            await acted.do("pull", model=NAME)
    if not chunked:
        assert type(ended.value) is kind
        assert str(ended.value) == reason
