"""Before anything is sent: which models are meant, and whether it may leave. Then an engine that watches just these."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from quarterdeck.cli.agreeing import question
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.chat.onward import Onward, onward_of
from quarterdeck.engine.chat.session import Session
from quarterdeck.engine.comparing.naming import endpoints_named, target
from quarterdeck.engine.comparing.plan import Order
from quarterdeck.engine.engine import Engine
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.result import Target
from quarterdeck.model.chat.boundary import Rule
from quarterdeck.model.fleet import FleetSnapshot

MOST_MODELS = 32
_FIRST_LOOK_S, _LOOK_EVERY_S = 5.0, 0.02


async def targets_of(names: Sequence[str], fleet: FleetConfig) -> tuple[Target, ...]:
    """The models that are meant, in the order they were named. Raises UsageError."""
    if not names:
        raise UsageError("which models?", hint="Say it with -m MODEL@ENDPOINT, once for each.")
    if len(names) > MOST_MODELS:
        raise UsageError(f"more than {MOST_MODELS} models")
    if not fleet.endpoints:
        raise UsageError("there are no endpoints", hint="Name some with --url or --fleet.")
    known = [spec.name for spec in fleet.endpoints]
    meant = [endpoints_named(name, known) for name in names]
    wanted = None if not all(meant) else sorted({each for some in meant for each in some})
    engine = Engine(replace(fleet, hosts=()))
    try:
        if wanted is not None:
            await engine.once(wanted)
            with contextlib.suppress(UsageError):
                return _resolved(names, engine.snapshot(), wanted)
        await engine.once([name for name in known if wanted is None or name not in wanted])
        return _resolved(names, engine.snapshot(), known)
    finally:
        await engine.stop()


def _resolved(names: Sequence[str], seen: FleetSnapshot, asked: Collection[str]) -> tuple[Target, ...]:
    polled = replace(seen, endpoints=tuple(view for view in seen.endpoints if view.name in asked))
    return tuple(dict.fromkeys(target(name, polled) for name in names))


def specs_of(targets: Iterable[Target], fleet: FleetConfig) -> list[EndpointSpec]:
    """Their endpoints, each once. Raises UsageError."""
    by_name = {spec.name: spec for spec in fleet.endpoints}
    found: dict[str, EndpointSpec] = {}
    for each in targets:
        if each.endpoint not in by_name:
            raise UsageError(f"no endpoint is called {printable(each.endpoint)!r} any more")
        found[each.endpoint] = by_name[each.endpoint]
    return list(found.values())


def agree(
    arguments: argparse.Namespace,
    fleet: FleetConfig,
    session: Session,
    targets: Sequence[Target],
    *,
    files: Sequence[str] = (),
    what: str = "it",
    snapshot: FleetSnapshot | None = None,
) -> None:
    """All of it may be sent, or nothing is: what needs somebody's yes is asked for. Raises UsageError.

    ``snapshot``: what is known of the endpoints; only then can be told what a gateway forwards to.
    """
    specs = specs_of(targets, fleet)
    session.hold(specs)
    for spec in specs:
        verdict = session.verdict(fleet, spec, files, _onward(fleet, spec, targets, snapshot))
        if verdict.rule is Rule.ALLOW:
            continue
        said = f"{printable(spec.name)}: {printable(verdict.reason, 400)}"
        if verdict.rule is Rule.NEVER:
            raise UsageError(said, hint="Nothing was sent.")
        if not arguments.allow_external:
            answer = question(f"{said}. Send {what} there? [y/N]").casefold()
            if answer not in ("y", "yes"):
                raise UsageError(f"{said}; nobody agreed", hint="Nothing was sent. --allow-external agrees beforehand.")
        session.agree(spec.name, files)


def _onward(
    fleet: FleetConfig, spec: EndpointSpec, targets: Sequence[Target], snapshot: FleetSnapshot | None
) -> list[Onward]:
    """Where the models that are asked there would send a prompt on to."""
    if snapshot is None:
        return []
    models = [each.model for each in targets if each.endpoint == spec.name]
    return [one for model in models if (one := onward_of(fleet, snapshot, spec.name, model)) is not None]


def order_of(arguments: argparse.Namespace) -> Order:
    """What runs at the same time."""
    if arguments.serial:
        return Order.SERIAL
    return Order.PARALLEL if arguments.parallel else Order.BY_HOST


def _looked(seen: FleetSnapshot) -> bool:
    """Whether every endpoint and machine has been asked once."""
    return all(view.state is not None for view in seen.endpoints) and all(
        host.at is not None or host.reason for host in seen.hosts
    )


@asynccontextmanager
async def watching(fleet: FleetConfig, targets: Sequence[Target]) -> AsyncIterator[Engine]:
    """An engine that polls these endpoints and their machines, so that each request's circumstances are known."""
    specs = specs_of(targets, fleet)
    hosts = {spec.host for spec in specs}
    engine = Engine(
        replace(fleet, endpoints=tuple(specs), hosts=tuple(spec for spec in fleet.hosts if spec.name in hosts))
    )
    try:
        await engine.start()
        for _ in range(int(_FIRST_LOOK_S / _LOOK_EVERY_S)):
            if _looked(engine.snapshot()):
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        yield engine
    finally:
        await engine.stop()
