"""Servers that are processes of this machine: real process trees, the nastier the better."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.hosts.drivers import family
from quarterdeck.hosts.drivers import process as process_module
from quarterdeck.hosts.drivers.base import DriverError, Running, Status
from quarterdeck.hosts.drivers.family import members
from quarterdeck.hosts.drivers.identity import identity
from quarterdeck.hosts.drivers.locks import only_one
from quarterdeck.hosts.drivers.process import ProcessDriver
from quarterdeck.hosts.drivers.record import Record, file_stem, read_record, write_record

# Each leaves the pids of its tree in ./pids, one a line, and then "ready" in its log.
PLAIN = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
open("pids", "a").write(f"{os.getpid()}\\n")
print("ready", flush=True)
while True: signal.pause()
"""
DEAF = PLAIN.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
WORKER = DEAF.replace('print("ready", flush=True)', "os.close(int(sys.argv[1]))")
ENGINE = f"""
import ctypes, os, signal, subprocess, sys
def worker(before=(), env=None, **how):
    done, told = os.pipe()
    subprocess.Popen([*before, sys.executable, "-c", {WORKER!r}, str(told)], pass_fds=(told,), env=env, **how)
    os.close(told); os.read(done, 1)
worker()                                        # a plain one, deaf
worker(start_new_session=True)                  # away from our session and group
worker(env={{}}, start_new_session=True)         # and without our mark
worker(before=("setsid", "--fork"), env={{"PATH": os.environ["PATH"]}})  # and without a parent
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
open("pids", "a").write(f"{{os.getpid()}}\\n")
print("ready", flush=True)
while True: signal.pause()
"""


