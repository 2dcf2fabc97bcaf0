"""Servers that send what nobody can use, and prompts that must be found nowhere afterwards."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chat_desk import FakeDesk, desk_of, prompt
from fake_servers import Asked, Reply, Writer, pages_server, serving
from fakes import endpoint_view
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.config.specs import PriceSpec
from quarterdeck.engine.chat.attaching import Prompt
from quarterdeck.engine.chat.conversation import Conversation
from quarterdeck.engine.chat.keeping import Chats
from quarterdeck.engine.chat.pricing import priced
from quarterdeck.engine.chat.sending import Exchange, Wish
from quarterdeck.engine.chat.session import Session
from quarterdeck.model.chat.answer import MOST_CALLS, TOO_MANY_CALLS, Answer, Ending, Piece, ToolCall, Usage
from quarterdeck.model.chat.price import Price

STREAM = {"Content-Type": "text/event-stream"}
MARKER = "walrus-9041-paper"


def events(*told: object) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in told) + b"data: [DONE]\n\n"


def delta(**said: object) -> dict[str, object]:
    return {"choices": [{"delta": said}]}


END = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


async def asked(body: bytes, engine: str = "vllm", **config: object) -> Answer:
    async with pages_server({"*": Reply(body, headers=STREAM)}) as server:
        desk = desk_of(EndpointSpec("a", server.url, engine), **config)  # type: ignore[arg-type]
        return await Exchange(desk, Session(), Wish("a", prompt())).run()


async def test_tool_calls_without_end_are_bounded_and_said() -> None:
    calls = [
        delta(tool_calls=[{"index": at * 50 + n, "function": {"name": "f", "arguments": "{}"}} for n in range(50)])
        for at in range(200)
    ]
    answer = await asked(events(*calls, END))
    assert (answer.ending, len(answer.tools)) == (Ending.DONE, MOST_CALLS)
    assert TOO_MANY_CALLS in answer.notes


def test_arguments_in_many_pieces_are_not_copied_each_time() -> None:
    """A hundred times as many pieces take about as much more time, not ten thousand times as much."""
    answer = Answer("a", "m", 0.0)
    piece = Piece(tools=(ToolCall(0, "", "x" * 100),))
    for _ in range(200_000):
        answer.take(piece, 0.0)
    assert len(answer.tools[0].arguments) == 20_000_000


@pytest.mark.parametrize("number", [2**63 - 1, 10**400, 1e308, -1, float("inf"), "7", None])
async def test_numbers_that_make_no_sense_end_nothing(number: object) -> None:
    usage = {"prompt_tokens": number, "completion_tokens": number, "prompt_tokens_details": {"cached_tokens": number}}
    prices = (PriceSpec("a", "m", 1e6, 1e6, 1e6),)
    for more in ({}, {"cost": number}):
        answer = await asked(events(delta(content="Hi"), END, {"choices": [], "usage": usage | more}), prices=prices)
        assert (answer.text, answer.ending) == ("Hi", Ending.DONE)
        assert answer.cost is None or 0 <= answer.cost < float("inf")


def test_a_price_list_that_makes_no_sense_costs_nothing_known() -> None:
    answer = Answer("a", "m", 0.0, usage=Usage(1, 2))
    view = endpoint_view("a", prices={"m": Price(float("inf"), float("nan"), source="its list")})
    priced(desk_of().fleet, desk_of(views=(view,)).snapshot(), answer)
    assert answer.cost is None


async def test_deep_json_and_names_that_move_the_cursor() -> None:
    deep = b"data: " + b'{"a":' * 100_000 + b"\n\n"
    answer = await asked(events(delta(content="Hi"))[:-14] + deep)
    assert (answer.text, answer.ending, answer.reason) == ("Hi", Ending.FAILED, "it sends what is no JSON")
    answer = await asked(events(delta(content="Hi"), END | {"model": "\x1b[2J\x07evil\nname"}))
    (note,) = answer.notes
    assert note.isprintable()


async def test_reasoning_without_end_is_bounded() -> None:
    thought = json.dumps(delta(reasoning="x" * 500_000)).encode()

    async def respond(_: Asked, writer: Writer) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"data: " + thought + b"\n\n")
            await writer.drain()

    async with serving(respond) as server:
        desk = desk_of(EndpointSpec("a", server.url, "vllm"))
        answer = await Exchange(desk, Session(), Wish("a", prompt())).run()
    assert answer.ending is Ending.FAILED
    assert answer.reason.startswith("the answer is larger than ")
    assert len(answer.reasoning) <= 64 * 2**20


def told(event: asyncio.Event) -> Callable[[Piece], None]:
    """What notes that something came."""
    return lambda _: event.set()


async def test_twenty_cancelled_streams_leave_no_task_and_no_connection() -> None:
    open_now: set[object] = set()

    async def respond(_: Asked, writer: Writer) -> bool:
        open_now.add(writer)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        try:
            while True:
                writer.write(events(delta(content="x"))[:-14])
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            return False
        finally:
            open_now.discard(writer)

    async with serving(respond) as server:
        desk = desk_of(EndpointSpec("a", server.url, "vllm"))
        came = [asyncio.Event() for _ in range(20)]
        tasks = [asyncio.create_task(Exchange(desk, Session(), Wish("a", prompt())).run(told(event))) for event in came]
        for event in came:
            await event.wait()
        for task in tasks:
            task.cancel()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(20):
            while open_now:
                await asyncio.sleep(0)
        assert all(task.cancelled() for task in tasks)


async def test_with_saving_off_a_prompt_is_found_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Answered, refused with the prompt in the error, half-way, forbidden, cancelled: nothing of it on disk or in logs."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    logging.getLogger().addHandler(handler := logging.FileHandler(tmp_path / "all.log"))
    asyncio.get_running_loop().set_debug(True)
    began = time.time()
    echo = json.dumps({"error": {"message": f"can't answer {MARKER}"}}).encode()
    replies = {
        "ok": Reply(events(delta(content=MARKER), END), headers=STREAM),
        "refused": Reply(echo, status=400, headers={"Content-Type": "application/json"}),
        "error": Reply(b"data: " + echo + b"\n\n", headers=STREAM),
        "half": Reply(events(delta(content=MARKER))[:-14], headers=STREAM),
    }
    try:
        for engine in ("vllm", "ollama"):
            for reply in replies.values():
                async with pages_server({"*": reply}) as server:
                    desk = desk_of(EndpointSpec("a", server.url, engine))
                    talk = Conversation(desk, Session())
                    talk.add("a", "m")
                    talk.settings.system = f"system {MARKER}"
                    talk.send(Prompt(MARKER, MARKER))
                    if reply is replies["half"]:
                        talk.cancel_all()
                    for column in talk.columns:
                        assert column.task is not None
                        await asyncio.wait({column.task})
                    assert talk.columns[0].turns[0].ended
                    await talk.stop()
    finally:
        asyncio.get_running_loop().set_debug(False)
        logging.getLogger().removeHandler(handler)
        handler.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_mtime >= began - 1]
    assert tmp_path / "all.log" in files
    assert [path for path in files if MARKER.encode() in path.read_bytes()] == []
    assert MARKER not in caplog.text


async def test_saving_on_the_same_search_finds_it(tmp_path: Path) -> None:
    """The search above can fail."""
    desk: FakeDesk = desk_of()
    answer = Answer("a", "m\ud800", desk.clock.monotonic())
    chats = Chats(tmp_path / "chats.db")
    chats.path.touch(0o644)
    chats.path.chmod(0o644)
    chats.save("s", prompt(MARKER), answer)
    assert any(MARKER.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert chats.path.stat().st_mode & 0o077 == 0
