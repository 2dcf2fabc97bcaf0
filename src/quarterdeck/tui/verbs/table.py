"""The verbs: the table of actions as the command line types them, the console's own, and every command that is listed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.phrasing import Slot, slots, words
from quarterdeck.tui.commands import LIVE_ONLY, commands_for


class Verb(NamedTuple):
    """Something that can be typed."""

    words: tuple[str, ...]
    help: str
    slots: tuple[Slot, ...] = ()
    action: str = ""
    """The id of the action that it is."""
    command: str = ""
    """The id of the command that it is where nothing is said behind it."""
    aliases: tuple[str, ...] = ()
    rest: bool = False
    """Whether all that stands behind it is one text."""
    label: str = ""
    """What the palette calls its command, if that is a row of its own."""

    @property
    def name(self) -> str:
        """Its words."""
        return " ".join(self.words)

    @property
    def usage(self) -> str:
        """ "unload MODEL … [--on ENDPOINT]"."""
        return " ".join([self.name, *(_in_usage(slot) for slot in self.slots)])

    @property
    def needed(self) -> tuple[Slot, ...]:
        """What must be said."""
        return tuple(slot for slot in self.slots if slot.required)


def _in_usage(slot: Slot) -> str:
    text = f"{slot.option} {slot.shown}" if slot.option else slot.shown + (" …" if slot.many else "")
    return text if slot.required else f"[{text}]"


def _own(name: str, help_text: str, slot: Slot, command: str = "", *aliases: str, rest: bool = False) -> Verb:
    return Verb((name,), help_text, (slot,), command=command, aliases=aliases, rest=rest)


OWN = (
    _own("filter", "Keep the rows that fit.", Slot("text", "filter", "WORDS", "words, !word, field:value"), "filter", rest=True),
    _own("sort", "Sort the table.", Slot("order", "order", "COLUMN", "a column; the same again turns it round"), "sort"),
    _own("theme", "Use another theme.", Slot("theme", "theme", "NAME", "yours, ours, or one of Textual's"), "theme"),
    _own("interval", "Poll so often.", Slot("time", "time", "TIME", "0.5s to 60s, such as 5s", required=True)),
    _own("open", "Open a page.", Slot("name", "place", "NAME", "an endpoint, or MODEL@ENDPOINT"), "open", "o"),
    _own("chat", "Ask a model.", Slot("target", "target", "MODEL@ENDPOINT", "it becomes a column of the chat"), "view_chat"),
    _own("log", "Follow the log of a server.", Slot("endpoint", "endpoint", "ENDPOINT", "one that a [[deployment]] starts"), "log"),
    _own("refresh", "Ask now.", Slot("endpoint", "endpoint", "ENDPOINT", "all, where none is named"), "refresh"),
    _own("save", "Save the view.", Slot("file", "file", "FILE", "as text, SVG or JSON, by its ending: .txt .svg .json"), "save", "w"),
)  # fmt: skip
"""The console's own verbs; without a word behind them they are the command of that name."""
_ALIASES = {"quit": ("q", "exit", "q!", "quit!"), "help": ("h", "?"), "read_only": ("readonly",)}
_LIVE_OWN = frozenset(["interval", "chat", "log", "refresh"])
_OF_THE_VIEW = frozenset(["filter", "sort"])
_NOT_TYPED = frozenset(["act", "leave", "chat"])
"""Commands that mean what is selected, and whose word is another verb."""


def acting() -> list[Verb]:
    """The actions."""
    return [Verb(words(action), action.help, slots(action), action=action.id) for action in ACTIONS]


def verbs(where: str, *, replay: bool = False) -> list[Verb]:
    """All that can be typed on a screen; of a recording, only what can be had of it."""
    commands = commands_for(where, replay=replay)
    here = {command.id: command.label for command in commands}
    own = [_here(verb, here) for verb in OWN if verb.words[0] not in _OF_THE_VIEW or verb.command in here]
    found = [*(verb for verb in own if not (replay and verb.words[0] in _LIVE_OWN)), *([] if replay else acting())]
    taken = {verb.words for verb in found}
    for command in commands:
        name = (command.id.removeprefix("view_").replace("_", "-"),)
        if command.listed and command.id not in _NOT_TYPED and name not in taken:
            aliases = _ALIASES.get(command.id, ())
            found.append(Verb(name, command.help, command=command.id, aliases=aliases, label=command.label))
    return found


def _here(verb: Verb, labels: Mapping[str, str]) -> Verb:
    """A verb of the console's own; where its command can't be had, what it needs must be said."""
    if verb.command in labels:
        return verb._replace(label=labels[verb.command])
    return verb._replace(command="", slots=tuple(slot._replace(required=True) for slot in verb.slots))


def is_live_only(word: str) -> bool:
    """Whether a word is a verb that no recording has."""
    if word in _LIVE_OWN or any(verb.words[0] == word for verb in acting()):
        return True
    return word.replace("-", "_") in LIVE_ONLY or f"view_{word}" in LIVE_ONLY
