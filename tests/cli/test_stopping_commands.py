"""`quarterdeck stop` that waits for requests: hurried, and what cancelling it means is said."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_servers import free_port
from slow_server import write_server

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

LOG = Path(__file__).parent.parent / "data" / "startup" / "vllm_ready.log"


@pytest.fixture
def deaf(tmp_path: Path, quarterdeck: Quarterdeck) -> Iterator[Path]:
    """A deployment, started, whose server takes no notice of SIGTERM."""
    write_server(tmp_path)
    port = free_port()
    (tmp_path / "fleet.toml").write_text(
        f'[[endpoint]]\nname = "e"\nurl = "http://127.0.0.1:{port}"\nengine = "vllm"\n'
        f'[[deployment]]\nname = "my server"\nendpoint = "e"\nstop_within = "10m"\n'
        f'run = ["{tmp_path}/bin/vllm", "serve", "m", "--port", "{port}", "deaf", "{LOG}"]\n'
    )
    started = quarterdeck("start", "my server")
    assert started.returncode == 0, started.stderr
    yield tmp_path
    quarterdeck("stop", "my server", "--now", "--yes")


def begun(folder: Path, quarterdeck: Quarterdeck, environment: dict[str, str]) -> str:
    """The id of a stop that waits for its server's end."""
    detached = quarterdeck("stop", "my server", "--yes", "--detach", "--json")
    [job] = json.loads(detached.stdout)
    follow = [sys.executable, "-m", "quarterdeck", "jobs", "log", job["id"], "-f"]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as following:
        assert following.stdout is not None
        assert any("asked process " in line for line in following.stdout)
        following.kill()
    return str(job["id"])


def test_to_cancel_a_stop_takes_nothing_back(deaf: Path, quarterdeck: Quarterdeck, environment: dict[str, str]) -> None:
    job = begun(deaf, quarterdeck, environment)
    cancelled = quarterdeck("jobs", "cancel", job)
    assert cancelled.returncode == 0
    words = "it was asked to end and may still do so, but nothing of it is killed; `quarterdeck stop 'my server' --now`"
    assert f"my server: {words} ends it at once" in cancelled.stderr
    watched = quarterdeck("jobs", "watch", job, "--json")
    assert watched.returncode == 1
    assert json.loads(watched.stdout)[0]["words"] == f"cancelled: {words} ends it at once"


def test_a_stop_is_hurried(deaf: Path, quarterdeck: Quarterdeck, environment: dict[str, str]) -> None:
    slow = begun(deaf, quarterdeck, environment)
    done = quarterdeck("stop", "my server", "--now", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    [job] = json.loads(done.stdout)
    assert job["words"].startswith("ended by SIGKILL after ")
    states = {each["id"]: each["state"] for each in json.loads(quarterdeck("jobs", "--json").stdout)}
    assert (states[slow], states[job["id"]]) == ("cancelled", "done")
    assert "within=0s" in quarterdeck("stop", "my server", "--now", "--dry-run").stdout
