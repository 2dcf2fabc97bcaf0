"""The demo fleet as the console uses it: its servers in a process of their own, and a configuration that polls them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from typing import IO, Any

from quarterdeck.config.fleet import Auth, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.demo.layout import KEY_ENV, LLAMA, MEMBERS, WORKBENCH
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import Boundary

START_S = 15.0
"""How long the servers may take to come up."""
STOP_S = 3.0
EXTERNAL_POLL_S = 5.0
"""Ours is not somebody else's server: asked often enough that its trouble is seen."""

_GUESSED = {LLAMA.name, WORKBENCH.name}
"""Members whose engine the console has to find out."""


# A plain Popen and threads rather than asyncio's subprocesses: those complain at exit when ``stop`` was never called.
Process = subprocess.Popen[bytes]
_running: set[Process] = set()
"""Kept, so that a fleet whose `DemoFleet` was dropped runs on: closing the pipe would end it."""


class DemoFleet:
    """The running servers. Made by `start`; call ``stop`` when done (they end with this process in any case)."""

    def __init__(self, config: FleetConfig, process: Process, *, key_is_ours: bool) -> None:
        self.config = config
        self._process = process
        self._key_is_ours = key_is_ours

    @property
    def pid(self) -> int:
        """The process of the servers."""
        return self._process.pid

    async def stop(self) -> None:
        """End the servers. Never raises; called again it does nothing."""
        await asyncio.to_thread(_end, self._process)
        if self._key_is_ours:
            os.environ.pop(KEY_ENV, None)
            self._key_is_ours = False


async def start(seed: int = 0, calm: bool = False) -> DemoFleet:
    """Start the servers and wait until all of them listen.

    The key of the external endpoint goes into this process's environment (``QUARTERDECK_DEMO_KEY``) until ``stop``, unless
    it is there already. Raises `QuarterdeckError` when the process can't start or doesn't come up.
    """
    key_is_ours = not os.environ.get(KEY_ENV)
    if key_is_ours:
        os.environ[KEY_ENV] = secrets.token_urlsafe(24)
    try:
        process, lines = await _start(seed, calm=calm)
    except BaseException:
        if key_is_ours:
            os.environ.pop(KEY_ENV, None)
        raise
    return DemoFleet(_config(lines), process, key_is_ours=key_is_ours)


async def _start(seed: int, *, calm: bool) -> tuple[Process, list[dict[str, Any]]]:
    with tempfile.TemporaryFile() as complaints:
        process = _spawn(seed, calm=calm, complaints=complaints)
        try:
            async with asyncio.timeout(START_S):
                return process, await asyncio.to_thread(_lines, process)
        except (TimeoutError, ValueError, KeyError) as error:
            _end(process)
            raise QuarterdeckError(
                f"the demo fleet did not start: {_reason(complaints, error)}",
                hint="python -m quarterdeck.demo.serve shows what is wrong",
            ) from error
        except BaseException:
            _end(process)
            raise


def _spawn(seed: int, *, calm: bool, complaints: IO[bytes]) -> Process:
    command = [sys.executable, "-m", "quarterdeck.demo.serve", "--until-eof", "--seed", str(seed)]
    command += ["--calm"] if calm else []
    try:
        # In a group of its own: Ctrl+C on the line mode's terminal must not end the servers, too.
        process = Process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, process_group=0)
    except OSError as error:
        raise QuarterdeckError(f"the demo fleet did not start: {error.strerror or error}") from error
    _running.add(process)
    return process


def _lines(process: Process) -> list[dict[str, Any]]:
    """One line per member, in whatever order. Raises ValueError when the process ends before that."""
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    while len(lines) < len(MEMBERS):
        raw = process.stdout.readline()
        if not raw:
            raise ValueError(f"its process ended with code {process.wait()}")
        lines.append(json.loads(raw))
    return lines


def _reason(complaints: IO[bytes], error: Exception) -> str:
    complaints.seek(0)
    said = complaints.read()[-4000:].decode(errors="replace").strip().splitlines()
    if said:
        return "".join(letter for letter in said[-1] if letter.isprintable())
    return f"no answer in {START_S:g} s" if isinstance(error, TimeoutError) else str(error)


def _config(lines: list[dict[str, Any]]) -> FleetConfig:
    return FleetConfig(
        endpoints=tuple(_endpoint(line) for line in lines if line["role"] == "endpoint"),
        hosts=tuple(HostSpec(line["name"], gpus=f"{line['url']}/metrics") for line in lines if line["role"] == "host"),
    )


def _endpoint(line: dict[str, Any]) -> EndpointSpec:
    boundary = Boundary(line["boundary"])
    external = boundary is Boundary.EXTERNAL
    return EndpointSpec(
        name=line["name"],
        url=line["url"],
        engine="auto" if line["name"] in _GUESSED else line["engine"],
        host=line["host"],
        boundary=boundary,
        poll=EXTERNAL_POLL_S if external else None,
        auth=Auth(env=KEY_ENV) if external else None,
    )


def _end(process: Process) -> None:
    """End the process: kindly, then firmly, then at once. Returns when it is gone."""
    for act in (process.stdin.close if process.stdin else process.terminate, process.terminate, process.kill):
        act()
        try:
            process.wait(STOP_S)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()
    _running.discard(process)
