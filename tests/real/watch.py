"""A running engine under observation: every row it ever showed is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.limits import Limits

from .waiting import STEP_S, wait_until

DEFAULT_LIMITS = Limits()


def fleet_of(*specs: EndpointSpec, poll: float = 2.0, limits: Limits = DEFAULT_LIMITS) -> FleetConfig:
    """A fleet of endpoints only."""
    return FleetConfig(endpoints=specs, console=ConsoleSettings(poll=poll), limits=limits)


@dataclass(slots=True)
class Watch:
    """What an engine showed, looked at many times between two polls."""

    engine: Engine
    seen: list[EndpointView] = field(default_factory=list)
    """Every row of every endpoint, in the order in which they came."""
    oldest: dict[str, float] = field(default_factory=dict)
    """By name: the greatest age of an endpoint's numbers, seconds."""

    def look(self) -> None:
        """Take down the snapshot of now."""
        snapshot = self.engine.snapshot()
        known = {id(view) for view in self.seen[-2 * len(snapshot.endpoints) :]}
        for view in snapshot.endpoints:
            if id(view) not in known:
                self.seen.append(view)
            if view.answered is not None:
                age = snapshot.at - view.answered
                self.oldest[view.name] = max(age, self.oldest.get(view.name, 0.0))

    def view(self, name: str) -> EndpointView:
        """The row of an endpoint now."""
        self.look()
        return next(view for view in self.engine.snapshot().endpoints if view.name == name)

    def states(self, name: str) -> list[State]:
        """The states an endpoint went through, repeats left out."""
        states: list[State] = []
        for view in self.seen:
            if view.name == name and view.state is not None and states[-1:] != [view.state]:
                states.append(view.state)
        return states

    async def until(self, name: str, condition: Callable[[EndpointView], bool], *, within: float) -> EndpointView:
        """The row of an endpoint, as soon as ``condition`` holds for it."""
        found: list[EndpointView] = []

        def holds() -> bool:
            found[:] = [self.view(name)]
            return condition(found[0])

        try:
            await wait_until(f"what was waited for of {name}", holds, within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}; states so far {self.states(name)}, now {found[0]}") from None
        return found[0]

    async def until_state(self, name: str, state: State, *, within: float) -> EndpointView:
        """The row of an endpoint, as soon as it is in ``state``."""
        return await self.until(name, lambda view: view.state is state, within=within)


@contextlib.asynccontextmanager
async def watching(fleet: FleetConfig) -> AsyncIterator[Watch]:
    """An engine that runs as long as the block. Whatever happened in it, no rate may ever have been negative."""
    engine = Engine(fleet)
    watch = Watch(engine)

    async def look() -> None:
        while True:
            watch.look()
            await asyncio.sleep(STEP_S)

    await engine.start()
    looking = asyncio.create_task(look())
    try:
        yield watch
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await engine.stop()
    assert_no_negative_rate(watch.seen)


def assert_no_negative_rate(rows: list[EndpointView]) -> None:
    """A counter that begins again must not be taken for tokens that were taken back."""
    for view in rows:
        rates = [view.generation_tps, view.prompt_tps, *view.tps_history]
        rates += [replica.generation_tps for replica in view.replicas]
        assert all(rate is None or rate >= 0 for rate in rates), view
