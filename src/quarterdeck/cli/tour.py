"""`quarterdeck tour`: the console on the simulated fleet, with a guide."""

from __future__ import annotations

import argparse

from quarterdeck.cli.demo import open_console
from quarterdeck.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Show around until the console is quit."""
    if arguments.fleet or arguments.url:
        raise UsageError(
            "the tour has a fleet of its own",
            hint="Leave out --fleet and --url; in a console the palette has a tour of what it watches.",
        )
    return open_console(arguments, tour=True)
