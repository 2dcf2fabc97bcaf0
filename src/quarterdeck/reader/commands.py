"""The commands that can be typed, and what was meant by one that there isn't. Pure; `quarterdeck.reader.doing` does them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from quarterdeck.model.actions import ACTIONS, Action
from quarterdeck.model.phrasing import slots
from quarterdeck.reader.speech import sentence, spoken
from quarterdeck.reader.typed import BY_WORDS, how


class Command(NamedTuple):
    """Something that can be typed."""

    word: str
    usage: str
    help: str
    also: tuple[str, ...] = ()
    """Other words for it."""


COMMANDS = (
    Command("status", "status (NAME or all)", "How the fleet is, the worst first; or everything about one endpoint.", ("st",)),
    Command("show", "show NAME", "All that is known of an endpoint, a machine or a job; or what a server tells of a model (--on ENDPOINT)."),
    Command("gpus", "gpus", "Every machine and its GPUs: how they are, and who holds their memory."),
    Command("models", "models", "Every model on every endpoint."),
    Command("alerts", "alerts (all)", "The open alerts: what, since when, why, and what to try."),
    Command("ack", "ack (KEY) (NOTE)", "Say that an alert was seen."),
    Command("silence", "silence NAME TIME", "Nobody is told of an alert, a rule or an endpoint for so long, such as 2h."),
    Command("events", "events (NUMBER)", "What happened last."),
    Command("jobs", "jobs (watch, cancel, resume or log) (ID)", "What was asked for, and how far it is. watch waits for the end."),
    Command("ask", "ask MODEL@ENDPOINT PROMPT", "Ask a model; its answer is read out as it comes. Ctrl+C stops it."),
    Command("more", "more PROMPT", "Go on with the last conversation."),
    Command("quiet", "quiet", "Tell nothing by itself; an empty line then tells what is new."),
    Command("speak", "speak (all or trouble)", "Tell everything that changes, or only what is wrong and what is over."),
    Command("refresh", "refresh (NAME)", "Ask the servers now.", ("r",)),
    Command("interval", "interval (SECONDS)", "How often the servers are asked."),
    Command("pause", "pause", "Stop asking the servers, or go on with it."),
    Command("help", "help (COMMAND)", "This list, or one command.", ("?", "h")),
    Command("quit", "quit", "End. Jobs go on.", ("exit", "q", "bye")),
)  # fmt: skip
SHELL = (
    *("launch", "compare", "chats", "chat", "probe", "doctor", "config", "check", "export", "watch", "replay", "audit"),
    *("demo", "completion", "man"),
)
"""Commands of the program that have no place here."""
_BY_WORD = {word: command for command in COMMANDS for word in (command.word, *command.also)}


def command_of(word: str) -> Command | None:
    """The command of that name, however it is written."""
    return _BY_WORD.get(word.casefold())


def unknown(word: str) -> str:
    """What to say of a word that is no command."""
    if word in SHELL:
        return f"{word} is a command of the shell: quarterdeck {word} --help tells more."
    near = get_close_matches(word.casefold(), _words(), 2, 0.6)
    if near:
        return f"There is no command {word!r}. Did you mean {' or '.join(near)}?"
    return f"There is no command {word!r}. help lists those there are."


def _words() -> Iterable[str]:
    return dict.fromkeys([*_BY_WORD, *(words[0] for words in BY_WORDS)])


def overview() -> list[str]:
    """Every command in a line; those that act by their words only."""
    acting = ", ".join(dict.fromkeys(" ".join(words) for words in BY_WORDS))
    return [
        *(f"{command.usage}: {command.help}" for command in COMMANDS),
        f"As on the command line: {acting}. help and one of these words tells more.",
        "An empty line tells what is new. If news came while you were typing, Ctrl+R writes your line again on most terminals.",
    ]


def about(word: str) -> list[str]:
    """One command in full; [] where there is none of that name."""
    command = command_of(word)
    if command is not None:
        also = f" Also: {', '.join(command.also)}." if command.also else ""
        return [f"{command.usage}: {command.help}{also}"]
    found = [
        action
        for action in ACTIONS
        if word.casefold() in ((action.typed or (action.id,))[0], " ".join(action.typed or (action.id,)))
    ]
    return [line for action in found for line in (f"{how(action)}: {action.help}", *_of_options(action))]


def _of_options(action: Action) -> list[str]:
    return [sentence(f"{slot.option}: {spoken(slot.help)}") for slot in slots(action) if slot.option]
