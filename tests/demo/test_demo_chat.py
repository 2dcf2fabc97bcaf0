"""The simulated servers' answers as the chat takes them in: reasoning, tokens, timings, cost."""

from __future__ import annotations

import pytest

from chat_desk import prompt
from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.endpoints.chat.open import stream
from quarterdeck.model.chat.answer import Answer

MEMBERS = {
    "qwen-chat": ("vllm", "qwen3-32b"),
    "pilot": ("llamacpp", "m"),
    "meridian": ("openai", "meridian/compass-reasoning"),
    "workbench": ("ollama", ""),
}
THOUGHT = "The question is simulated, so is this thought."


async def answered(urls: dict[str, str], name: str, model: str = "", **sampling: object) -> Answer:
    engine, usual = MEMBERS[name]
    answer = Answer(name, model or usual, 0.0)
    spec = EndpointSpec(name, urls[name], engine, auth=Auth(env="DEMO_KEY") if name == "meridian" else None)
    async for piece in stream(spec, engine, prompt("Say hello.", answer.model, **sampling)):
        answer.take(piece, 1.0)
    return answer


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_KEY", "demo-key")


@pytest.mark.parametrize("name", ["qwen-chat", "pilot", "meridian"])
async def test_reasoning_is_told_apart(fleet_urls: dict[str, str], name: str) -> None:
    answer = await answered(fleet_urls, name, effort="low", max_tokens=40)
    assert answer.reasoning == THOUGHT
    assert answer.text.startswith("This is a simulated answer")
    assert (answer.finish, answer.usage.output_tokens, answer.notes) == ("length", 40, [])
    silent = await answered(fleet_urls, name, effort="none", max_tokens=40)
    assert (silent.reasoning, silent.text[:7]) == ("", "This is")


async def test_a_model_of_ollama_thinks_as_much_as_asked(fleet_urls: dict[str, str]) -> None:
    low = await answered(fleet_urls, "workbench", "qwen3:14b", effort="low")
    high = await answered(fleet_urls, "workbench", "qwen3:14b", effort="high")
    assert low.reasoning == THOUGHT
    assert high.reasoning.count(THOUGHT) == 8
    assert high.text.startswith("This is a simulated answer")
    assert high.timings is not None
    assert high.timings.output_tokens == high.output_tokens == high.pieces


async def test_what_they_measured(fleet_urls: dict[str, str]) -> None:
    llama = (await answered(fleet_urls, "pilot", max_tokens=30)).timings
    assert llama is not None
    assert llama.output_tokens == 30
    assert 10 < (llama.decode_tps or 0) < 60  # as its profile says: 21 ms a step, and what others take
    provider = await answered(fleet_urls, "meridian", max_tokens=30)
    usage = provider.usage
    assert usage.reasoning_tokens == 10
    assert usage.cost == pytest.approx((usage.prompt_tokens or 0) * 0.0000011 + 30 * 0.0000044)
