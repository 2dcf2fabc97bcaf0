"""A run of cases that somebody watches: begun anew or gone on with, stopped, its failures asked again. Headless."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarterdeck.engine.comparing import ledger as ledgers
from quarterdeck.engine.comparing.files import Files
from quarterdeck.engine.comparing.holding import Judge
from quarterdeck.engine.comparing.plan import MOST_PAIRS, Order, Plan, changes, fingerprint, plan, said
from quarterdeck.engine.comparing.run import Manner, Progress, Run
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.cases.reading import Wishes, read
from quarterdeck.model.cases.result import Comparison, Target
from quarterdeck.model.cases.verdict import Verdict

if TYPE_CHECKING:
    from quarterdeck.engine.chat.sending import Desk
    from quarterdeck.engine.chat.session import Session
    from quarterdeck.engine.comparing.ledger import Ledger
    from quarterdeck.model.cases.case import Suite
    from quarterdeck.model.chat.request import Sampling

_LOOKED_AT = 20
"""Newest runs that are looked at for one to go on with."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that broke off and asks the same."""

    path: Path
    answered: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run."""

    suite: Suite
    targets: tuple[Target, ...]
    sampling: Sampling
    repeat: int = 1
    serial: bool = False
    warm_up: bool = False

    def plan(self, salt: str) -> Plan:
        """The same, with hashes of this salt."""
        return plan(self.suite.cases, self.targets, self.sampling, self.repeat, salt)


def suite_of(file: str, system: str) -> Suite:
    """The cases of a file. Blocks. Raises UsageError."""
    files = Files()
    return read([files.found(file)], files.fetch, Wishes((), system, allow_python=False))


def unfinished(wanted: Wanted) -> list[Unfinished]:
    """Kept runs of the same cases with the same models and settings that are not whole. Blocks."""
    found = []
    for path in all_newest():
        with contextlib.suppress(OSError, QuarterdeckError):
            standing = ledgers.read(path)
            same = standing.head.get("same")
            made = wanted.plan(str(standing.head.get("salt")))
            if not isinstance(same, dict) or changes(same, fingerprint(made)):
                continue
            answered = len({pair.id for pair in made.pairs} & standing.results.keys())
            if answered < len(made.pairs):
                found.append(Unfinished(path, answered, len(made.pairs)))
    return found


def all_newest() -> list[Path]:
    """The runs that are kept, the newest first; so many as are looked at."""
    return list(ledgers.all_runs())[:_LOOKED_AT]


class CasesRun:
    """One run, and its sittings one after the other."""

    def __init__(self, desk: Desk, session: Session, wanted: Wanted, on_change: Callable[[], None]) -> None:
        """Sends nothing, writes nothing. Raises UsageError where it is too large."""
        if len(wanted.suite.cases) * len(wanted.targets) * wanted.repeat > MOST_PAIRS:
            raise UsageError(f"cases times models times repeats is more than {MOST_PAIRS}")
        self.desk, self.session, self.wanted = desk, session, wanted
        self.on_change = on_change
        self.made: Plan | None = None
        self.problem = ""
        """Why it stopped, where it did not just end or was stopped."""
        self._ledger: Ledger | None = None
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether answers are still to come."""
        return self._task is not None and not self._task.done()

    @property
    def progress(self) -> Progress | None:
        """How far it is."""
        return self._run.progress() if self._run is not None else None

    @property
    def order(self) -> Order:
        """What runs at the same time."""
        return Order.SERIAL if self.wanted.serial else Order.BY_HOST

    @property
    def keeps_texts(self) -> bool:
        """Whether answers are on disk."""
        return self._ledger is not None and self._ledger.keeps_texts

    def comparison(self) -> Comparison | None:
        """What is known so far."""
        return self._run.comparison(settings=self._settings(), notes=self._shared()) if self._run is not None else None

    def open(self, path: Path | None) -> None:
        """Begin a run, or go on with one. Blocks. Raises QuarterdeckError."""
        if path is not None:
            self._ledger = ledgers.resume(path)
            self.made = self.wanted.plan(str(self._ledger.standing.head.get("salt")))
            return
        self.made = self.wanted.plan(secrets.token_hex(16))
        head: dict[str, Any] = {
            "salt": self.made.salt,
            "same": fingerprint(self.made),
            "pairs": len(self.made.pairs),
            "files": list(self.wanted.suite.files),
            "fleet": str(source) if (source := self.desk.fleet.source) is not None else None,
            "urls": [],
            "manner": {"order": self.order.value, "concurrency": 1, "warm_up": self.wanted.warm_up},
            "has_system": False,
            "has_prompt": False,
            "has_schema": self.wanted.sampling.schema is not None,
        }
        self._ledger = ledgers.begin(head, texts=self.desk.fleet.chat.save)

    def start(self) -> None:
        """Ask what is missing. `open` comes before."""
        if self._ledger is None or self.made is None or self.running:
            return
        judge = Judge()
        manner = Manner(order=self.order, warm_up=self.wanted.warm_up)
        self._run = Run(
            self.desk, self.session, self.made, self._ledger, judge, manner=manner, on_change=lambda _: self.on_change()
        )
        self.problem = ""
        self._task = asyncio.get_running_loop().create_task(self._sit(self._run, judge))

    def again(self) -> int:
        """Ask once more what did not pass; how many. Blocks for a moment. Raises QuarterdeckError."""
        if self._ledger is None or self.made is None or self.running:
            return 0
        mine = {pair.id for pair in self.made.pairs}
        bad = [
            pair
            for pair, one in self._ledger.standing.results.items()
            if pair in mine and one.verdict is not Verdict.PASS
        ]
        self._ledger.again(bad)
        return len(bad)

    def stop(self) -> None:
        """Ask no more; what was answered is kept."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop, and let go of the file."""
        self.stop()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=2.0)
        if self._ledger is not None:
            self._ledger.close()

    async def _sit(self, run: Run, judge: Judge) -> None:
        try:
            await run.run()
        except QuarterdeckError as error:
            self.problem = error.message
        finally:
            await judge.close()
            self.on_change()

    def _shared(self) -> Sequence[str]:
        assert self.made is not None
        shared = said(self.made, {spec.name: spec for spec in self.desk.fleet.endpoints}, self.order)
        return [shared.partition(" (--")[0]] if shared else []  # options are the command line's

    def _settings(self) -> Mapping[str, object]:
        sampling = self.wanted.sampling
        names = ("temperature", "top_p", "max_tokens", "seed", "context_length", "effort")
        told: dict[str, object] = {name: each for name in names if (each := getattr(sampling, name)) is not None}
        return told | {"repeat": self.wanted.repeat, "order": self.order.value}
