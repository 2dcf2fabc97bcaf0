"""[[deployment]], [jobs] and what is protected: what is read, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.config.fleet import JobSettings
from quarterdeck.config.load import Loaded, loads
from quarterdeck.config.origins import INHERITED
from quarterdeck.config.render import render_config
from quarterdeck.config.specs import DeploymentSpec

ReadFleet = Callable[[str], Loaded]

ENDPOINT = '[[endpoint]]\nname = "a"\nurl = "http://gpu-1:8000"\n'
HEAD = '[[deployment]]\nname = "d"\nendpoint = "a"\n'
RUN = "expected a list of strings such as"
SECRET = "set it in the environment that the server inherits instead"


def deployment(text: str, read: ReadFleet, more: str = "") -> DeploymentSpec:
    loaded = read(ENDPOINT + HEAD + text + more)
    assert loaded.problems == ()
    return loaded.config.deployments[0]


def problems(text: str, read: ReadFleet) -> list[str]:
    """Of a deployment: "KEY: MESSAGE" each."""
    loaded = read(ENDPOINT + HEAD + text)
    assert loaded.config.deployments == ()
    lines = [str(problem) for problem in loaded.problems]
    assert all(line.startswith("fleet.toml:") for line in lines)
    return [line.partition('deployment "d": ')[2] for line in lines]


def test_a_process(read_fleet: ReadFleet, tmp_path: Path) -> None:
    text = (
        'run = ["vllm", "serve", "a b"]\ncwd = "models"\nlog = "~/x.log"\nenv = { A = "b", HF_TOKEN = "" }\n'
        'stop_within = "2m"\nready_within = 30\nprotected = true\n'
    )
    assert deployment(text, read_fleet) == DeploymentSpec(
        "d",
        "a",
        run=("vllm", "serve", "a b"),
        cwd=tmp_path / "models",
        log=str(Path.home() / "x.log"),
        env={"A": "b", "HF_TOKEN": ""},
        stop_within=120.0,
        ready_within=30.0,
        protected=True,
    )


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ('driver = "ssh"\nhost = "me@box"\nrun = ["x"]\ncwd = "~/m"\nlog = "l.log"', {"host": "me@box", "run": ("x",), "cwd": Path("~/m"), "log": "l.log"}),
        ('driver = "systemd"\nunit = "vllm@a.service"\nuser = true', {"unit": "vllm@a.service", "user": True}),
        ('driver = "docker"\ncontainer = "vllm a"', {"container": "vllm a"}),
        (
            'driver = "kubernetes"\nresource = "lws/vllm"\nnamespace = "llm"\ncontext = "prod"\nreplicas = 2',
            {"resource": "leaderworkerset/vllm", "namespace": "llm", "context": "prod", "replicas": 2},
        ),
        ('driver = "kubernetes"\nresource = "Deploy/vllm"', {"resource": "deployment/vllm"}),
        (
            'driver = "command"\nstart = ["up"]\nstop = ["down", "-f"]\nstatus = ["is"]\nlogs = ["tail", "x"]',
            {"start": ("up",), "stop": ("down", "-f"), "status": ("is",), "logs": ("tail", "x")},
        ),
    ],
)  # fmt: skip
def test_the_other_drivers(read_fleet: ReadFleet, text: str, spec: dict[str, object]) -> None:
    found = deployment(text + "\n", read_fleet)
    driver = text.split('"')[1]
    assert found == replace(DeploymentSpec("d", "a", driver=driver), **spec)  # type: ignore[arg-type]
    shown = render_config(read_fleet(ENDPOINT + HEAD + text + "\n").config)
    again = loads(shown, Path("fleet.toml"))
    assert (again.problems, again.config.deployments) == ((), (found,))


def test_ssh_connects_as_its_host_says(read_fleet: ReadFleet) -> None:
    host = '[[host]]\nname = "the box"\ngpus = "none"\nssh = "me@box"\n'
    assert deployment('driver = "ssh"\nrun = ["x"]\nhost = "the box"\n', read_fleet, host).host == "me@box"


def test_ssh_cannot_connect_to_any_host(read_fleet: ReadFleet) -> None:
    host = '[[host]]\nname = "the box"\ngpus = "none"\n'
    loaded = read_fleet(ENDPOINT + HEAD + 'driver = "ssh"\nrun = ["x"]\nhost = "the box"\n' + host)
    assert [str(problem) for problem in loaded.problems] == [
        'fleet.toml:9: deployment "d": host: the [[host]] "the box" needs ssh, such as ssh = "user@gpu-1": '
        "ssh can't connect to a host of this name"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [f'run: missing; the driver "process" needs it: {RUN} ["vllm", "serve", "MODEL"]']),
        ('driver = "systemd"', ['unit: missing; the driver "systemd" needs it: expected a systemd unit such as "vllm.service"']),
        ('driver = "docker"', ['container: missing; the driver "docker" needs it: expected a container such as "vllm-a"']),
        (
            'driver = "kubernetes"',
            ['resource: missing; the driver "kubernetes" needs it: expected "deployment/NAME" or "leaderworkerset/NAME"'],
        ),
        (
            'driver = "command"\nstart = ["x"]',
            [f'stop: missing; the driver "command" needs it: {RUN} ["vllm", "serve", "MODEL"]'],
        ),
        (
            'driver = "ssh"\nrun = ["x"]',
            ['host: missing; the driver "ssh" needs it: expected the name of a [[host]], or an ssh destination'],
        ),
        ('run = ["x"]\nunit = "u"', ['unit: has no effect with the driver "process"; it is for "systemd"']),
        (
            'driver = "docker"\ncontainer = "c"\nrun = ["x"]',
            ['run: has no effect with the driver "docker"; it is for "process" and "ssh"'],
        ),
        ('run = ["x"]\nreplicas = 1', ['replicas: has no effect with the driver "process"; it is for "kubernetes"']),
        (
            'driver = "nomad"\nunit = "u"',
            ['driver: expected one of "process", "ssh", "systemd", "docker", "kubernetes", "command", got "nomad"'],
        ),
        ('driver = "ssh"\nrun = ["x"]\nhost = "a b"', ['host: "a b" is neither a [[host]] nor an ssh destination']),
        ('driver = "ssh"\nrun = ["x"]\nhost = "-oProxyCommand=x"', ['host: "-oProxyCommand=x" is neither a [[host]] nor an ssh destination']),
        ('driver = "systemd"\nunit = "--all"', ['unit: expected a systemd unit such as "vllm.service", got "--all"']),
        ('driver = "docker"\ncontainer = "-c"', ['container: expected a container such as "vllm-a", got "-c"']),
        ('driver = "kubernetes"\nresource = "pod/x"', ['resource: expected "deployment/NAME" or "leaderworkerset/NAME", got "pod/x"']),
        ('run = "vllm serve x"', [f'run: {RUN} ["vllm", "serve", "MODEL"], got a string']),
        ('run = ["-x"]', [f'run: {RUN} ["vllm", "serve", "MODEL"], got a list']),
        ('run = []', [f'run: {RUN} ["vllm", "serve", "MODEL"], got a list']),
        ('cmd = ["x"]\nrun = ["x"]', ['cmd: unknown key; did you mean "run"?']),
        ('run = ["x"]\nstop_within = "2h"', ['stop_within: must be at most 1h, got "2h"']),
        ('run = ["x"]\nenv = { "A B" = "x" }', ['env."A B": not the name of an environment variable']),
        ('run = ["x"]\nenv = { A = 1 }', ["env.A: expected a string, got a number"]),
        ('run = ["x"]\nenv = { QUARTERDECK_LAUNCH = "x" }', ["env.QUARTERDECK_LAUNCH: is ours: another name, please"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(read_fleet: ReadFleet, text: str, expected: list[str]) -> None:
    assert problems(text + "\n", read_fleet) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('run = ["x"]\nenv = { HF_TOKEN = "VALUE" }', "env.HF_TOKEN"),
        ('run = ["x"]\nenv = { VLLM_API_KEY = "VALUE" }', "env.VLLM_API_KEY"),
        ('run = ["x"]\nenv = { OTHER = "sk-VALUE0123456789abcdef" }', "env.OTHER"),
        ('run = ["x"]\nenv = { OTHER = "hf_VALUE0123456789abcdef" }', "env.OTHER"),
        ('run = ["x", "--api-key", "VALUE"]', "run.2"),
        ('run = ["x", "--api-key=VALUE"]', "run.1"),
        ('run = ["x", "--hf-token", "VALUE"]', "run.2"),
        ('run = ["x", "sk-VALUE0123456789abcdef"]', "run.1"),
        ('run = ["x", "-k=hf_VALUE0123456789abcdef"]', "run.1"),
        ('driver = "command"\nstart = ["x", "--password=VALUE"]\nstop = ["x"]', "start.1"),
    ],
)
def test_secrets_are_refused_and_not_shown(read_fleet: ReadFleet, text: str, place: str) -> None:
    (problem,) = problems(text + "\n", read_fleet)
    assert problem.startswith(f"{place}: ")
    assert problem.endswith(SECRET)
    assert "VALUE" not in problem


@pytest.mark.parametrize(
    "text",
    [
        'run = ["x", "--api-key"]',
        'run = ["x", "--api-key", "--port", "8000", "--max-tokens", "5"]',
        'run = ["x"]\nenv = { TOKENIZERS_PARALLELISM = "false", OLLAMA_AUTH = "1", HF_TOKEN_PATH = "/x", SSL_KEY = "/etc/key.pem" }',
    ],
)
def test_what_is_no_secret_may_stand_there(read_fleet: ReadFleet, text: str) -> None:
    deployment(text + "\n", read_fleet)


def test_endpoints_must_be_there(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(ENDPOINT + '[[deployment]]\nname = "d"\nendpoint = "b"\nrun = ["x"]\n')
    assert [str(problem) for problem in loaded.problems] == [
        'fleet.toml:6: deployment "d": endpoint: "b" is not a declared endpoint; known: "a"'
    ]
    loaded = read_fleet('[[deployment]]\nname = "d"\nendpoint = "b"\nrun = ["x"]\n')
    assert [str(problem) for problem in loaded.problems] == [
        'fleet.toml:3: deployment "d": endpoint: "b" is not declared; add a [[endpoint]] of this name'
    ]


def test_a_wrong_endpoint_takes_its_deployment_along_and_is_said_once(read_fleet: ReadFleet) -> None:
    loaded = read_fleet('[[endpoint]]\nname = "a"\nurl = "x"\n' + HEAD + 'run = ["x"]\n')
    assert loaded.config.deployments == ()
    assert len(loaded.problems) == 1


def test_names_stand_once(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(ENDPOINT + (HEAD + 'run = ["x"]\n') * 2)
    assert [str(problem) for problem in loaded.problems] == [
        'fleet.toml:9: deployment "d": name: used twice; first in line 5'
    ]
    assert len(loaded.config.deployments) == 1


def test_a_wrong_deployment_does_not_make_the_console_read_only(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(ENDPOINT + HEAD + "[jobs]\nper_host = 0\n")
    assert len(loaded.problems) == 2
    assert not loaded.config.console.read_only
    assert loaded.config.jobs == JobSettings()


def test_jobs(read_fleet: ReadFleet) -> None:
    assert read_fleet('[jobs]\nper_host = 5\nkeep = "7d"\n').config.jobs == JobSettings(5, 7 * 86400.0)


HOST = '[[host]]\nname = "gpu-1"\ngpus = "none"\nPROTECTED\n'
ON_HOST = '[[endpoint]]\nname = "a"\nurl = "http://x:1"\nhost = "gpu-1"\nprotected = false\n'


@pytest.mark.parametrize("line", ["protected = true", "protectd = true", "protected = 1"])
def test_a_protected_host_protects_what_is_on_it(read_fleet: ReadFleet, line: str) -> None:
    """A host that can't be read may have said so."""
    text = HOST.replace("PROTECTED", line) + ON_HOST + HEAD + 'run = ["x"]\n'
    loaded = read_fleet(text)
    assert (loaded.config.endpoints[0].protected, loaded.config.deployments[0].protected) == (True, True)
    assert loaded.origins["endpoint.a.protected"] == loaded.origins["deployment.d.protected"] == INHERITED


