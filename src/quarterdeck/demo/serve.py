"""``python -m quarterdeck.demo.serve``: the demo fleet on loopback, one JSON line per server on stdout, until told to stop.

It stops on SIGTERM and SIGINT, when nobody reads its stdout any more, and (``--until-eof``) when its stdin ends, so that it
dies with the process that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from quarterdeck.demo.http import HttpServer
from quarterdeck.demo.layout import KEY_ENV, Member
from quarterdeck.demo.world import World

TICK_S = 0.2
"""How often the script is looked at; a server goes down or comes up this much late at most."""


async def run_servers(*, seed: int = 0, calm: bool = False, until_eof: bool = False) -> None:
    """Serve the fleet until the process is told to stop; prints one JSON line per server."""
    stop = stopping(until_eof=until_eof)
    key = os.environ.get(KEY_ENV) or secrets.token_urlsafe(24)
    world = World(seed=seed, calm=calm, key=key, clock=time.monotonic, wall=time.time)
    ports = [(node, HttpServer(node.routes, node.style)) for node in world.nodes]
    try:
        for node, port in ports:
            await port.start()
            announce(node.member, port.url)
        while not stop.is_set():
            world.settle()
            for node, port in ports:
                await _follow(port, down=node.server.down)
            await pause(stop, TICK_S)
    except BrokenPipeError:
        forget_stdout()
    finally:
        for _, port in ports:
            port.stop()


async def _follow(port: HttpServer, *, down: bool) -> None:
    if down and port.listening:
        port.refuse()
    elif not down and not port.listening:
        await port.start()


def announce(member: Member, url: str) -> None:
    """One line of stdout. Raises BrokenPipeError when nobody reads it."""
    line = {
        "name": member.name,
        "engine": member.engine,
        "url": url,
        "host": member.host,
        "boundary": member.boundary.value,
        "role": member.role,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def stopping(*, until_eof: bool) -> asyncio.Event:
    """An event that is set when the process is asked to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    if until_eof:

        def end() -> None:
            with suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=_read_to_end, args=(end,), daemon=True).start()
    return stop


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, unless it is time to stop. Raises BrokenPipeError when nobody reads stdout any more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    if _stdout_unread():
        raise BrokenPipeError


def _read_to_end(end: Callable[[], None]) -> None:
    with suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    end()


def _stdout_unread() -> bool:
    """Whether stdout is a pipe whose reader has gone. Asked without writing, and without changing the pipe."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
        return any(flags & (select.POLLERR | select.POLLNVAL) for _, flags in poll.poll(0))
    except (OSError, ValueError):
        return False


def forget_stdout() -> None:
    """Keep the interpreter from complaining at exit about what it can't flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m quarterdeck.demo.serve", description="Serve the demo fleet.")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same load")
    parser.add_argument("--calm", action="store_true", help="without scripted trouble")
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin ends")
    options = parser.parse_args(arguments)
    asyncio.run(run_servers(seed=options.seed, calm=options.calm, until_eof=options.until_eof))
    return 0


if __name__ == "__main__":
    sys.exit(main())
