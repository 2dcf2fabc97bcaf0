"""The ssh driver's shell programs, run by /bin/sh here: ssh itself is replaced by a program that hands over its command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote

import pytest

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.hosts.drivers.base import DriverError, Running, Status
from quarterdeck.hosts.drivers.family import wait_until
from quarterdeck.hosts.drivers.identity import identity
from quarterdeck.hosts.drivers.ssh import SshDriver

SERVER = """
import os, signal, subprocess, sys
deaf = sys.argv[1] == "deaf"
signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda *_: sys.exit(0))
if deaf:
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
if sys.argv[1] == "bare":
    subprocess.Popen(["sleep", "1000"], env={})
print("ready", sys.argv[2:], os.environ.get("A"), os.environ["QUARTERDECK_DEPLOYMENT"], os.getcwd(), flush=True)
while True: signal.pause()
"""


class Far:
    """The other machine: a home folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.program = folder / "ssh"
        # What is before "--" are options, then the destination; the rest goes to the login shell there.
        self.program.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >> {quote(str(folder / "calls"))}\nwhile [ "$1" != "--" ]; do shift; done; shift 2\n'
            f'HOME={quote(str(self.home))}; export HOME; cd\necho "Welcome to the box"\nexec sh -c "$*"\n'
        )
        self.program.chmod(0o755)

    def driver(self, *run: str, **more: object) -> SshDriver:
        spec = DeploymentSpec("vllm a", "a", driver="ssh", host="box", run=run, **more)  # type: ignore[arg-type]
        return SshDriver(spec, program=str(self.program))

    def server(self, sort: str = "plain", *words: str, **more: object) -> SshDriver:
        return self.driver(sys.executable, "-c", SERVER, sort, *words, **more)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    there = Far(tmp_path)
    yield there
    there.driver("x").stop(0, lambda _: None)


def silent(_: str) -> None:
    """Nobody listens."""


def log_of(driver: SshDriver) -> str:
    return subprocess.run(driver.log_command(50, follow=False), capture_output=True, text=True, check=False).stdout


def started(driver: SshDriver) -> int:
    driver.start(silent)
    assert wait_until(lambda: "ready" in log_of(driver), 20), log_of(driver)
    pid = driver.status().pid
    assert pid is not None
    return pid


def until(driver: SshDriver, condition: Callable[[Status], bool]) -> Status:
    assert wait_until(lambda: condition(driver.status()), 20), driver.status()
    return driver.status()


def test_it_runs_there_and_ends_when_asked(far: Far) -> None:
    words = ["two words", "$(touch no)", "; touch no", "'\"", "-x", "MARK", "a\nb", "\\"]
    driver = far.server("plain", *words, env={"A": "it's $(touch no)"}, cwd=Path("~"))
    pid = started(driver)
    assert log_of(driver).splitlines()[1] == f"ready {words!r} it's $(touch no) vllm a {far.home}"
    assert not list(far.home.rglob("no"))
    assert os.getsid(pid) == pid != os.getsid(0)
    with pytest.raises(DriverError, match=f"can't be started on box: it runs already: process {pid}"):
        driver.start(silent)
    assert driver.stop(20, silent).startswith("ended after ")
    assert identity(pid) is None
    assert driver.status() == Status(Running.STOPPED)
    assert driver.stop(20, silent) == "it doesn't run"
    folder = far.home / ".local/state/quarterdeck"
    assert [path.suffix for path in folder.iterdir()] == [".log"]
    assert (folder.stat().st_mode & 0o777, next(folder.iterdir()).stat().st_mode & 0o777) == (0o700, 0o600)


def test_what_is_deaf_is_killed_with_all_of_it(far: Far) -> None:
    driver = far.server("deaf")
    pid = started(driver)
    said: list[str] = []
    assert "ended by SIGKILL" in driver.stop(0.2, said.append)
    assert said == [
        f"asked process {pid} on box to end; it gets up to 200 ms",
        "2 processes left: SIGTERM to all",
        said[2],
        *said[3:],
    ]
    assert said[2].endswith("left: SIGKILL to all")
    assert identity(pid) is None


@pytest.mark.parametrize("sort", ["deaf", "bare"])
def test_survivors_are_named_and_ended(far: Far, sort: str) -> None:
    driver = far.server(sort)
    os.kill(started(driver), signal.SIGKILL)
    status = until(driver, lambda seen: seen.running is Running.FAILED)
    assert status.words.startswith("its first process is gone (killed by SIGKILL); sleep 1000 (")
    assert status.words.endswith(" is left: stop ends it")
    with pytest.raises(DriverError, match="something is left from the start before; stop it first: sleep 1000"):
        driver.start(silent)
    assert status.pid is not None
    driver.stop(0, silent)
    assert identity(status.pid) is None


