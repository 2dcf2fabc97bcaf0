"""Puts the cases to the models: what runs at the same time, warm-ups, retries; every answer judged and on disk before it counts."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.onward import onward_of
from quarterdeck.engine.chat.sending import Desk, Exchange, Wish
from quarterdeck.engine.comparing.plan import Order, Plan, groups
from quarterdeck.engine.comparing.quoting import kept
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.cases.assertions import Output
from quarterdeck.model.cases.result import Comparison, Pair, Result
from quarterdeck.model.cases.verdict import Judged, Verdict
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.request import ChatRequest, Message, Role, Sampling

if TYPE_CHECKING:
    from quarterdeck.engine.chat.session import Session
    from quarterdeck.engine.comparing.holding import Judge
    from quarterdeck.engine.comparing.ledger import Ledger

MOST_AT_ONCE = 64
MOST_CONCURRENCY = 64
GIVE_UP_AFTER = 5
"""Failures in a row, without a single token, after which a model is left alone; the rest of its cases stays for later."""
_LONGEST_WORD = 60
_REFUSED = re.compile(r"4(?!08|25|29)\d\d:")
"""What a server says no to for good."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run goes about it."""

    concurrency: int = 1
    """Requests at one time to one endpoint."""
    order: Order = Order.BY_HOST
    warm_up: bool = False
    retries: int = 0
    """How often a pair is sent again whose connection failed."""
    pause_s: float = 1.0
    """Before the first retry; doubled before each other one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    total: int
    """Pairs, those of earlier sittings among them."""
    done: int
    passed: int
    failed: int
    errors: int
    flying: int
    """On their way."""
    before: int
    """Done in earlier sittings."""


class Run:
    """One sitting with a plan. What the ledger has already is not asked again."""

    def __init__(
        self,
        desk: Desk,
        session: Session,
        made: Plan,
        ledger: Ledger,
        judge: Judge,
        *,
        manner: Manner,
        on_change: Callable[[Progress], None] | None = None,
    ) -> None:
        """Sends nothing yet."""
        self._desk = desk
        self._session = session
        self.plan = made
        self._ledger = ledger
        self._judge = judge
        self._manner = manner
        self._on_change = on_change
        self._specs = {spec.name: spec for spec in desk.fleet.endpoints}
        self._ids = {pair.id for pair in made.pairs}
        self._verdicts = Counter(result.verdict for result in self._results.values())
        self._before = self._verdicts.total()
        self._endpoints = {target.endpoint: asyncio.Semaphore(manner.concurrency) for target in made.targets}
        self._all = asyncio.Semaphore(MOST_AT_ONCE)
        self._writing = asyncio.Lock()
        self._flying = 0
        self._in_a_row: dict[int, int] = {}
        self.notes: list[str] = []
        """What went wrong besides: a warm-up, a model that was given up."""

    @property
    def _results(self) -> Mapping[str, Result]:
        return {pair: result for pair, result in self._ledger.standing.results.items() if pair in self._ids}

    def comparison(self, *, settings: Mapping[str, object] | None = None, notes: Collection[str] = ()) -> Comparison:
        """What is known so far."""
        return Comparison(
            id=self._ledger.id,
            cases=self.plan.cases,
            targets=self.plan.targets,
            repeat=self.plan.repeat,
            pairs=self.plan.pairs,
            results=self._results,
            settings=dict(settings or {}),
            notes=(*notes, *self.notes),
            begun=self._ledger.standing.head.get("begun"),
        )

    async def run(self) -> None:
        """Ask all that is missing. Cancelled, it keeps what was answered. Raises QuarterdeckError where that can't be kept."""
        self._session.hold([self._specs[target.endpoint] for target in self.plan.targets])
        self._tell()
        try:
            async with asyncio.TaskGroup() as tasks:
                for group in groups(self.plan, self._specs, self._manner.order):
                    tasks.create_task(self._group(group))
        except* QuarterdeckError as error:
            raise _first(error) from None

    async def _group(self, places: list[int]) -> None:
        for place in places:
            missing = [
                pair
                for pair in self.plan.pairs
                if pair.target == place and pair.id not in self._ledger.standing.results
            ]
            if not missing:
                continue
            if self._manner.warm_up:
                await self._warm(missing[0])
            queue = iter(missing)
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self._manner.concurrency, len(missing))):
                    tasks.create_task(self._worker(place, queue))

    async def _worker(self, place: int, queue: object) -> None:
        for pair in queue:  # type: ignore[attr-defined]  # one iterator for all workers of a model
            if self._in_a_row.get(place, 0) >= GIVE_UP_AFTER:
                return
            async with self._endpoints[self.plan.targets[place].endpoint], self._all:
                await self._pair(pair)

    async def _warm(self, pair: Pair) -> None:
        """A request of one token; it counts for nothing."""
        target = self.plan.targets[pair.target]
        sampling = Sampling(max_tokens=1, temperature=0.0, context_length=self.plan.sampling.context_length)
        request = ChatRequest(target.model, (Message(Role.USER, "Say ok."),), sampling)
        async with self._endpoints[target.endpoint], self._all:
            answer = await Exchange(self._desk, self._session, Wish(target.endpoint, request)).run()
        if answer.ending is not Ending.DONE:
            self.notes.append(f"{target.label}: warm-up failed: {kept(answer.reason, [])}")

    # ---- one pair

    async def _pair(self, pair: Pair) -> None:
        self._flying += 1
        self._tell()
        try:
            result = await self._asked(pair)
        finally:
            self._flying -= 1
        if result is not None:
            await self._write(pair, result)
        self._tell()

    async def _asked(self, pair: Pair) -> Result | None:
        """``None`` where it was not sent."""
        target, case = self.plan.targets[pair.target], self.plan.cases[pair.case]
        wish = Wish(target.endpoint, self.plan.request(pair), case.files)
        if not self._may_leave(pair, wish):
            return None
        for attempt in range(self._manner.retries + 1):
            self._ledger.asking(pair.id)
            at = self._desk.clock.wall()
            answer = await Exchange(self._desk, self._session, wish).run()
            if attempt == self._manner.retries or not _may_be_retried(answer):
                break
            await asyncio.sleep(self._manner.pause_s * 2**attempt)
        self._count_failures(pair.target, answer)
        return await self._result(pair, answer, at)

    def _may_leave(self, pair: Pair, wish: Wish) -> bool:
        """Ask before it counts as sent; sending asks once more."""
        from quarterdeck.model.chat.boundary import Rule

        target, desk = self.plan.targets[pair.target], self._desk
        beyond = onward_of(desk.fleet, desk.snapshot(), target.endpoint, target.model)
        further = (beyond,) if beyond is not None else ()
        verdict = self._session.verdict(desk.fleet, self._specs[target.endpoint], wish.files, further)
        if verdict.rule is Rule.ALLOW:
            return True
        note = f"{target.label} is not asked: {verdict.reason}"
        if note not in self.notes:
            self.notes.append(note)
        return False

    def _count_failures(self, place: int, answer: Answer) -> None:
        dead = answer.ending is Ending.FAILED and answer.first_at is None
        self._in_a_row[place] = self._in_a_row.get(place, 0) + 1 if dead else 0
        if self._in_a_row[place] == GIVE_UP_AFTER:
            self.notes.append(
                f"{self.plan.targets[place].label} was given up after {GIVE_UP_AFTER} failures in a row; "
                "its other cases are still to be asked"
            )

    async def _result(self, pair: Pair, answer: Answer, at: float) -> Result:
        case = self.plan.cases[pair.case]
        texts = [message.text for message in case.messages] + [answer.text, answer.reasoning]
        if answer.ending is Ending.DONE:
            output = Output(
                answer.text,
                None if answer.total_s is None else answer.total_s * 1000,
                answer.cost,
                answer.finish,
            )
            judged = await self._judge.judge(case, output)
        else:
            reason = kept(answer.reason, texts)
            judged = Judged(Verdict.ERROR, reason=reason)
        if not self._ledger.keeps_texts:
            answer.notes[:] = [kept(note, texts) for note in answer.notes]
        return replace(_numbers(answer), verdict=judged.verdict, reason=judged.reason, findings=judged.findings, at=at)

    async def _write(self, pair: Pair, result: Result) -> None:
        counted = replace(result, asked=self._ledger.standing.asked.get(pair.id, 1))
        async with self._writing:
            writing = asyncio.ensure_future(asyncio.to_thread(self._ledger.answered, pair.id, counted))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await writing  # what was answered is kept, whatever ends the run
                raise
        self._verdicts[result.verdict] += 1

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self.progress())

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            total=len(self.plan.pairs),
            done=self._verdicts.total(),
            passed=self._verdicts[Verdict.PASS],
            failed=self._verdicts[Verdict.FAIL],
            errors=self._verdicts[Verdict.ERROR],
            flying=self._flying,
            before=self._before,
        )


def _numbers(answer: Answer) -> Result:
    """What was measured and told."""
    return Result(
        Verdict.ERROR,
        detail=answer.reason,
        ending=answer.ending.value if answer.ending is not None else "",
        finish=None if answer.finish is None else answer.finish[:_LONGEST_WORD],
        ttft_s=answer.ttft_s,
        total_s=answer.total_s,
        decode_tps=answer.decode_tps,
        prompt_tokens=answer.usage.prompt_tokens,
        output_tokens=answer.output_tokens,
        cost=answer.cost,
        cost_source=answer.cost_source,
        cold=answer.cold,
        notes=tuple(answer.notes),
        circumstances=answer.circumstances,
        text=answer.text,
    )


def _may_be_retried(answer: Answer) -> bool:
    """A failure on the way: not what the server refuses, and not an answer that began."""
    return answer.ending is Ending.FAILED and answer.first_at is None and not _REFUSED.match(answer.reason)


def _first(group: BaseExceptionGroup[QuarterdeckError]) -> QuarterdeckError:
    """The first of them, whatever group it lies in."""
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
