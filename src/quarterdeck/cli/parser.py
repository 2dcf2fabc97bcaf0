"""What can be typed. Durations are seconds, or as in fleet.toml ("500ms", "2s")."""

from __future__ import annotations

import argparse

from quarterdeck import __version__

_DESCRIPTION = "The ops console for the models you run yourself. Without a command it opens the console."
_EPILOG = """\
Without --fleet or --url it takes $QUARTERDECK_FLEET, ./fleet.toml, the fleet.toml of your config folder,
or else whatever model servers it finds on this machine."""

_READER = "lines in place of the console, for screen readers and dumb terminals: changes are told, commands typed"
_ASCII = "nothing but ASCII on the screen of the console, for terminals that show nothing else"

_READING = (
    *("status", "check", "probe", "export", "config", "demo", "tour", "doctor"),
    *("watch", "events", "alerts", "replay", "completion", "man"),
)
"""The commands before which the table of actions need not be read: `check` has a budget."""


def _seconds(text: str) -> float:
    from quarterdeck.config.units import duration

    seconds = duration(float(text) if text.replace(".", "", 1).isdigit() else text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f'expected seconds such as 2 or "500ms", got {text[:40]!r}')
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be between 0.1 s and one day")
    return seconds


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments; ``command`` is the module of this package that runs them. Exits (code 2) on wrong usage."""
    if argv[:1] == ["_complete"]:  # what completions ask, between two keystrokes
        return argparse.Namespace(command="completing", words=argv[1:])
    parser = _program()
    if not _is_console(argv):  # its first frame waits for no command
        _, argv = _commands(parser, argv)
    arguments = parser.parse_args(_with_times(argv))
    if arguments.record is not None and arguments.command not in ("console", "demo", "watch"):
        parser.error("--record goes with the console, `demo` and `watch`")
    if arguments.reader and arguments.command not in ("console", "demo"):
        parser.error("--reader goes with the console and `demo`; what other commands print are lines already")
    before, after = arguments.urls_before or [], getattr(arguments, "url", None) or []
    arguments.url = before + after  # a subcommand's own would replace those given before it
    return arguments


def whole() -> argparse.ArgumentParser:
    """The parser with the options of every command, which no command line needs: for completions and the man page."""
    parser = _program()
    commands, _ = _commands(parser, ["--help"])
    for name in commands.choices:
        commands.choices[name] = _commands(_program(), [name])[0].choices[name]
    return parser


def _program() -> _Parser:
    """The parser without its commands: what the console takes."""
    parser = _Parser(prog="quarterdeck", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"quarterdeck {__version__}")
    _add_fleet(parser, default=None, urls="urls_before")
    parser.add_argument("--interval", type=_seconds, metavar="SECONDS", help="how often the console polls (default: 2)")
    parser.add_argument("--theme", metavar="NAME", help="theme of the console, for this run")
    parser.add_argument("--ascii", action="store_true", help=_ASCII)
    parser.add_argument("--read-only", action="store_true", help="nothing can be changed from this console")
    parser.add_argument("--record", metavar="FILE", help="also record what is seen, to be played by `replay`")
    parser.add_argument("--reader", action="store_true", help=_READER)
    parser.set_defaults(command="console", watch=None)
    return parser


def _commands(parser: _Parser, argv: list[str]) -> tuple[argparse._SubParsersAction[_Parser], list[str]]:
    """Its commands, of which only the one on the line has its options, and what is left to read."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    if argv[0] == "check":  # it has a budget
        _check(commands, needed=True)
        return commands, argv
    _status(commands, needed="status" in argv)
    _check(commands, needed="check" in argv)
    _looking(commands, argv)
    _demo(commands, argv)
    _doctor(commands, needed="doctor" in argv)
    _generated(commands, argv)
    _on_call(commands, argv)
    if argv[0] not in _READING:
        argv = _acting(commands, argv)
    return commands, argv


_OF_CONSOLE = ("--fleet", "--url", "--interval", "--theme", "--record")


def _is_console(argv: list[str]) -> bool:
    """Whether nothing but options of the console stands there."""
    words = iter(argv)
    for word in words:
        if word in _OF_CONSOLE:
            next(words, None)
        elif word not in ("--read-only", "--reader", "--ascii") and word.partition("=")[0] not in _OF_CONSOLE:
            return False
    return True


def _with_times(argv: list[str]) -> list[str]:
    """ "--from -5m" as "--from=-5m": argparse takes a time before the end for an option."""
    found: list[str] = []
    for word in argv:
        if found and found[-1] in ("--from", "--at") and word[:1] == "-" and word[1:2].isdigit():
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in a line or two, and shows the program's commands in groups (`quarterdeck.cli.overview`)."""

    def format_help(self) -> str:
        """As argparse makes it, but for the program's own commands."""
        if " " in self.prog or self._subparsers is None:
            return super().format_help()
        from quarterdeck.cli.overview import sections

        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        commands: list[argparse.Action] = []
        for group in self._action_groups:
            if group is self._subparsers:
                commands = [each for action in self._actions for each in _commands_of(action)]
                continue
            formatter.start_section(group.title)
            formatter.add_arguments(group._group_actions)  # noqa: SLF001  (argparse tells it by no other way)
            formatter.end_section()
        for title, found in sections(commands):
            formatter.start_section(title)
            formatter.add_arguments(found)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def error(self, message: str) -> None:  # type: ignore[override]  # it never returns, whatever argparse's stub says
        unknown = self.prog.endswith(" check")  # its 2 means critical
        self.exit(3 if unknown else 2, f"{self.prog}: {message}\nSee `{self.prog} --help`.\n")


