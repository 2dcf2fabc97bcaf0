"""Drivers that have another program do it: which argument lists it gets, and what is made of its answers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_tools import FakeTools
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.hosts.drivers import tool
from quarterdeck.hosts.drivers.base import Driver, DriverError, Running, Status
from quarterdeck.hosts.drivers.command import CommandDriver
from quarterdeck.hosts.drivers.docker import DockerDriver
from quarterdeck.hosts.drivers.kubernetes import KubernetesDriver
from quarterdeck.hosts.drivers.open import driver_for
from quarterdeck.hosts.drivers.process import ProcessDriver
from quarterdeck.hosts.drivers.ssh import SshDriver
from quarterdeck.hosts.drivers.systemd import SystemdDriver

ODD_NAMES = ["two words", "it's", 'a"b', "; touch no", "$(touch no)", "`touch no`", "a\\b", "*", "~", "ä漢"]
REFUSED_NAMES = ["-x", "--all", "", None, "a\nb", "\x1b[31m"]
SYSTEMCTL = ["systemctl", "--no-ask-password", "--no-pager"]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    made = FakeTools(tmp_path / "tools")
    made.install("systemctl", "docker", "kubectl", "starter")
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return made


class Waits:
    """Stands in for time.sleep."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds


def spec(driver: str, **values: Any) -> DeploymentSpec:
    return DeploymentSpec("a", "a", driver=driver, **values)


def unit_state(active: str, **more: str) -> tuple[int, str, str]:
    values = {"LoadState": "loaded", "ActiveState": active, "SubState": "x", "MainPID": "0", **more}
    return 0, "".join(f"{key}={value}\n" for key, value in values.items()), ""


def container_state(status: str, **more: object) -> tuple[int, str, str]:
    return (
        0,
        json.dumps({"Status": status, "ExitCode": 0, "Pid": 0, "OOMKilled": False, "Error": "", **more}) + "\n",
        "",
    )


def workload(wanted: int, there: int = 0, ready: int = 0, **status: object) -> tuple[int, str, str]:
    spec = {"replicas": wanted, "selector": {"matchLabels": {"app": "a", "tier": "x"}}}
    return 0, json.dumps({"spec": spec, "status": {"replicas": there, "readyReplicas": ready, **status}}), ""


def pods(*names: str) -> tuple[int, str, str]:
    return 0, json.dumps({"items": [{"metadata": {"name": name}} for name in names]}), ""


def shows(tools: FakeTools, *states: tuple[int, str, str]) -> None:
    tools.reply("systemctl", "show", *states)


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "made"),
    [
        ("process", ProcessDriver),
        ("ssh", SshDriver),
        ("systemd", SystemdDriver),
        ("docker", DockerDriver),
        ("kubernetes", KubernetesDriver),
        ("command", CommandDriver),
    ],
)
def test_each_word_has_its_driver(tmp_path: Path, driver: str, made: type) -> None:
    assert type(driver_for(spec(driver), state=tmp_path)) is made
    assert list(tmp_path.iterdir()) == []


def test_another_word_has_none(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match='there is no driver "nomad"'):
        driver_for(spec("nomad"), state=tmp_path)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_arrive_as_they_are(tools: FakeTools, tmp_path: Path, name: str) -> None:
    shows(tools, unit_state("inactive"), unit_state("active"))
    tools.reply("docker", "inspect", container_state("exited"))
    tools.reply("kubectl", "get", workload(0))
    for driver in (
        SystemdDriver(spec("systemd", unit=name)),
        DockerDriver(spec("docker", container=name)),
        KubernetesDriver(spec("kubernetes", resource=name)),
    ):
        driver.start(lambda _: None)
    calls = tools.calls
    assert len(calls) == 7
    assert all(call[-2:] == ["--", name] for call in calls)
    CommandDriver(spec("command", start=("starter", name, "-x"), stop=("x",)), tmp_path).start(lambda _: None)
    assert tools.calls == [["starter", name, "-x"]]
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("name", REFUSED_NAMES)
def test_what_a_tool_could_take_for_an_option_is_refused(tools: FakeTools, name: Any) -> None:
    for driver in (
        SystemdDriver(spec("systemd", unit=name)),
        DockerDriver(spec("docker", container=name)),
        KubernetesDriver(spec("kubernetes", resource=name)),
        SshDriver(spec("ssh", host=name, run=("x",))),
    ):
        acts: list[Callable[[], object]] = [
            lambda driver=driver: driver.start(print),  # type: ignore[misc]
            lambda driver=driver: driver.stop(1, print),  # type: ignore[misc]
            driver.status,
            lambda driver=driver: driver.log_command(1, follow=False),  # type: ignore[misc]
        ]
        for act in acts:
            with pytest.raises(DriverError, match="is no "):
                act()
    assert tools.calls == []


