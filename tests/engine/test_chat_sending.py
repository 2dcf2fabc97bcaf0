"""One prompt on its way: what is measured, what ends it, and what never leaves."""

from __future__ import annotations

import asyncio
import json
from itertools import product

import pytest

from chat_desk import FakeDesk, desk_of, prompt
from fake_servers import Asked, Reply, Writer, pages_server, serving
from fakes import endpoint_view
from quarterdeck.config.fleet import ChatSettings, ConsoleSettings, EndpointSpec
from quarterdeck.config.specs import PriceSpec
from quarterdeck.engine.chat.sending import Exchange, Wish
from quarterdeck.engine.chat.session import Session
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.chat.price import Price
from quarterdeck.model.chat.request import ChatRequest
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.models import ModelReading, ModelState

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(content: str = "", finish: str | None = None, **more: object) -> bytes:
    told = {"choices": [{"delta": {"content": content}, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


WHOLE = (
    event("Hel")
    + event("lo", "stop")
    + event(usage={"prompt_tokens": 1000, "completion_tokens": 2000, "prompt_tokens_details": {"cached_tokens": 500}})
    + b"data: [DONE]\n\n"
)
STREAMED = Reply(WHOLE, headers={"Content-Type": "text/event-stream"})


async def sent(desk: FakeDesk, request: ChatRequest | None = None, **wish: object) -> Answer:
    name = desk.fleet.endpoints[0].name
    exchange = Exchange(desk, Session(), Wish(name, request or prompt(), **wish))  # type: ignore[arg-type]
    return await exchange.run()


async def test_measured_priced_and_noted() -> None:
    async with pages_server({"*": STREAMED}) as server:
        spec = EndpointSpec("a", server.url, "vllm")
        loaded = ModelReading("m", ModelState.LOADED, size_bytes=10, vram_bytes=5, context_length=4096)
        view = endpoint_view("a", models=(loaded,), running=2, waiting=3)
        prices = (PriceSpec("b", input=9, output=9), PriceSpec("a", "M", 1.0, 0.5, 2.0, date="2026-11-20"))
        desk = desk_of(spec, views=(view,), prices=prices)
        answer = await sent(desk)
    assert (answer.text, answer.ending, answer.reason) == ("Hello", Ending.DONE, "")
    assert answer.ttft_s is not None
    assert answer.total_s is not None
    assert 0 < answer.ttft_s <= answer.total_s
    assert answer.cost == pytest.approx((500 * 1.0 + 500 * 0.5 + 2000 * 2.0) / 1e6)
    assert answer.cost_source == "fleet.toml, 2026-11-20"
    seen = answer.circumstances
    assert (seen.state, seen.running, seen.waiting, seen.loaded, seen.spilled) == ("OK", 2, 3, True, True)
    assert answer.notes == ["a part of the model lies in CPU memory: slower than it could be"]
    ((name, own),) = desk.noted
    assert (name, own.tokens, own.ttft_s) == ("a", 2000, answer.ttft_s)


async def test_the_provider_s_list_is_asked_last_and_unknown_stays_unknown() -> None:
    async with pages_server({"*": STREAMED}) as server:
        spec = EndpointSpec("a", server.url, "openai")
        listed = {"m": Price(1.0, 1.0, source="its list")}
        answer = await sent(desk_of(spec, views=(endpoint_view("a", prices=listed),)))
        assert answer.cost == pytest.approx(0.003)
        assert answer.cost_source == "its list"
        answer = await sent(desk_of(spec, views=(endpoint_view("a"),)))
        assert (answer.cost, answer.cost_source) == (None, "")
        answer = await sent(desk_of(spec, prices=(PriceSpec("a", gpu_hour=3.6),)))
        assert answer.cost == pytest.approx((answer.total_s or 0) / 1000)


async def test_cancelled_keeps_what_came_and_hangs_up() -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def respond(_: Asked, writer: Writer) -> bool:
        writer.write(HEAD + event("Hel"))
        try:
            while True:
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(b": still here\n\n")
        except OSError:
            gone.set()
        return False

    async with serving(respond) as server:
        desk = desk_of(EndpointSpec("a", server.url, "vllm"))
        exchange = Exchange(desk, Session(), Wish("a", prompt()))
        running = asyncio.create_task(exchange.run(lambda _: came.set()))
        await came.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(10):
            await gone.wait()
    assert (exchange.answer.text, exchange.answer.ending) == ("Hel", Ending.CANCELLED)
    assert desk.noted == []


@pytest.mark.parametrize(("first", "said"), [(b"", "no token for 1 s"), (event("Hel"), "no token for 2 s")])
async def test_silence_ends_it(first: bytes, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(_: Asked, writer: Writer) -> bool:
        writer.write(HEAD + first)
        await writer.drain()
        await asyncio.sleep(3600)
        return False

    async with serving(respond) as server:
        spec = EndpointSpec("a", server.url, "vllm")
        answer = await sent(desk_of(spec, chat=ChatSettings(first_token=1.0, silence=2.0)))
    assert (answer.ending, answer.reason) == (Ending.FAILED, said)
    assert answer.text == ("Hel" if first else "")


@pytest.mark.parametrize(
    ("external", "boundary", "mixed", "agreed", "read_only"),
    product(Rule, Boundary, (False, True), (False, True), (False, True)),
)
async def test_the_policy_holds_whoever_sends(
    external: Rule, boundary: Boundary, mixed: bool, agreed: bool, read_only: bool
) -> None:
    async with pages_server({"*": STREAMED}) as server:
        spec = EndpointSpec("a", server.url, "vllm", boundary=boundary)
        desk = desk_of(spec, policy=Policy(external), console=ConsoleSettings(read_only=read_only))
        session = Session()
        if mixed:
            session.hold([EndpointSpec("inside", server.url)])
        if agreed:
            session.agree("a")
        answer = await Exchange(desk, session, Wish("a", prompt())).run()
    leaves = boundary is Boundary.EXTERNAL
    may = not read_only and (not leaves or external is Rule.ALLOW or (external is Rule.ASK and (agreed or not mixed)))
    assert answer.ending is (Ending.DONE if may else Ending.FORBIDDEN)
    assert len(server.asked) == may
    assert server.connections == may
    assert may or answer.reason


async def test_a_file_that_must_not_leave_does_not() -> None:
    async with pages_server({"*": STREAMED}) as server:
        spec = EndpointSpec("a", server.url, "vllm", boundary=Boundary.EXTERNAL)
        policy = Policy(Rule.ALLOW, (("/w", Rule.NEVER), ("/q", Rule.ASK)))
        desk, session = desk_of(spec, policy=policy), Session()
        for files, agreed, ending in (
            (("/w/a",), (), Ending.FORBIDDEN),
            (("/w/a",), ("/w/a",), Ending.FORBIDDEN),
            (("/q/a",), (), Ending.FORBIDDEN),
            (("/q/a",), ("/q/b",), Ending.FORBIDDEN),
            (("/q/a",), ("/q/a",), Ending.DONE),
            (("/x/a",), (), Ending.DONE),
        ):
            session.agree("a", agreed)
            answer = await Exchange(desk, session, Wish("a", prompt(), files)).run()
            assert answer.ending is ending, files


async def test_a_listener_that_fails_ends_its_column_and_hangs_up() -> None:
    gone = asyncio.Event()

    async def respond(_: Asked, writer: Writer) -> bool:
        writer.write(HEAD + event("Hel"))
        try:
            while True:
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(b": still here\n\n")
        except OSError:
            gone.set()
        return False

    def listener(_: object) -> None:
        raise LookupError

    async with serving(respond) as server:
        desk = desk_of(EndpointSpec("a", server.url, "vllm"))
        answer = await Exchange(desk, Session(), Wish("a", prompt())).run(listener)
        assert (answer.text, answer.ending, answer.reason) == (
            "Hel",
            Ending.FAILED,
            "the answer can't be read (LookupError)",
        )
        async with asyncio.timeout(10):
            await gone.wait()


async def test_an_unknown_endpoint_and_a_surprise() -> None:
    answer = await Exchange(desk_of(), Session(), Wish("nobody", prompt())).run()
    assert (answer.ending, answer.reason) == (Ending.FAILED, "no endpoint is called nobody")
    desk = desk_of(EndpointSpec("a", "http://127.0.0.1:1", "vllm"))
    answer = await sent(desk)
    assert (answer.ending, answer.reason) == (Ending.FAILED, "connection refused")
