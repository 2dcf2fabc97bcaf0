"""Acts on llama-swap.

Sources: a request below /upstream/MODEL/ starts that model and is passed on to it (so its own web page loads one); POST
/api/models/unload[/MODEL] ends them; GET /running tells what became of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from quarterdeck.endpoints.acting.common import Acting, Doing, model_of, not_taken, refused
from quarterdeck.model.job import Progress
from quarterdeck.wire.body import items, mapping, text
from quarterdeck.wire.failure import Failure, foreign

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.base import Deed, Report

_GONE = (None, "stopped", "shutdown")


class LlamaSwapActor(Acting):
    """One llama-swap."""

    server = "llama-swap"

    def deeds(self) -> Mapping[str, Doing]:
        """Action → what does it."""
        return {"load": self._load, "unload": self._unload, "unload_all": self._unload_all}

    async def _load(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        before = await self._running()
        note = not_taken(deed, "keep_alive", "context", server=self.server)
        if before.get(model) == "ready":
            return f"was in memory already{note}"
        report(Progress(f"loading {model}"))
        started = time.monotonic()
        starting = asyncio.create_task(self._start(model))
        try:
            await self._until_ready(model, starting)
        finally:
            starting.cancel()
            with suppress(asyncio.CancelledError, Failure):
                await starting
        now = await self._running()
        gone = [name for name, state in before.items() if state == "ready" and now.get(name) in _GONE]
        evicted = f"; evicted {', '.join(gone)}" if gone else ""
        return f"loaded in {time.monotonic() - started:.1f} s{evicted}{note}"

    async def _until_ready(self, model: str, starting: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.patience.load_s
        while (await self._running()).get(model) != "ready":
            if starting.done():
                starting.result()
                if (await self._running()).get(model) == "ready":
                    return
                raise refused("it didn't start: llama-swap's log says why")
            if loop.time() >= end:
                raise refused(f"not loaded after {self.patience.load_s:g} s")
            await asyncio.wait((starting,), timeout=self.patience.poll_s)

    async def _start(self, model: str) -> None:
        """Held by llama-swap until the model runs; what the model then answers doesn't matter, but a 4xx or 5xx is told."""
        path = f"/upstream/{quote(model, safe='')}/health"
        try:
            async with self.line.patient(self.patience.load_s) as line:
                await line.get(path)
        except Failure:
            if (await self._running()).get(model) != "ready":
                raise

    async def _unload(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        if (await self._running()).get(model) in _GONE:
            return "was not in memory"
        report(Progress("leaving memory"))
        await self.line.send(f"/api/models/unload/{quote(model, safe='')}", within=self.patience.drain_s)
        return await self._until_gone([model])

    async def _unload_all(self, _: Deed, report: Report) -> str:
        names = [name for name, state in (await self._running()).items() if state not in _GONE]
        if not names:
            return "nothing was in memory"
        report(Progress(f"{len(names)} leave memory"))
        await self.line.send("/api/models/unload", within=self.patience.drain_s)
        return await self._until_gone(names)

    async def _until_gone(self, names: list[str]) -> str:
        async def gone() -> bool | None:
            running = await self._running()
            return True if all(running.get(name) in _GONE for name in names) else None

        if not await self.line.until(gone, within=self.patience.drain_s):
            return "took the order; still in memory: a request runs"
        return "left memory" if len(names) == 1 else f"{len(names)} left memory"

    async def _running(self) -> dict[str, str]:
        """Model → state. The command lines, which can hold keys, are not looked at."""
        told = mapping(await self.line.json("/running"))
        if "running" not in told:
            raise foreign("llama-swap")
        entries = map(mapping, items(told.get("running")))
        named = ((text(entry.get("model")), text(entry.get("state"))) for entry in entries)
        return {name: state or "ready" for name, state in named if name is not None}
