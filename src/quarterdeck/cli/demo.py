"""`quarterdeck demo`: the console on a simulated fleet, or only its servers."""

from __future__ import annotations

import argparse

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Open the console, or with --serve run the servers until interrupted."""
    if arguments.fleet or arguments.url:
        raise UsageError("the demo has a fleet of its own", hint="Leave out --fleet and --url.")
    if arguments.serve:
        import asyncio

        from quarterdeck.demo.serve import run_servers

        asyncio.run(run_servers(seed=arguments.seed, calm=arguments.calm))
        return 0
    from quarterdeck.cli.console import adjusted, show
    from quarterdeck.tui.contract import EngineLike, Notice

    async def start(engine: EngineLike) -> Notice:
        """The servers end with this process: their stdin is our pipe."""
        from quarterdeck.demo.fleet import start as start_servers

        demo = await start_servers(arguments.seed, calm=arguments.calm)
        engine.add(demo.config.endpoints, demo.config.hosts)
        return Notice("a simulated fleet of real servers on 127.0.0.1; `quarterdeck demo --help` for more")

    return show(adjusted(FleetConfig(), arguments), prepare=start, looking_for="Starting the simulated fleet …")