def test_a_deployment_over_ssh_is_protected_by_its_host(read_fleet: ReadFleet) -> None:
    text = HOST.replace("PROTECTED", "protected = true") + ENDPOINT + HEAD
    loaded = read_fleet(text + 'driver = "ssh"\nhost = "gpu-1"\nrun = ["x"]\n')
    assert loaded.problems == ()
    assert (loaded.config.endpoints[0].protected, loaded.config.deployments[0].protected) == (False, True)


def test_a_tunnel_to_a_protected_host_protects(read_fleet: ReadFleet) -> None:
    text = HOST.replace("PROTECTED", "protected = true")
    loaded = read_fleet(text + '[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:1"\nvia = "ssh:gpu-1"\n')
    assert loaded.config.endpoints[0].protected


def test_a_file_of_another_user_starts_nothing() -> None:
    loaded = loads(ENDPOINT + HEAD + 'run = ["x"]\n', Path("fleet.toml"), foreign=True)
    assert loaded.config.deployments == ()
    assert [str(problem) for problem in loaded.problems] == [
        'fleet.toml:5: deployment "d": name: this file belongs to another user; to let it start servers as you, '
        "name it: --fleet fleet.toml"
    ]


def test_where_its_values_come_from(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(ENDPOINT + HEAD + 'run = ["x"]\nenv = { A = "b" }\n')
    assert render_config(loaded.config, loaded.origins).partition("[[deployment]]\n")[2] == """\
name = "d"            # fleet.toml:5
endpoint = "a"        # fleet.toml:6
driver = "process"    # default
run = ["x"]           # fleet.toml:7
env = { "A" = "b" }   # fleet.toml:8
stop_within = "1m"    # default
ready_within = "30m"  # default
protected = false     # default
"""  # fmt: skip
