"""`quarterdeck man`: the man page, in man(7)'s macros, made from the parser that reads the command line.

The same version prints the same page on every machine: no date, no path and no width of this one is in it, and only ASCII.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.cli.grammar import Command, Option, Word

_SHARED = 5
"""What so many commands have in the same words is explained once."""
_FILES = (
    ("./fleet.toml, ~/.config/quarterdeck/fleet.toml", "What is watched. The first that is there is read, unless --fleet or $QUARTERDECK_FLEET names one. `quarterdeck config init` writes one that explains every key."),
    ("~/.config/quarterdeck/themes/*.toml", "Themes of your own."),
    ("~/.local/state/quarterdeck/jobs/", "The jobs, each with its record and its log."),
    ("~/.local/state/quarterdeck/audit.jsonl", "Who did what, when, and how it went."),
    ("~/.local/state/quarterdeck/events.db", "What happened: states, restarts, models, jobs, alerts, actions."),
    ("~/.local/state/quarterdeck/alerts/", "What was acknowledged and silenced, and what a sink is still to be told."),
    ("~/.local/state/quarterdeck/compare/", "The runs of `quarterdeck compare --cases`."),
    ("~/.local/state/quarterdeck/chats.db", "Prompts and answers, only where [chat] save = true."),
)  # fmt: skip
_FILES_NOTE = "$XDG_CONFIG_HOME and $XDG_STATE_HOME move them; on macOS they lie in ~/Library/Application Support/quarterdeck. Only you can read what is in the state folder."
_ENVIRONMENT = (
    ("QUARTERDECK_FLEET", "The fleet file, where --fleet names none."),
    ("OLLAMA_HOST", "Where an Ollama of this machine listens: looked at first where there is no fleet file."),
    ("NO_COLOR", "Anything in it: no colours."),
    ("VISUAL, EDITOR", "What a long prompt is written in."),
    ("HF_HOME, HF_HUB_CACHE", "Where `quarterdeck launch` looks for models that are downloaded already."),
)
_STATUS = (
    ("0", "Done."),
    ("1", "What was asked for failed, or did not pass (commands that act, compare, alerts test, doctor)."),
    ("2", "Wrong usage, or a fleet file with something wrong in it."),
    ("3", "Refused (commands that act), or stdout can't be written."),
    ("130", "Interrupted. Jobs that were begun go on."),
)
_STATUS_OF_CHECK = (
    "Of `quarterdeck check`, as monitoring has it: 0 ok, 1 warning, 2 critical, 3 unknown, which wrong usage is too."
)
_EXAMPLES = (
    ("quarterdeck", "The console, on what runs on this machine or stands in fleet.toml."),
    ("quarterdeck --url http://gpu-7:8000 --url gpu-8:8000", "The console on two servers; no file is read."),
    ("quarterdeck status --json", "The state of the fleet, for a program."),
    ("quarterdeck check --max-waiting 10:50", "One line and an exit code, for cron or Nagios."),
    ("quarterdeck pull qwen3:8b --on mac --on bench", "Download a model to two endpoints; it goes on when the terminal goes away."),
    ("quarterdeck compare 'Why is the sky blue?' -m qwen3:8b@mac -m qwen-chat/qwen", "Ask two models the same."),
    ("quarterdeck jobs watch", "Follow what goes on."),
    ("source <(quarterdeck completion bash)", "Completion in this shell. zsh: a file _quarterdeck in $fpath; fish: ~/.config/fish/completions/quarterdeck.fish."),
)  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the page; returns 0."""
    from quarterdeck import __version__
    from quarterdeck.cli.grammar import read
    from quarterdeck.cli.parser import whole

    del arguments
    sys.stdout.write(page(read(whole()), __version__))
    return 0


def page(program: Command, version: str) -> str:
    """The man page. Pure."""
    from quarterdeck.cli.words import EXIT_CODES

    shared = _shared(program)
    lines = [f'.TH QUARTERDECK 1 "" {_argument(f"quarterdeck {version}")} "User Commands"', ".nh", ".ad l"]
    lines += [".SH NAME", r"quarterdeck \- ops console for the models you run yourself"]
    lines += [".SH SYNOPSIS", *_synopsis(program)]
    lines += [".SH DESCRIPTION", text(program.help), ".PP", text(program.epilog)]
    lines += [
        ".PP",
        text("`qd` is the same program. stdout is data, stderr everything else; a closed pipe is no error."),
    ]
    lines += [".SH OPTIONS", *_options(program.options)]
    lines += [".SH COMMANDS", *_commands(program, shared, EXIT_CODES)]
    lines += [".SH OPTIONS OF SEVERAL COMMANDS", *_options(shared)]
    lines += [".SH FILES", *_list(_FILES, ".I"), ".PP", text(_FILES_NOTE)]
    lines += [".SH ENVIRONMENT", *_list(_ENVIRONMENT, ".B")]
    lines += [".SH EXIT STATUS", *_list(_STATUS, ".B"), ".PP", text(_STATUS_OF_CHECK)]
    lines += [".SH EXAMPLES", *_list(_EXAMPLES, ".B")]
    lines += [".SH SEE ALSO", ".BR man (1),", ".BR nvidia-smi (1),", ".BR ssh (1)"]
    return "\n".join(lines) + "\n"


