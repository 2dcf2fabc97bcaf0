"""vllm-htop, the other monitor, in its JSON mode: a line each interval."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from .install import ROOT


@dataclass(frozen=True, slots=True)
class Line:
    """What it said of its only server."""

    said: Mapping[str, Any]

    @property
    def generated(self) -> float:
        """Output tokens since the server's start."""
        return float(self.said["lifetime"]["gen_tokens_total"])

    @property
    def prompted(self) -> float:
        """Prompt tokens since the server's start. They and the first token of a request are counted at once."""
        return float(self.said["lifetime"]["prompt_tokens_total"])

    @property
    def finished(self) -> float:
        """Requests since the server's start."""
        return float(self.said["lifetime"]["requests_total"])

    def rate(self, name: str) -> float | None:
        """prompt_tokens, gen_tokens or requests per second since the line before."""
        found: float | None = self.said["throughput"][f"{name}_per_s"]
        return found

    def percentile(self, kind: str, name: str) -> float | None:
        """ttft, tpot (of whole requests), e2e or queue; p50, p95, p99 since the line before, or p95_60s. Seconds."""
        found: float | None = self.said["latency_seconds"][kind][name]
        return found


@contextlib.asynccontextmanager
async def htop(url: str, interval: int) -> AsyncIterator[AsyncIterator[Line]]:
    """Its lines, as long as the block. ``interval`` is one of its own: 1, 2, 5, 10 or 30 seconds."""
    options = ("--output", "json", "--interval", str(interval), "--no-gpu-detect")
    program = str(ROOT / "vllm-htop" / "bin" / "vllm-htop")
    environment = os.environ | {"NO_PROXY": "*", "no_proxy": "*"}
    process = await asyncio.create_subprocess_exec(
        program, "--url", url, *options, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, limit=2**20, env=environment
    )
    assert process.stdout is not None
    try:
        yield _lines(process.stdout)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[Line]:
    async for text in stream:
        (replica,) = json.loads(text)["replicas"]
        assert replica["status"] == "OK", replica
        yield Line(replica)
