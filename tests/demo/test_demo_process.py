"""The fleet as a process: it comes up, says where, and never outlives whoever started it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

import httpx
import pytest

from quarterdeck.demo import fleet
from quarterdeck.demo.layout import KEY_ENV, MEMBERS
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import Boundary


async def spawn(*arguments: str, module: str = "serve") -> Process:
    command = (sys.executable, "-m", f"quarterdeck.demo.{module}", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)


async def lines(process: Process, count: int) -> list[dict[str, Any]]:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return [json.loads(await process.stdout.readline()) for _ in range(count)]


async def ended(process: Process) -> int:
    async with asyncio.timeout(30):
        return await process.wait()


async def test_it_says_what_it_serves_and_ends_with_its_stdin() -> None:
    process = await spawn("--until-eof", "--calm", "--seed", "3")
    said = await lines(process, len(MEMBERS))
    assert [set(line) for line in said] == [{"name", "engine", "url", "host", "boundary", "role"}] * len(MEMBERS)
    assert [line["name"] for line in said] == [member.name for member in MEMBERS]
    async with httpx.AsyncClient() as http:
        for line in said:
            assert line["url"].startswith("http://127.0.0.1:")
            assert (await http.get(line["url"] + "/nope")).status_code == 404
    assert process.stdin is not None
    process.stdin.close()
    assert await ended(process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    process = await spawn()
    await lines(process, len(MEMBERS))
    process.send_signal(number)
    assert await ended(process) == 0


async def test_it_ends_when_nobody_reads_it() -> None:
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "quarterdeck.demo.serve", stdin=DEVNULL, stdout=write, stderr=PIPE
    )
    os.close(write)
    await asyncio.to_thread(os.read, read, 1)
    os.close(read)
    assert await ended(process) == 0
    assert process.stderr is not None
    assert await process.stderr.read() == b""


async def test_many_light_servers() -> None:
    process = await spawn("12", "--engine", "vllm", "--until-eof", module="many")
    said = await lines(process, 12)
    assert len({line["url"] for line in said}) == 12
    async with httpx.AsyncClient() as http:
        first = (await http.get(said[5]["url"] + "/metrics")).text
        assert first.count("\n") > 600
        assert "vllm:num_requests_running" in first
    assert process.stdin is not None
    process.stdin.close()
    assert await ended(process) == 0


async def test_the_fleet_for_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_ENV, raising=False)
    demo = await fleet.start(seed=1, calm=True)
    try:
        config, key = demo.config, os.environ[KEY_ENV]
        endpoints = {endpoint.name: endpoint for endpoint in config.endpoints}
        assert len(endpoints) == 5
        assert {endpoint.engine for endpoint in config.endpoints} == {"auto", "vllm", "llamacpp", "openai"}
        (outside,) = (e for e in config.endpoints if e.boundary is Boundary.EXTERNAL)
        assert outside.auth is not None
        assert (outside.auth.env, outside.poll) == (KEY_ENV, 5.0)
        assert [endpoint.name for endpoint in config.endpoints if endpoint.auth] == [outside.name]
        async with httpx.AsyncClient() as http:
            heard = await http.get(f"{outside.url}/v1/models", headers={"authorization": f"Bearer {key}"})
            assert heard.status_code == 200
            gpus = 0
            for host in config.hosts:
                page = (await http.get(host.gpus)).text
                gpus += page.count("\nDCGM_FI_DEV_GPU_UTIL{")
        assert (len(config.hosts), gpus) == (3, 8)
        assert {endpoint.host for endpoint in config.endpoints} - {None} == {host.name for host in config.hosts}
    finally:
        await demo.stop()
    await demo.stop()
    assert KEY_ENV not in os.environ
    with pytest.raises(ProcessLookupError):
        os.kill(demo.pid, 0)


async def test_a_key_that_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, "mine")
    demo = await fleet.start()
    await demo.stop()
    assert os.environ[KEY_ENV] == "mine"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho 'no \x1b[31mmemory' >&2\nexit 3\n", "no [31mmemory"),
        ("#!/bin/sh\nexit 3\n", "ended with code 3"),
        ("#!/bin/sh\necho rubbish\n", "Expecting value"),
    ],
)
async def test_a_fleet_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    monkeypatch.delenv(KEY_ENV, raising=False)
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(QuarterdeckError) as error:
        await fleet.start()
    assert reason in error.value.message
    assert "\x1b" not in error.value.message
    assert KEY_ENV not in os.environ


async def test_a_python_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(QuarterdeckError, match="No such file"):
        await fleet.start()


def test_importing_it_is_light() -> None:
    heavy = ("httpx", "ollama", "textual", "rich", "pydantic", "psutil", "pynvml")
    code = (
        f"import sys, quarterdeck.demo.serve, quarterdeck.demo.fleet; print([m for m in {heavy} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
