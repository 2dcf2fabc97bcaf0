"""A fake stream and desk for chats: answers are scripts, and nothing is sent anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes import FakeEngine, FrozenClock, endpoint_view, model, snapshot
from quarterdeck.config.fleet import ChatSettings, ConsoleSettings, EndpointSpec, FleetConfig
from quarterdeck.engine.chat.attaching import Prompt
from quarterdeck.engine.clock import Clock
from quarterdeck.model.chat.answer import Piece, Usage
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.chat.request import ChatRequest
from quarterdeck.model.fleet import Boundary, FleetSnapshot
from quarterdeck.model.models import ModelState
from quarterdeck.model.own import OwnRequest
from quarterdeck.wire.failure import Failure

DONE = Piece(finish="stop", usage=Usage(prompt_tokens=12, output_tokens=5))


@dataclass
class Script:
    """What an endpoint answers: pieces, failures to raise, events to wait for, functions to call."""

    steps: list[Piece | str | BaseException | asyncio.Event | Callable[[], None]]


def answer(*texts: str) -> Script:
    """A plain answer."""
    return Script([*texts, DONE])


@dataclass
class Wire:
    """In the place of `quarterdeck.endpoints.chat.open.stream`."""

    scripts: dict[str, list[Script]] = field(default_factory=dict)
    asked: list[tuple[str, ChatRequest]] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    def on(self, endpoint: str, *scripts: Script) -> None:
        """What comes there, request by request; the last one again and again."""
        self.scripts[endpoint] = list(scripts)

    async def stream(
        self, spec: EndpointSpec, engine: str, request: ChatRequest, *, tunnel: Any = None, on_sent: Any = None
    ) -> AsyncIterator[Piece]:
        self.asked.append((spec.name, request))
        if on_sent is not None:
            on_sent()
        left = self.scripts.get(spec.name) or [answer("yes")]
        script = left.pop(0) if len(left) > 1 else left[0]
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            for step in script.steps:
                await asyncio.sleep(0)
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif callable(step):
                    step()
                else:
                    yield step if isinstance(step, Piece) else Piece(text=step)
        finally:
            self.open -= 1

    def prompts(self, endpoint: str) -> list[str]:
        """The last messages that went there."""
        return [request.messages[-1].text for name, request in self.asked if name == endpoint]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The stream of every chat of the test."""
    import quarterdeck.endpoints.chat.open as opening

    fake = Wire()
    monkeypatch.setattr(opening, "stream", fake.stream)
    return fake


class NoTunnels:
    """Opens nothing."""

    def tunnel(self, spec: EndpointSpec, clock: Clock) -> None:
        return None


def fleet_file(policy: Policy | None = None, **console: Any) -> FleetConfig:
    """Two inside, two outside."""
    return FleetConfig(
        endpoints=(
            EndpointSpec("lab", "http://127.0.0.1:11434", engine="ollama", host="box"),
            EndpointSpec("prod", "http://127.0.0.1:8000", engine="vllm", host="box"),
            EndpointSpec("cloud", "https://api.together.ai/v1", engine="openai", boundary=Boundary.EXTERNAL),
            EndpointSpec("other", "https://openrouter.ai/api/v1", engine="openai", boundary=Boundary.EXTERNAL),
        ),
        console=ConsoleSettings(**console),
        policy=policy or Policy(external=Rule.ASK),
        chat=ChatSettings(),
    )


def fleet_view() -> FleetSnapshot:
    """The same, as it is."""
    return snapshot(
        endpoint_view("lab", engine="ollama", host="box", waiting=0, models=(model("qwen3:8b"), model("gemma3:12b", ModelState.INSTALLED))),
        endpoint_view("prod", engine="vllm", host="box", waiting=4, models=(model("qwen3-32b", ModelState.SERVED),)),
        endpoint_view("cloud", engine="openai", boundary=Boundary.EXTERNAL, models=(model("atlas", ModelState.SERVED),)),
        endpoint_view("other", engine="openai", boundary=Boundary.EXTERNAL, models=(model("nova", ModelState.SERVED),)),
    )  # fmt: skip


class FakeDesk(FakeEngine):
    """An engine that prompts can be sent from."""

    def __init__(self, clock: FrozenClock | None = None, config: FleetConfig | None = None) -> None:
        super().__init__(newest=fleet_view(), fleet=config or fleet_file())
        self.frozen = clock or FrozenClock()
        self.clock = self.frozen.clock
        self.opening = NoTunnels()
        self.own: list[tuple[str, OwnRequest]] = []

    def note_own(self, name: str, request: OwnRequest) -> None:
        self.own.append((name, request))


def failure(reason: str) -> Failure:
    """As the wire raises it."""
    from quarterdeck.model.reading import Outcome

    return Failure(Outcome.REFUSED, reason)


def typed(text: str) -> Prompt:
    """A prompt without files."""
    return Prompt(text, text)


async def settle(turns: int = 60) -> None:
    """Let tasks run."""
    for _ in range(turns):
        await asyncio.sleep(0)