@pytest.mark.parametrize("driver", ["systemd", "docker", "kubernetes"])
def test_a_missing_tool_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    made = driver_for(spec(driver, unit="u", container="c", resource="deployment/d"), state=tmp_path)
    name = {"systemd": "systemctl", "docker": "docker", "kubernetes": "kubectl"}[driver]
    with pytest.raises(DriverError, match=f"^{name} is not installed here$"):
        made.status()


def test_a_tool_that_hangs_is_ended_with_its_group(tmp_path: Path) -> None:
    script = "sleep 1000 & echo $! > child; sleep 1000"
    with pytest.raises(DriverError, match=r"sh took longer than 0.5 s and was ended"):
        tool.run(("sh", "-c", f"cd {tmp_path}; {script}"), within=0.5)
    child = int((tmp_path / "child").read_text())
    assert tool.wait_for(lambda: not _lives(child), 10, every=0.02, pause=time.sleep)


def _lives(pid: int) -> bool:
    from quarterdeck.hosts.drivers.identity import identity

    return identity(pid) is not None


def test_who_stays_in_the_background_keeps_nobody_waiting(tmp_path: Path) -> None:
    ran = tool.run(("sh", "-c", f"sleep 1000 & echo $! > {tmp_path}/child; echo done"), within=60)
    os.kill(int((tmp_path / "child").read_text()), 9)
    assert ran == (0, "done\n", "")


def test_words_are_the_last_line_without_control_characters() -> None:
    ran = tool.Ran(1, "out\n", "first\n\x1b[31mlast\x07\n\n")
    assert "last" in ran.words
    assert ran.words.isprintable()
    assert tool.Ran(1, "out\n", " \n").words == "out"
    assert tool.Ran(7, "", "").words == "exit status 7"


# --- systemd ---------------------------------------------------------------------------------------------------------


def test_a_unit_is_started_and_stopped(tools: FakeTools) -> None:
    waits, said = Waits(), list[str]()
    driver = SystemdDriver(spec("systemd", unit="vllm@a.service", user=True), pause=waits)
    shows(tools, unit_state("inactive"), unit_state("activating"))
    driver.start(said.append)
    shows(tools, unit_state("active"), unit_state("deactivating"), unit_state("deactivating"), unit_state("inactive"))
    assert driver.stop(60, said.append) == "stopped"
    acts = [call for call in tools.calls if "show" not in call]
    user = ["systemctl", "--user", "--no-ask-password", "--no-pager"]
    assert acts == [
        [*user, "start", "--no-block", "--", "vllm@a.service"],
        [*user, "stop", "--no-block", "--", "vllm@a.service"],
    ]
    assert 0 < waits.seconds < 60
    assert said == ["systemd starts vllm@a.service", "systemd stops vllm@a.service; it gets up to 60 s"]


