"""The options of `probe`, `export` and `config`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarterdeck.cli.oncall import AddFleet


def probe(parser: argparse.ArgumentParser, add_fleet: AddFleet) -> None:
    """`quarterdeck probe`."""
    add_fleet(parser, argparse.SUPPRESS)
    parser.add_argument("endpoint", metavar="ENDPOINT", help="its name, as `quarterdeck status` shows it")
    parser.add_argument("--model", metavar="NAME", help="the model to ask (default: the first that is in memory)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def export(parser: argparse.ArgumentParser, add_fleet: AddFleet, seconds: Callable[[str], float]) -> None:
    """`quarterdeck export`."""
    add_fleet(parser, argparse.SUPPRESS)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--listen", metavar="ADDRESS", help="where to answer (default: 127.0.0.1:9788)")
    place.add_argument("--textfile", metavar="FILE.prom", help="write this file each interval, for node_exporter")
    text = "how often to poll (default: the fleet file's, 2)"
    parser.add_argument("--interval", type=seconds, default=argparse.SUPPRESS, metavar="SECONDS", help=text)


def config(parser: argparse.ArgumentParser, add_fleet: AddFleet) -> None:
    """`quarterdeck config`."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, text in (
        ("check", "Say everything that is wrong with the file."),
        ("show", "Print the configuration in force."),
        ("init", "Write a commented file from what runs here; never overwrites."),
        ("schema", "Print the JSON Schema of fleet.toml, for editors."),
        ("keys", "List the keys of the console, by view, and where each was said ([keys] of the file, keys.toml)."),
    ):
        action = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name in ("check", "show", "keys"):
            add_fleet(action, argparse.SUPPRESS)
        if name == "show":
            action.add_argument("--origin", action="store_true", help="with each value say where it comes from")
        if name == "keys":
            action.add_argument(
                "view", nargs="?", metavar="VIEW", help="only of this view, such as fleet; default: all"
            )
        if name == "init":
            action.add_argument("file", nargs="?", default="fleet.toml", metavar="FILE", help="default: ./fleet.toml")
