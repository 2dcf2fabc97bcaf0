"""`quarterdeck chats`: prompts and answers that were kept (`[chat] save = true`): search, show, export, delete."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from quarterdeck.errors import UsageError
from quarterdeck.format import printable

if TYPE_CHECKING:
    from quarterdeck.engine.chat.keeping import Kept

EVERYTHING = 1_000_000
_SHOWN = 70


def add(commands: argparse._SubParsersAction[Any], *, needed: bool) -> None:
    """The command's options."""
    text = "Search, show, export or delete the prompts and answers that were kept ([chat] save = true)."
    parser = commands.add_parser("chats", help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command="chats", action="list", words=[], last=50, json=False)
    if not needed:
        return
    parser.add_argument("--last", type=int, default=50, metavar="N", help="at most so many, the newest (default: 50)")
    parser.add_argument("--json", action="store_true", help="JSON Lines")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    search = _action(actions, "search", "Those that hold every word, in prompt, answer, model or endpoint.")
    search.add_argument("words", nargs="+", metavar="WORD")
    show = _action(actions, "show", "One in full.")
    show.add_argument("number", type=int, metavar="N")
    _action(actions, "export", "All of them as JSON Lines.")
    delete = _action(actions, "delete", "Delete for good: one, those older than a time, or all.")
    which = delete.add_mutually_exclusive_group(required=True)
    which.add_argument("number", nargs="?", type=int, metavar="N")
    which.add_argument("--older-than", metavar="TIME", help='such as "30d"')
    which.add_argument("--all", action="store_true")


def _action(actions: argparse._SubParsersAction[Any], name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(action=name)
    if name in ("search", "show"):
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON Lines")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """0; raises UsageError for what isn't there, QuarterdeckError where the file can't be read."""
    from quarterdeck.engine.chat.keeping import Chats

    chats = Chats()
    match arguments.action:
        case "show":
            kept = chats.read(arguments.number)
            if kept is None:
                raise UsageError(f"no chat has the number {arguments.number}")
            sys.stdout.write(_line(kept) if arguments.json else _full(kept))
        case "export":
            for kept in reversed(chats.search(limit=EVERYTHING)):
                sys.stdout.write(_line(kept))
        case "delete":
            count = chats.delete(number=arguments.number, before=_before(arguments.older_than))
            sys.stdout.write(f"{count} deleted\n")
        case _:
            found = chats.search(" ".join(arguments.words), limit=max(1, arguments.last))
            for kept in reversed(found):
                sys.stdout.write(_line(kept) if arguments.json else _row(kept))
            if not found and not arguments.json:
                said = "nothing was kept" if not arguments.words else "nothing found"
                sys.stderr.write(f"{said}; prompts and answers are kept only with [chat] save = true\n")
    return 0


def _before(text: str | None) -> float | None:
    if text is None:
        return None
    import time

    from quarterdeck.config.units import duration

    back = duration(text)
    if back is None:
        raise UsageError(f"--older-than {text!r} is no time", hint='Such as "30d".')
    return time.time() - back


def _line(kept: Kept) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(kept), ensure_ascii=False) + "\n"


def _row(kept: Kept) -> str:
    prompt = printable(" ".join(kept.prompt.split()), _SHOWN)
    return f"{kept.id:>5}  {_when(kept)}  {printable(kept.model, 40)} at {printable(kept.endpoint, 40)}  {prompt}\n"


def _full(kept: Kept) -> str:
    told = kept.details
    lines = [f"{kept.id}  {_when(kept)}  {printable(kept.model, 200)} at {printable(kept.endpoint, 200)}", ""]
    lines += ["Prompt:", *_clean(kept.prompt), "", "Answer:", *_clean(kept.answer), ""]
    names = (
        "ending",
        "reason",
        "finish",
        "ttft_s",
        "total_s",
        "decode_tps",
        "prompt_tokens",
        "output_tokens",
        "cost_usd",
    )
    lines += [f"{name}: {told[name]}" for name in names if told.get(name) not in (None, "")]
    return "\n".join(lines) + "\n"


def _clean(text: str) -> list[str]:
    """Lines without control characters: they go to a terminal."""
    return ["".join(c for c in line if c.isprintable() or c == "\t") for line in text.splitlines()]


def _when(kept: Kept) -> str:
    from quarterdeck.engine.audit import iso

    return iso(kept.at)