def test_a_unit_that_does_not_end_is_killed(tools: FakeTools) -> None:
    driver = SystemdDriver(spec("systemd", unit="u"), pause=Waits())
    shows(tools, *[unit_state("deactivating")] * 10, unit_state("failed"))
    assert driver.stop(2, lambda _: None) == "killed: it didn't end within 2.0 s"
    assert [*SYSTEMCTL, "kill", "--signal=SIGKILL", "--", "u"] in tools.calls
    shows(tools, unit_state("deactivating", MainPID="4711", SubState="stop-sigkill"))
    with pytest.raises(DriverError, match=r"u is still there \(deactivating \(stop-sigkill\), process 4711\)"):
        driver.stop(2, lambda _: None)


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (unit_state("active", MainPID="7"), Status(Running.RUNNING, "", 7)),
        (unit_state("activating", SubState="start"), Status(Running.RUNNING, "activating (start)")),
        (unit_state("inactive"), Status(Running.STOPPED)),
        (unit_state("inactive", LoadState="masked"), Status(Running.STOPPED, "the unit is masked")),
        (unit_state("inactive", LoadState="not-found"), Status(Running.UNKNOWN, "there is no such unit")),
        (
            unit_state("failed", Result="exit-code", ExecMainCode="1", ExecMainStatus="203"),
            Status(Running.FAILED, "exit code 203"),
        ),
        (
            unit_state("failed", Result="signal", ExecMainCode="2", ExecMainStatus="9"),
            Status(Running.FAILED, "killed by signal 9"),
        ),
        (unit_state("failed", Result="oom-kill"), Status(Running.FAILED, "out of memory: the kernel ended it")),
        ((0, "", ""), Status(Running.UNKNOWN, "systemd doesn't say")),
        ((0, "MainPID=x\nActiveState=active\n=\n\x00\n", ""), Status(Running.RUNNING)),
    ],
)
def test_what_systemd_shows(tools: FakeTools, shown: tuple[int, str, str], status: Status) -> None:
    shows(tools, shown)
    assert SystemdDriver(spec("systemd", unit="u")).status() == status


def test_since_when_a_unit_runs(tools: FakeTools) -> None:
    shows(tools, unit_state("active", ExecMainStartTimestampMonotonic=str(int((time.monotonic() - 10) * 1e6))))
    since = SystemdDriver(spec("systemd", unit="u")).status().since
    assert since is not None
    assert 9 < time.time() - since < 60


def test_systemd_says_why_not(tools: FakeTools) -> None:
    driver = SystemdDriver(spec("systemd", unit="u"))
    shows(tools, unit_state("inactive"))
    tools.reply("systemctl", "start", (1, "", "Failed to start u.service: Interactive authentication required.\n"))
    with pytest.raises(
        DriverError, match=r"systemctl: Failed to start u.service: Interactive authentication required."
    ):
        driver.start(print)
    shows(tools, unit_state("active"))
    with pytest.raises(DriverError, match="u runs already"):
        driver.start(print)
    shows(tools, unit_state("inactive"), unit_state("failed", Result="exit-code", ExecMainStatus="1"))
    tools.reply("systemctl", "start", (0, "", ""))
    with pytest.raises(DriverError, match="u: exit code 1"):
        driver.start(print)


def test_the_journal_is_the_log() -> None:
    system, user = SystemdDriver(spec("systemd", unit="u")), SystemdDriver(spec("systemd", unit="u", user=True))
    assert system.log_command(50, follow=True) == (
        "journalctl", "--unit=u", "--output=cat", "--lines=50", "--no-pager", "--follow",
    )  # fmt: skip
    assert user.log_command(5, follow=False)[1:2] == ("--user-unit=u",)


# --- docker ----------------------------------------------------------------------------------------------------------


def test_a_container_is_started_and_stopped(tools: FakeTools) -> None:
    driver = DockerDriver(spec("docker", container="vllm"))
    tools.reply("docker", "inspect", container_state("exited"))
    driver.start(lambda _: None)
    tools.reply("docker", "inspect", container_state("running", Pid=7), container_state("exited", ExitCode=137))
    assert driver.stop(12.3, lambda _: None) == "stopped, exit code 137"
    assert driver.stop(12.3, lambda _: None) == "it doesn't run"
    acts = [call for call in tools.calls if "inspect" not in call]
    assert acts == [["docker", "start", "--", "vllm"], ["docker", "stop", "-t", "13", "--", "vllm"]]
    tools.reply("docker", "inspect", container_state("running", Pid=7))
    with pytest.raises(DriverError, match=r"the container vllm still runs \(process 7\)"):
        driver.stop(0, lambda _: None)
    with pytest.raises(DriverError, match="the container vllm runs already"):
        driver.start(print)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (
            container_state("running", Pid=7, StartedAt="2026-01-02T03:04:05.678901234Z"),
            Status(Running.RUNNING, "", 7, 1767323045.0),
        ),
        (container_state("paused", StartedAt="0001-01-01T00:00:00Z"), Status(Running.RUNNING, "paused")),
        (container_state("created"), Status(Running.STOPPED, "never started")),
        (container_state("exited"), Status(Running.STOPPED, "exit code 0")),
        (container_state("exited", ExitCode=1), Status(Running.FAILED, "exit code 1")),
        (
            container_state("exited", ExitCode=137, OOMKilled=True),
            Status(Running.FAILED, "out of memory: the kernel ended it (exit code 137)"),
        ),
        (container_state("exited", ExitCode=127, Error="no such file"), Status(Running.FAILED, "no such file")),
        (container_state("new thing"), Status(Running.UNKNOWN, "new thing")),
        ((0, "{}", ""), Status(Running.UNKNOWN, "docker doesn't say")),
        (
            (1, "", "Error response from daemon: No such container: vllm\n"),
            Status(Running.UNKNOWN, "no such container"),
        ),
    ],
)
def test_what_docker_says(tools: FakeTools, answer: tuple[int, str, str], status: Status) -> None:
    tools.reply("docker", "inspect", answer)
    assert DockerDriver(spec("docker", container="vllm")).status() == status


