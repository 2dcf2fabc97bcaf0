"""The options of `quarterdeck compare`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

AddFleet = Callable[[argparse.ArgumentParser, object], None]
_EPILOG = """\
A model is MODEL@ENDPOINT, ENDPOINT/MODEL, or MODEL where only one endpoint has it. Exit codes: 0 all passed (or answered), 1 something
failed, or too little passed (--fail-under), 2 wrong usage, forbidden by [policy] or not agreed to, nothing could be asked;
130 interrupted (what was answered is kept)."""
EFFORTS = ("none", "low", "medium", "high")


def add(commands: argparse._SubParsersAction[Any], add_fleet: AddFleet, *, needed: bool) -> None:
    """The command, and its options where it is the one on the line."""
    text = "Ask several models the same: one prompt, or the cases of a file."
    parser = commands.add_parser("compare", help=text, description=text, epilog=_EPILOG, allow_abbrev=False)
    parser.set_defaults(command="compare")
    if not needed:
        return
    add_fleet(parser, argparse.SUPPRESS)
    help_text = "what to ask (@FILE attaches a file, - is stdin); with --cases the template of prompts"
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help=help_text)
    parser.add_argument("-m", "--model", action="append", metavar="MODEL", help="a model to ask (repeatable)")
    _sampling(parser)
    _manner(parser)
    _cases(parser)
    parser.add_argument("--allow-external", action="store_true", help="agree to sending to external endpoints")
    parser.add_argument("--json", action="store_true", help="one JSON document (a prompt: as it is on a pipe)")


def _sampling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the same for all")
    group.add_argument("--system", metavar="TEXT", help="system prompt")
    group.add_argument("--temperature", type=_number(0, 5), metavar="T")
    group.add_argument("--top-p", type=_number(0, 1), metavar="P")
    group.add_argument("--max-tokens", type=_whole(1, 10_000_000), metavar="N")
    group.add_argument("--seed", type=_whole(-(2**53), 2**53), metavar="N")
    group.add_argument("--context", type=_whole(1, 100_000_000), metavar="N", help="context length (Ollama)")
    group.add_argument("--effort", choices=EFFORTS, help="of reasoning")
    group.add_argument("--schema", metavar="FILE", help="JSON Schema that answers have to follow")


def _manner(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how")
    group.add_argument("--repeat", type=_whole(1, 100), metavar="N", help="ask each so often (default: 1)")
    order = group.add_mutually_exclusive_group()
    text = "one after another (default: only models on the same machine)"
    order.add_argument("--serial", action="store_true", help=text)
    order.add_argument("--parallel", action="store_true", help="all at the same time, also on the same machine")
    group.add_argument("--warm-up", action="store_true", help="send each model one token's worth first")


def _cases(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("cases")
    text = "JSONL, CSV, YAML or JSON, also promptfoo's (repeatable)"
    group.add_argument("--cases", action="append", metavar="FILE", help=text)
    group.add_argument(
        "--concurrency", type=_whole(1, 64), metavar="N", help="requests at one time to one endpoint (default: 1)"
    )
    text = "send again so often what failed on the way (default: 0)"
    group.add_argument("--retries", type=_whole(0, 10), default=0, metavar="N", help=text)
    text = "share of cases that each model must pass (default: all)"
    group.add_argument("--fail-under", type=_share, metavar="SHARE", help=text)
    group.add_argument("--allow-python", action="store_true", help="run python expressions of the case files")
    which = group.add_mutually_exclusive_group()
    which.add_argument("--resume", metavar="RUN", help="go on with a run that broke off")
    which.add_argument("--rerun-failed", metavar="RUN", help="ask again what failed in a run")
    which.add_argument("--runs", action="store_true", help="list the runs that are kept")
    which.add_argument("--forget", metavar="RUN", help="delete a run (or: all)")
    group.add_argument("--out", metavar="FILE", help="keep the run in FILE, with prompts and answers")
    text = "write FILE.md, .json, .xml (JUnit) or .html (repeatable)"
    group.add_argument("--report", action="append", metavar="FILE", help=text)


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a number from {low:g} to {high:g}, got {text[:40]!r}")
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text[:40])
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, got {text[:40]!r}")
        return value

    return read


def _share(text: str) -> float:
    """ "0.9" or "90%"."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'expected a share such as 0.9 or "90%", got {text[:40]!r}')
    return value
