"""What can be typed, read from argparse's parser: completions and the man page are made of it. Pure, but for asking the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

NOTHING = "-"
"""The kind of a value that can't be completed."""
FILE = "file"
_BY_METAVAR = {
    "FILE": FILE,
    "FILE.prom": FILE,
    "ENDPOINT": "endpoint",
    "DEPLOYMENT": "deployment",
    "MODEL": "model",
    "ID": "job",
    "SINK": "sink",
    "RUN": "run",
}
_BY_DEST = {
    "endpoint": "endpoint",
    "host": "host",
    "model": "model",
    "expect_model": "model",
    "theme": "theme",
    "confirm": "protected",
    "path": FILE,
    "program": FILE,
}
_BY_PLACE = {
    ("launch", "model"): FILE,
    ("compare", "model"): "target",
    ("jobs watch", "ids"): "job-open",
    ("jobs cancel", "ids"): "job-open",
    ("jobs resume", "ids"): "job-over",
    ("alerts silence", "words"): "subject",
    ("alerts unsilence", "words"): "subject",
}


class Value(NamedTuple):
    """What an option or a word stands for. ``kind``: one of `quarterdeck.cli.completing.KINDS`, `FILE` or `NOTHING`."""

    metavar: str
    kind: str
    choices: tuple[str, ...] = ()


class Option(NamedTuple):
    """``value`` is None where it takes none."""

    names: tuple[str, ...]
    help: str
    value: Value | None
    required: bool = False


class Word(NamedTuple):
    """What stands behind a command without a name. ``least`` of it are needed."""

    value: Value
    help: str
    least: int = 1
    many: bool = False


class Command(NamedTuple):
    """A command, or the program itself, whose ``words`` are empty. ``name``: "", "status", "jobs cancel"."""

    name: str
    help: str
    epilog: str
    options: tuple[Option, ...]
    words: tuple[Word, ...]
    commands: tuple[Command, ...]
    needs_command: bool = False

    def walk(self) -> Iterator[Command]:
        """It and all below it, each before what is below it."""
        yield self
        for each in self.commands:
            yield from each.walk()


def read(parser: argparse.ArgumentParser, name: str = "") -> Command:
    """The grammar of a parser, which has to hold the options of every command (`quarterdeck.cli.parser.whole`)."""
    options, words, commands, needed = [], [], [], False
    for action in parser._actions:  # noqa: SLF001  (argparse tells it by no other way)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            shown = [each.dest for each in action._get_subactions()]  # noqa: SLF001
            commands += [read(action.choices[each], f"{name} {each}".strip()) for each in shown]
            needed = bool(action.required)
        elif action.help == argparse.SUPPRESS:
            continue
        elif action.option_strings:
            value = None if action.nargs == 0 else _value(action, parser, name)
            options.append(Option(tuple(action.option_strings), _help(action), value, bool(action.required)))
        else:
            words.append(_word(action, parser, name))
    about = parser.description or ""
    return Command(name, about, parser.epilog or "", tuple(options), tuple(words), tuple(commands), needed)


def _word(action: argparse.Action, parser: argparse.ArgumentParser, name: str) -> Word:
    least = 0 if action.nargs in ("?", "*") else 1
    return Word(_value(action, parser, name), _help(action), least, many=action.nargs in ("+", "*"))


def _value(action: argparse.Action, parser: argparse.ArgumentParser, name: str) -> Value:
    choices = tuple(map(str, action.choices or ())) or _choices_of_an_action(action, parser)
    metavar = action.metavar if isinstance(action.metavar, str) else "|".join(choices) or action.dest.upper()
    kind = _BY_PLACE.get((name, action.dest)) or _BY_METAVAR.get(metavar) or _BY_DEST.get(action.dest, NOTHING)
    return Value(metavar, kind, choices)


def _choices_of_an_action(action: argparse.Action, parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """Words that act check their values by the table of actions, not by argparse."""
    from quarterdeck.model.actions import BY_ID

    acting = BY_ID.get(str(parser.get_default("action")))
    told = (*acting.arguments, *acting.more) if acting is not None and parser.get_default("command") == "act" else ()
    return next((each.choices for each in told if each.name == action.dest), ())


def _help(action: argparse.Action) -> str:
    """As `--help` prints it."""
    text = action.help or ""
    values: dict[str, Any] = {**vars(action), "prog": "quarterdeck"}
    return " ".join((text % values if "%" in text else text).split())
