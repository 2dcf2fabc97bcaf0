"""The demo fleet in this process, on a clock that the test holds: its real pages, asked for without a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from quarterdeck.config.fleet import Auth, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.demo.http import HttpServer
from quarterdeck.demo.layout import MEMBERS
from quarterdeck.demo.request import Request
from quarterdeck.demo.world import Node, World
from quarterdeck.endpoints.endpoint import Endpoint, target_of
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.engine import Engine
from quarterdeck.hosts.exporters.host import ExporterHost
from quarterdeck.model.fleet import Boundary, FleetSnapshot
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Answer, Fetch, Target
from quarterdeck.wire.refusal import refusal

EPOCH = 1_795_370_400.0
KEY = "demo-key"
KEY_ENV = "QUARTERDECK_TEST_KEY"


class _Direct(Fetch):
    """Hands a GET to the simulated server itself."""

    def __init__(self, target: Target, node: Node, hand: DemoInHand) -> None:
        super().__init__(target, lambda: hand.now)
        self._server = HttpServer(node.routes, node.style)
        self._node = node

    async def _get(self, path: str, most: int) -> Answer:
        if self._node.server.down:
            raise Failure(Outcome.REFUSED, "connection refused")
        parts = urlsplit(self.target.url + path)
        headers = {"host": parts.netloc, **{name.lower(): value for name, value in (await self.headers()).items()}}
        answer = await self._server.answer(Request("GET", parts.path or "/", parts.query, headers))
        body = answer.body
        if answer.stream is not None:
            body = b"".join([chunk async for chunk in answer.stream])
        self.first_answer_s = self.first_answer_s or 0.01
        if answer.status >= 400:
            import httpx

            raise refusal(httpx.Response(answer.status, headers=dict(answer.headers)), body, self.redacted)
        return Answer(answer.status, dict(answer.headers), body)


@dataclass
class DemoInHand:
    """The fleet and an engine on it. ``KEY_ENV`` must be in the environment, with ``KEY``."""

    seed: int = 7
    calm: bool = False
    now: float = 5000.0
    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = World(
            seed=self.seed, calm=self.calm, key=KEY, clock=lambda: self.now, wall=lambda: EPOCH + self.now
        )
        self.nodes = {node.member.name: node for node in self.world.nodes}
        self.clock = Clock(monotonic=lambda: self.now, wall=lambda: EPOCH + self.now)
        self.fleet = FleetConfig(
            endpoints=tuple(_endpoint(node) for node in self.world.nodes if node.member.role == "endpoint"),
            hosts=tuple(
                HostSpec(node.member.name, gpus=f"http://127.0.0.1/{node.member.name}/metrics")
                for node in self.world.nodes
                if node.member.role == "host"
            ),
        )
        self.engine = Engine(self.fleet, clock=self.clock, open_endpoint=self._endpoint, open_host=self._host)

    async def second(self) -> FleetSnapshot:
        """Let a second pass; every other one the fleet is polled."""
        self.now += 1.0
        self.world.settle()
        if int(self.now) % 2 == 0:
            await self.engine.once()
        return self.engine.snapshot()

    def _endpoint(self, spec: EndpointSpec, clock: Clock) -> Endpoint:
        endpoint = Endpoint(spec, monotonic=clock.monotonic, wall=clock.wall)
        endpoint._fetch = _Direct(target_of(spec), self.nodes[spec.name], self)
        return endpoint

    def _host(self, spec: HostSpec, clock: Clock) -> ExporterHost:
        host = ExporterHost(spec, clock.monotonic)
        host._fetch = _Direct(Target("http://127.0.0.1/metrics"), self.nodes[spec.name], self)
        return host


def _endpoint(node: Node) -> EndpointSpec:
    member = node.member
    external = member.boundary is Boundary.EXTERNAL
    return EndpointSpec(
        member.name,
        f"http://127.0.0.1:{9000 + MEMBERS.index(member)}",
        engine=member.engine,
        host=member.host,
        boundary=member.boundary,
        poll=5.0 if external else None,
        auth=Auth(env=KEY_ENV) if external else None,
    )