def _commands_of(action: argparse.Action) -> list[argparse.Action]:
    """The commands of the one action that has any, each with its help."""
    return list(action._get_subactions()) if isinstance(action, argparse._SubParsersAction) else []  # noqa: SLF001


def _add_fleet(parser: argparse.ArgumentParser, default: object, urls: str = "url") -> None:
    parser.add_argument("--fleet", metavar="FILE", default=default, help="the fleet.toml to use")
    text = "watch this server (repeatable); no file is read"
    parser.add_argument("--url", metavar="URL", action="append", default=default, dest=urls, help=text)


def _command(commands: argparse._SubParsersAction[_Parser], name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command=name)
    return parser


def _status(commands: argparse._SubParsersAction[_Parser], *, needed: bool) -> None:
    parser = _command(commands, "status", "Print the state of the fleet once, as text or JSON.")
    if not needed:
        return
    _add_fleet(parser, argparse.SUPPRESS)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document")
    form.add_argument("--jsonl", action="store_true", help="one line of JSON per sample")
    parser.add_argument("--watch", type=_seconds, metavar="SECONDS", help="again every so often, until interrupted")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--interval",
        type=_seconds,
        default=argparse.SUPPRESS,
        metavar="SECONDS",
        help="between the two samples that rates need (default: 1)",
    )
    pace.add_argument("--fast", action="store_true", help="one sample only; rates stay unknown")
    parser.add_argument("--replay", metavar="FILE", help="of a recording, at its end or --at; asks nobody")
    text = 'a moment of it: "14:03:21", an ISO time, "+10m" from its beginning, "-5m" from its end'
    parser.add_argument("--at", metavar="TIME", help=text)
    from quarterdeck.cli.filtering import add as add_filter

    add_filter(parser, "state:down,stale")


def _check(commands: argparse._SubParsersAction[_Parser], *, needed: bool) -> None:
    text = "Say in one line whether all is well. Exit code: 0 ok, 1 warning, 2 critical, 3 unknown."
    parser = _command(commands, "check", text)
    if not needed:
        return
    _add_fleet(parser, argparse.SUPPRESS)
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="answer within this, whatever hangs (default: 10)",
    )
    from quarterdeck.cli.limits import add_limits

    add_limits(parser)


def _looking(commands: argparse._SubParsersAction[_Parser], argv: list[str]) -> None:
    probe = _command(commands, "probe", "Send one small request (16 tokens) to an endpoint and time it.")
    export = _command(commands, "export", "Tell Prometheus of the fleet, on a port or in a file, until told to stop.")
    config = _command(commands, "config", "Check, show or begin a fleet.toml.")
    if not {"probe", "export", "config"} & {*argv}:
        return
    from quarterdeck.cli import looking

    looking.probe(probe, _add_fleet)
    looking.export(export, _add_fleet, _seconds)
    looking.config(config, _add_fleet)


def _acting(commands: argparse._SubParsersAction[_Parser], argv: list[str]) -> list[str]:
    """The commands that act; made only where a command was typed, because the table of actions isn't free.

    Returns what is left to read.
    """
    from quarterdeck.cli import chats, compare_options, words

    first = next((word for word in argv if words.is_first(word)), "")
    words.add(commands, first, _add_fleet)
    words.add_show(commands, _add_fleet, needed=first == "show")
    words.add_jobs(commands, needed=first == "jobs")
    words.add_audit(commands, needed=first == "audit")
    chats.add(commands, needed=first == "chats")
    compare_options.add(commands, _add_fleet, needed=first == "compare")
    return words.add_launch(commands, argv, _add_fleet, needed=first == "launch")


def _demo(commands: argparse._SubParsersAction[_Parser], argv: list[str]) -> None:
    demo = _command(commands, "demo", "Open the console on a simulated fleet of real HTTP servers on this machine.")
    tour = _command(commands, "tour", "Be shown around the console in two minutes, on the simulated fleet.")
    if "demo" in argv or "tour" in argv:
        from quarterdeck.cli import simulated

        simulated.demo(demo, ascii_help=_ASCII, reader_help=_READER)
        simulated.tour(tour, ascii_help=_ASCII)


def _doctor(commands: argparse._SubParsersAction[_Parser], *, needed: bool) -> None:
    text = "Say what this program is, what it found, what it can't see, and why. Exit code 1: something is bad."
    parser = _command(commands, "doctor", text)
    if not needed:
        return
    _add_fleet(parser, argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--bundle", metavar="FILE", help="write it all into a zip file for a bug report, names taken out"
    )


def _generated(commands: argparse._SubParsersAction[_Parser], argv: list[str]) -> None:
    completion = _command(commands, "completion", "Print the completion script of a shell.")
    _command(commands, "man", "Print the man page: quarterdeck man | man -l -").set_defaults(command="manual")
    if "completion" in argv:
        from quarterdeck.cli.completion import add

        add(completion)


def _on_call(commands: argparse._SubParsersAction[_Parser], argv: list[str]) -> None:
    watch = _command(commands, "watch", "Poll, raise alerts, notify and log what happens, until told to stop.")
    events = _command(commands, "events", "Print what happened: states, restarts, models, jobs, alerts, actions.")
    alerts = _command(commands, "alerts", "List alerts, acknowledge or silence them, and try the sinks.")
    replay = _command(commands, "replay", "Open the console on a recording, made by --record.")
    if not {"watch", "events", "alerts", "replay"} & {*argv}:
        return
    from quarterdeck.cli import oncall

    oncall.watch(watch, _add_fleet, _seconds)
    oncall.events(events)
    oncall.alerts(alerts, _add_fleet)
    oncall.replay(replay)