@pytest.mark.parametrize(
    ("script", "running", "words"),
    [
        ("exit 0", Running.STOPPED, "exit code 0"),
        ("exit 3", Running.FAILED, "exit code 3"),
        ("kill -9 $$", Running.FAILED, "killed by SIGKILL"),
        ("kill -15 $$", Running.STOPPED, "killed by SIGTERM"),
    ],
)
def test_how_it_ended_is_known(far: Far, script: str, running: Running, words: str) -> None:
    driver = far.driver("sh", "-c", script)
    driver.start(silent)
    status = until(driver, lambda seen: seen.running is not Running.RUNNING and "nobody" not in seen.words)
    assert status == Status(running, words)


def test_another_process_of_that_pid_is_left_alone(far: Far) -> None:
    folder = far.home / ".local/state/quarterdeck"
    folder.mkdir(parents=True)
    driver = far.server()
    stem = driver.log_command(1, follow=False)[-1].rpartition("/")[2].removesuffix(".log")
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        try:
            for line in (
                f"{stranger.pid} another.1 1 {'f' * 32}",
                "1 x 1 ff",
                "-1 x 1 ff",
                "",
                "$(touch no) x 1 .*",
                "\x00",
            ):
                (folder / f"{stem}.run").write_text(line + "\n")
                assert driver.status().running is not Running.RUNNING
                assert driver.stop(0, silent) == "it doesn't run"
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run": ("no-such",)}, r"the program no-such is not found in PATH \("),
        ({"run": ("./no; x",)}, "the program ./no; x is not there, or can't be executed"),
        ({"run": ()}, "nothing that can be run"),
        ({"run": ("-x",)}, "nothing that can be run"),
        ({"cwd": Path("/no/such 'x'")}, "the folder it runs in is missing: /no/such 'x'"),
        ({"log": "/proc/x/y"}, "its log /proc/x/y can't be written"),
    ],
)
def test_what_cannot_be_started_is_said(far: Far, change: dict[str, object], words: str) -> None:
    driver = far.driver(*change.pop("run", ("true",)), **change)  # type: ignore[misc]
    with pytest.raises(DriverError, match=words):
        driver.start(silent)
    assert driver.status() == Status(Running.STOPPED)


def test_the_log_lies_where_it_is_said(far: Far) -> None:
    driver = far.server(log="~/my logs/it's $x.log")
    started(driver)
    assert "ready" in (far.home / "my logs/it's $x.log").read_text()
    assert driver.log_command(-3, follow=True)[-1].startswith("exec tail -n 0 -F ")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('echo "ssh: connect to host box port 22: Connection refused" >&2; exit 255', "Connection refused"),
        (
            'echo "Host key verification failed." >&2; exit 255',
            r"verification failed \(connect once by hand: ssh box\)",
        ),
        ("echo 'This account is currently not available.'; exit 1", "no answer from a shell there: This account"),
        ("exit 0", "no answer from a shell there: exit status 0"),
        ("echo qd pid 7", "no answer from a shell there"),
    ],
)
def test_ssh_says_why_not(far: Far, script: str, words: str) -> None:
    good = far.program.read_text()
    far.program.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(DriverError, match=f"^ssh box: .*{words}"):
        far.server().status()
    far.program.write_text(good)


def test_without_ssh(far: Far) -> None:
    spec = DeploymentSpec("a", "a", driver="ssh", host="box", run=("x",))
    with pytest.raises(DriverError, match="/no/ssh is not installed here"):
        SshDriver(spec, program="/no/ssh").status()


def test_its_processes_and_which_are_gone_are_told(far: Far) -> None:
    driver = far.server("deaf")
    assert driver.family() == ()
    pid = started(driver)
    family = {each.pid: each.title for each in driver.family()}
    assert family[pid].startswith("python")
    assert "sleep 1000" in family.values()
    ended = subprocess.Popen(["true"])  # nobody has asked for its end yet: a zombie
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert driver.gone([pid, os.getpid(), 1, ended.pid], [pid, ended.pid]) == {ended.pid}
    ended.wait()
    assert driver.gone([ended.pid], [ended.pid]) == {ended.pid}
    assert driver.gone([], []) == frozenset()
    driver.stop(0, silent)
    assert driver.family() == ()
    assert driver.gone(family, family) == set(family)
