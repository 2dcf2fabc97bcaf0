"""However the bytes of an answer are cut, it is the same answer: both interfaces, all line ends, a key and terminal sequences split."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_desk import prompt
from quarterdeck.endpoints.chat import ollama, openai
from quarterdeck.endpoints.chat.cleaning import Cleaning
from quarterdeck.endpoints.chat.lines import LONGEST_LINE, MOST_BYTES, lines
from quarterdeck.endpoints.chat.open import _cleaned
from quarterdeck.endpoints.chat.thinking import Thinking
from quarterdeck.model.chat.answer import Answer, Piece
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.redaction import Redactor
from recorded import recorded

KEY = "sk-topsecretkey"


class Chunks(httpx.AsyncByteStream):
    """A body in these chunks."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class Canned(Fetch):
    """Answers with a body in chunks, and knows a key."""

    def __init__(self, chunks: Sequence[bytes], kind: str) -> None:
        super().__init__(Target("http://127.0.0.1:1"))
        self._response = httpx.Response(200, headers={"content-type": kind}, stream=Chunks(chunks))

    @property
    def secret(self) -> str:
        """The key."""
        return KEY

    @asynccontextmanager
    async def streaming(
        self, path: str, payload: object, *, most: int = 0, method: str = "POST"
    ) -> AsyncIterator[httpx.Response]:
        """The answer, whatever is asked."""
        del path, payload, most, method
        yield self._response


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[a:b] for a, b in pairwise(edges)]


async def answered(engine: str, chunks: Sequence[bytes], kind: str) -> Answer:
    fetch = Canned(chunks, kind)
    speaking = ollama.speak(fetch, prompt()) if engine == "ollama" else openai.speak(fetch, engine, prompt())
    answer = Answer("e", "m", 0.0)
    async with aclosing(_cleaned(fetch, speaking)) as pieces:
        async for piece in pieces:
            answer.take(piece, 1.0)
    return answer


def facts(answer: Answer) -> tuple[object, ...]:
    tools = {index: (call.name, call.arguments) for index, call in answer.tools.items()}
    return (
        answer.text,
        answer.reasoning,
        tools,
        answer.finish,
        answer.usage,
        answer.timings,
        answer.answered_by,
        answer.notes,
    )


def event(content: str | None = None, finish: str | None = None, **delta: object) -> bytes:
    told = {"model": "m-2", "choices": [{"delta": {"content": content, **delta}, "finish_reason": finish}]}
    return b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"


def tool(arguments: str, **more: object) -> dict[str, object]:
    return {"index": 0, "function": {"arguments": arguments, **more}}


SSE = (
    b": OPENROUTER PROCESSING\n\n"
    + event(reasoning="h\u00fcm ")
    + event("Gr\u00fc\u00dfe \U0001f6a2 \x1b[3")
    + event("1mred\x1b]0;ti")
    + event(f"tle\x07 {KEY[:6]}")
    + event(f"{KEY[6:]}!", tool_calls=[tool('{"a', name="get")])
    + event(tool_calls=[tool(f'": "{KEY[:4]}')])
    + event(tool_calls=[tool(f'{KEY[4:]}"}}')])
    + event(finish="tool_calls")
    + b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}\n\ndata: [DONE]\n\n'
)
THINKS = event("<thi") + event("nk>\nhm</th") + event("ink>\n\nfour") + event(finish="stop")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@given(places=st.lists(st.integers(0, 10_000), max_size=40))
def test_events(end: bytes, places: list[int]) -> None:
    body = SSE.replace(b"\n", end)
    answer = asyncio.run(answered("openai", cut(body, places), "text/event-stream"))
    assert answer.text == "Gr\u00fc\u00dfe \U0001f6a2 red [key]!"
    assert answer.reasoning == "h\u00fcm "
    assert answer.tools[0].arguments == '{"a": "[key]"}'
    assert (answer.finish, answer.usage.output_tokens, answer.answered_by) == ("tool_calls", 9, "m-2")


@given(places=st.lists(st.integers(0, 10_000), max_size=40))
def test_thinking_in_tags(places: list[int]) -> None:
    answer = asyncio.run(answered("llamacpp", cut(THINKS, places), "text/event-stream"))
    assert (answer.text, answer.reasoning) == ("four", "hm")


@pytest.mark.parametrize(
    ("engine", "file"),
    [("vllm", "vllm.sse"), ("llamacpp", "llamacpp.sse"), ("litellm", "litellm.sse"), ("ollama", "ollama.jsonl")],
)
@given(places=st.lists(st.integers(0, 100_000), max_size=40))
def test_recorded_ones(engine: str, file: str, places: list[int]) -> None:
    body = recorded(f"chat/{file}")
    kind = "application/x-ndjson" if engine == "ollama" else "text/event-stream"
    whole = asyncio.run(answered(engine, [body], kind))
    assert whole.text
    assert facts(asyncio.run(answered(engine, cut(body, places), kind))) == facts(whole)


