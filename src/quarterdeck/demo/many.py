"""``python -m quarterdeck.demo.many N``: N simulated vLLMs in one process, for benchmarks; lines and end as `serve`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from quarterdeck.demo import vllm
from quarterdeck.demo.http import HttpServer
from quarterdeck.demo.job import Profile
from quarterdeck.demo.layout import Member
from quarterdeck.demo.serve import announce, forget_stdout, pause, stopping
from quarterdeck.demo.vllm import VllmServer, VllmSpec
from quarterdeck.model.fleet import Boundary

MODELS = ("qwen3-32b", "llama-3.3-70b-instruct", "qwen3-8b", "mistral-small-3.2-24b-instruct", "gemma-3-27b-it")
WARM_UP_S = 90.0


async def run_servers(count: int, *, seed: int = 0, until_eof: bool = False) -> None:
    """Serve ``count`` vLLMs until the process is told to stop; prints one JSON line per server."""
    stop = stopping(until_eof=until_eof)
    _allow_files(4 * count + 64)
    servers = [_server(index, seed) for index in range(count)]
    ports = [HttpServer(server.routes(), vllm.STYLE) for server in servers]
    try:
        for index, port in enumerate(ports):
            await port.start()
            host = f"berth-{index // 8:03d}"
            announce(Member(f"vllm-{index:03d}", "vllm", host, Boundary.LOCAL), port.url)
        while not stop.is_set():
            await pause(stop, 0.5)
    except BrokenPipeError:
        forget_stdout()
    finally:
        for port in ports:
            port.stop()


def _server(index: int, seed: int) -> VllmServer:
    model = MODELS[index % len(MODELS)]
    spec = VllmSpec(model, f"/models/{model}", Profile(arrivals=0.3 + 0.05 * (index % 9), max_seqs=16))
    born = time.monotonic() - WARM_UP_S - index % 7
    return VllmServer(spec, f"many:{seed}:{index}", time.monotonic, time.time, born)


def _allow_files(count: int) -> None:
    """Raise the limit of open files as far as this process may."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < count:
            most = count if hard == resource.RLIM_INFINITY else min(count, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m quarterdeck.demo.many", description="Serve many simulated vLLMs.")
    parser.add_argument("count", type=int, help="how many servers")
    parser.add_argument("--engine", choices=("vllm",), default="vllm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin ends")
    options = parser.parse_args(arguments)
    asyncio.run(run_servers(options.count, seed=options.seed, until_eof=options.until_eof))
    return 0


if __name__ == "__main__":
    sys.exit(main())
