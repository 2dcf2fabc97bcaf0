"""The keys of [[deployment]] and [jobs]: servers that are started and stopped from here, and how much is done at one time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quarterdeck.config.fleet import DRIVERS, JobSettings
from quarterdeck.config.kinds import NAME, Choice, Count, Duration, Flag
from quarterdeck.config.launching import Environment, Handle, Machine, PathText, Resource, Run
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.config.table import Key, Table

_DAY = 86400.0

NEEDS: Mapping[str, tuple[str, ...]] = {
    "process": ("run",),
    "ssh": ("host", "run"),
    "systemd": ("unit",),
    "docker": ("container",),
    "kubernetes": ("resource",),
    "command": ("start", "stop"),
}
"""What a driver can't do without …"""
TAKES: Mapping[str, tuple[str, ...]] = {
    "process": ("cwd", "env", "log"),
    "ssh": ("cwd", "env", "log"),
    "systemd": ("user",),
    "docker": (),
    "kubernetes": ("namespace", "context", "replicas"),
    "command": ("status", "logs"),
}
"""… and what else it reads. The other keys are every driver's."""
_OF_SOME = frozenset(name for names in (*NEEDS.values(), *TAKES.values()) for name in names)


def _check(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    driver = str(values.get("driver", "process"))
    if "driver" in given and "driver" not in values:
        return  # which driver it is can't be told; that is said already
    known = {key.name: key for key in DEPLOYMENT.keys}
    for name in NEEDS[driver]:
        if name not in given:
            yield name, f'missing; the driver "{driver}" needs it: expected {known[name].kind.expected}'
    for name in given:
        if name in known and not has_effect(driver, name):
            yield name, f'has no effect with the driver "{driver}"; it is for {_drivers_of(name)}'


def has_effect(driver: str, name: str) -> bool:
    """Whether a key of [[deployment]] means something to a driver."""
    return name not in _OF_SOME or name in (*NEEDS[driver], *TAKES[driver])


def _drivers_of(name: str) -> str:
    return " and ".join(f'"{driver}"' for driver in DRIVERS if has_effect(driver, name))


DEPLOYMENT = Table(
    "deployment",
    DeploymentSpec,
    "A server that can be started and stopped from here.",
    "tables: [[deployment]]",
    (
        Key("name", NAME, "Its name on the screen and for commands; each only once.", '"vllm-a"', ("id", "label")),
        Key("endpoint", NAME, "Name of the [[endpoint]] that it becomes.", '"vllm-a"', ("server", "becomes")),
        Key(
            "driver",
            Choice(DRIVERS),
            "What starts and stops it: " + ", ".join(DRIVERS) + ".",
            '"process"',
            ("type", "kind", "via"),
        ),
        Key(
            "host",
            Machine(),
            "ssh: the [[host]] it runs on, or an ssh destination.",
            '"gpu-1"',
            ("machine", "node", "destination"),
        ),
        Key(
            "run",
            Run(),
            "process, ssh: the program and its arguments; no shell reads them.",
            '["vllm", "serve", "Qwen/Qwen3-8B", "--port", "8000"]',
            ("cmd", "command", "argv", "args", "exec"),
        ),
        Key("cwd", PathText(), "process, ssh: the folder it runs in; unset: home.", '"~/models"', ("dir", "folder")),
        Key(
            "env",
            Environment(),
            "process, ssh: environment variables it gets besides those that are there; no secrets.",
            '{ CUDA_VISIBLE_DEVICES = "0,1" }',
            ("environment", "vars"),
        ),
        Key(
            "log",
            PathText(),
            "process, ssh: the file that its output goes to; unset: one in the state folder.",
            '"~/logs/vllm-a.log"',
            ("log_file", "output"),
        ),
        Key(
            "unit",
            Handle('a systemd unit such as "vllm.service"'),
            "systemd: the unit.",
            '"vllm.service"',
            ("service",),
        ),
        Key("user", Flag(), "systemd: true for a unit of your own manager (systemctl --user).", "true"),
        Key("container", Handle('a container such as "vllm-a"'), "docker: the container.", '"vllm-a"', ("image",)),
        Key(
            "resource",
            Resource(),
            "kubernetes: what is scaled, a deployment or a leaderworkerset.",
            '"deployment/vllm-a"',
            ("object", "workload"),
        ),
        Key(
            "namespace",
            Handle('a namespace such as "models"'),
            "kubernetes: its namespace; unset: kubectl's.",
            '"models"',
            ("ns",),
        ),
        Key(
            "context",
            Handle('a context of kubectl such as "prod"'),
            "kubernetes: the context; unset: kubectl's current one.",
            '"prod"',
            ("cluster",),
        ),
        Key("replicas", Count(1, 10_000), "kubernetes: how many it is scaled to when it is started.", "1", ("scale",)),
        Key("start", Run(), "command: starts it and returns.", '["/opt/llm/start", "a"]', ("up",)),
        Key("stop", Run(), "command: stops it and returns.", '["/opt/llm/stop", "a"]', ("down",)),
        Key("status", Run(), "command: exit code 0 means that it runs.", '["/opt/llm/status", "a"]', ("check",)),
        Key("logs", Run(), "command: prints its log.", '["tail", "-n", "200", "-F", "/var/log/llm-a.log"]'),
        Key(
            "stop_within",
            Duration(0, 3600),
            "So long it gets to let its requests end before it is ended.",
            '"60s"',
            ("grace", "stop_timeout"),
        ),
        Key(
            "ready_within",
            Duration(1, _DAY),
            "So long it may take until it serves.",
            '"30m"',
            ("start_timeout", "ready_timeout"),
        ),
        Key("protected", Flag(), "true: to stop it, its name must be typed.", "true", ("protect", "locked")),
    ),
    _check,
    repeated=True,
)

JOBS = Table(
    "jobs",
    JobSettings,
    "Work that outlives the screen: pulls, launches, deletions.",
    "a table: [jobs]",
    (
        Key(
            "per_host",
            Count(1, 100),
            "So many downloads at one time on one machine, and as many loads and starts; the others wait their turn.",
            "2",
            ("limit", "parallel"),
        ),
        Key(
            "keep",
            Duration(3600, 3650 * _DAY),
            "How long the record of a job stays after it ended.",
            '"30d"',
            ("retention",),
        ),
    ),
)
