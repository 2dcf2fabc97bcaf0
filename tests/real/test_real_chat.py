"""One prompt to four servers at once: what we measure beside what each of them says itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

import pytest

from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.config.specs import PriceSpec
from quarterdeck.engine.chat.sending import Exchange, Wish
from quarterdeck.engine.chat.session import Session
from quarterdeck.engine.engine import Engine
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.request import ChatRequest, Message, Role, Sampling
from quarterdeck.model.models import ModelState

from .servers import Server
from .waiting import wait_until
from .watch import fleet_of

KEY_IN = "QUARTERDECK_TEST_LITELLM_KEY"
TOKENS = 48
ROUNDS = 5
PROMPT = "Count the ships in the harbour, one after the other."
RELATIVE, ABSOLUTE_S = 0.05, 0.02
TTFT, E2E, DECODE = (
    f"vllm:{name}_seconds" for name in ("time_to_first_token", "e2e_request_latency", "request_decode_time")
)


class Pairs:
    """What we measured beside what the server said, round by round."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, what: str, ours: float | None, theirs: float | None) -> None:
        """One round's seconds."""
        assert ours is not None, what
        assert theirs is not None, what
        self._kept[what].append((ours, theirs))

    def assert_agree(self) -> None:
        """In the middle of the rounds within 5 % or 20 ms: what a busy machine does to one round is not what we measure."""
        for what, pairs in self._kept.items():
            apart = median(ours - theirs for ours, theirs in pairs)
            limit = max(ABSOLUTE_S, RELATIVE * median(theirs for _, theirs in pairs))
            assert abs(apart) <= limit, (what, pairs)


