"""Light endpoints that are always well: just enough of vLLM's pages, each on a port of its own, in this event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

from quarterdeck.config.fleet import EndpointSpec

TOKENS_PER_SECOND = 100.0


def _page(path: str) -> tuple[str, str]:
    """Status line and body of a page."""
    match path.partition("?")[0]:
        case "/metrics":
            tokens = time.monotonic() * TOKENS_PER_SECOND
            return "200 OK", (
                'vllm:num_requests_running{engine="0"} 1\n'
                'vllm:num_requests_waiting{engine="0"} 0\n'
                f'vllm:generation_tokens_total{{engine="0"}} {tokens:.0f}\n'
            )
        case "/version":
            return "200 OK", json.dumps({"version": "0.32.0"})
        case "/v1/models":
            return "200 OK", json.dumps({"object": "list", "data": [{"id": "light", "owned_by": "vllm"}]})
        case _:
            return "404 Not Found", "{}"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            status, body = _page(head.split(maxsplit=2)[1].decode())
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def light_endpoints(count: int) -> AsyncIterator[tuple[EndpointSpec, ...]]:
    """So many endpoints to watch."""
    servers = [await asyncio.start_server(_serve, "127.0.0.1", 0) for _ in range(count)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        yield tuple(EndpointSpec(f"light-{n}", f"http://127.0.0.1:{port}", "vllm") for n, port in enumerate(ports))
    finally:
        for server in servers:
            server.close()
