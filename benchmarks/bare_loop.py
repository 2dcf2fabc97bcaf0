"""The floor: one httpx client per server, each fetching the page the console fetches, every 2 s, and nothing else.

bare_loop.py URLS WARM_UP SECONDS OUT      (URLS: a file, one per line)
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from pathlib import Path

import httpx

INTERVAL_S = 2.0


async def watch(client: httpx.AsyncClient, url: str, place: float) -> None:
    """One server, for ever."""
    due = time.perf_counter() + place * INTERVAL_S
    while True:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        due += INTERVAL_S
        (await client.get(url)).raise_for_status()


async def main(urls: list[str], warm_up: float, seconds: float) -> dict[str, float]:
    """Run; the share of a core it took."""
    context = ssl.create_default_context()
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=60)
    clients = [httpx.AsyncClient(verify=context, limits=limits, trust_env=False) for _ in urls]
    tasks = [
        asyncio.create_task(watch(client, url, index / len(urls)))
        for index, (client, url) in enumerate(zip(clients, urls, strict=True))
    ]
    await asyncio.sleep(warm_up)
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    result = {"cpu": share, "failed": sum(task.done() for task in tasks)}
    for task in tasks:
        task.cancel()
    return result


if __name__ == "__main__":
    taken = asyncio.run(main(Path(sys.argv[1]).read_text().split(), float(sys.argv[2]), float(sys.argv[3])))
    Path(sys.argv[4]).write_text(json.dumps(taken))
