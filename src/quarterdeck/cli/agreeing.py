"""Asking before something is done: a yes, or the name of what is protected; never where nobody can answer."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys

from quarterdeck.engine.safety import Asking, Refused
from quarterdeck.format import printable
from quarterdeck.model.actions import Action
from quarterdeck.model.job import Order


def agreed(arguments: argparse.Namespace, action: Action, order: Order, asking: Asking) -> str:
    """How it is agreed to ("", "yes" or the typed name), asked for where there is somebody to ask. Raises Refused."""
    doing = f"{action.label.lower()} {order.about}"
    if asking.refused:
        raise Refused(f"{printable(doing)}: {asking.refused}")
    if asking.needs == "nothing":
        return ""
    if asking.needs == "name":
        return _typed(arguments.confirm, doing, asking)
    if arguments.yes:
        return "yes"
    _tell(asking)
    if question(f"{action.label} {order.about}? [y/N]").casefold() in ("y", "yes"):
        return "yes"
    raise Refused("nothing was done", hint="" if sys.stdin.isatty() else "--yes agrees beforehand.")


def _typed(given: list[str] | None, doing: str, asking: Asking) -> str:
    if given and asking.name in given:
        return asking.name
    _tell(asking)
    if not given and question(f"{asking.name} is protected. Type its name to {doing}:") == asking.name:
        return asking.name
    hint = f"--confirm {shlex.quote(asking.name)} agrees beforehand."
    raise Refused(f"{printable(asking.name)} is protected: nothing was done", hint=hint)


def _tell(asking: Asking) -> None:
    for line in asking.impact:
        sys.stderr.write(f"  {printable(line, 400)}\n")


def question(text: str) -> str:
    """What is typed; "" where nobody can. Ctrl-C ends the program at once."""
    if not sys.stdin.isatty():
        return ""
    # An event loop's own handler only asks its task to stop, which would wait for the end of the line.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.stderr.write(printable(text, 400) + " ")
        sys.stderr.flush()
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
