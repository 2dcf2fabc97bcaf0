"""`quarterdeck compare "PROMPT"`: one prompt to several models; columns on a terminal, JSON on a pipe."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from quarterdeck.cli.compare import fleet_of, sampling_of, typed_prompt
from quarterdeck.cli.compare_asking import agree, order_of, specs_of, targets_of, watching
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.chat.attaching import Prompt, prompt_of
from quarterdeck.engine.chat.sending import Desk, Exchange, Wish
from quarterdeck.engine.chat.session import Session
from quarterdeck.engine.comparing.plan import groups, plan, said
from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.cases.case import Case
from quarterdeck.model.cases.result import Target
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.fairness import comparable, spread
from quarterdeck.model.chat.request import ChatRequest, Message, Role, Sampling
from quarterdeck.report.compare.document import spread as spread_document
from quarterdeck.report.values import rounded

FAILED = 1


@dataclass(slots=True, eq=False)
class Column:
    """One model, and what it answered."""

    target: Target
    answers: list[Answer] = field(default_factory=list)
    ended: bool = False


def run(arguments: argparse.Namespace) -> int:
    """Ask and show. Raises QuarterdeckError."""
    prompt = prompt_of(typed_prompt(arguments))
    sampling, files = sampling_of(arguments)
    fleet = fleet_of(arguments)
    return asyncio.run(_run(arguments, fleet, prompt, sampling, files))


async def _run(
    arguments: argparse.Namespace, fleet: FleetConfig, prompt: Prompt, sampling: Sampling, files: tuple[str, ...]
) -> int:
    targets = await targets_of(arguments.model or (), fleet)
    session = Session()
    attached = (*prompt.files, *files)
    agree(arguments, fleet, session, targets, files=attached)
    system = (Message(Role.SYSTEM, arguments.system),) if arguments.system else ()
    messages = (*system, Message(Role.USER, prompt.text, prompt.images))
    columns = [Column(target) for target in targets]
    specs = {spec.name: spec for spec in specs_of(targets, fleet)}
    made = plan([Case("1", messages)], targets, sampling, 1, "")
    shared = said(made, specs, order_of(arguments))
    if shared:
        sys.stderr.write(f"{shared}\n")
    as_json = arguments.json or not sys.stdout.isatty()
    async with watching(fleet, targets) as engine:
        agree(arguments, engine.fleet, session, targets, files=attached, snapshot=engine.snapshot())
        asking = _Asking(engine, session, messages, sampling, files=attached, arguments=arguments)
        order = [[columns[place] for place in group] for group in groups(made, specs, order_of(arguments))]
        try:
            if as_json:
                await asking.all(order)
            else:
                from quarterdeck.cli.compare_columns import showing

                await showing(asking.all(order), columns, engine.clock)
        except asyncio.CancelledError:
            if not as_json:
                _show(columns)
            raise
    await _keep(fleet, columns, messages, sampling)
    if as_json:
        sys.stdout.write(json.dumps(document(columns, shared), ensure_ascii=False, allow_nan=False, indent=2) + "\n")
    else:
        _show(columns)
    return 0 if all(one.ending is Ending.DONE for column in columns for one in column.answers) else FAILED


def _show(columns: Sequence[Column]) -> None:
    from quarterdeck.cli.compare_columns import final

    sys.stdout.write(final(columns))


class _Asking:
    """Sends one prompt to columns, in groups that run at the same time."""

    def __init__(
        self,
        desk: Desk,
        session: Session,
        messages: tuple[Message, ...],
        sampling: Sampling,
        *,
        files: tuple[str, ...],
        arguments: argparse.Namespace,
    ) -> None:
        self._desk = desk
        self._session = session
        self._messages = messages
        self._sampling = sampling
        self._files = files
        self._repeat = arguments.repeat or 1
        self._warm_up = arguments.warm_up

    async def all(self, order: Sequence[Sequence[Column]]) -> None:
        """Until every column has ended."""
        async with asyncio.TaskGroup() as tasks:
            for group in order:
                tasks.create_task(self._group(group))

    async def _group(self, columns: Sequence[Column]) -> None:
        for column in columns:
            if self._warm_up:
                await self._warm(column)
            for _ in range(self._repeat):
                request = ChatRequest(column.target.model, self._messages, self._sampling)
                exchange = Exchange(self._desk, self._session, Wish(column.target.endpoint, request, self._files))
                column.answers.append(exchange.answer)
                await exchange.run()
                if exchange.answer.ending is not Ending.DONE:
                    break
            column.ended = True

    async def _warm(self, column: Column) -> None:
        sampling = Sampling(max_tokens=1, temperature=0.0, context_length=self._sampling.context_length)
        request = ChatRequest(column.target.model, (Message(Role.USER, "Say ok."),), sampling)
        answer = await Exchange(self._desk, self._session, Wish(column.target.endpoint, request)).run()
        if answer.ending is not Ending.DONE:
            sys.stderr.write(f"{column.target.label}: warm-up failed: {printable(answer.reason)}\n")


async def _keep(
    fleet: FleetConfig, columns: Sequence[Column], messages: tuple[Message, ...], sampling: Sampling
) -> None:
    """Where [chat] save = true: with the chats, so that `quarterdeck chats` finds and deletes them."""
    if not fleet.chat.save:
        return
    from quarterdeck.engine.chat.keeping import Chats

    chats, sitting = Chats(), f"compare {uuid.uuid4().hex[:8]}"
    for column in columns:
        for answer in column.answers:
            if answer.ending is Ending.FORBIDDEN:
                continue
            try:
                await asyncio.to_thread(
                    chats.save, sitting, ChatRequest(column.target.model, messages, sampling), answer
                )
            except QuarterdeckError as error:
                sys.stderr.write(f"{error.message}\n")
                return


# ---- JSON


def document(columns: Sequence[Column], note: str = "") -> dict[str, Any]:
    """What was answered, and the numbers. Seconds, US dollars; unknown is null."""
    return {
        "schema_version": 1,
        "notes": [note] if note else [],
        "models": [
            {
                "endpoint": column.target.endpoint,
                "model": column.target.model,
                "answers": [answer_document(one) for one in column.answers],
                **_spreads(column),
            }
            for column in columns
        ],
        "cost_usd": _sum([one.cost for column in columns for one in column.answers]),
    }


def _spreads(column: Column) -> dict[str, Any]:
    counted = comparable(column.answers)
    found = {
        "ttft_s": spread([one.ttft_s for one in counted if one.ttft_s is not None]),
        "total_s": spread([one.total_s for one in counted if one.total_s is not None]),
        "decode_tps": spread([one.decode_tps for one in counted if one.decode_tps is not None]),
    }
    return {name: spread_document(each, 4) for name, each in found.items()}


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return rounded(sum(known), 9) if known else None


def answer_document(one: Answer) -> dict[str, Any]:
    """One answer, with what we measured and what the server said itself."""
    timings = one.timings
    return {
        "text": one.text,
        "reasoning": one.reasoning or None,
        "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in one.tools.values()],
        "ending": one.ending.value if one.ending is not None else None,
        "reason": one.reason,
        "finish": one.finish,
        "ttft_s": rounded(one.ttft_s, 4),
        "total_s": rounded(one.total_s, 4),
        "decode_tps": None if one.decode_tps is None else rounded(one.decode_tps, 2),
        "prompt_tokens": one.usage.prompt_tokens,
        "cached_tokens": one.usage.cached_tokens,
        "output_tokens": one.output_tokens,
        "reasoning_tokens": one.usage.reasoning_tokens,
        "cost_usd": rounded(one.cost, 9),
        "cost_source": one.cost_source,
        "cold": one.cold,
        "answered_by": one.answered_by,
        "server": None if timings is None else asdict(timings) | {"decode_tps": rounded(timings.decode_tps, 2)},
        "circumstances": asdict(one.circumstances),
        "notes": list(one.notes),
    }
