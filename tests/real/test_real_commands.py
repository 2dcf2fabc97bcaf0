"""The command line against real servers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from .servers import Server, free_port
from .streams import streaming
from .waiting import wait_until

STREAMS = 12
TOKENS = 8000
INTERVAL_S = 10.0
Quarterdeck = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def quarterdeck(tmp_path: Path) -> Quarterdeck:
    """Runs the command line in an empty folder, without anybody's settings."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "LC_ALL")}
    environment = kept | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quarterdeck", *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=90,
            cwd=tmp_path,
            env=environment | variables,
            check=False,
        )

    return run


@pytest.mark.alone
async def test_status_counts_tokens_as_the_clients_do(vllm_server: Server, quarterdeck: Quarterdeck) -> None:
    arguments = ("status", "--json", "--url", vllm_server.url, "--interval", f"{INTERVAL_S:g}")
    async with streaming(vllm_server, streams=STREAMS, max_tokens=TOKENS) as meter:
        await wait_until("tokens flow", lambda: meter.total > 100, within=30)
        ended = await asyncio.to_thread(quarterdeck, *arguments)
        wall_ahead = time.time() - time.monotonic()
        assert (ended.returncode, ended.stderr, meter.errors) == (0, "", [])
        answer = json.loads(ended.stdout)
        (endpoint,) = answer["endpoints"]
        measured = datetime.fromisoformat(answer["time"]).timestamp() - wall_ahead - endpoint["age_s"]
        counted = meter.rate(measured - INTERVAL_S, measured)
    assert answer["schema_version"] == 1
    assert (endpoint["engine"], endpoint["version"], endpoint["state"]) == ("vllm", "0.32.0", "BUSY")
    assert (endpoint["running"], endpoint["waiting"]) == (2, 10)
    assert endpoint["generation_tps"] == pytest.approx(counted, rel=0.05)


def test_check_ends_with_the_code_of_the_worst(
    vllm_server: Server, llama_server: Server, keyed_vllm: Server, quarterdeck: Quarterdeck
) -> None:
    well = ("check", "--url", vllm_server.url, "--url", llama_server.url)
    ended = quarterdeck(*well)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("QUARTERDECK OK - 2 of 2 endpoints well")
    assert ended.stdout.count("\n") == 1
    warned = quarterdeck(*well, "--url", keyed_vllm.url)
    assert warned.returncode == 1
    assert "AUTH: 401: key missing or wrong" in warned.stdout
    down = quarterdeck(*well, "--url", keyed_vllm.url, "--url", f"http://127.0.0.1:{free_port()}")
    assert down.returncode == 2
    assert "DOWN: connection refused" in down.stdout


def test_a_key_from_a_fleet_file_opens_the_server_and_is_not_shown(
    keyed_vllm: Server, quarterdeck: Quarterdeck, tmp_path: Path
) -> None:
    assert keyed_vllm.key is not None
    (tmp_path / "fleet.toml").write_text(
        f'[[endpoint]]\nname = "v"\nurl = "{keyed_vllm.url}"\nauth = {{ env = "VLLM_KEY" }}\n'
    )
    ended = quarterdeck("status", "--json", "--fast", VLLM_KEY=keyed_vllm.key)
    assert ended.returncode == 0
    (endpoint,) = json.loads(ended.stdout)["endpoints"]
    assert (endpoint["engine"], endpoint["state"]) == ("vllm", "OK")
    assert [model["id"] for model in endpoint["models"]] == ["tiny-llama"]
    assert keyed_vllm.key not in ended.stdout + ended.stderr
