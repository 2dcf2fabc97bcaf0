from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.config import load as load_module
from quarterdeck.config.fleet import Auth, EndpointSpec, FleetConfig, HostSpec, Tls
from quarterdeck.config.load import LARGEST_FILE, Loaded, load, loads, places
from quarterdeck.model.fleet import Boundary

ReadFleet = Callable[[str], Loaded]

EVERYTHING = """
[console]
poll = "1m30s"
paint = 1
theme = "any name"
read_only = true
[limits]
busy_waiting = 2
busy_kv = "80%"
stalled_after = "9s"
stale_after = 4
down_after = "2m"
restarted_for = 30
warn_waiting = 10
warn_kv = 0.9
[[host]]
name = "gpu-1"
gpus = "http://gpu-1:9400/metrics/"
poll = "5s"
timeout = "500ms"
[[endpoint]]
name = "vllm a"
url = "https://GPU-1:8000/v1/"
engine = "llama.cpp"
host = "gpu-1"
boundary = "External"
protected = true
poll = 3
timeout = "1s"
headers = { "X-Team" = "search" }
auth = { file = "~/key", header = "X-Api-Key", scheme = "" }
tls = { ca = "certs/ca.pem", cert = "/etc/c.pem", key = "k.pem" }
proxy = "http://proxy:3128/"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, a config folder and a working folder with nothing in them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / "config" / name)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_every_key(read_fleet: ReadFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    loaded = read_fleet(EVERYTHING)
    here = Path.cwd()
    assert loaded.problems == ()
    config = loaded.config
    assert config.hosts == (HostSpec("gpu-1", "http://gpu-1:9400/metrics", poll=5.0, timeout=0.5),)
    assert config.endpoints == (
        EndpointSpec(
            "vllm a",
            "https://gpu-1:8000/v1",
            engine="llamacpp",
            host="gpu-1",
            boundary=Boundary.EXTERNAL,
            protected=True,
            poll=3.0,
            timeout=1.0,
            headers={"X-Team": "search"},
            auth=Auth(file=Path("/home/me/key"), header="X-Api-Key", scheme=""),
            tls=Tls(ca=here / "certs/ca.pem", cert=Path("/etc/c.pem"), key=here / "k.pem"),
            proxy="http://proxy:3128",
        ),
    )
    assert (config.console.poll, config.console.paint, config.console.theme) == (90.0, 1.0, "any name")
    assert config.console.read_only is True
    assert (config.limits.busy_waiting, config.limits.busy_kv, config.limits.stalled_after) == (2, 0.8, 9.0)
    assert (config.limits.stale_after, config.limits.down_after, config.limits.restarted_for) == (4.0, 120.0, 30.0)
    assert (config.limits.warn_waiting, config.limits.warn_kv) == (10, 0.9)


def test_an_empty_file_is_all_defaults(read_fleet: ReadFleet) -> None:
    loaded = read_fleet("")
    assert loaded.problems == ()
    assert loaded.config == FleetConfig(source=Path("fleet.toml"))


@pytest.mark.parametrize(
    ("url", "boundary"),
    [("http://127.0.0.1:1", "local"), ("http://gpu-1:1", "vpc"), ("https://api.example.com", "external")],
)
def test_the_boundary_comes_from_the_url(read_fleet: ReadFleet, url: str, boundary: str) -> None:
    (endpoint,) = read_fleet(f'[[endpoint]]\nname = "a"\nurl = "{url}"').config.endpoints
    assert endpoint.boundary == boundary


@pytest.mark.parametrize(
    ("word", "engine"),
    [
        ("vLLM", "vllm"),
        ("llama-server", "llamacpp"),
        ("LM Studio", "lmstudio"),
        ("llama_swap", "llama-swap"),
        ("text-generation-inference", "tgi"),
        ("OpenAI-compatible", "openai"),
    ],
)
def test_engines_by_other_names(read_fleet: ReadFleet, word: str, engine: str) -> None:
    (endpoint,) = read_fleet(f'[[endpoint]]\nname = "a"\nurl = "http://x"\nengine = "{word}"').config.endpoints
    assert endpoint.engine == engine


def test_loading_opens_no_file_runs_no_command_and_reads_no_variable(read_fleet: ReadFleet) -> None:
    endpoints = [
        'name = "a"\nurl = "https://x"\nauth = { env = "NOT_SET" }\ntls.ca = "missing.pem"',
        'name = "b"\nurl = "http://x"\nauth = { command = ["touch", "ran"] }',
        'name = "c"\nurl = "http://x"\nauth = { file = "missing" }',
    ]
    loaded = read_fleet("".join(f"[[endpoint]]\n{endpoint}\n" for endpoint in endpoints))
    assert loaded.problems == ()
    assert [path.name for path in Path.cwd().iterdir()] == ["fleet.toml"]


def test_order_of_places(home: Path) -> None:
    files = [
        home / "named.toml",
        home / "variable.toml",
        home / "work/fleet.toml",
        home / "config/quarterdeck/fleet.toml",
    ]
    files[3].parent.mkdir(parents=True)
    for file in files:
        file.write_text("")
    environ = {"QUARTERDECK_FLEET": str(files[1])}
    assert load(files[0], environ=environ).path == files[0]
    assert load(environ=environ).path == files[1]
    assert load(environ={"QUARTERDECK_FLEET": ""}).path == Path("fleet.toml")
    files[2].unlink()
    assert load(environ={}).path == files[3]
    files[3].unlink()
    assert load(environ={}) == Loaded()
    assert places(environ={}) == (Path("fleet.toml"), files[3])
    assert places(environ=environ) == (files[1],)


def test_a_home_is_expanded_where_no_shell_does_it(home: Path) -> None:
    (home / "home").mkdir()
    (home / "home/my.toml").write_text("")
    assert load(environ={"QUARTERDECK_FLEET": "~/my.toml"}).path == home / "home/my.toml"
    assert load("~/my.toml", environ={}).path == home / "home/my.toml"


def test_a_file_that_was_named_must_be_there(home: Path) -> None:
    assert messages(load("no.toml", environ={})) == ["no.toml: no such file"]
    Path("file").write_text("")
    assert messages(load("file/b.toml", environ={})) == ["file/b.toml: no such file"]
    assert messages(load("a/b.toml", environ={})) == ["a/b.toml: no such file"]
    assert messages(load(environ={"QUARTERDECK_FLEET": "no.toml"})) == [
        "no.toml: no such file (named by $QUARTERDECK_FLEET)"
    ]


def messages(loaded: Loaded) -> list[str]:
    assert loaded.config.endpoints == ()
    assert loaded.config.console.read_only is True
    return [str(problem) for problem in loaded.problems]


def test_files_that_are_none(home: Path) -> None:
    Path("folder").mkdir()
    Path("latin.toml").write_bytes(b"# fine\n# caf\xe9\n")
    Path("large.toml").write_bytes(b"#" * (10 * 1024 * 1024))
    assert messages(load("folder", environ={})) == ["folder: is a folder, not a file"]
    assert messages(load("latin.toml", environ={})) == ["latin.toml:2: not UTF-8 text (byte 0xe9); save it as UTF-8"]
    assert messages(load("large.toml", environ={})) == ["large.toml: is larger than 1 MiB; a fleet file never is"]
    assert messages(load("a\0b", environ={})) == ["ab: can't be read: not a usable file name"]
    assert messages(load("a" * 5000, environ={}))[0].endswith("…: can't be read: file name too long")
    assert messages(load("", environ={})) == [".: is a folder, not a file"]


def test_a_file_that_may_not_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    Path("fleet.toml").write_text("")
    monkeypatch.setattr(Path, "open", refuse)
    assert messages(load(environ={})) == ["fleet.toml: can't be read: permission denied"]


def test_a_link_to_nowhere_is_no_file(home: Path) -> None:
    Path("fleet.toml").symlink_to("gone.toml")
    assert load(environ={}) == Loaded()


def test_a_file_of_the_largest_size(home: Path) -> None:
    Path("fleet.toml").write_bytes(b"#" * LARGEST_FILE)
    assert load(environ={}).problems == ()


def test_a_byte_order_mark_is_no_problem(home: Path) -> None:
    Path("fleet.toml").write_bytes(b"\xef\xbb\xbf[console]\npoll = 0\n")
    assert [str(problem) for problem in load(environ={}).problems] == [
        "fleet.toml:2: console.poll: must be at least 500ms, got 0"
    ]


def test_a_file_from_a_pipe() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b'[[endpoint]]\nname = "a"\nurl = "http://x"\n')
    finally:
        os.close(writing)
    try:
        loaded = load(f"/dev/fd/{reading}", environ={})
    finally:
        os.close(reading)
    assert [endpoint.name for endpoint in loaded.config.endpoints] == ["a"]


KEYED = '[[endpoint]]\nname = "a"\nurl = "http://x"\nauth.env = "A"\n[[endpoint]]\nname = "b"\nurl = "http://y"\n'


def test_another_users_file_gets_no_keys_unless_it_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("fleet.toml").write_text(KEYED)
    us = Path("fleet.toml").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    monkeypatch.setattr(load_module, "_ROOT", -1)
    found = load(environ={})
    assert [str(problem) for problem in found.problems] == [
        'fleet.toml:4: endpoint "a": auth: this file belongs to another user; to let it use your keys, '
        "name it: --fleet fleet.toml"
    ]
    assert [endpoint.name for endpoint in found.config.endpoints] == ["b"]
    assert load("fleet.toml", environ={}).problems == ()


def test_our_own_file_gets_its_keys(home: Path) -> None:
    Path("fleet.toml").write_text(KEYED)
    assert [endpoint.name for endpoint in load(environ={}).config.endpoints] == ["a", "b"]


def test_origins(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(
        '[console]\npoll = 3\n[[endpoint]]\nname = "a.b"\nurl = "http://x"\nauth = { env = "A", header = "H" }\n'
    )
    origins = loaded.origins
    assert origins["console.poll"] == "fleet.toml:2"
    assert origins["console.paint"] == "default"
    assert origins["limits.busy_kv"] == "default"
    assert origins['endpoint."a.b".url'] == "fleet.toml:5"
    assert origins['endpoint."a.b".auth.header'] == "fleet.toml:6"
    assert origins['endpoint."a.b".auth.scheme'] == "default"
    assert origins['endpoint."a.b".boundary'] == "default"


def test_origins_of_what_was_wrong_are_the_defaults(read_fleet: ReadFleet) -> None:
    loaded = read_fleet('[console]\npoll = "fast"\nread_only = false\n[limits]\nbusy_kv = 0.5\n')
    assert loaded.origins["console.poll"] == "default"
    assert loaded.origins["console.read_only"] == "on until the problems in the file are gone"
    assert loaded.origins["limits.busy_kv"] == "fleet.toml:5"


def test_origins_cost_nothing_unless_asked_for(home: Path) -> None:
    Path("fleet.toml").write_text("[console]\npoll = 3\n")
    assert load(environ={}).origins == {}


def test_text_without_a_file() -> None:
    loaded = loads("[console]\npoll = 0", Path("/etc/x\x1b[31m.toml"))
    assert [str(problem) for problem in loaded.problems] == [
        "/etc/x.toml:2: console.poll: must be at least 500ms, got 0"
    ]
