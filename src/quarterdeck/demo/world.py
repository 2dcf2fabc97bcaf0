"""The whole simulated fleet on one clock: its servers, what is placed on which GPU, and the trouble that befalls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quarterdeck.demo import exporter as exporters
from quarterdeck.demo import external as externals
from quarterdeck.demo import layout, ollama_talk, placement
from quarterdeck.demo import llamacpp as llamas
from quarterdeck.demo import ollama as ollamas
from quarterdeck.demo import vllm as vllms
from quarterdeck.demo.exporter import MIB, ExporterServer
from quarterdeck.demo.external import ExternalServer
from quarterdeck.demo.http import Handler, Response, Routes, Style
from quarterdeck.demo.job import Profile
from quarterdeck.demo.layout import Member
from quarterdeck.demo.llamacpp import LlamaServer
from quarterdeck.demo.ollama import OllamaServer
from quarterdeck.demo.request import Request
from quarterdeck.demo.scenario import Change, Scenario, Trouble
from quarterdeck.demo.vllm import VllmServer, VllmSpec

WARM_UP_S = 1200.0
"""How long the fleet has been running when it is first seen."""
RUSH = 9.0
"""By how much the arrivals grow while a queue builds up."""

QWEN = VllmSpec(
    model="qwen3-32b",
    root="Qwen/Qwen3-32B-FP8",
    profile=Profile(max_seqs=64, kv_tokens=158_000, step_s=0.0155, step_per_seq_s=0.00018, arrivals=1.4),
    engines=4,
    max_model_len=40_960,
    multiprocess=True,
)
LLAMA = VllmSpec(
    model="llama-3.3-70b-instruct",
    root="/models/Llama-3.3-70B-Instruct-AWQ",
    profile=Profile(
        max_seqs=32, kv_tokens=60_000, step_s=0.034, step_per_seq_s=0.0004, prefill_tps=3200, arrivals=0.55
    ),
)
GEMMA = Profile(
    max_seqs=ollamas.SLOTS,
    kv_tokens=131_072,
    step_s=0.0165,
    step_per_seq_s=0.002,
    prefill_tps=2400,
    arrivals=0.1,
    prompt_median=420,
    cache_hits=0.3,
)
MISTRAL = Profile(
    max_seqs=4,
    kv_tokens=65_536,
    step_s=0.021,
    step_per_seq_s=0.0025,
    prefill_tps=1800,
    arrivals=0.16,
    prompt_median=520,
    cache_hits=0.6,
)


@dataclass(frozen=True, slots=True)
class Node:
    """One server of the fleet, ready to be put on a port."""

    member: Member
    server: VllmServer | OllamaServer | LlamaServer | ExternalServer | ExporterServer
    routes: Routes
    style: Style


class World:
    """Everything that is simulated. ``clock`` counts seconds from any moment; the fleet's first second is its value now."""

    def __init__(
        self, *, seed: int, calm: bool, key: str, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """``key``: what the external provider accepts."""
        self.clock = clock
        self.start = clock()
        self._scenario = Scenario(calm=calm)
        born, name = self.start - WARM_UP_S, f"demo:{seed}"
        self.qwen = VllmServer(QWEN, name, clock, wall, born)
        self.llama = VllmServer(LLAMA, name, clock, wall, born)
        self.workbench = OllamaServer(GEMMA, vram_bytes=46_068 * MIB, seed=name, clock=clock, wall=wall, born=born)
        self.pilot = LlamaServer(
            "mistral-small-3.2-24b-instruct-q4_k_m", MISTRAL, n_ctx=16_384, seed=name, clock=clock, wall=wall, born=born
        )
        self.meridian = ExternalServer(key=key, seed=name, clock=clock, wall=wall, born=born)
        self.nodes = tuple(self._nodes(born))

    def advance(self, now: float) -> None:
        """Let the script go on; the servers themselves advance when they are asked."""
        for change in self._scenario.due(now - self.start):
            self._apply(change, self.start + change.at)

    def settle(self) -> None:
        """Bring every server up to now, so that none has much to catch up with when it is asked."""
        now = self.clock()
        self.advance(now)
        for server in (self.qwen, self.llama, self.workbench, self.pilot, self.meridian):
            server.advance(now)

    def _apply(self, change: Change, at: float) -> None:
        if change.trouble is Trouble.QUEUE:
            self.llama.advance(at)
            self.llama.loads[0].boost = RUSH if change.on else 1.0
        elif change.trouble is Trouble.STALL:
            for load in self.qwen.loads:
                load.stall(change.on, at)
        elif change.trouble is Trouble.KEY:
            self.meridian.rotated = change.on
        else:
            self._bounce(self.llama if change.trouble is Trouble.RESTART else self.pilot, change, at)

    def _bounce(self, server: VllmServer | LlamaServer, change: Change, at: float) -> None:
        if change.on:
            server.advance(at)
            server.down = True
        else:
            server.restart(at)

    def _nodes(self, born: float) -> list[Node]:
        speaking = (
            (layout.QWEN, self.qwen, self.qwen.routes(), vllms.STYLE),
            (layout.LLAMA, self.llama, self.llama.routes(), vllms.STYLE),
            (
                layout.WORKBENCH,
                self.workbench,
                {**self.workbench.routes(), **ollama_talk.routes(self.workbench)},
                ollamas.STYLE,
            ),
            (layout.PILOT, self.pilot, self.pilot.routes(), llamas.STYLE),
            (layout.MERIDIAN, self.meridian, self.meridian.routes(), externals.STYLE),
        )
        nodes = [Node(member, server, self._synced(routes), style) for member, server, routes, style in speaking]
        clock = self.clock
        telling = (
            (layout.ROTTERDAM, placement.rotterdam(self.qwen, clock=clock, born=born)),
            (layout.ANTWERP, placement.antwerp(self.llama, self.workbench, clock=clock, born=born)),
            (layout.PIRAEUS, placement.piraeus(self.pilot, clock=clock, born=born)),
        )
        nodes += [Node(member, host, self._synced(host.routes()), exporters.STYLE) for member, host in telling]
        return nodes

    def _synced(self, routes: Routes) -> Routes:
        def before(handler: Handler) -> Handler:
            async def after(request: Request) -> Response:
                self.advance(self.clock())
                return await handler(request)

            return after

        return {route: before(handler) for route, handler in routes.items()}
