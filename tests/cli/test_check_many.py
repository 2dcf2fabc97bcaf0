"""`quarterdeck check` on fifty endpoints, some of which hang, refuse or answer garbage: the right line, in time."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.conftest import OLLAMA_PAGES

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

WELL, BAD = 35, 5
TIMEOUT_S = 3.0
SLACK_S = 0.3


async def _well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await _head(reader):
        page = OLLAMA_PAGES.get(head.split()[1].decode())
        body = json.dumps(page or {"error": "not found"}).encode()
        status = b"200 OK" if page is not None else b"404 Not Found"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    writer.close()


async def _hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass
    writer.close()


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _head(reader)
    writer.write(b"\x00\xff\x1b[2Jnot http at all\r\n\r\n" * 10)
    writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@asynccontextmanager
async def _serving() -> AsyncIterator[list[int]]:
    kinds = [_well] * WELL + [_hangs] * BAD + [_garbage] * BAD
    servers = [await asyncio.start_server(kind, "127.0.0.1", 0) for kind in kinds]
    yield [server.sockets[0].getsockname()[1] for server in servers]
    for server in servers:
        server.close()


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Of 35 servers that are well, 5 that hang and 5 that answer garbage; the last 5 refuse."""
    ready, done = threading.Event(), threading.Event()
    found: list[int] = []

    async def serve() -> None:
        async with _serving() as ports:
            found.extend(ports)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    held = [socket.socket() for _ in range(BAD)]  # bound, not listening: nobody else gets the port, and it refuses
    for one in held:
        one.bind(("127.0.0.1", 0))
    yield found + [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    done.set()
    thread.join(10)


def test_fifty(quarterdeck: Quarterdeck, ports: list[int], tmp_path: Path) -> None:
    assert len(ports) == 50
    fleet = tmp_path / "many.toml"
    fleet.write_text(
        "".join(
            f'[[endpoint]]\nname = "e{i:02}"\nengine = "ollama"\nurl = "http://127.0.0.1:{port}"\ntimeout = "60s"\n'
            for i, port in enumerate(ports)
        )
    )
    started = time.perf_counter()
    quarterdeck("config", "check", "--fleet", str(fleet))
    start_up = time.perf_counter() - started  # of a process that asks nobody anything: what this machine takes now
    started = time.perf_counter()
    done = quarterdeck("check", "--fleet", str(fleet), "--timeout", str(TIMEOUT_S), "--json")
    took = time.perf_counter() - started
    assert (done.returncode, done.stderr) == (2, "")
    told = json.loads(done.stdout)
    assert (told["endpoints"], told["well"]) == (50, WELL)
    by_name = {finding["subject"]: finding["text"] for finding in told["findings"]}
    assert set(by_name) == {f"e{i:02}" for i in range(WELL, 50)}
    assert all(by_name[f"e{i}"] == "no answer within 3.0 s" for i in range(WELL, WELL + BAD))
    assert all("not in HTTP" in by_name[f"e{i}"] for i in range(WELL + BAD, WELL + 2 * BAD))
    assert all("refused" in by_name[f"e{i}"] for i in range(WELL + 2 * BAD, 50))
    assert took <= TIMEOUT_S + SLACK_S + 2 * start_up


def test_the_line_names_the_worst_and_counts_the_rest(quarterdeck: Quarterdeck, ports: list[int]) -> None:
    urls = [argument for port in ports for argument in ("--url", f"http://127.0.0.1:{port}")]
    done = quarterdeck("check", *urls, "--timeout", str(TIMEOUT_S))
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("QUARTERDECK CRITICAL - ")
    assert done.stdout.count("\n") == 1
    assert "\x1b" not in done.stdout
    assert "14 more" in done.stdout
