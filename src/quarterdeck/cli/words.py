"""The words of the command line that act: made from the table of actions, as the console's keys are."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quarterdeck.model.actions import ACTIONS, Action, Argument
from quarterdeck.model.phrasing import Slot, slots, words

if TYPE_CHECKING:
    from quarterdeck.model.job import Option

AddFleet = Callable[[argparse.ArgumentParser, object], None]
EXIT_CODES = """\
Exit codes: 0 done (or begun, with --detach), 1 it failed or was cancelled, 2 wrong usage or fleet.toml, 3 refused (read-only,
protected, not agreed to), 130 interrupted (what was begun goes on)."""
_GROUPS = {"lora": "Load or unload a LoRA adapter of a vLLM."}
"""Words with another one after them."""


def is_first(word: str) -> bool:
    """Whether a word begins a command of this module."""
    own = ("show", "jobs", "audit", "launch", "chats", "compare")
    return word in own or any(word == words(action)[0] for action in ACTIONS)


def add(commands: argparse._SubParsersAction[Any], needed: str, add_fleet: AddFleet) -> None:
    """A command for each action; only the one called ``needed`` gets its arguments."""
    groups: dict[str, argparse._SubParsersAction[Any]] = {}
    for action in ACTIONS:
        first, *rest = words(action)
        into = commands
        if rest:
            if first not in groups:
                group = commands.add_parser(first, help=_GROUPS[first], description=_GROUPS[first], allow_abbrev=False)
                groups[first] = group.add_subparsers(title="actions", metavar="ACTION", required=True)
            into = groups[first]
        text = action.help
        parser = into.add_parser(rest[0] if rest else first, help=text, description=text, allow_abbrev=False)
        parser.set_defaults(command="act", action=action.id)
        if first == needed:
            _arguments(parser, action)
            add_fleet(parser, argparse.SUPPRESS)


def _arguments(parser: argparse.ArgumentParser, action: Action) -> None:
    for slot in slots(action):
        _slot(parser, slot)
    parser.add_argument("--yes", "-y", action="store_true", help="don't ask, where a yes is enough")
    text = "the name of what is protected, in place of typing it (repeatable)"
    parser.add_argument("--confirm", action="append", metavar="NAME", help=text)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done and what it would take, and do nothing"
    )
    parser.add_argument(
        "--detach", action="store_true", help="don't wait for the end; `quarterdeck jobs` shows how far it is"
    )
    parser.add_argument("--read-only", action="store_true", help="refuse to change anything")
    parser.add_argument("--json", action="store_true", help="one JSON document at the end")
    parser.epilog = EXIT_CODES


def _slot(parser: argparse.ArgumentParser, slot: Slot) -> None:
    """A word or an option."""
    if slot.argument is None and slot.option:
        parser.add_argument(slot.option, action="append", metavar=slot.shown, help=slot.help)
    elif slot.argument is None:
        parser.add_argument(slot.name, nargs="+" if slot.many else 1, metavar=slot.shown, help=slot.help)
    elif not slot.option:
        parser.add_argument(slot.name, type=_read(slot.argument), metavar=slot.shown, help=slot.help)
    else:
        group = parser.add_mutually_exclusive_group()
        value = _read(slot.argument)
        group.add_argument(slot.option, type=value, dest=slot.name, metavar=slot.shown, help=slot.help)
        if slot.name == "within":
            text = "end it at once: as --within 0"
            group.add_argument("--now", action="store_const", const="0s", dest="within", help=text)


def _read(argument: Argument) -> Callable[[str], Option]:
    """Reads a value as it is typed; what can't be meant ends the program with exit code 2."""

    def read(text: str) -> Option:
        from quarterdeck.engine.arguments import value_of

        try:
            return value_of(argument, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def add_jobs(commands: argparse._SubParsersAction[Any], *, needed: bool) -> None:
    """`quarterdeck jobs`."""
    text = "Show the jobs, watch one, or cancel, resume or read the log of one."
    parser = commands.add_parser("jobs", help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command="jobs", action="list", ids=[])
    if not needed:
        return
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--all", action="store_true", help="those that have ended, too (default: of the last day)")
    from quarterdeck.cli.filtering import add as add_filter

    add_filter(parser, "state:failed action:pull")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    for name, help_text, number in (
        ("watch", "Follow jobs until they end (default: all that go on).", "*"),
        ("cancel", "Stop jobs.", "+"),
        ("resume", "Begin jobs again that failed, were cancelled or lost their worker.", "+"),
        ("log", "Print what a job did.", 1),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        action.set_defaults(action=name)
        action.add_argument("ids", nargs=number, metavar="ID", help="as `quarterdeck jobs` shows it, or its beginning")
        if name == "log":
            action.add_argument("--follow", "-f", action="store_true", help="go on until the job ends")
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError("expected a whole number above 0")
    return int(text)


def add_audit(commands: argparse._SubParsersAction[Any], *, needed: bool) -> None:
    """`quarterdeck audit`."""
    text = "Print who did what, when, and how it went."
    parser = commands.add_parser("audit", help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command="audit")
    if needed:
        parser.add_argument("--since", metavar="TIME", help='how far back, such as "2h" or "7d" (default: everything)')
        parser.add_argument("--last", type=_number, metavar="N", help="only the last N lines")
        parser.add_argument("--json", action="store_true", help="one JSON object a line, as in the file")


def add_show(commands: argparse._SubParsersAction[Any], add_fleet: AddFleet, *, needed: bool) -> None:
    """`quarterdeck show`."""
    text = "Print what a server tells of a model: parameters, template, capabilities, licence."
    parser = commands.add_parser("show", help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command="show")
    if needed:
        parser.add_argument("model", metavar="MODEL", help="its name, as `quarterdeck status` shows it")
        parser.add_argument("--on", metavar="ENDPOINT", help="where; needed where several have it")
        parser.add_argument("--newer", action="store_true", help="ask its registry whether there is a newer one")
        parser.add_argument("--json", action="store_true", help="one JSON document")
        add_fleet(parser, argparse.SUPPRESS)


def add_launch(
    commands: argparse._SubParsersAction[Any], argv: list[str], add_fleet: AddFleet, *, needed: bool
) -> list[str]:
    """`quarterdeck launch`; returns what argparse is to read. What stands behind "--" is vLLM's, and isn't for argparse."""
    text = "Start a new vLLM on this machine, and save it as a [[deployment]]. Behind -- come further arguments of vllm serve."
    parser = commands.add_parser("launch", help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command="launch", extra=[])
    if not needed:
        return argv
    parser.add_argument("model", metavar="MODEL", help="its name on Hugging Face, or a folder")
    for option, metavar, help_text in (
        ("--name", "NAME", "what the deployment and its endpoint are called (default: by the model)"),
        ("--port", "PORT", "where it listens, on 127.0.0.1 (default: 8000)"),
        ("--tensor-parallel", "N", "so many GPUs share the model"),
        ("--max-model-len", "TOKENS", "the longest context: 32768, 32k or auto"),
        ("--gpu-memory-utilization", "SHARE", "of each GPU's memory: 0.9 or 90%%"),
        ("--quantization", "NAME", "such as fp8, where the model doesn't say"),
        ("--gpus", "0,1", "the GPUs it may use"),
        ("--program", "VLLM", "the vllm to run (default: the one in PATH)"),
    ):
        parser.add_argument(option, metavar=metavar, default="", help=help_text)
    parser.add_argument("--lora", action="append", default=[], metavar="NAME=PATH", help="an adapter (repeatable)")
    parser.add_argument(
        "--save",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write it into the fleet file in use, or a new one in your config folder (default), or not",
    )
    parser.add_argument("--yes", "-y", action="store_true", help="don't ask, where something is known to be wrong")
    parser.add_argument("--confirm", metavar="NAME", help="its name, where this machine is protected")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the command and what it would take, start nothing"
    )
    parser.add_argument("--detach", action="store_true", help="don't wait until it serves; `quarterdeck jobs` shows it")
    parser.add_argument("--read-only", action="store_true", help="refuse to change anything")
    parser.add_argument("--json", action="store_true", help="one JSON document at the end")
    add_fleet(parser, argparse.SUPPRESS)
    if "--" not in argv:
        return argv
    cut = argv.index("--")
    parser.set_defaults(extra=argv[cut + 1 :])
    return argv[:cut]
