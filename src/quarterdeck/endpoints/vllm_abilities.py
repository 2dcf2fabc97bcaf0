"""What a vLLM server was not started for, asked once in its life by harmless GETs.

Pages that want a POST answer 405 where they exist, 404 where they don't. Those of the development mode come and go together; /is_sleeping
is not asked, as it waits for the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch

NEEDS_SLEEP = "sleep needs VLLM_SERVER_DEV_MODE=1 and --enable-sleep-mode on the server"
NEEDS_DEV = "resetting the prefix cache needs VLLM_SERVER_DEV_MODE=1 on the server"
NEEDS_LORA = "LoRA needs VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and --enable-lora on the server"
_PAGES = (
    ("/v1/load_lora_adapter", {"lora_load": NEEDS_LORA, "lora_unload": NEEDS_LORA}),
    ("/reset_prefix_cache", {"reset_prefix_cache": NEEDS_DEV, "sleep": NEEDS_SLEEP, "wake": NEEDS_SLEEP}),
)
_MOST_S = 0.5


async def inabilities(fetch: Fetch) -> Mapping[str, str] | None:
    """Action → why it can't be done; what can be, or isn't told (401, 502), is not in it. ``None`` if time is up; never raises Failure."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(_MOST_S):
            for path, needs in _PAGES:
                try:
                    await fetch.get(path)
                except Failure as failure:
                    if failure.status is None:
                        return None
                    if failure.status == 404:
                        found |= needs
    except TimeoutError:
        return None
    return found
