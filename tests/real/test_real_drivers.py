"""The ssh driver over a real OpenSSH server on loopback: a server there outlives the connection, and is ended with all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.hosts.drivers.base import DriverError, Running, Status
from quarterdeck.hosts.drivers.family import wait_until
from quarterdeck.hosts.drivers.identity import identity
from quarterdeck.hosts.drivers.ssh import SshDriver

from .install_debian import install_debian, not_now, program, required
from .sshd import Sshd

SERVER = """
import os, signal, subprocess, sys
deaf = sys.argv[1] == "deaf"
signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda *_: sys.exit(0))
if deaf:
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("ready", sys.argv[2:], flush=True)
while True: signal.pause()
"""


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server whose only client is this test; the home folder over there is the test's."""
    if program("sshd") is None and required():
        install_debian()
    found = program("sshd")
    if found is None:
        not_now("Debian's openssh-server is not installed")
    server = Sshd(tmp_path, found)
    server.prepare("/usr/bin:/bin")
    home = tmp_path / "far home"
    home.mkdir()
    with (tmp_path / "sshd_config").open("a") as config:
        config.write(f'ForceCommand HOME="{home}" exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    server.start()
    yield server
    for name in ("vllm a", "deaf"):
        driver(name).stop(0, silent)
    server.stop()


def driver(name: str, *run: str, host: str = "box") -> SshDriver:
    return SshDriver(DeploymentSpec(name, "a", driver="ssh", host=host, run=run))


def silent(_: str) -> None:
    """Nobody listens."""


def log_of(one: SshDriver) -> str:
    return subprocess.run(one.log_command(50, follow=False), capture_output=True, text=True, check=True).stdout


def started(one: SshDriver) -> int:
    one.start(silent)
    assert wait_until(lambda: "ready" in log_of(one), 20), log_of(one)
    pid = one.status().pid
    assert pid is not None
    return pid


def test_it_outlives_the_connection_and_ends_when_asked(sshd: Sshd) -> None:
    one = driver("vllm a", sys.executable, "-c", SERVER, "plain", "two words", "; touch no", "$(touch no)", "'\"")
    pid = started(one)
    sshd.drop()
    assert wait_until(lambda: not sshd.sessions(), 10)
    assert one.status().running is Running.RUNNING
    assert log_of(one) == f"ready {['two words', '; touch no', '$(touch no)', chr(39) + chr(34)]!r}\n"
    assert one.stop(20, silent).startswith("ended after ")
    assert identity(pid) is None
    assert one.status() == Status(Running.STOPPED)
    assert wait_until(lambda: not sshd.sessions(), 10)


def test_survivors_are_named_and_ended(sshd: Sshd) -> None:
    one = driver("deaf", sys.executable, "-c", SERVER, "deaf")
    os.kill(started(one), signal.SIGKILL)
    assert wait_until(lambda: one.status().running is Running.FAILED, 20)
    status = one.status()
    assert status.words.startswith("its first process is gone (killed by SIGKILL); sleep 1000 (")
    assert status.pid is not None
    assert "ended by SIGKILL" in one.stop(0.2, silent)
    assert identity(status.pid) is None


def test_the_log_is_followed(sshd: Sshd) -> None:
    one = driver("vllm a", "sh", "-c", "echo ready; read x < fifo; echo more; sleep 1000")
    os.mkfifo(sshd.folder / "far home" / "fifo")
    started(one)
    with subprocess.Popen(one.log_command(5, follow=True), stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline() == "ready\n"
        (sshd.folder / "far home" / "fifo").write_text("go\n")
        assert tail.stdout.readline() == "more\n"
        tail.terminate()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("nokey", "Permission denied"),
        ("wrongkey", "ost key"),
        ("unknown", r"Host key verification failed \(connect once by hand: ssh unknown"),
    ],
)
def test_who_is_not_let_in_hears_why(sshd: Sshd, host: str, words: str) -> None:
    with pytest.raises(DriverError, match=f"^ssh {host}: .*({words})"):
        driver("vllm a", "x", host=host).status()


def test_nobody_listens(sshd: Sshd) -> None:
    one = driver("vllm a", "x")
    sshd.stop()
    with pytest.raises(DriverError, match=r"^ssh box: .*Connection refused"):
        one.status()
    sshd.start()
