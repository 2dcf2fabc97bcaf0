"""Lines and server-sent events of a body as it comes: any cut, any line end, no line without end."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

MOST_BYTES = 64 * 2**20
"""Of one answer."""
LONGEST_LINE = 2**20


async def lines(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Its lines without their ends (LF, CR LF or CR). Raises Failure for a line that is too long."""
    rest = b""
    async for chunk in response.aiter_bytes():
        rest += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            if len(rest) > LONGEST_LINE:
                raise Failure(Outcome.FOREIGN, f"it sends a line longer than {LONGEST_LINE // 2**20} MiB")
            continue
        *whole, rest = _split(rest)
        for line in whole:
            if len(line) > LONGEST_LINE:
                raise Failure(Outcome.FOREIGN, f"it sends a line longer than {LONGEST_LINE // 2**20} MiB")
            yield line
    if rest:
        yield rest.removesuffix(b"\r")


def _split(data: bytes) -> list[bytes]:
    """Lines, and what is behind the last line end; a CR at the end may be the half of a CR LF and waits."""
    waits = data.endswith(b"\r")
    body = data[:-1] if waits else data
    parts = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if waits:
        parts[-1] += b"\r"
    return parts


async def events(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The data of each server-sent event; comments and other fields are left out. What is no event at all comes as it is."""
    data: list[bytes] = []
    async for line in lines(response):
        if not line:
            if data:
                yield b"\n".join(data)
                data = []
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif line.startswith((b"{", b"[")):  # a server that fails while it streams may forget how to
            yield line
    if data:
        yield b"\n".join(data)