async def test_one_byte_at_a_time() -> None:
    chunks = [SSE[at : at + 1] for at in range(len(SSE))]
    whole = await answered("openai", [SSE], "text/event-stream")
    assert facts(await answered("openai", chunks, "text/event-stream")) == facts(whole)


@given(st.lists(st.binary(max_size=12), max_size=12), st.sampled_from(["openai", "ollama"]))
def test_any_bytes_at_all(chunks: list[bytes], engine: str) -> None:
    kind = "application/x-ndjson" if engine == "ollama" else "text/event-stream"
    with pytest.raises(Failure) as failed:
        asyncio.run(answered(engine, chunks, kind))
    assert failed.value.reason.isprintable()


async def lines_of(chunks: Sequence[bytes]) -> list[bytes]:
    response = httpx.Response(200, stream=Chunks(chunks))
    return [line async for line in lines(response)]


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b""]), max_size=30))
def test_lines(chunks: list[bytes]) -> None:
    body = b"".join(chunks)
    expected = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    assert asyncio.run(lines_of(chunks)) == (expected if expected[-1] else expected[:-1])


async def test_a_line_without_end_is_no_flood() -> None:
    with pytest.raises(Failure, match="line longer than 1 MiB"):
        await lines_of([b"x" * 1000] * (10 * LONGEST_LINE // 1000))
    assert sum(map(len, await lines_of([b"x"] * 200_000))) == 200_000


async def test_an_answer_without_end_is_no_flood() -> None:
    with pytest.raises(Failure, match="larger than 64 MiB"):
        await lines_of([(b"x" * 1023 + b"\n") * 1024] * (MOST_BYTES // 2**20 + 1))


# ---- terminal sequences


def cleaned(parts: Sequence[str], secret: str = "") -> str:
    cleaning = Cleaning(secret, Redactor(secret).text if secret else str)
    pieces = [cleaning.piece(Piece(text=part)) for part in parts] + [cleaning.rest()]
    return "".join(piece.text for piece in pieces if piece is not None)


@given(
    st.lists(
        st.sampled_from(
            ["a", "\n", "7;", "\x1b[1;31m", "\x9b2J", "\x1b]0;title\x07", "\x1bP1$q\x1b\\", "\x1b(B", "\x07"]
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 100), max_size=12),
)
def test_sequences_vanish_however_they_are_cut(said: list[str], places: list[int]) -> None:
    text = "".join(said)
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    expected = "".join(part for part in said if part in ("a", "\n", "7;"))
    assert cleaned([text[a:b] for a, b in pairwise(edges)]) == expected


@given(st.text(), st.lists(st.integers(0, 100), max_size=5))
def test_no_control_character_comes_through_whatever_comes(text: str, places: list[int]) -> None:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    clean = cleaned([text[a:b] for a, b in pairwise(edges)])
    assert not any((ord(one) < 0x20 and one not in "\n\t") or 0x7F <= ord(one) < 0xA0 for one in clean)


def test_a_sequence_that_never_ends_holds_nothing_back() -> None:
    assert cleaned(["\x1b]52;", "x" * 300, " text"]) == "]52;" + "x" * 300 + " text"
    assert cleaned(["text\x1b[3"]) == "text"
    assert len(cleaned(["\x90" * 500_000 + "\x1b\x1b"])) == 0  # in no time
    assert cleaned(["\x1b]" * 300_000]) == "]" * 299_999


def test_half_a_key_at_the_end_is_taken_out_and_a_letter_of_it_is_not() -> None:
    assert cleaned(["it is sk-topsec", "retke"], KEY) == "it is [key]"
    assert cleaned(["the desk: s"], KEY) == "the desk: s"


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_key_is_taken_out_wherever_it_is_cut(first: int, second: int) -> None:
    secret = "sk-topsecretkey"
    said = f"your key is {secret}, and once more {secret}"
    cleaning = Cleaning(secret, Redactor(secret).text)
    cuts = sorted({first, min(first + second, len(said))})
    parts = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    clean = [piece for part in parts if (piece := cleaning.piece(Piece(text=part))) is not None]
    rest = cleaning.rest()
    text = "".join(piece.text for piece in clean) + (rest.text if rest else "")
    assert text == "your key is [key], and once more [key]"


# ---- thinking in tags


@given(st.lists(st.integers(1, 12), max_size=20))
def test_thinking_tags_however_they_are_cut(cuts: list[int]) -> None:
    said = " <think>\nLet me <see>.</think>\n\nThe answer is </think> 4."
    thinking, at = Thinking(), 0
    pairs = []
    for cut in cuts:
        pairs.append(thinking.feed(said[at : at + cut]))
        at += cut
    pairs += [thinking.feed(said[at:]), thinking.rest()]
    assert "".join(pair[0] for pair in pairs) == "The answer is </think> 4."
    assert "".join(pair[1] for pair in pairs) == "Let me <see>."


@pytest.mark.parametrize("said", ["", " ", "<thin", "<thinking> no", "plain", "x <think>y</think>"])
def test_what_is_no_thinking_stays(said: str) -> None:
    thinking = Thinking()
    answer = thinking.feed(said)[0] + thinking.rest()[0]
    assert answer == said
