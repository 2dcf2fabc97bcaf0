"""One conversation with up to four models at a time: columns with a history each, one prompt to all of them. Headless.

Every exchange is a task of the conversation's own, so an answer goes on coming in whoever looks at it, or nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.columns import Column, Phase, Settings, Totals, Turn
from quarterdeck.engine.chat.onward import onward_of
from quarterdeck.engine.chat.sending import Desk, Exchange, Wish
from quarterdeck.model.chat.answer import Ending
from quarterdeck.model.chat.fairness import disturbance
from quarterdeck.model.chat.request import ChatRequest, Message, Role, Sampling
from quarterdeck.model.fleet import Boundary

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.engine.chat.attaching import Prompt
    from quarterdeck.engine.chat.onward import Onward
    from quarterdeck.engine.chat.session import Session
    from quarterdeck.model.chat.boundary import Verdict

MOST_COLUMNS = 4
_WARM_UP = Sampling(max_tokens=1, temperature=0.0)
_STOP_WITHIN_S = 1.0


class Conversation:
    """Columns, what was said in them, and the sending."""

    def __init__(
        self,
        desk: Desk,
        session: Session,
        *,
        on_finished: Callable[[Turn], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """``on_finished`` is called with a turn whenever an answer of it has ended (not for what was never sent)."""
        self.desk = desk
        self.session = session
        self.on_finished = on_finished
        self.columns: list[Column] = []
        self.settings = Settings()
        self.totals = Totals()
        self.blind = False
        self.revealed = True
        """Whether the names are shown. Blind, they are hidden from the first prompt until somebody votes."""
        self._keys = itertools.count(1)
        self._rng = rng or random.Random()  # noqa: S311  (columns in another order)

    # ---- columns

    def add(self, endpoint: str, model: str) -> Column:
        """One more column; the oldest settings of its own are none."""
        column = Column(next(self._keys), endpoint, model)
        self.columns.append(column)
        self._hold()
        return column

    def change(self, column: Column, endpoint: str, model: str) -> None:
        """Ask another model there. What was said in it goes: it was said by, and to, somebody else."""
        self.cancel(column)
        column.endpoint, column.model = endpoint, model
        column.turns = []
        self._hold()

    def remove(self, column: Column) -> None:
        """Take it away; what it is asked is cancelled."""
        self.cancel(column)
        if column in self.columns:
            self.columns.remove(column)

    def clear(self) -> None:
        """A new conversation with the same columns."""
        self.cancel_all()
        for column in self.columns:
            column.turns = []
        self.revealed = not self.blind

    def set_blind(self, blind: bool) -> None:
        """Shuffle the columns and hide their names, or show them."""
        self.blind, self.revealed = blind, not blind or any(column.turns for column in self.columns)
        if blind and not self.revealed:
            self._rng.shuffle(self.columns)

    @property
    def hidden(self) -> bool:
        """Whether the names are hidden now."""
        return self.blind and not self.revealed

    def reveal(self) -> None:
        """Somebody has voted: show the names."""
        self.revealed = True

    # ---- what may be sent

    def spec(self, name: str) -> EndpointSpec | None:
        """The endpoint of that name, as far as it is watched."""
        return next((spec for spec in self.desk.fleet.endpoints if spec.name == name), None)

    def boundary(self, column: Column) -> Boundary | None:
        """How far a prompt to this column travels, also behind its endpoint; ``None`` where that isn't watched."""
        spec = self.spec(column.endpoint)
        if spec is None:
            return None
        beyond = onward_of(self.desk.fleet, self.desk.snapshot(), spec.name, column.model)
        return Boundary.EXTERNAL if beyond is not None else spec.boundary

    def _hold(self) -> None:
        """All columns belong to the session before one of them is asked."""
        self.session.hold([spec for column in self.columns if (spec := self.spec(column.endpoint)) is not None])

    def verdicts(self, prompt: Prompt, columns: Sequence[Column]) -> dict[str, tuple[Verdict, tuple[str, ...]]]:
        """By endpoint: whether the prompt may go there, and the files that would."""
        self._hold()
        files: dict[str, dict[str, None]] = {}
        beyond: dict[str, list[Onward]] = {}
        fleet, snapshot = self.desk.fleet, self.desk.snapshot()
        for column in columns:
            files.setdefault(column.endpoint, {}).update(dict.fromkeys(self._files(column, prompt)))
            if (further := onward_of(fleet, snapshot, column.endpoint, column.model)) is not None:
                beyond.setdefault(column.endpoint, []).append(further)
        found: dict[str, tuple[Verdict, tuple[str, ...]]] = {}
        for name, named in files.items():
            spec = self.spec(name)
            if spec is not None:
                found[name] = (self.session.verdict(fleet, spec, tuple(named), beyond.get(name, ())), tuple(named))
        return found

    def disturbance(self) -> str:
        """In words, where columns would slow each other down; "" where they don't, or are asked one after another."""
        return "" if self.settings.serial else disturbance(self._hosts())

    def crowded(self) -> list[str]:
        """The machines that several columns run on, as far as is known."""
        hosts = self._hosts()
        return sorted({host for host in hosts if host is not None and hosts.count(host) > 1})

    def _hosts(self) -> list[str | None]:
        hosts = {view.name: view.host for view in self.desk.snapshot().endpoints}
        return [hosts.get(column.endpoint) for column in self.columns]

    # ---- sending

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return any(column.busy for column in self.columns)

    def send(self, prompt: Prompt, columns: Iterable[Column] | None = None) -> None:
        """Ask all columns (or these). Those that still answer are left alone."""
        self._hold()
        if self.blind and not any(column.turns for column in self.columns):
            self._rng.shuffle(self.columns)
            self.revealed = False
        chosen = [column for column in (self.columns if columns is None else columns) if not column.busy]
        gate: asyncio.Lock | None = asyncio.Lock() if self.settings.serial else None
        for column in [column for column in self.columns if column in chosen]:
            self._begin(column, prompt, gate)

    def retry(self, column: Column) -> None:
        """Ask the last prompt of one column again, in the place of the answer that it has."""
        turn = column.last
        if turn is not None and turn.ended:
            column.turns.pop()
            self._begin(column, turn.prompt, None)

    def _begin(self, column: Column, prompt: Prompt, gate: asyncio.Lock | None) -> None:
        request = ChatRequest(column.model, self._messages(column, prompt), column.own.over(self.settings.sampling))
        files = self._files(column, prompt)
        exchange = Exchange(self.desk, self.session, Wish(column.endpoint, request, files))
        turn = Turn(prompt, request, files, [exchange.answer], self.settings.repeat)
        column.turns.append(turn)
        around: AbstractAsyncContextManager[object] = nullcontext() if gate is None else gate
        column.task = asyncio.get_running_loop().create_task(self._carry_out(column, turn, exchange, around))
        column.task.add_done_callback(lambda _: self._end(turn))  # also of a task that was cancelled before it began

    async def _carry_out(
        self, column: Column, turn: Turn, exchange: Exchange, around: AbstractAsyncContextManager[object]
    ) -> None:
        async with around:
            if self.settings.warm_up:
                await self._warm(column, turn)
            turn.phase = Phase.RUNNING
            await self._ask(turn, exchange)

    def _end(self, turn: Turn) -> None:
        """Nothing more comes; where it was never asked, it was cancelled before."""
        turn.answer.end(Ending.CANCELLED, self.desk.clock.monotonic(), "cancelled")
        turn.phase = Phase.ENDED

    async def _ask(self, turn: Turn, first: Exchange) -> None:
        """As many times as it is to be asked; where one doesn't end well, no more."""
        exchange = first
        while True:
            try:
                await exchange.run()
            finally:
                self._finished(turn)
            if exchange.answer.ending is not Ending.DONE or len(turn.answers) >= turn.repeat:
                return
            exchange = Exchange(self.desk, self.session, exchange.wish)
            turn.answers.append(exchange.answer)

    async def _warm(self, column: Column, turn: Turn) -> None:
        """A request of one token; what it comes to is a note where it fails."""
        turn.phase = Phase.WARMING
        request = replace(
            turn.request,
            messages=(Message(Role.USER, "Say ok."),),
            sampling=replace(_WARM_UP, context_length=turn.request.sampling.context_length),
        )
        answer = await Exchange(self.desk, self.session, Wish(column.endpoint, request)).run()
        if answer.ending is Ending.FAILED:
            turn.answer.notes.append(f"warm-up failed: {answer.reason}")

    def _finished(self, turn: Turn) -> None:
        if turn.answer.ending is Ending.FORBIDDEN:
            return
        self.totals.take(turn.answer)
        if self.on_finished is not None:
            with contextlib.suppress(Exception):  # what keeps answers must not end them
                self.on_finished(turn)

    # ---- cancelling

    def cancel(self, column: Column) -> None:
        """Stop one column; what came stays."""
        if column.task is not None and column.busy:
            column.task.cancel()

    def cancel_all(self) -> int:
        """Stop all; how many there were."""
        busy = [column for column in self.columns if column.busy]
        for column in busy:
            self.cancel(column)
        return len(busy)

    async def stop(self) -> None:
        """The end of the session: cancel, and wait until the connections are closed, for a second at most."""
        tasks = {column.task for column in self.columns if column.task is not None and not column.task.done()}
        self.cancel_all()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_WITHIN_S)

    # ---- what is sent

    def _messages(self, column: Column, prompt: Prompt) -> tuple[Message, ...]:
        """System prompt, the turns that were answered, the prompt. A turn without answer is left out: many templates
        want user and assistant in turn."""
        system = self.settings.system if column.system is None else column.system
        messages = [Message(Role.SYSTEM, system)] if system else []
        for turn in _answered(column):
            messages += [
                Message(Role.USER, turn.prompt.text, turn.prompt.images),
                Message(Role.ASSISTANT, turn.answer.text),
            ]
        return (*messages, Message(Role.USER, prompt.text, prompt.images))

    def _files(self, column: Column, prompt: Prompt) -> tuple[str, ...]:
        files = dict.fromkeys(path for turn in _answered(column) for path in turn.prompt.files)
        return tuple(files | dict.fromkeys(prompt.files))


def _answered(column: Column) -> list[Turn]:
    """The turns that belong to the history: those that have an answer, or the beginning of one."""
    return [turn for turn in column.turns if turn.ended and turn.answer.text]
