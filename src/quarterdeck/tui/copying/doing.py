"""`c`: copies, and says which way it went. A second time: what else there is to copy."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.tui.copying import ways
from quarterdeck.tui.copying.osc52 import between, sequence, understood

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but tabs and line feeds: pasted into a shell, an escape could end the paste and type on."""
AGAIN_S = 6.0
"""So long after a copy another `c` asks what else; as long stands what was said."""


class Copyable(NamedTuple):
    """Something to copy. ``label``: as it is told of ("the URL")."""

    label: str
    text: str
    aside: str = ""


class Copied(NamedTuple):
    """What was copied last, and when (monotonic seconds)."""

    text: str
    at: float


def copy(app: ConsoleApp, found: Sequence[Copyable], nothing: str = "nothing is selected") -> None:
    """Copy the first; what was just copied is not copied again, but a list of all is shown."""
    usable = [safe(each) for each in found if each.text]
    if not usable:
        app.say(nothing)
        return
    last, (now, _) = app.copied, app.moment
    if last is not None and last.text == usable[0].text and 0 <= now - last.at < AGAIN_S:
        app.copied = None
        _choose(app, usable)
        return
    app.copied = Copied(usable[0].text, now)
    put(app, usable[0], more=True)


def safe(what: Copyable) -> Copyable:
    """The same without control characters."""
    return what._replace(text=_CONTROL.sub("", what.text))


def _choose(app: ConsoleApp, found: Sequence[Copyable]) -> None:
    """All there is to copy, and the way that needs no clipboard."""
    from quarterdeck.tui.screens.choose import ChooseScreen, Item

    keys = "123456789"
    items = [
        Item(each.label, each.aside or _beginning(each.text), keys[at : at + 1], help=_beginning(each.text, 240))
        for at, each in enumerate(found)
    ]
    first = found[0]
    help_text = "For terminals that ignore what programs want on the clipboard. Only you can read the file."
    items.append(Item(f"{first.label}, into a file", ways.FILE, "f", help=help_text))

    def chosen(place: int) -> None:
        if place < len(found):
            put(app, found[place])
        else:
            app.run_worker(_into_file(app, first, ""), exit_on_error=False, group="copying")

    app.push_screen(ChooseScreen("Copy", items, chosen))


def _beginning(text: str, most: int = 60) -> str:
    return printable(" ".join(text.split()), most)


def put(app: ConsoleApp, what: Copyable, *, more: bool = False) -> None:
    """Copy, in the background: no key waits for a program or a file. Control characters that a server sent stay here."""
    what = safe(what)
    app.own_clipboard(what.text)
    app.run_worker(_put(app, what, more=more), exit_on_error=False, group="copying", exclusive=True)


async def _put(app: ConsoleApp, what: Copyable, *, more: bool) -> None:
    environ = os.environ
    for program in (ways.native(environ), ways.of_tmux(environ)):
        if program is not None and await ways.hand_over(program, what.text):
            _say(app, what, f"by {program.name}", more=more)
            return
    if understood(environ):
        sent = sequence(what.text, between(environ))
        if sent is not None and app.write_to_terminal(sent):
            _say(app, what, "by OSC 52", more=more)
            return
        why = "too long for the terminal"
    else:
        why = "this terminal has no clipboard"
    await _into_file(app, what, why)


async def _into_file(app: ConsoleApp, what: Copyable, why: str) -> None:
    try:
        path = await asyncio.to_thread(ways.to_file, what.text)
    except UsageError as error:
        app.say(printable(f"not copied: {why}; {error.message}" if why else error.message, 300), 2 * AGAIN_S)
        return
    reason = f"{why}: " if why else ""
    app.say(printable(f"{reason}{told(what)} is in {_at_home(path)}", 300), 2 * AGAIN_S, topic="copy")


def _say(app: ConsoleApp, what: Copyable, how: str, *, more: bool) -> None:
    key = app.keys_of("copy") if more else ""
    app.say(f"copied {told(what)} {how}{f'; {key} again: more' if key else ''}", AGAIN_S, topic="copy")


def told(what: Copyable) -> str:
    """What, and how much of it: "the URL (27 characters)"."""
    lines = what.text.rstrip("\n").count("\n") + 1
    amount = f"{len(what.text)} character{'' if len(what.text) == 1 else 's'}"
    return printable(f"{what.label} ({f'{lines} lines, ' if lines > 1 else ''}{amount})", 160)


def _at_home(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
