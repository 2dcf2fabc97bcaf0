"""Lines and server-sent events of a body as it comes: any cut, any line end, no line without end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

import httpx

from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import mapping, parse, text
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch

MOST_BYTES = 64 * 2**20
"""Of one answer."""
LONGEST_LINE = 2**20
_CR = 0x0D


async def lines(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Its lines without their ends (LF, CR LF or CR). Raises Failure for a line or an answer that is too long."""
    rest = bytearray()
    left = MOST_BYTES
    async for chunk in response.aiter_bytes():
        left -= len(chunk)
        if left < 0:  # counted unpacked: a server may compress unasked
            raise Failure(Outcome.FAILED, f"the answer is larger than {MOST_BYTES // 2**20} MiB")
        rest += chunk
        whole: list[bytes] = []
        if b"\n" in chunk or b"\r" in chunk or (len(rest) > len(chunk) and rest[-len(chunk) - 1] == _CR):
            *whole, last = _split(bytes(rest))
            rest = bytearray(last)
        for line in whole:
            _bound(line)
            yield line
        _bound(rest)
    if rest:
        yield bytes(rest).removesuffix(b"\r")


def _bound(line: bytes | bytearray) -> None:
    if len(line) > LONGEST_LINE:
        raise Failure(Outcome.FOREIGN, f"it sends a line longer than {LONGEST_LINE // 2**20} MiB")


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
    size = 0
    async for line in lines(response):
        if not line:
            if data:
                yield b"\n".join(data)
                data, size = [], 0
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
            size += len(line)
            if size > LONGEST_LINE:
                raise Failure(Outcome.FOREIGN, f"it sends an event longer than {LONGEST_LINE // 2**20} MiB")
        elif line.startswith((b"{", b"[")):  # a server that fails while it streams may forget how to
            yield line
        elif line.startswith(b"error:"):  # older llama.cpp: its errors are a field of their own
            yield b'{"error":' + (line[6:].strip() or b"true") + b"}"
    if data:
        yield b"\n".join(data)


def told(data: bytes) -> Mapping[str, object]:
    """The JSON object in ``data``, bytes that are no UTF-8 replaced. Raises Failure where there is none."""
    value = parse(data)
    if value is None:
        value = parse(data.decode("utf-8", "replace").encode())
    if not isinstance(value, dict):
        raise Failure(Outcome.FOREIGN, "it sends what is no JSON")
    return value


def raise_error(told: Mapping[str, object], fetch: Fetch) -> None:
    """Raise what a server says in the middle of a stream, with HTTP 200."""
    error = told.get("error")
    if not error and told.get("object") != "error":  # older vLLM: message and object side by side
        return
    said = text(mapping(error).get("message")) or text(error) or text(told.get("message")) or "an error without words"
    raise Failure(Outcome.FAILED, fetch.redacted(said))
