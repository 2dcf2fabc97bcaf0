"""`quarterdeck compare --cases`: reads the cases, asks what is missing, reports."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quarterdeck.cli.compare import fleet_of, sampling_of, typed_prompt
from quarterdeck.cli.compare_asking import agree, order_of, targets_of, watching
from quarterdeck.cli.compare_progress import shower
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.chat.session import Session
from quarterdeck.engine.comparing import ledger as ledgers
from quarterdeck.engine.comparing.files import Files
from quarterdeck.engine.comparing.holding import Judge
from quarterdeck.engine.comparing.ledger import Ledger, Standing
from quarterdeck.engine.comparing.plan import MOST_PAIRS, Order, Plan, changes, fingerprint, plan, said
from quarterdeck.engine.comparing.run import Manner, Run
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.case import Suite
from quarterdeck.model.cases.prompts import Template, from_text
from quarterdeck.model.cases.reading import Wishes, read
from quarterdeck.model.cases.result import Comparison, Target, of_all, of_target
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.model.chat.request import Sampling
from quarterdeck.report.compare.writing import check_names, write

FAILED = 1
_REMEMBERED = ("temperature", "top_p", "max_tokens", "seed", "effort")


@dataclass(frozen=True, slots=True)
class _Before:
    """The run that goes on, if one does."""

    path: Path | None = None
    standing: Standing | None = None

    @property
    def head(self) -> Mapping[str, Any]:
        return self.standing.head if self.standing is not None else {}

    @property
    def same(self) -> Mapping[str, Any]:
        found = self.head.get("same")
        return found if isinstance(found, dict) else {}


def run(arguments: argparse.Namespace) -> int:
    """The whole of it. Raises QuarterdeckError."""
    check_names(arguments.report or ())
    before = _before(arguments)
    _fill_in(arguments, before)
    suite, sampling = _suite(arguments)
    _spare(arguments, suite)
    fleet = fleet_of(arguments)
    for note in suite.notes:
        sys.stderr.write(f"{note}\n")
    return asyncio.run(_run(arguments, before, suite, sampling, fleet))


def _before(arguments: argparse.Namespace) -> _Before:
    name = arguments.resume or arguments.rerun_failed
    if name is None:
        return _Before()
    if arguments.out is not None:
        raise UsageError("--out belongs to a new run", hint="A run that goes on stays where it is.")
    path = ledgers.found(name)
    try:
        return _Before(path, ledgers.read(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'cannot be read'}") from None


def _fill_in(arguments: argparse.Namespace, before: _Before) -> None:
    """What isn't said again is as it was."""
    if before.standing is None:
        return
    head, sampling = before.head, before.same.get("sampling") or {}
    if arguments.cases is None:
        arguments.cases = [str(each) for each in head.get("files") or []]
    if arguments.repeat is None:
        arguments.repeat = before.same.get("repeat")
    for name in _REMEMBERED:
        if getattr(arguments, name) is None:
            setattr(arguments, name, sampling.get(name))
    arguments.context = arguments.context or sampling.get("context_length")
    _fill_in_manner(arguments, head.get("manner"))
    if not arguments.url and not arguments.fleet:
        arguments.url, arguments.fleet = list(head.get("urls") or []), head.get("fleet")
    _fill_in_texts(arguments, head)


def _fill_in_manner(arguments: argparse.Namespace, before: object) -> None:
    told = before if isinstance(before, dict) else {}
    if not arguments.serial and not arguments.parallel:
        arguments.serial = told.get("order") == Order.SERIAL.value
        arguments.parallel = told.get("order") == Order.PARALLEL.value
    arguments.concurrency = arguments.concurrency or told.get("concurrency")
    arguments.warm_up = arguments.warm_up or bool(told.get("warm_up"))


