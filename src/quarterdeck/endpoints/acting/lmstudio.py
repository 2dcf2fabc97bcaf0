"""Acts on LM Studio, by its REST interface of version 1 (app 0.4 and newer).

Sources: POST /api/v1/models/load, /unload (one instance) and /download; GET /api/v1/models and /api/v1/models/download/status/ID. To a
path that it doesn't know it answers 200 with an error in the body.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from quarterdeck.endpoints.acting.base import Interrupted
from quarterdeck.endpoints.acting.common import Acting, Doing, model_of, not_taken, refused, whole_option
from quarterdeck.endpoints.acting.line import missing
from quarterdeck.format import printable, size
from quarterdeck.model.job import Progress
from quarterdeck.model.pulling import advance, begin, progress_of
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import items, mapping, text
from quarterdeck.wire.failure import Failure, foreign

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.base import Deed, Report
    from quarterdeck.model.pulling import PullProgress

MODELS = "/api/v1/models"
NEEDS = "this needs LM Studio 0.4 or newer"


class LMStudioActor(Acting):
    """One LM Studio server."""

    server = "LM Studio"

    def deeds(self) -> Mapping[str, Doing]:
        """Action → what does it."""
        return {
            "pull": self._pull,
            "load": self._load,
            "unload": self._unload,
            "unload_all": self._unload_all,
        }

    async def _load(self, deed: Deed, report: Report) -> str:
        model, context = model_of(deed), whole_option(deed, "context")
        report(Progress(f"loading {model}"))
        payload: dict[str, object] = {"model": model}
        if context:
            payload["context_length"] = context
        told = await self._post("load", payload, within=self.patience.load_s)
        status = text(told.get("status"))
        if status not in (None, "loaded"):
            raise refused(f"the server says: {status}")
        took = told.get("load_time_seconds")
        name = text(told.get("instance_id")) or model
        seconds = f" in {took:.1f} s" if isinstance(took, int | float) and not isinstance(took, bool) else ""
        return f"loaded{seconds}, as {name}{not_taken(deed, 'keep_alive', server=self.server)}"

    async def _unload(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        instances = await self._instances()
        mine = [instance for instance, key in instances.items() if model in (instance, key)]
        return await self._end([model] if mine and model not in instances.values() else mine, report)

    async def _unload_all(self, _: Deed, report: Report) -> str:
        return await self._end(list(await self._instances()), report)

    async def _end(self, instances: list[str], report: Report) -> str:
        if not instances:
            return "nothing of it was in memory"
        for index, instance in enumerate(instances, 1):
            report(Progress(f"unloading {instance}, {index} of {len(instances)}"))
            await self._post("unload", {"instance_id": instance})

        async def gone() -> bool | None:
            return None if set(instances) & (await self._instances()).keys() else True

        if not await self.line.until(gone, within=self.patience.settle_s):
            return "a request still runs: it leaves memory when that ends"
        return "left memory" if len(instances) == 1 else f"{len(instances)} left memory"

    async def _instances(self) -> dict[str, str]:
        """What is in memory: instance → model."""
        try:
            listing = mapping(await self.line.json(MODELS))
        except Failure as failure:
            raise _too_old(failure) from None
        if "models" not in listing:
            raise refused(NEEDS) if "error" in listing else foreign("LM Studio")
        found: dict[str, str] = {}
        for entry in map(mapping, items(listing.get("models"))):
            key = text(entry.get("key"))
            for instance in map(mapping, items(entry.get("loaded_instances"), 64)):
                name = text(instance.get("id")) or key
                if name is not None:
                    found[name] = key or name
        return found

    async def _pull(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        told = await self._post("download", {"model": model})
        progress = advance(begin(deed.expected_bytes), told, time.monotonic())
        report(progress_of(progress))
        job = text(told.get("job_id"))
        if not progress.done:
            if job is None:
                raise foreign("LM Studio", "it names no download")
            progress = await self._followed(job, progress, report)
        if told.get("status") == "already_downloaded":
            return f"{model} was there already"
        return f"pulled {model}" + (f", {size(progress.completed)}" if progress.completed else "")

    async def _followed(self, job: str, progress: PullProgress, report: Report) -> PullProgress:
        """The download goes on in LM Studio whatever becomes of us."""
        since = time.monotonic()
        while not progress.done:
            await asyncio.sleep(self.patience.poll_s)
            try:
                told = mapping(await self.line.json(f"{MODELS}/download/status/{quote(job, safe='')}"))
            except Failure as failure:
                raise _lost(failure) from None
            now = time.monotonic()
            new = advance(progress, told, now)
            if new.completed != progress.completed or new.status != progress.status:
                since = now
            progress = new
            report(progress_of(progress))
            if progress.error is not None:
                raise Interrupted(progress.error.words) if progress.error.retryable else refused(progress.error.words)
            if now - since >= self.patience.stall_s:
                paused = "it is paused in LM Studio" if told.get("status") == "paused" else "no progress"
                raise Interrupted(f"{paused} for {self.patience.stall_s:g} s")
        return progress

    async def _post(self, what: str, payload: object, *, within: float | None = None) -> Mapping[str, object]:
        try:
            told = mapping(await self.line.asked(f"{MODELS}/{what}", payload, within=within))
        except Failure as failure:
            raise _too_old(failure) from None
        error = told.get("error")
        if error is not None:
            said = mapping(error).get("message", error)
            words = printable(said, 160) if isinstance(said, str) else "it refuses"
            raise refused(NEEDS if "unexpected endpoint" in words.lower() else words)
        return told


def _too_old(failure: Failure) -> Failure:
    """An unknown page is an old app; an unknown model is a 404 too, but says so."""
    bare = missing(failure) and (failure.reason.partition(": ")[2].lower() == "not found" or failure.status != 404)
    return Failure(failure.outcome, NEEDS, status=failure.status) if bare else failure


def _lost(failure: Failure) -> Exception:
    return failure if failure.outcome in (Outcome.AUTH, Outcome.FOREIGN) else Interrupted(failure.reason)
