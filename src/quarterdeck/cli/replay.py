"""`quarterdeck replay`: the console on a recording."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from quarterdeck.config.fleet import ConsoleSettings
from quarterdeck.engine.recording.player import Player
from quarterdeck.engine.recording.reader import Recording, snapshot_at
from quarterdeck.engine.recording.times import position_of
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.tui.replay.launch import launch


def run(arguments: argparse.Namespace) -> int:
    """Open the console on the file; returns when it is quit. Raises UsageError for a file that is no recording."""
    if arguments.fleet or arguments.url:
        raise UsageError("a recording has a fleet of its own", hint="Leave out --fleet and --url.")
    recording = opened(arguments.file)
    start = position_of(arguments.start, recording) if arguments.start is not None else 0.0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the console needs a terminal",
            hint="`quarterdeck status --replay FILE --at TIME` prints a moment to a pipe or file.",
        )
    from quarterdeck.cli.keys import with_keys
    from quarterdeck.config.load import load

    own, problems = with_keys(load(None).config)
    player = Player(recording, console=_console(arguments), speed=arguments.speed, position=start)
    return launch(player, own.keys, problems)


def opened(path: str) -> Recording:
    """The recording; why it ends early goes to stderr. Raises UsageError."""
    recording = Recording(path)
    if recording.note:
        sys.stderr.write(f"quarterdeck: {recording.note}\n")
    return recording


def moment(path: str, at: str | None) -> tuple[Recording, FleetSnapshot]:
    """What was shown at a time; at the end where none is said. Raises UsageError."""
    recording = opened(path)
    position = recording.seconds if at is None else position_of(at, recording)
    return recording, snapshot_at(recording, recording.ats[0] + position)


def _console(arguments: argparse.Namespace) -> ConsoleSettings:
    """As the fleet file has it, where there is one: its theme; nothing can be changed."""
    from quarterdeck.config.load import load
    from quarterdeck.tui.colors.theme_choice import theme_at_start

    config = load(None).config
    theme = getattr(arguments, "theme", None) or theme_at_start(config)
    console = replace(config.console, theme=theme, read_only=True)
    if getattr(arguments, "ascii", False):
        console = replace(console, ascii=True)
    return console
