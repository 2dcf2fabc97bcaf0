"""Acts on llama.cpp's llama-server where it is a router over several models.

Sources: POST /models/load and /models/unload, which answer at once; GET /models tells what became of it. POST /models downloads,
DELETE /models?model= deletes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from quarterdeck.endpoints.acting.base import Interrupted
from quarterdeck.endpoints.acting.common import Acting, Doing, model_of, not_taken, refused
from quarterdeck.endpoints.acting.line import missing
from quarterdeck.endpoints.llamacpp import NO_ROUTER
from quarterdeck.format import size
from quarterdeck.model.job import Progress
from quarterdeck.model.pulling import PullProgress, advance, begin, progress_of
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import items, mapping, text
from quarterdeck.wire.failure import Failure, foreign

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.base import Deed, Report

_IN_MEMORY = ("loaded", "sleeping")
Entries = Mapping[str, Mapping[str, object]]
OLD = "this llama-server can't download or delete by request: it needs a newer build"


class RouterActor(Acting):
    """One llama-server."""

    server = "the llama.cpp router"

    def deeds(self) -> Mapping[str, Doing]:
        """Action → what does it."""
        return {
            "pull": self._pull,
            "load": self._load,
            "unload": self._unload,
            "unload_all": self._unload_all,
            "delete": self._delete,
        }

    async def _load(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        before = await self._models()
        note = not_taken(deed, "keep_alive", "context", server=self.server)
        state = _value(_known(before, model))
        if state in _IN_MEMORY:
            return f"was in memory already{note}"
        report(Progress(f"loading {model}"))
        started = time.monotonic()
        if state != "loading":
            await self._order("/models/load", model, unless="already running")
        await self._until_loaded(model, report)
        now = await self._models()
        gone = [name for name in before if _value(before[name]) in _IN_MEMORY and _value(now.get(name)) == "unloaded"]
        evicted = f"; evicted {', '.join(gone)}" if gone else ""
        return f"loaded in {time.monotonic() - started:.1f} s{evicted}{note}"

    async def _until_loaded(self, model: str, report: Report) -> None:
        async def loaded() -> bool | None:
            entry = _known(await self._models(), model)
            _refuse_failed(entry)
            value = _value(entry)
            if value == "loading":
                report(Progress(f"loading {model}", fraction=_stage(entry)))
            return True if value in _IN_MEMORY else None

        if not await self.line.until(loaded, within=self.patience.load_s):
            raise refused(f"not loaded after {self.patience.load_s:g} s")

    async def _unload(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        if _value(_known(await self._models(), model)) == "unloaded":
            return "was not in memory"
        report(Progress("leaving memory"))
        return await self._ended([model])

    async def _unload_all(self, _: Deed, report: Report) -> str:
        names = [name for name, entry in (await self._models()).items() if _value(entry) in (*_IN_MEMORY, "loading")]
        if not names:
            return "nothing was in memory"
        report(Progress(f"{len(names)} leave memory"))
        return await self._ended(names)

    async def _ended(self, names: list[str]) -> str:
        for name in names:
            await self._order("/models/unload", name, unless="not running")

        async def gone() -> bool | None:
            entries = await self._models()
            return True if all(_value(entries.get(name)) in (None, "unloaded") for name in names) else None

        if not await self.line.until(gone, within=self.patience.drain_s):
            return "took the order; still in memory: a request runs"
        return "left memory" if len(names) == 1 else f"{len(names)} left memory"

    async def _delete(self, deed: Deed, _: Report) -> str:
        model = model_of(deed)
        _known(await self._models(), model)
        try:
            await self.line.send(
                f"/models?model={quote(model, safe='')}", method="DELETE", within=self.patience.drain_s
            )
        except Failure as failure:
            raise _old(failure) from None
        return "deleted"

    async def _pull(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        if _value((await self._models()).get(model)) not in (None, "downloading"):
            return f"{model} was there already"
        try:
            await self.line.send("/models", {"model": model}, within=self.patience.drain_s)
        except Failure as failure:
            raise _old(failure) from None
        progress = await self._downloaded(model, begin(deed.expected_bytes), report)
        return f"pulled {model}" + (f", {size(progress.completed)}" if progress.completed else "")

    async def _downloaded(self, model: str, progress: PullProgress, report: Report) -> PullProgress:
        """Follows the entry in /models: it is there while it is downloaded, and stays when that went well."""
        since, seen = time.monotonic(), False
        while True:
            try:
                entry = (await self._models()).get(model)
            except Failure as failure:
                raise failure if failure.outcome is Outcome.AUTH else Interrupted(failure.reason) from None
            now = time.monotonic()
            if entry is not None and _value(entry) != "downloading":
                _refuse_failed(entry)
                return progress
            if entry is None and seen:
                raise refused("the download failed: the server's log says why")
            if entry is not None:
                new = advance(progress, entry, now)
                since, seen = (now if new.completed != progress.completed or not seen else since), True
                progress = new
                report(progress_of(progress))
            if now - since >= self.patience.stall_s:
                raise Interrupted(f"no progress for {self.patience.stall_s:g} s")
            await asyncio.sleep(self.patience.poll_s)

    async def _models(self) -> Entries:
        """Model → its entry in /models. Raises Failure where this is no router."""
        listing = mapping(await self.line.json("/models"))
        entries = {name: entry for entry in map(mapping, items(listing.get("data"))) if (name := text(entry.get("id")))}
        if "data" not in listing:
            raise foreign("llama.cpp")
        if (entries and not any("status" in entry for entry in entries.values())) or (
            not entries and mapping(await self.line.json("/props")).get("role") != "router"
        ):
            raise refused(NO_ROUTER)
        return entries

    async def _order(self, path: str, model: str, *, unless: str) -> None:
        """``unless``: the server's words for what is no failure to us."""
        try:
            await self.line.send(path, {"model": model})
        except Failure as failure:
            if unless not in failure.reason:
                raise


def _known(entries: Entries, model: str) -> Mapping[str, object]:
    entry = entries.get(model)
    if entry is None:
        raise refused(f"the router knows no model {model!r}")
    return entry


def _value(entry: Mapping[str, object] | None) -> str | None:
    return text(mapping((entry or {}).get("status")).get("value"))


def _stage(entry: Mapping[str, object]) -> float | None:
    value = mapping(mapping(entry.get("status")).get("progress")).get("value")
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _refuse_failed(entry: Mapping[str, object]) -> None:
    status = mapping(entry.get("status"))
    if status.get("failed") is True and _value(entry) == "unloaded":
        code = status.get("exit_code")
        how = f"its process ended with exit code {code}" if isinstance(code, int) else "its process ended"
        raise refused(
            f"{how} while it loaded: the server's log says why (too little memory, or a file that can't be read)"
        )


def _old(failure: Failure) -> Failure:
    return Failure(failure.outcome, OLD, status=failure.status) if missing(failure) else failure