def _fill_in_texts(arguments: argparse.Namespace, head: Mapping[str, Any]) -> None:
    """Texts are in a run only where it keeps them. Raises UsageError for what has to be said again."""
    for name, option in (("system", "--system"), ("prompt", "the prompt"), ("schema", "--schema")):
        if getattr(arguments, name) is not None:
            continue
        known = head.get(name)
        if isinstance(known, str) and name != "schema":
            setattr(arguments, name, known)
        elif head.get(f"has_{name}"):
            raise UsageError(f"the run had {option}, which is not kept", hint="Say it again.")


def _suite(arguments: argparse.Namespace) -> tuple[Suite, Sampling]:
    """The cases, and how they are asked. Raises UsageError."""
    files = Files()
    templates: tuple[Template, ...] = ()
    if arguments.prompt is not None:
        templates = (from_text(typed_prompt(arguments)),)
    sampling, schema_files = sampling_of(arguments)
    wishes = Wishes(templates, arguments.system or "", arguments.allow_python)
    suite = read([files.found(name) for name in arguments.cases], files.fetch, wishes)
    cases = tuple(replace(case, files=(*case.files, *schema_files)) for case in suite.cases)
    return Suite(cases, suite.notes, (*suite.files, *schema_files)), sampling


def _spare(arguments: argparse.Namespace, suite: Suite) -> None:
    """A report must not take the place of what was read. Raises UsageError."""
    for name in arguments.report or ():
        if str(Path(name).expanduser().resolve()) in suite.files:
            raise UsageError(f"--report {printable(name)} would overwrite a case file")


async def _run(
    arguments: argparse.Namespace, before: _Before, suite: Suite, sampling: Sampling, fleet: FleetConfig
) -> int:
    if arguments.model or before.standing is None:
        targets = await targets_of(arguments.model or (), fleet)
    else:
        targets = tuple(Target(*each) for each in before.same.get("models") or [])
    repeat = arguments.repeat or 1
    if len(suite.cases) * len(targets) * repeat > MOST_PAIRS:
        raise UsageError(f"cases times models times --repeat is more than {MOST_PAIRS}")
    made = plan(suite.cases, targets, sampling, repeat, str(before.head.get("salt") or secrets.token_hex(16)))
    changed = changes(before.same, fingerprint(made)) if before.standing is not None else []
    if changed:
        raise UsageError(f"the run can't go on: {'; '.join(changed)}", hint="Begin a new one, without --resume.")
    session = Session()
    many = len(suite.cases)
    agree(
        arguments,
        fleet,
        session,
        targets,
        files=suite.files,
        what=f"{many} cases" if many > 1 else "the case",
    )
    ledger = _ledger(arguments, before, made, fleet)
    try:
        return await _asked(arguments, fleet, session, made, ledger)
    finally:
        ledger.close()


def _ledger(arguments: argparse.Namespace, before: _Before, made: Plan, fleet: FleetConfig) -> Ledger:
    if before.path is not None:
        ledger = ledgers.resume(before.path)
        _tell_standing(arguments, ledger, made)
        return ledger
    texts = arguments.out is not None or fleet.chat.save
    head: dict[str, Any] = {
        "salt": made.salt,
        "same": fingerprint(made),
        "pairs": len(made.pairs),
        "files": [str(Path(name).expanduser().resolve()) for name in arguments.cases],
        "fleet": str(fleet.source) if fleet.source is not None else None,
        "urls": list(arguments.url or []),
        "manner": {
            "order": order_of(arguments).value,
            "concurrency": arguments.concurrency or 1,
            "warm_up": arguments.warm_up,
        },
        "has_system": bool(arguments.system),
        "has_prompt": arguments.prompt is not None,
        "has_schema": arguments.schema is not None,
    }
    if texts:
        head |= {"system": arguments.system, "prompt": arguments.prompt if arguments.prompt != "-" else None}
    ledger = ledgers.begin(head, Path(arguments.out).expanduser() if arguments.out else None, texts=texts)
    kept = "answers are written into it" if texts else "it holds verdicts and numbers, no prompt and no answer"
    sys.stderr.write(f"Run {ledger.id}; {ledger.path if texts else kept}{f': {kept}, mode 0600' if texts else ''}\n")
    return ledger


