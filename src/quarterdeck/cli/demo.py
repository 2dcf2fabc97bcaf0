"""`quarterdeck demo`: the console on a simulated fleet, or only its servers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.errors import UsageError

if TYPE_CHECKING:
    from quarterdeck.engine.engine import Engine
    from quarterdeck.tui.contract import EngineLike


def run(arguments: argparse.Namespace) -> int:
    """Open the console, or with --serve run the servers until interrupted."""
    if arguments.fleet or arguments.url:
        raise UsageError("the demo has a fleet of its own", hint="Leave out --fleet and --url.")
    if arguments.serve:
        import asyncio

        from quarterdeck.demo.serve import run_servers

        asyncio.run(run_servers(seed=arguments.seed, calm=arguments.calm))
        return 0
    return open_console(arguments, seed=arguments.seed, calm=arguments.calm)


def open_console(arguments: argparse.Namespace, *, seed: int = 0, calm: bool = False, tour: bool = False) -> int:
    """The console on the simulated fleet, shown around in it or not; its exit code."""
    from quarterdeck.cli.console import adjusted, show
    from quarterdeck.tui.contract import Notice

    async def start(engine: EngineLike) -> Notice:
        """The servers end with this process: their stdin is our pipe."""
        from quarterdeck.demo.fleet import start as start_servers

        demo = await start_servers(seed, calm=calm)
        engine.add(demo.config.endpoints, demo.config.hosts)
        return Notice("a simulated fleet of real servers on 127.0.0.1; `quarterdeck demo --help` for more")

    return show(
        adjusted(FleetConfig(), arguments),
        prepare=start,
        looking_for="Starting the simulated fleet …",
        make_engine=_make_engine,
        record=arguments.record,
        reader=arguments.reader,
        tour=tour,
    )


def _make_engine(fleet: FleetConfig) -> Engine:
    """What happens to simulated servers is nothing to remember."""
    from quarterdeck.engine.alerting.alarms import Alarms
    from quarterdeck.engine.engine import Engine
    from quarterdeck.engine.jobs.board import JobBoard
    from quarterdeck.engine.timeline.witness import Witness

    engine = Engine(fleet, board=JobBoard(), witness=Witness(fleet, keep=False))
    engine.alarms = Alarms(fleet, keep=False)
    return engine