def _shared(program: Command) -> tuple[Option, ...]:
    """Options that several commands have in the same words; of those with one name the most frequent."""
    found = Counter(option for place in program.walk() if place.name for option in place.options)
    usual: dict[tuple[str, ...], Option] = {}
    for option, count in found.most_common():
        if count >= _SHARED and "--help" not in option.names:
            usual.setdefault(option.names, option)
    return tuple(sorted(usual.values(), key=lambda option: option.names[0]))


def _synopsis(program: Command) -> Iterator[str]:
    yield from (".B quarterdeck", _unnamed(program.options))
    yield from (".br", ".B quarterdeck", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...")
    yield from (".br", ".B quarterdeck", r"[\fICOMMAND\fR] \fB\-\-help\fR")


def _unnamed(options: Sequence[Option]) -> str:
    return " ".join(f"[{_named(option)}]" for option in options if "--help" not in option.names)


def _commands(program: Command, shared: Sequence[Option], said_elsewhere: str) -> Iterator[str]:
    """The commands in the groups of `--help`."""
    from quarterdeck.cli.overview import GROUPS

    left = {each.name: each for each in program.commands}
    groups = [(title, [left.pop(name) for name in names if name in left]) for title, names in GROUPS]
    for title, found in (*groups, ("more", list(left.values()))):
        if found:
            yield f".SS {_argument(title[:1].upper() + title[1:])}"
        for top in found:
            for place in top.walk():
                yield from _command(place, shared, "" if place.epilog == said_elsewhere else place.epilog)


def _command(place: Command, shared: Sequence[Option], epilog: str) -> Iterator[str]:
    yield ".TP"
    several = ["[\\fIOPTION\\fR]..."] if len(place.options) > 1 else []
    below = ["\\fIACTION\\fR" if place.needs_command else "[\\fIACTION\\fR]"] if place.commands else []
    yield " ".join([rf"\fBquarterdeck {escaped(place.name)}\fR", *several, *map(_shown, place.words), *below])
    yield text(place.help)
    own = [option for option in place.options if option not in shared and "--help" not in option.names]
    also = [option for option in place.options if option in shared]
    if own or place.words or also or epilog:
        yield ".RS"
        for word in place.words:
            if word.help:
                yield from (".TP", _shown(word, bare=True), text(word.help))
        yield from _options(own)
        if also:
            yield from (".PP", "Also " + ", ".join(rf"\fB{escaped(each.names[0])}\fR" for each in also) + ".")
        if epilog:
            yield from (".PP", text(epilog))
        yield ".RE"


def _options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        yield from (".TP", _named(option), text(option.help or "handed on to the server"))


def _named(option: Option) -> str:
    names = ", ".join(rf"\fB{escaped(name)}\fR" for name in option.names)
    return names if option.value is None else rf"{names} \fI{escaped(option.value.metavar)}\fR"


def _shown(word: Word, *, bare: bool = False) -> str:
    name = rf"\fI{escaped(word.value.metavar)}\fR"
    if bare:
        return name
    name += "..." if word.many else ""
    return name if word.least else f"[{name}]"


def _list(entries: Iterable[tuple[str, str]], macro: str) -> Iterator[str]:
    for name, about in entries:
        yield from (".TP", f"{macro} {_argument(name)}", text(about))


def text(plain: str) -> str:
    """Text of any kind as a paragraph: a line for each sentence, nothing of it read as a request."""
    lines = " ".join(plain.split()).replace(". ", ".\n").split("\n")
    return "\n".join(("\\&" if line[:1] in (".", "'") else "") + escaped(line) for line in lines)


def escaped(plain: str) -> str:
    """Characters that roff would read otherwise, and those that aren't ASCII, by their names."""
    named = {"\\": "\\e", "-": "\\-", "`": "\\(ga", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
    return "".join(named.get(c, c) if c.isascii() else f"\\[u{ord(c):04X}]" for c in plain)


def _argument(plain: str) -> str:
    return f'"{escaped(plain)}"'
