"""`quarterdeck compare`: one prompt, or the cases of a file, put to several models.

Exit codes: 0 all passed (or answered), 1 something failed, 2 wrong usage, forbidden or nothing could be asked, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.chat.request import Sampling

_LONGEST_PROMPT = 4 * 2**20


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say. Raises QuarterdeckError."""
    if arguments.runs:
        return _runs()
    if arguments.forget is not None:
        return _forget(arguments.forget)
    by_cases = bool(arguments.cases or arguments.resume or arguments.rerun_failed)
    if by_cases:
        from quarterdeck.cli.compare_cases import run as run_cases

        return run_cases(arguments)
    unused = [name for name in ("report", "fail_under", "out", "concurrency") if getattr(arguments, name) is not None]
    if unused:
        raise UsageError(f"--{unused[0].replace('_', '-')} belongs to --cases")
    if arguments.prompt is None:
        raise UsageError("what is to be asked?", hint='`quarterdeck compare "PROMPT" -m MODEL`, or --cases FILE.')
    from quarterdeck.cli.compare_prompt import run as run_prompt

    return run_prompt(arguments)


def fleet_of(arguments: argparse.Namespace) -> FleetConfig:
    """The fleet that is meant, with all that forbids. Raises ConfigError where the fleet file is wrong."""
    from quarterdeck.cli.fleets import as_forbidden, chosen, searched

    choice = chosen(arguments)
    if choice.problems:  # one of them may be in [policy]
        raise ConfigError(choice.problems, hint="Nothing is sent while the fleet file is wrong.")
    fleet, _ = asyncio.run(searched(choice)) if choice.discover else (choice.fleet, ())
    return as_guarded(as_forbidden(fleet, arguments), arguments)


def as_guarded(fleet: FleetConfig, arguments: argparse.Namespace) -> FleetConfig:
    """What --url names goes around no policy: that of the usual fleet file holds, and what it calls external is.

    Raises ConfigError where that file is wrong.
    """
    from dataclasses import replace

    read_only = fleet.console.read_only or arguments.read_only
    fleet = replace(fleet, console=replace(fleet.console, read_only=read_only))
    if not arguments.url:
        return fleet
    from quarterdeck.config.load import load
    from quarterdeck.config.urls import http_url
    from quarterdeck.model.fleet import Boundary

    loaded = load(arguments.fleet)
    if loaded.problems:
        raise ConfigError(
            tuple(map(str, loaded.problems)), hint="Nothing is sent while the fleet file is wrong: it says what may be."
        )
    usual = loaded.config
    outside = {http_url(spec.url).authority for spec in usual.endpoints if spec.boundary is Boundary.EXTERNAL}
    endpoints = tuple(
        replace(spec, boundary=Boundary.EXTERNAL) if http_url(spec.url).authority in outside else spec
        for spec in fleet.endpoints
    )
    return replace(fleet, endpoints=endpoints, policy=usual.policy, chat=usual.chat, prices=usual.prices)


def sampling_of(arguments: argparse.Namespace) -> tuple[Sampling, tuple[str, ...]]:
    """How answers are drawn, and the paths of files that are part of it. Raises UsageError."""
    schema: str | None = None
    files: tuple[str, ...] = ()
    if arguments.schema is not None:
        from quarterdeck.engine.chat.attaching import read

        path = Path(arguments.schema).expanduser()
        try:
            attached = read(path.resolve(strict=True))
        except OSError as error:
            raise UsageError(f"--schema {printable(arguments.schema)}: {error.strerror}") from None
        if attached.text is None:
            raise UsageError(f"--schema {printable(arguments.schema)} is no JSON Schema")
        schema, files = attached.text, (attached.path,)
    return (
        Sampling(
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            max_tokens=arguments.max_tokens,
            seed=arguments.seed,
            context_length=arguments.context,
            effort=arguments.effort,
            schema=schema,
        ),
        files,
    )


def typed_prompt(arguments: argparse.Namespace) -> str:
    """The prompt, from stdin where it is "-". Raises UsageError."""
    text = str(arguments.prompt)
    if text == "-":
        data = sys.stdin.buffer.read(_LONGEST_PROMPT + 1)
        if len(data) > _LONGEST_PROMPT:
            raise UsageError("the prompt on stdin is too long")
        text = data.decode("utf-8", "replace")
    if not text.strip():
        raise UsageError("the prompt is empty")
    return text


def _runs() -> int:
    from quarterdeck.engine.audit import iso
    from quarterdeck.engine.comparing.ledger import all_runs, read

    for path in all_runs():
        try:
            standing = read(path)
        except (OSError, UsageError):
            sys.stdout.write(f"{path.stem}  can't be read\n")
            continue
        head = standing.head
        begun = head.get("begun")
        models = ", ".join(
            "@".join(reversed(list(map(str, each)))) for each in (head.get("same") or {}).get("models", [])
        )
        files = ", ".join(Path(str(each)).name for each in head.get("files") or [])
        said = f"{len(standing.results)} of {head.get('pairs', '?')} answered"
        when = iso(begun) if isinstance(begun, int | float) else "–"
        sys.stdout.write(printable(f"{path.stem}  {when}  {said}  {files}  {models}", 300) + "\n")
    return 0


def _forget(name: str) -> int:
    from quarterdeck.engine.comparing.ledger import all_runs, found

    paths = all_runs() if name == "all" else [found(name)]
    for path in paths:
        if path not in all_runs():
            raise UsageError(f"{path} is not in the state folder", hint="Delete the file itself.")
        path.unlink(missing_ok=True)
    sys.stdout.write(f"{len(paths)} deleted\n")
    return 0
