"""The options of `watch`, `events` and `alerts`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

AddFleet = Callable[[argparse.ArgumentParser, object], None]
TOPICS = ("state", "restart", "model", "job", "alert", "action", "sink")
"""`quarterdeck.model.happening.Topic`, which only `run` imports."""


def whole(text: str) -> int:
    """A whole number above 0, for argparse."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:12]) <= 100_000:
        raise argparse.ArgumentTypeError("expected a whole number from 1 to 100000")
    return int(text)


def watch(parser: argparse.ArgumentParser, add_fleet: AddFleet, seconds: Callable[[str], float]) -> None:
    """`quarterdeck watch`."""
    add_fleet(parser, argparse.SUPPRESS)
    text = "how often to poll (default: the fleet file's, 2)"
    parser.add_argument("--interval", type=seconds, default=argparse.SUPPRESS, metavar="SECONDS", help=text)
    text = "also record what is seen, to be played by `replay`"
    parser.add_argument("--record", metavar="FILE", default=argparse.SUPPRESS, help=text)
    parser.epilog = (
        "SIGTERM and Ctrl-C end it, SIGHUP has it read the fleet file again. Exit code 0: it was told to stop."
    )


def replay(parser: argparse.ArgumentParser) -> None:
    """`quarterdeck replay`."""
    parser.add_argument("file", metavar="FILE", help="a recording")
    text = "how fast, from 0.25 to 64 (default: 1); < and > change it"
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="N", help=text)
    text = 'where to begin: "14:03:21", an ISO time, "+10m" from its beginning, "-5m" from its end'
    parser.add_argument("--from", dest="start", metavar="TIME", help=text)
    text = "theme of the console, for this run"
    parser.add_argument("--theme", metavar="NAME", default=argparse.SUPPRESS, help=text)
    text = "nothing but ASCII on the screen"
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help=text)


def _speed(text: str) -> float:
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0.25 <= speed <= 64:
        raise argparse.ArgumentTypeError("expected a number from 0.25 to 64")
    return speed


def events(parser: argparse.ArgumentParser) -> None:
    """`quarterdeck events`."""
    parser.add_argument("--since", metavar="TIME", help='how far back, such as "1h" or "7d" (default: everything)')
    parser.add_argument("--topic", action="append", choices=TOPICS, help="only such (repeatable)")
    text = "only of these endpoints, machines, GPUs or sinks (repeatable)"
    parser.add_argument("--endpoint", action="append", metavar="GLOB", help=text)
    parser.add_argument(
        "--limit", type=whole, default=100, metavar="N", help="at most so many, the latest (default: 100)"
    )
    from quarterdeck.cli.filtering import add as add_filter

    add_filter(parser, "topic:state !mac age<1h")
    parser.add_argument("--json", action="store_true", help="JSON Lines")
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what happens, until interrupted")


def alerts(parser: argparse.ArgumentParser, add_fleet: AddFleet) -> None:
    """`quarterdeck alerts` and its actions."""
    add_fleet(parser, argparse.SUPPRESS)
    parser.set_defaults(action="list", json=False)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    test = _action(actions, "test", "Send a test alert to every sink, or one. Exit code 1: not all could be told.")
    test.add_argument("sink", nargs="?", metavar="SINK", help="its name in fleet.toml (default: all)")
    test.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document")
    ack = _action(actions, "ack", "Say that an open alert was seen: nobody is told of it again.")
    ack.add_argument("words", nargs="+", metavar="KEY", help="as `quarterdeck alerts` shows it, such as down vllm-a")
    ack.add_argument("--note", default="", metavar="TEXT", help="what others should know")
    silence = _action(
        actions, "silence", "Tell nobody of an alert, a rule, or an endpoint, machine or GPU for a while."
    )
    silence.add_argument("words", nargs="+", metavar="NAME", help="the key of an alert, a rule, or a subject")
    silence.add_argument("--for", required=True, dest="span", metavar="TIME", help='how long, such as "2h"')
    silence.add_argument("--note", default="", metavar="TEXT", help="what others should know")
    unsilence = _action(actions, "unsilence", "Take a silence back.")
    unsilence.add_argument("words", nargs="+", metavar="NAME", help="as it was silenced")
    for action in (test, ack, silence, unsilence):
        add_fleet(action, argparse.SUPPRESS)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(action=name)
    return parser