class Server:
    """A deployment of this test, and the processes it started."""

    def __init__(self, folder: Path, *run: str, name: str = "vllm a") -> None:
        self.folder = folder
        self.spec = DeploymentSpec(name, "a", run=run, cwd=folder)
        self.driver = ProcessDriver(self.spec, folder / "state")
        self.said: list[str] = []

    def start(self) -> Status:
        self.driver.start(self.said.append)
        assert family.wait_until(lambda: "ready" in self.log(), 20), self.log()
        return self.driver.status()

    def stop(self, grace: float = 20.0) -> str:
        return self.driver.stop(grace, self.said.append)

    def log(self) -> str:
        return self.driver.log_path.read_text() if self.driver.log_path.exists() else ""

    def pids(self) -> list[int]:
        return [int(line) for line in (self.folder / "pids").read_text().split()]

    def alive(self) -> list[int]:
        return [pid for pid in self.pids() if identity(pid) is not None]

    def until(self, condition: Callable[[], bool]) -> None:
        assert family.wait_until(condition, 20), self.driver.status()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers; none outlives the test, whatever it did."""
    made: list[Server] = []

    def make(code: str, *words: str, name: str = "vllm a") -> Server:
        made.append(Server(tmp_path, sys.executable, "-c", code, *words, name=name))
        return made[-1]

    yield make
    for each in made:
        each.driver.stop(0, lambda _: None)
        if (tmp_path / "pids").exists():
            assert each.alive() == []


def test_it_runs_detached_and_ends_when_asked(server: Callable[..., Server]) -> None:
    one = server(PLAIN, "two words", "$(touch no)", "; touch no", "'\"", "-x")
    status = one.start()
    assert (status.running, status.pid) == (Running.RUNNING, one.pids()[0])
    assert status.pid is not None
    process = psutil.Process(status.pid)
    assert process.cmdline()[3:] == ["two words", "$(touch no)", "; touch no", "'\"", "-x"]
    assert not (one.folder / "no").exists()
    assert os.getsid(status.pid) == os.getpgid(status.pid) == status.pid
    assert psutil.Process().pid not in [parent.pid for parent in process.parents()]
    environ = process.environ()
    assert environ["QUARTERDECK_DEPLOYMENT"] == "vllm a"
    assert str(Path(f"/proc/{status.pid}/fd/0").readlink()) == os.devnull
    assert status.since is not None
    assert abs(status.since - process.create_time()) < 5
    assert one.stop().startswith("ended after ")
    assert one.stop() == "it doesn't run"
    assert one.driver.status() == Status(Running.STOPPED)
    assert one.said[1] == f"asked process {status.pid} to end; it gets up to 20 s"


def test_the_record_and_the_log_are_private(server: Callable[..., Server]) -> None:
    one = server(PLAIN)
    one.start()
    for path in (one.driver.record_path, one.driver.log_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(one.driver.record_path.parent.stat().st_mode) == 0o700
    record = json.loads(one.driver.record_path.read_text())
    assert (record["pid"], record["pgid"], record["log"]) == (one.pids()[0],) * 2 + (str(one.driver.log_path),)


def test_it_outlives_who_started_it(server: Callable[..., Server]) -> None:
    one = server(PLAIN)
    code = (
        "import sys; from pathlib import Path; from quarterdeck.config.specs import DeploymentSpec;"
        "from quarterdeck.hosts.drivers.process import ProcessDriver;"
        "ProcessDriver(DeploymentSpec('vllm a', 'a', run=tuple(sys.argv[2:]), cwd=Path(sys.argv[1])),"
        " Path(sys.argv[1]) / 'state').start(print)"
    )
    starter = subprocess.run(
        [sys.executable, "-c", code, str(one.folder), *one.spec.run],
        check=True,
        start_new_session=True,
        capture_output=True,
    )
    assert starter.stdout.startswith(b"started as process")
    one.until(lambda: "ready" in one.log())
    assert one.driver.status().running is Running.RUNNING


def test_a_second_start_is_refused(server: Callable[..., Server]) -> None:
    one = server(PLAIN)
    pid = one.start().pid
    with pytest.raises(DriverError, match=f"it runs already: process {pid}, started .* ago"):
        one.driver.start(one.said.append)
    with only_one(one.driver.record_path.with_suffix(".lock")):
        for act in (lambda: one.driver.start(print), lambda: one.driver.stop(1, print)):
            with pytest.raises(DriverError, match="another Quarterdeck is starting or stopping it"):
                act()
    assert one.alive() == [pid]


def test_what_is_deaf_is_killed(server: Callable[..., Server]) -> None:
    one = server(DEAF)
    one.start()
    assert "ended by SIGKILL" in one.stop(grace=0.2)
    assert one.said[-2:] == ["1 process left: SIGTERM to all", "1 process left: SIGKILL to all"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives us the children of the dead")
def test_nothing_gets_away(server: Callable[..., Server]) -> None:
    one = server(ENGINE)
    one.start()
    assert len(one.alive()) == 5
    # The leader hears and goes; the others don't.
    assert "(4 of 5 processes)" in one.stop(grace=0.5)
    assert one.alive() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives us the children of the dead")
def test_survivors_of_a_killed_leader_are_named_and_ended(server: Callable[..., Server]) -> None:
    one = server(ENGINE)
    leader = one.start().pid
    assert leader is not None
    os.kill(leader, signal.SIGKILL)
    one.until(lambda: one.driver.status().running is Running.FAILED)
    status = one.driver.status()
    assert status.words.startswith("its first process is gone (killed by SIGKILL); ")
    assert all(f"({pid}, " in status.words for pid in one.alive())
    assert status.words.endswith(" are left: stop ends them")
    with pytest.raises(DriverError, match="are left from the start before: stop it first"):
        one.driver.start(one.said.append)
    assert "(4 of 4 processes)" in one.stop(grace=0.2)
    assert one.alive() == []


def test_without_its_keeper_the_mark_finds_them(server: Callable[..., Server]) -> None:
    one = server(ENGINE)
    leader = one.start().pid
    record = read_record(one.driver.record_path)
    assert leader is not None
    assert record is not None
    unmarked = [pid for pid in one.alive() if "QUARTERDECK_LAUNCH" not in psutil.Process(pid).environ()]
    os.kill(record.keeper, signal.SIGKILL)
    os.kill(leader, signal.SIGKILL)
    one.until(lambda: identity(leader) is None and identity(record.keeper) is None)
    status = one.driver.status()
    assert (status.running, len(members(record))) == (Running.FAILED, 2)
    assert "ended, and nobody saw how" in status.words
    one.stop(grace=0)
    for pid in unmarked:
        os.kill(pid, signal.SIGKILL)
    one.until(lambda: one.alive() == [])


def test_what_wrote_over_its_environment_is_found_by_its_group(server: Callable[..., Server]) -> None:
    away = ENGINE.index("worker()  "), ENGINE.index("signal.signal(signal.SIGTERM, lambda")
    one = server(ENGINE[: away[0]] + "worker(env={})\n" + ENGINE[away[1] :])
    leader = one.start().pid
    record = read_record(one.driver.record_path)
    assert leader is not None
    assert record is not None
    os.kill(record.keeper, signal.SIGKILL)
    os.kill(leader, signal.SIGKILL)
    one.until(lambda: identity(leader) is None and identity(record.keeper) is None)
    assert [member.pid for member in members(record)] == one.alive() != []
    # The same number after a restart of the machine is another group.
    assert members(replace(record, identity="another-boot:1")) == []


@pytest.mark.parametrize(
    ("code", "running", "words"),
    [
        ("", Running.STOPPED, "exit code 0"),
        ("raise SystemExit(3)", Running.FAILED, "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", Running.FAILED, "killed by SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", Running.STOPPED, "killed by SIGTERM"),
    ],
)
def test_how_it_ended_is_known(server: Callable[..., Server], code: str, running: Running, words: str) -> None:
    one = server(code)
    one.driver.start(one.said.append)
    one.until(lambda: one.driver.status().running is not Running.RUNNING)
    assert one.driver.status() == Status(running, words)
    one.driver.start(one.said.append)


def test_it_leaves_no_zombie(server: Callable[..., Server]) -> None:
    one = server(PLAIN)
    one.start()
    record = read_record(one.driver.record_path)
    assert record is not None
    one.stop()
    for pid in (record.pid, record.keeper):
        one.until(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).ppid() == 1)  # type: ignore[misc]
    assert not [child for child in psutil.Process().children() if child.pid in (record.pid, record.keeper)]


def test_another_process_of_that_pid_is_left_alone(server: Callable[..., Server], tmp_path: Path) -> None:
    one = server(PLAIN)
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        try:
            record = Record(
                stranger.pid, "another:1", 1.0, stranger.pid, stranger.pid, "another:2", "f" * 32, ("x",), ""
            )
            one.driver.record_path.parent.mkdir(parents=True)
            write_record(one.driver.record_path, record)
            assert one.driver.status() == Status(Running.STOPPED, "ended, and nobody saw how")
            assert one.stop(grace=0) == "it doesn't run"
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 10_000, '{"pid": -1}', '{"pid": "1"}', "\x00"])
def test_a_broken_record_is_none(server: Callable[..., Server], text: str) -> None:
    one = server(PLAIN)
    one.driver.record_path.parent.mkdir(parents=True)
    one.driver.record_path.write_text(text)
    assert one.driver.status() == Status(Running.STOPPED)
    assert one.stop() == "it doesn't run"


@pytest.mark.parametrize("pid", [-1, 0, 1, True, 1.5, "7"])
def test_no_record_makes_us_signal_many(tmp_path: Path, pid: object) -> None:
    path = tmp_path / "r.json"
    write_record(path, Record(4711, "b:1", 1.0, 4711, 0, "", "f", ("x",), ""))
    assert read_record(path) is not None
    for key in ("pid", "pgid"):
        path.write_text(json.dumps({**json.loads(path.read_text()), key: pid}))
        assert read_record(path) is None


def test_the_log_is_kept_once(server: Callable[..., Server]) -> None:
    one = server(PLAIN)
    for _ in range(3):
        one.driver.log_path.parent.mkdir(parents=True, exist_ok=True)
        with one.driver.log_path.open("a") as log:
            log.write("before\n")
        one.start()
        one.stop()
    assert one.log() == "ready\n"
    assert one.driver.log_path.with_name(one.driver.log_path.name + ".1").read_text() == "ready\nbefore\n"
    logs = [path.name for path in one.driver.log_path.parent.iterdir() if ".log" in path.name]
    assert len(logs) == 2
    command = one.driver.log_command(10, follow=False)
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"ready\n"
    assert one.driver.log_command(-5, follow=True)[:4] == ("tail", "-n", "0", "-F")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run": ()}, "there is nothing to run"),
        ({"run": ("a\0b",)}, "there is nothing to run"),
        ({"run": ("no-such-program",)}, r"the program no-such-program is not found in PATH \(.*bin"),
        ({"run": ("./no",)}, "the program ./no is not there"),
        ({"run": ("./plain",)}, "the program ./plain can't be executed"),
        ({"run": ("./junk",)}, "./junk: exec format error"),
        ({"run": ("~/bin/x",)}, "no shell reads this: ~ and"),
        ({"cwd": Path("/no/such")}, "the folder it runs in is missing: /no/such"),
        ({"cwd": Path("/dev/null")}, "the folder it runs in is not a folder: /dev/null"),
        ({"log": "/dev/null/x"}, "its log /dev/null/x can't be written"),
        ({"log": "/proc/x"}, "its log /proc/x can't be written"),
        ({"log": "fifo"}, "its log .*fifo (is not a file|can't be written)"),
        ({"env": {"PATH": "/nowhere"}, "run": ("ls",)}, r"is not found in PATH \(/nowhere\)"),
    ],
)
def test_what_cannot_be_started_is_said(tmp_path: Path, change: dict[str, object], words: str) -> None:
    (tmp_path / "plain").write_text("x")
    (tmp_path / "junk").write_text("\x7fjunk")
    (tmp_path / "junk").chmod(0o755)
    os.mkfifo(tmp_path / "fifo")
    if change.get("log") == "fifo":
        change = {"log": str(tmp_path / "fifo")}
    spec = replace(DeploymentSpec("a", "a", run=(sys.executable, "-c", ""), cwd=tmp_path), **change)  # type: ignore[arg-type]
    driver = ProcessDriver(spec, tmp_path / "state")
    with pytest.raises(DriverError, match=words):
        driver.start(lambda _: None)
    assert driver.status() == Status(Running.STOPPED)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_start_that_cannot_be_remembered_is_undone(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = server(PLAIN)
    one.driver.record_path.mkdir(parents=True)  # a folder in the record's place: it can't be written
    with pytest.raises(DriverError, match=r"can't be started: .*: is a directory"):
        one.driver.start(one.said.append)
    shutil.rmtree(one.driver.record_path)
    marked = [process for process in psutil.process_iter() if _deployment(process) == str(one.folder)]
    assert marked == []


def _deployment(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except psutil.Error:
        return None


def test_file_names_keep_apart_and_stay_inside() -> None:
    names = ["a", "A", "a b", "a-b", "../a", "a/b", ".a", "ä" * 60, "漢" * 60, "-a", "a.json", "~"]
    stems = [file_stem(name) for name in names]
    assert len({stem.lower() for stem in stems}) == len(names)
    assert all("/" not in stem and not stem.startswith(".") and len(stem.encode()) < 100 for stem in stems)
    assert file_stem("vllm-a.1") == "vllm-a.1"


def test_its_processes_and_which_are_gone_are_told(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = server(ENGINE)
    assert one.driver.family() == ()
    pid = one.start().pid
    own = {each.pid: each.title for each in one.driver.family()}
    assert set(one.pids()) <= set(own)
    assert pid is not None
    assert own[pid].startswith("python")
    ended = subprocess.Popen(["true"])  # nobody has asked for its end yet: a zombie
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(process_module, "sees_all", lambda: True)
    assert one.driver.gone([pid, os.getpid(), 1, 0, -1, ended.pid], own) == {ended.pid}
    monkeypatch.setattr(process_module, "sees_all", lambda: False)
    assert one.driver.gone([pid, ended.pid], own) == frozenset()
    ended.wait()
    one.stop(1)
    assert one.driver.gone([*own, ended.pid], own) == set(own)


def test_secrets_of_a_command_line_are_in_no_title(server: Callable[..., Server]) -> None:
    one = server(PLAIN, "--api-key", "s3cr3t")
    one.start()
    assert "s3cr3t" not in str(one.driver.family())
