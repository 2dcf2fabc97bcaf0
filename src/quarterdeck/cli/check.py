"""`quarterdeck check`: one line and an exit code, within --timeout whatever hangs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace

from quarterdeck.cli.fleets import Chosen, chosen, searched
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot, State
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import Level, Verdict, judged, with_problems
from quarterdeck.report.check import line


def run(arguments: argparse.Namespace) -> int:
    """Print the line; the exit code is the level. What can't be checked at all is UNKNOWN, said on the same line."""
    try:
        choice = chosen(arguments)
        snapshot, limits = asyncio.run(_looked(arguments.timeout, choice))
        return _say(snapshot, with_problems(judged(snapshot, limits), choice.problems))
    except QuarterdeckError as error:
        return _say(EMPTY_FLEET, Verdict(Level.UNKNOWN, error.message.replace("\n", "; ")))
    except Exception as error:  # noqa: BLE001  (Python's own exit code for it, 1, would be read as a warning)
        sys.stderr.write(f"quarterdeck check: {type(error).__name__}: {error}\n")
        return int(Level.UNKNOWN)


def _say(snapshot: FleetSnapshot, verdict: Verdict) -> int:
    sys.stdout.write(line(snapshot, verdict) + "\n")
    return int(verdict.level)


async def _looked(seconds: float, choice: Chosen) -> tuple[FleetSnapshot, Limits]:
    """One poll of everything, two of what is DOWN; what has not answered by then has no state."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    fleet, _ = await searched(choice)
    fleet = _without_local_hosts(fleet)
    engine = Engine(fleet)
    try:
        async with asyncio.timeout_at(deadline):
            await engine.once()
            down = {view.name for view in engine.snapshot().endpoints if view.state is State.DOWN}
            if down:  # one missed deadline wakes nobody
                await engine.once(down)
    except TimeoutError:
        pass
    finally:
        snapshot = engine.snapshot()
        await engine.stop()
    return snapshot, fleet.limits


def _without_local_hosts(fleet: FleetConfig) -> FleetConfig:
    """Reading this machine's GPUs can't change the verdict, and would import the driver's library."""
    return replace(fleet, hosts=tuple(host for host in fleet.hosts if host.gpus.startswith("http")))
