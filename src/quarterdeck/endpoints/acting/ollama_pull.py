"""Pulls a model to an Ollama. Closing the connection cancels it; asking again goes on from the parts that are there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quarterdeck.endpoints.acting.base import Deed, Interrupted, Report
from quarterdeck.endpoints.acting.names import same
from quarterdeck.endpoints.acting.ollama_client import Ollama, failure_of
from quarterdeck.format import size
from quarterdeck.model.pulling import PullProgress, advance, begin, progress_of, restarted
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SLOWEST_CHECK = 50e6
"""Bytes a second that a server reads at least while it checks a digest, without a word."""


class Puller:
    """Pulls of one server; a model that is pulled again goes on where its bar was."""

    def __init__(self, ollama: Ollama, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Opens nothing."""
        self._ollama = ollama
        self._monotonic = monotonic
        self._before: dict[str, PullProgress] = {}

    async def pull(self, model: str, deed: Deed, report: Report) -> str:
        """Pull until it is done; the result in words.

        Raises Failure where doing it again is of no use, Interrupted where it goes on from what is there.
        """
        async with self._ollama.asking() as client:
            listed = (await client.list()).models  # says clearly who doesn't answer, refuses us or is no Ollama
        was_there = any(same(each.model or "", model) for each in listed)
        before = self._before.get(model)
        progress = begin(deed.expected_bytes) if before is None else restarted(before, self._monotonic())
        try:
            progress = await self._followed(model, progress, report)
        except Failure as failure:
            raise Failure(
                failure.outcome, self._ollama.line.fetch.redacted(failure.reason), status=failure.status
            ) from None
        except Interrupted as interrupted:
            raise Interrupted(self._ollama.line.fetch.redacted(str(interrupted))) from None
        self._before.pop(model, None)
        if was_there and not progress.downloaded and progress.cached == progress.completed:
            return f"{model} was there already, up to date"
        return f"pulled {model}, {size(progress.completed)}" if progress.completed else f"pulled {model}"

    async def _followed(self, model: str, progress: PullProgress, report: Report) -> PullProgress:
        stall = self._ollama.line.patience.stall_s
        loop, heard = asyncio.get_running_loop(), False
        try:
            async with asyncio.timeout(stall) as deadline, aclosing(self._lines(model)) as lines:
                async for line in lines:
                    heard = True
                    new = advance(progress, line, self._monotonic())
                    if _moved(progress, new):
                        deadline.reschedule(loop.time() + stall + _checking(new))
                    progress = self._before[model] = new
                    report(progress_of(new))
                    if new.done or new.error is not None:
                        break
        except TimeoutError:
            raise Interrupted(f"no progress for {stall:g} s") from None
        except Failure as failure:
            raise _cut(failure, heard=heard) from None
        return _ended(progress)

    async def _lines(self, model: str) -> AsyncGenerator[Mapping[str, Any], None]:
        """What the server says, its errors among them. Raises Failure, status ``None`` where the connection broke."""
        from ollama import ResponseError

        line, client = self._ollama.line, self._ollama
        await line.ready()
        try:
            stream = await client.opened().pull(model, stream=True)
            async with aclosing(stream):  # type: ignore[type-var]
                async for part in stream:
                    yield part.model_dump(exclude_none=True)
        except ResponseError as error:
            failure = failure_of(error, line.patience.stall_s)
            if failure.outcome is not Outcome.FAILED or not isinstance(error.error, str):
                raise failure from None
            yield {"error": error.error}
        except TimeoutError:
            raise
        except json.JSONDecodeError:
            raise Interrupted("the answer ended in the middle of a line") from None
        except Exception as error:  # noqa: BLE001  (whatever the library lets through)
            raise failure_of(error, line.patience.stall_s) from None


def _moved(old: PullProgress, new: PullProgress) -> bool:
    return (new.completed, new.downloaded, new.status, len(new.layers)) != (
        old.completed,
        old.downloaded,
        old.status,
        len(old.layers),
    )


def _checking(progress: PullProgress) -> float:
    """Seconds more that its present phase can take in silence."""
    return (progress.total or 0) / SLOWEST_CHECK if progress.status == "checking the digest" else 0.0


def _cut(failure: Failure, *, heard: bool) -> Exception:
    """A connection that broke while it pulled can be taken up again; a refusal can't."""
    if not heard or failure.status is not None or failure.outcome in (Outcome.AUTH, Outcome.FOREIGN):
        return failure
    return Interrupted(failure.reason)


def _ended(progress: PullProgress) -> PullProgress:
    """``progress`` if it is done. Raises Interrupted, or Failure where the server said why it gave up for good."""
    if progress.done:
        return progress
    if progress.error is None:
        raise Interrupted("the answer ended before the download did")
    if progress.error.retryable:
        raise Interrupted(progress.error.words)
    raise Failure(Outcome.FAILED, progress.error.words)
