"""From a file of cases to a run with the models of the chat's columns: read, asked where it leaves the house, begun or gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.onward import onward_of
from quarterdeck.engine.comparing.sitting import CasesRun, Unfinished, Wanted, suite_of, unfinished
from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.cases.result import Target
from quarterdeck.model.chat.boundary import Rule
from quarterdeck.tui.chat.asking import ConsentScreen, consent_words
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.form import Answers, Field, FormScreen

if TYPE_CHECKING:
    from quarterdeck.model.chat.boundary import Verdict
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.chat.sitting import Sitting


class Beginning:
    """One way from the form to the matrix."""

    def __init__(self, app: ConsoleApp, sitting: Sitting) -> None:
        self._app, self._sitting = app, sitting

    def ask(self) -> None:
        """Which file."""
        if not self._targets:
            self._app.say("no column to run cases with: Tab, then a adds a model", topic="chat")
            return
        names = ", ".join(printable(target.label, 60) for target in self._targets)
        field = Field(
            "file", "file", self._sitting.case_file, "cases.yaml", "JSONL, CSV or YAML; promptfoo's tests are read."
        )
        self._app.push_screen(FormScreen(f"Run cases with {names}", [field], self._named))

    @property
    def _targets(self) -> tuple[Target, ...]:
        """The models of the columns, each once."""
        columns = self._sitting.talk.columns
        return tuple(dict.fromkeys(Target(column.endpoint, column.model) for column in columns))

    def _named(self, answers: Answers | None) -> None:
        if answers is not None and answers["file"].strip():
            self._sitting.case_file = answers["file"].strip()
            self._sitting.spawn(asyncio.get_running_loop().create_task(self._read(self._sitting.case_file)))

    async def _read(self, file: str) -> None:
        settings = self._sitting.talk.settings
        try:
            suite = await asyncio.to_thread(suite_of, file, settings.system)
            wanted = Wanted(
                suite,
                self._targets,
                settings.sampling,
                repeat=settings.repeat,
                serial=settings.serial,
                warm_up=settings.warm_up,
            )
            before = await asyncio.to_thread(unfinished, wanted)
        except QuarterdeckError as error:
            self._app.say(printable(error.message, 300), 10.0, topic="chat")
            return
        self._consent(wanted, list(wanted.targets), lambda: self._choose(wanted, before))

    def _consent(self, wanted: Wanted, targets: list[Target], then: Callable[[], None]) -> None:
        """One question for each endpoint that needs a yes; a No leaves its cases unasked."""
        sitting, files = self._sitting, wanted.suite.files
        sitting.session.hold([spec for one in wanted.targets if (spec := sitting.talk.spec(one.endpoint)) is not None])
        while targets:
            target = targets.pop(0)
            verdict = self._verdict(target, wanted)
            if verdict is None or verdict.rule is not Rule.ASK:
                continue

            def answered(yes: bool, name: str = target.endpoint) -> None:
                if yes:
                    sitting.session.agree(name, files)
                self._consent(wanted, targets, then)

            spec = sitting.talk.spec(target.endpoint)
            question, impact = consent_words(target.endpoint, spec, verdict, files)
            self._app.push_screen(ConsentScreen(question, impact, "Send them", answered))
            return
        then()

    def _verdict(self, target: Target, wanted: Wanted) -> Verdict | None:
        sitting, desk = self._sitting, self._sitting.desk
        spec = sitting.talk.spec(target.endpoint)
        if spec is None:
            return None
        beyond = onward_of(desk.fleet, desk.snapshot(), target.endpoint, target.model)
        return sitting.session.verdict(desk.fleet, spec, wanted.suite.files, (beyond,) if beyond is not None else ())

    def _choose(self, wanted: Wanted, before: list[Unfinished]) -> None:
        if not before:
            self._open(wanted, None)
            return
        items = [Item(f"go on with run {one.path.stem}", f"{one.answered} of {one.pairs} answered") for one in before]
        items.append(Item("begin anew"))

        def then(place: int) -> None:
            self._open(wanted, before[place] if place < len(before) else None)

        self._app.push_screen(ChooseScreen("The same was begun before", items, then))

    def _open(self, wanted: Wanted, before: Unfinished | None) -> None:
        self._sitting.spawn(asyncio.get_running_loop().create_task(self._begin(wanted, before)))

    async def _begin(self, wanted: Wanted, before: Unfinished | None) -> None:
        from quarterdeck.tui.screens.cases import CasesScreen

        sitting = self._sitting
        try:
            run = CasesRun(sitting.desk, sitting.session, wanted, lambda: None)
            await asyncio.to_thread(run.open, before.path if before is not None else None)
        except QuarterdeckError as error:
            self._app.say(printable(error.message, 300), 10.0, topic="chat")
            return
        if sitting.cases is not None:
            await sitting.cases.close()
        sitting.cases = run
        run.start()
        self._app.push_screen(CasesScreen(run))
