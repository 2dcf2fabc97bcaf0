"""Acts on vLLM: sleep and wake, LoRA adapters, the prefix cache. Most of it has to be allowed when the server is started.

Sources: POST /sleep, /wake_up, /reset_prefix_cache and GET /is_sleeping (VLLM_SERVER_DEV_MODE=1), POST /v1/load_lora_adapter and
/v1/unload_lora_adapter (VLLM_ALLOW_RUNTIME_LORA_UPDATING=1); these two answer plain text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from quarterdeck.endpoints.acting.common import Acting, Doing, option, refused, whole_option
from quarterdeck.endpoints.acting.line import missing
from quarterdeck.endpoints.vllm_abilities import NEEDS_DEV, NEEDS_LORA, NEEDS_SLEEP
from quarterdeck.format import printable
from quarterdeck.model.job import Progress
from quarterdeck.wire.body import mapping, parse
from quarterdeck.wire.failure import Failure

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.base import Deed, Report

_LORA = "/v1/load_lora_adapter"
Seen = Callable[[], Awaitable[bool | None]]


class VllmActor(Acting):
    """One vLLM server."""

    server = "vLLM"

    def deeds(self) -> Mapping[str, Doing]:
        """Action → what does it."""
        return {
            "sleep": self._sleep,
            "wake": self._wake,
            "lora_load": self._lora_load,
            "lora_unload": self._lora_unload,
            "reset_prefix_cache": self._reset,
        }

    async def _sleep(self, deed: Deed, report: Report) -> str:
        level = whole_option(deed, "level") or 1
        if level not in (1, 2):
            raise refused("level is 1 (weights to system memory) or 2 (weights discarded)")
        if await self._is_asleep():
            return "was asleep already"
        report(Progress("waiting for running requests, then falling asleep"))
        await self._post(f"/sleep?level={level}&mode=wait", NEEDS_SLEEP)
        if not await self.line.until(self._seen(asleep=True), within=self.patience.settle_s):
            raise refused(f"it took the order and is still awake; {NEEDS_SLEEP}")
        weights = "weights in system memory" if level == 1 else "weights discarded: waking has to load them again"
        return f"asleep, level {level}: {weights}"

    async def _wake(self, _: Deed, report: Report) -> str:
        if not await self._is_asleep():
            return "was awake already"
        report(Progress("waking up"))
        await self._post("/wake_up", NEEDS_SLEEP)
        if not await self.line.until(self._seen(asleep=False), within=self.patience.settle_s):
            raise refused("it took the order and is still asleep")
        return "awake"

    async def _is_asleep(self) -> bool:
        try:
            told = mapping(await self.line.json("/is_sleeping")).get("is_sleeping")
        except Failure as failure:
            if missing(failure):
                raise Failure(failure.outcome, NEEDS_SLEEP, status=failure.status) from None
            raise
        if not isinstance(told, bool):
            raise refused("whether it sleeps can't be read from /is_sleeping")
        return told

    def _seen(self, *, asleep: bool) -> Seen:
        async def ask() -> bool | None:
            return True if await self._is_asleep() is asleep else None

        return ask

    async def _lora_load(self, deed: Deed, report: Report) -> str:
        name, path = option(deed, "name"), option(deed, "path")
        report(Progress(f"loading {printable(name, 60)}"))
        await self._lora(_LORA, {"lora_name": name, "lora_path": path})
        return f"loaded as {name}: requests name it as their model"

    async def _lora_unload(self, deed: Deed, _: Report) -> str:
        name = option(deed, "name")
        await self._lora("/v1/unload_lora_adapter", {"lora_name": name})
        return f"unloaded {name}"

    async def _lora(self, path: str, payload: object) -> None:
        """An unknown adapter is a 404 as an unknown page is: the page is asked for to tell them apart."""
        try:
            said = await self.line.send(path, payload, within=self.patience.load_s)
        except Failure as failure:
            if missing(failure) and not await self.line.has(_LORA):
                raise Failure(failure.outcome, NEEDS_LORA, status=failure.status) from None
            if "LoRA is not enabled" in failure.reason:  # the page is there, --enable-lora was not given
                raise Failure(failure.outcome, NEEDS_LORA, status=failure.status) from None
            raise
        error = mapping(parse(said.encode())).get("error")
        if error is not None:
            message = mapping(error).get("message", error)
            raise refused(printable(message, 160) if isinstance(message, str) else "the server refuses")

    async def _reset(self, _: Deed, __: Report) -> str:
        said = await self._post("/reset_prefix_cache", NEEDS_DEV)
        if mapping(parse(said.encode())).get("success") is False:
            raise refused("the prefix cache is in use by running requests: try again when they have ended")
        return "prefix cache reset"

    async def _post(self, path: str, needs: str) -> str:
        try:
            return await self.line.send(path, within=self.patience.load_s)
        except Failure as failure:
            if missing(failure):
                raise Failure(failure.outcome, needs, status=failure.status) from None
            if failure.status == 500:
                raise Failure(failure.outcome, f"{failure.reason}; {needs}", status=500) from None
            raise