@pytest.mark.parametrize("out", ["", "null", "[]", "[" * 100_000, "{"])
def test_docker_answers_rubbish(tools: FakeTools, out: str) -> None:
    tools.reply("docker", "inspect", (0, out, ""))
    with pytest.raises(DriverError, match="something else than a state"):
        DockerDriver(spec("docker", container="vllm")).status()


def test_docker_says_why_not(tools: FakeTools) -> None:
    tools.reply("docker", "inspect", (1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"))
    with pytest.raises(DriverError, match="docker: Cannot connect to the Docker daemon"):
        DockerDriver(spec("docker", container="vllm")).stop(1, print)


def test_docker_logs() -> None:
    command = DockerDriver(spec("docker", container="vllm")).log_command(9, follow=True)
    assert command == ("docker", "logs", "--tail=9", "--follow", "--", "vllm")


# --- kubernetes ------------------------------------------------------------------------------------------------------


def test_a_deployment_is_scaled(tools: FakeTools) -> None:
    waits = Waits()
    values = {"resource": "deployment/vllm", "namespace": "llm team", "context": "-x;y", "replicas": 3}
    driver = KubernetesDriver(spec("kubernetes", **values), pause=waits)
    kubectl = ["kubectl", "--context=-x;y", "--namespace=llm team", "--request-timeout=15s"]
    tools.reply("kubectl", "get", workload(0))
    driver.start(lambda _: None)
    assert tools.calls == [
        [*kubectl, "get", "--output=json", "--", "deployment/vllm"],
        [*kubectl, "scale", "--replicas=3", "--", "deployment/vllm"],
    ]
    tools.reply("kubectl", "get", workload(3, 3, 3), pods("vllm-1", "vllm-2"), pods("vllm-2"), pods())
    assert driver.stop(60, lambda _: None) == "scaled to 0, and no pod is left"
    calls = tools.calls
    assert [*kubectl, "scale", "--replicas=0", "--", "deployment/vllm"] in calls
    assert [*kubectl, "get", "pods", "--output=json", "--selector=app=a,tier=x"] in calls
    assert waits.seconds == 2


def test_pods_that_stay_are_named(tools: FakeTools) -> None:
    driver = KubernetesDriver(spec("kubernetes", resource="deployment/vllm"), pause=Waits())
    tools.reply("kubectl", "get", workload(1), pods("vllm-1"))
    with pytest.raises(DriverError, match=r"scaled to 0, but 1 of its pods are still there after 30 s: vllm-1"):
        driver.stop(30, lambda _: None)


def test_a_leader_worker_set_has_its_own_labels(tools: FakeTools) -> None:
    driver = KubernetesDriver(spec("kubernetes", resource="leaderworkerset/vllm"), pause=Waits())
    tools.reply("kubectl", "get", workload(0), pods())
    assert driver.stop(30, lambda _: None) == "it doesn't run"
    assert tools.calls[1][-1] == "--selector=leaderworkerset.sigs.k8s.io/name=vllm"
    assert driver.log_command(9, follow=True) == (
        "kubectl",
        "logs",
        "--selector=leaderworkerset.sigs.k8s.io/name=vllm,leaderworkerset.sigs.k8s.io/worker-index=0",
        "--max-log-requests=20",
        "--tail=9",
        "--follow",
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (workload(0), Status(Running.STOPPED, "scaled to 0")),
        (workload(0, 1), Status(Running.RUNNING, "1 still there")),
        (workload(2, 2, 1), Status(Running.RUNNING, "1 of 2 ready")),
        (
            workload(1, 1, 0, conditions=[{"type": "Progressing", "status": "False", "message": "deadline exceeded"}]),
            Status(Running.FAILED, "0 of 1 ready: deadline exceeded"),
        ),
        (
            workload(1, conditions=[3, {"type": "Available", "status": "False"}]),
            Status(Running.RUNNING, "0 of 1 ready"),
        ),
        ((0, '{"spec": 3, "status": []}', ""), Status(Running.RUNNING, "0 of 1 ready")),
        (
            (1, "", 'Error from server (NotFound): deployments.apps "vllm" not found\n'),
            Status(Running.UNKNOWN, "there is no deployment/vllm"),
        ),
    ],
)
def test_what_kubernetes_says(tools: FakeTools, answer: tuple[int, str, str], status: Status) -> None:
    tools.reply("kubectl", "get", answer)
    assert KubernetesDriver(spec("kubernetes", resource="deployment/vllm")).status() == status


def test_kubernetes_says_why_not(tools: FakeTools) -> None:
    driver = KubernetesDriver(spec("kubernetes", resource="deployment/vllm"))
    tools.reply("kubectl", "get", workload(2))
    with pytest.raises(DriverError, match="runs already: it is scaled to 2"):
        driver.start(print)
    tools.reply("kubectl", "get", (1, "", "The connection to the server localhost:8080 was refused\n"))
    with pytest.raises(DriverError, match="kubectl: The connection to the server localhost:8080 was refused"):
        driver.status()
    tools.reply("kubectl", "get", (0, "[]", ""))
    with pytest.raises(DriverError, match="something else than an object"):
        driver.status()


# --- command ---------------------------------------------------------------------------------------------------------


def commands(tools: FakeTools, tmp_path: Path, **more: Any) -> Driver:
    tools.install("starter", "stopper", "asker")
    values = {"start": ("starter", "a"), "stop": ("stopper", "a"), "status": ("asker", "a"), **more}
    return CommandDriver(spec("command", **values), tmp_path / "state", pause=Waits())


def test_commands_start_and_stop(tools: FakeTools, tmp_path: Path) -> None:
    driver = commands(tools, tmp_path)
    tools.reply("asker", "a", (1, "", "down\n"))
    assert driver.status() == Status(Running.STOPPED, "down")
    assert driver.log_command(5, follow=False) == ()
    tools.reply("starter", "a", (0, "going up\n", ""))
    driver.start(lambda _: None)
    assert driver.log_command(5, follow=False)[-1].endswith("/state/deployments/a.log")
    tools.reply("asker", "a", (0, "", ""), (0, "", ""), (3, "", ""))
    assert driver.stop(30, lambda _: None) == "stopped"
    assert [call[0] for call in tools.calls] == ["asker", "asker", "starter", "asker", "stopper", "asker", "asker"]


def test_commands_that_fail_are_quoted(tools: FakeTools, tmp_path: Path) -> None:
    driver = commands(tools, tmp_path)
    tools.reply("asker", "a", (1, "", ""))
    tools.reply("starter", "a", (4, "", "no GPU\n"))
    with pytest.raises(DriverError, match=r"the start command failed \(exit code 4\): no GPU"):
        driver.start(print)
    tools.reply("asker", "a", (0, "", ""))
    with pytest.raises(DriverError, match="it runs already"):
        driver.start(print)
    with pytest.raises(DriverError, match=r"it still runs 5.0 s after the stop command"):
        driver.stop(5, lambda _: None)
    tools.reply("stopper", "a", (1, "busy\n", ""))
    with pytest.raises(DriverError, match=r"the stop command failed \(exit code 1\): busy"):
        driver.stop(5, lambda _: None)
    with pytest.raises(DriverError, match="nowhere is not installed here"):
        commands(tools, tmp_path, status=("nowhere",)).status()


def test_without_a_status_command_nothing_is_claimed(tools: FakeTools, tmp_path: Path) -> None:
    driver = commands(tools, tmp_path, status=(), logs=("tail", "x y"))
    assert driver.status() == Status(Running.UNKNOWN, "there is no status command")
    driver.start(lambda _: None)
    assert "whether it is gone isn't known" in driver.stop(1, lambda _: None)
    assert driver.log_command(5, follow=True) == ("tail", "x y")