def _tell_standing(arguments: argparse.Namespace, ledger: Ledger, made: Plan) -> None:
    standing = ledger.standing
    mine = {pair.id for pair in made.pairs}
    if arguments.rerun_failed is not None:
        bad = [pair for pair, one in standing.results.items() if pair in mine and one.verdict is not Verdict.PASS]
        ledger.again(bad)
        sys.stderr.write(f"Run {ledger.id}: {len(bad)} that failed are asked again\n")
    known = len(mine & standing.results.keys())
    said = f"Run {ledger.id}: {known} of {len(mine)} are answered"
    flying = len(mine & standing.flying)
    if flying:
        said += f"; {flying} were on their way when it broke off, and are asked again"
    if standing.broken:
        said += f"; {standing.broken} lines of its file can't be read"
    sys.stderr.write(said + "\n")


async def _asked(
    arguments: argparse.Namespace, fleet: FleetConfig, session: Session, made: Plan, ledger: Ledger
) -> int:
    order = order_of(arguments)
    manner = Manner(arguments.concurrency or 1, order, arguments.warm_up, arguments.retries)
    show = shower()
    judge = Judge()
    specs = {spec.name: spec for spec in fleet.endpoints}
    shared = said(made, specs, order)
    if shared:
        sys.stderr.write(f"{shared}\n")
    files = tuple(dict.fromkeys(path for case in made.cases for path in case.files))
    async with watching(fleet, made.targets) as engine:
        agree(arguments, engine.fleet, session, made.targets, files=files, snapshot=engine.snapshot())
        run_ = Run(engine, session, made, ledger, judge, manner=manner, on_change=show.take)
        try:
            await run_.run()
        except asyncio.CancelledError:
            show.end()
            done = run_.progress()
            sys.stderr.write(
                f"\n{done.done} of {done.total} are answered and kept. `quarterdeck compare --resume {ledger.id}` goes on.\n"
            )
            raise
        finally:
            await judge.close()
    show.end()
    comparison = run_.comparison(settings=_settings(arguments, made), notes=[shared] if shared else [])
    return _reported(arguments, comparison, texts=ledger.keeps_texts)


def _settings(arguments: argparse.Namespace, made: Plan) -> dict[str, object]:
    """What was the same for all, for the report."""
    told: dict[str, object] = {
        name: value
        for name in ("temperature", "top_p", "max_tokens", "seed", "context_length", "effort")
        if (value := getattr(made.sampling, name)) is not None
    }
    told |= {"repeat": made.repeat, "order": order_of(arguments).value, "concurrency": arguments.concurrency or 1}
    return told | ({"warm_up": "yes"} if arguments.warm_up else {})


def _reported(arguments: argparse.Namespace, run_: Comparison, *, texts: bool) -> int:
    from quarterdeck.report.compare.document import document
    from quarterdeck.report.compare.text import text

    for name in arguments.report or ():
        write(run_, Path(name).expanduser(), texts=texts)
        sys.stderr.write(f"{name} is written{'' if texts else '; without prompts and answers, which are not kept'}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(document(run_, texts=True), ensure_ascii=False, allow_nan=False, indent=2) + "\n")
    else:
        sys.stdout.write(text(run_))
    if len(run_.results) < len(run_.pairs):
        sys.stderr.write(
            f"{len(run_.pairs) - len(run_.results)} were not answered; `quarterdeck compare --resume {run_.id}` goes on.\n"
        )
    return exit_code(run_, arguments.fail_under)


def exit_code(run_: Comparison, least: float | None) -> int:
    """0 where every model passed enough (all, where no share was named); 2 where nothing was asked at all."""
    whole = of_all(run_)
    if whole.missing == whole.pairs:
        return 2
    needed = 1.0 if least is None else least
    shares = [of_target(run_, place).share or 0.0 for place in range(len(run_.targets))]
    return 0 if all(share >= needed for share in shares) else FAILED
