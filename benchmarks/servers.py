"""Simulated servers in a process of their own, for the benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def many(count: int) -> Iterator[list[str]]:
    """URLs of ``count`` simulated vLLM servers with pages of real size whose counters move."""
    command = [sys.executable, "-m", "quarterdeck.demo.many", str(count), "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield [json.loads(process.stdout.readline())["url"] for _ in range(count)]
        finally:
            process.stdin.close()
            process.wait(10)
