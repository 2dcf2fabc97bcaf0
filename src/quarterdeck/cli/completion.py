"""`quarterdeck completion bash | zsh | fish`: a completion script, generated from the parser that reads the command line.

Commands, options and choices stand in the script; names of endpoints, models, jobs and so on are asked of `quarterdeck _complete`
(`quarterdeck.cli.completing`) when they are needed. All three scripts walk over the words before the cursor in the same way, by the
same tables: which commands there are at a place, which options, and what an option's value or a word is (`kind`; "=a b": choices).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from quarterdeck.cli.grammar import NOTHING, Command, Value

PROGRAMS = ("quarterdeck", "qd")
_ABOUT = 72
"""Characters of a description that are shown."""
_PLAIN = re.compile(r"[A-Za-z0-9_.,:%+-]+")

Arms = list[tuple[tuple[str, ...], str]]
"""Of a shell's `case`: patterns (where ``*`` stands for anything), and what they give. The first that matches counts."""


class Tables(NamedTuple):
    """What the scripts know. Places are commands' names: "", "status", "jobs cancel"."""

    commands: dict[str, list[tuple[str, str]]]
    """Place -> the words that may follow, each with what it does."""
    options: dict[str, list[tuple[str, str]]]
    values: Arms
    """ "PLACE OPTION" -> the kind of its value; what is not in it takes none."""
    words: Arms
    """ "PLACE#N" -> the kind of the word there, counted from 0."""


def add(parser: argparse.ArgumentParser) -> None:
    """`quarterdeck completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")
    parser.epilog = (
        "bash: source <(quarterdeck completion bash), in ~/.bashrc say. zsh: save it as _quarterdeck in a folder of $fpath. "
        "fish: save it as ~/.config/fish/completions/quarterdeck.fish."
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the script; returns 0."""
    from quarterdeck.cli import completion_bash, completion_fish, completion_zsh
    from quarterdeck.cli.grammar import read
    from quarterdeck.cli.parser import whole

    shells = {"bash": completion_bash, "zsh": completion_zsh, "fish": completion_fish}
    sys.stdout.write(shells[arguments.shell].script(tables(read(whole()))))
    return 0


def tables(program: Command) -> Tables:
    """The tables of a command line. Pure."""
    places = list(program.walk())
    return Tables(
        {
            place.name: [(each.name.rpartition(" ")[2], brief(each.help)) for each in place.commands]
            for place in places
            if place.commands
        },
        {place.name: [(name, brief(each.help)) for each in place.options for name in each.names] for place in places},
        _values(places),
        list(_words(places)),
    )


def brief(text: str) -> str:
    """The first sentence of a help text, without what stands in brackets, and not too long."""
    bare = re.sub(r" \([^()]*\)", "", text)
    said = re.split(r"[.;:](?:\s|$)", bare, maxsplit=1)[0].strip()
    return said if len(said) <= _ABOUT else said[: _ABOUT - 2].rpartition(" ")[0] + " …"


def kind_of(value: Value) -> str:
    """As the scripts have it."""
    if value.choices and all(_PLAIN.fullmatch(each) for each in value.choices):
        return "=" + " ".join(value.choices)
    return value.kind


def _values(places: Sequence[Command]) -> Arms:
    """Places that mean something else by an option than most do come first; then the option wherever it stands."""
    kinds: dict[str, dict[str, str]] = {}
    for place in places:
        for option in place.options:
            for name in option.names:
                kinds.setdefault(name, {})[place.name] = kind_of(option.value) if option.value is not None else ""
    special: dict[str, list[str]] = {}
    usual: dict[str, list[str]] = {}
    for name, found in kinds.items():
        most = Counter(found.values()).most_common(1)[0][0]
        usual.setdefault(most, []).append(f"* {name}")
        for place_name, kind in found.items():
            if kind != most:
                special.setdefault(kind, []).append(f"{place_name} {name}")
    arms = [(tuple(patterns), kind) for kind, patterns in special.items()]
    return arms + [(tuple(patterns), kind) for kind, patterns in usual.items() if kind]


def _words(places: Iterable[Command]) -> Iterator[tuple[tuple[str, ...], str]]:
    for place in places:
        for index, word in enumerate(place.words):
            kind = kind_of(word.value)
            if kind != NOTHING:
                yield (f"{place.name}#{'*' if word.many else index}",), kind