@contextmanager
def demo_ollama() -> Iterator[str]:
    """URL of a simulated Ollama, in a process of its own: what it measures must not wait for us."""
    command = [sys.executable, "-m", "quarterdeck", "demo", "--serve", "--calm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        servers = (json.loads(line) for line in process.stdout)
        try:
            yield next(server["url"] for server in servers if server["engine"] == "ollama")
        finally:
            process.terminate()


def told(server: Server, series: str) -> float:
    """The sum of a series of its metrics page."""
    with server.client() as client:
        page = client.get("/metrics").text
    values = [
        float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith((series + "{", series + " "))
    ]
    assert values, series
    return sum(values)


async def asked_all(engine: Engine, wishes: list[Wish]) -> dict[str, Answer]:
    """All at once."""
    session = Session()
    answers = await asyncio.gather(*(Exchange(engine, session, wish).run() for wish in wishes))
    return {answer.endpoint: answer for answer in answers}


def wish(endpoint: str, model: str, text: str = PROMPT, **sampling: object) -> Wish:
    settings = Sampling(max_tokens=TOKENS, temperature=0.0, **sampling)  # type: ignore[arg-type]
    return Wish(endpoint, ChatRequest(model, (Message(Role.USER, text),), settings))


@pytest.mark.alone
async def test_four_at_once_agree_with_their_servers(
    vllm_server: Server, llama_server: Server, litellm_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert litellm_server.key is not None
    monkeypatch.setenv(KEY_IN, litellm_server.key)
    with demo_ollama() as ollama:
        engine = Engine(
            replace(
                fleet_of(
                    EndpointSpec("vllm", vllm_server.url, timeout=5.0),
                    EndpointSpec("llama", llama_server.url, timeout=5.0),
                    EndpointSpec("proxy", litellm_server.url, auth=Auth(env=KEY_IN), timeout=5.0),
                    EndpointSpec("demo", ollama, "ollama"),
                ),
                prices=(PriceSpec("vllm", input=1.0, output=2.0),),
            )
        )
        await engine.once()
        installed = [model.id for model in engine.snapshot().endpoints[3].models if model.state is ModelState.INSTALLED]
        cold = await Exchange(engine, Session(), wish("demo", installed[0])).run()
        assert (cold.ending, cold.cold) == (Ending.DONE, True)
        assert cold.notes[-1].startswith("cold start: loading took ")
        await engine.once()
        names = (vllm_server.model, llama_server.model, llama_server.model, installed[0])
        wishes = [wish(spec.name, model) for spec, model in zip(engine.fleet.endpoints, names, strict=True)]
        await asked_all(engine, wishes)  # a server's first request reads its template and its tokenizer
        pairs = Pairs()
        for _ in range(ROUNDS):
            await engine.once()
            before = {series: told(vllm_server, series) for series in VLLM_SERIES}
            answers = await asked_all(engine, wishes)
            of_vllm = {series: told(vllm_server, series) - before[series] for series in VLLM_SERIES}
            assert_whole(answers)
            see_vllm(pairs, answers["vllm"], of_vllm)
            see_llama(pairs, answers["llama"])
            see_ollama(pairs, answers["demo"])
        await engine.stop()
    pairs.assert_agree()


def assert_whole(answers: Mapping[str, Answer]) -> None:
    """Each came to its end; the proxy says what is behind it."""
    for name, answer in answers.items():
        assert (answer.ending, answer.reason) == (Ending.DONE, ""), name
        assert answer.text, name
        assert answer.finish in ("stop", "length"), name
    proxied, behind = answers["proxy"], answers["llama"]
    assert (proxied.usage.output_tokens, proxied.usage.prompt_tokens) == (TOKENS, behind.usage.prompt_tokens)
    assert proxied.text == behind.text  # the same model, greedily


VLLM_SERIES = (
    *(f"{name}_{part}" for name in (TTFT, E2E, DECODE) for part in ("sum", "count")),
    "vllm:generation_tokens_total",
    "vllm:prompt_tokens_total",
)


def see_vllm(pairs: Pairs, answer: Answer, of_server: Mapping[str, float]) -> None:
    """It had one request meanwhile, so the sums of its histograms are that one's."""
    assert of_server[f"{TTFT}_count"] == of_server[f"{E2E}_count"] == 1
    assert answer.usage.output_tokens == of_server["vllm:generation_tokens_total"] == TOKENS
    assert answer.usage.prompt_tokens == of_server["vllm:prompt_tokens_total"]
    assert answer.cost == pytest.approx(((answer.usage.prompt_tokens or 0) * 1.0 + TOKENS * 2.0) / 1e6)
    assert answer.circumstances.state == "OK"
    pairs.add("vllm TTFT", answer.ttft_s, of_server[f"{TTFT}_sum"])
    pairs.add("vllm total", answer.total_s, of_server[f"{E2E}_sum"])
    pairs.add("vllm decode", decoded(answer), of_server[f"{DECODE}_sum"])


def see_llama(pairs: Pairs, answer: Answer) -> None:
    """By the timings of its last event."""
    assert answer.timings is not None
    assert (answer.output_tokens, answer.timings.output_tokens) == (TOKENS, TOKENS)
    pairs.add("llama decode", decoded(answer), answer.timings.decode_s)


def see_ollama(pairs: Pairs, answer: Answer) -> None:
    """By the durations of its last line."""
    timings = answer.timings
    assert timings is not None
    assert timings.total_s is not None
    assert timings.decode_s is not None
    assert answer.output_tokens == timings.output_tokens
    assert (answer.cold, answer.circumstances.loaded) == (False, True)
    pairs.add("ollama total", answer.total_s, timings.total_s)
    first = timings.total_s - timings.decode_s  # loading, waiting for a place, the prompt
    pairs.add("ollama TTFT", answer.ttft_s, first)


def decoded(answer: Answer) -> float:
    """Seconds from the first to the last token."""
    assert answer.first_at is not None
    assert answer.last_at is not None
    return answer.last_at - answer.first_at


async def test_settings_reach_a_real_vllm_and_what_it_refuses_is_said(vllm_server: Server) -> None:
    engine = Engine(fleet_of(EndpointSpec("vllm", vllm_server.url, timeout=5.0)))
    await engine.once()
    schema = '{"type": "object", "properties": {"ships": {"type": "integer"}}, "required": ["ships"]}'
    same = [wish("vllm", vllm_server.model, seed=7, top_p=0.9, stop=("\n\n\n",)) for _ in range(2)]
    answers = [await Exchange(engine, Session(), each).run() for each in same]
    assert answers[0].text == answers[1].text
    limited = await Exchange(engine, Session(), wish("vllm", vllm_server.model, context_length=512)).run()
    assert "context length can't be set" in limited.notes[0]
    shaped = await Exchange(engine, Session(), wish("vllm", vllm_server.model, schema=schema)).run()
    assert shaped.text.lstrip().startswith("{")
    odd = await Exchange(engine, Session(), wish("vllm", vllm_server.model, top_p=7.0, effort="none")).run()
    assert (odd.ending, odd.notes[0]) == (Ending.DONE, "the server refuses top-p: left out")
    missing = await Exchange(engine, Session(), wish("vllm", "no-such-model")).run()
    assert (missing.ending, missing.reason[:4]) == (Ending.FAILED, "404:")
    long = await Exchange(engine, Session(), wish("vllm", vllm_server.model, "ship " * 9000)).run()
    assert long.ending is Ending.FAILED
    assert "400" in long.reason
    await engine.stop()


async def test_cancelled_ends_the_work_on_a_real_server(vllm_server: Server) -> None:
    engine = Engine(fleet_of(EndpointSpec("vllm", vllm_server.url, timeout=5.0)))
    await engine.once()
    endless = Wish("vllm", ChatRequest(vllm_server.model, (Message(Role.USER, PROMPT),), Sampling(max_tokens=4000)))
    came = asyncio.Event()
    exchange = Exchange(engine, Session(), endless)
    running = asyncio.create_task(exchange.run(lambda _: came.set()))
    await asyncio.wait_for(came.wait(), 60)
    await wait_until("it runs", lambda: told(vllm_server, "vllm:num_requests_running") == 1, within=10)
    running.cancel()
    await asyncio.wait((running,))
    assert exchange.answer.ending is Ending.CANCELLED
    assert exchange.answer.text
    await wait_until("nothing runs", lambda: told(vllm_server, "vllm:num_requests_running") == 0, within=10)
    await engine.stop()
