"""`config show`: what is in force, as text; and the fleets of `--url`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.adhoc import adhoc
from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import (
    ENGINES,
    Auth,
    ConsoleSettings,
    EndpointSpec,
    FleetConfig,
    HostSpec,
    Limits,
    Tls,
)
from quarterdeck.config.load import loads
from quarterdeck.config.origins import adhoc_origins
from quarterdeck.config.render import render_config
from quarterdeck.config.write import init_text
from quarterdeck.errors import ConfigError
from quarterdeck.model.fleet import Boundary

BASE = Path("/etc/quarterdeck")

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
HOSTS_OF_URLS = st.sampled_from(["127.0.0.1", "gpu-1", "[::1]", "api.example.com", "10.0.0.1"])
URLS = st.builds(
    "{}://{}:{}{}".format,
    st.sampled_from(["http", "https"]),
    HOSTS_OF_URLS,
    st.integers(1, 65535),
    st.sampled_from(["", "/v1", "/a b".replace(" ", "_")]),
)
PATHS = st.sampled_from([Path("/etc/ca.pem"), Path('/odd "dir"\\/é')])
AUTHS = st.one_of(
    st.builds(Auth, env=st.just("KEY")),
    st.builds(Auth, file=PATHS, header=st.just("X-Api-Key"), scheme=st.just("")),
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=3).map(
        lambda words: Auth(command=("pass", *words))
    ),
)
TLS = st.builds(Tls, ca=st.none() | PATHS) | st.builds(Tls, cert=PATHS, key=PATHS) | st.just(Tls(verify=False))
SECONDS = st.floats(0.5, 600)
SHARES = st.floats(0, 1, exclude_min=True)
ENDPOINTS = st.builds(
    EndpointSpec,
    name=NAMES,
    url=URLS,
    engine=st.sampled_from(ENGINES),
    boundary=st.sampled_from(Boundary),
    protected=st.booleans(),
    poll=st.none() | SECONDS,
    timeout=st.floats(0.001, 600),
    headers=st.dictionaries(st.sampled_from(["X-Team", "Accept"]), st.sampled_from(["a", 'b "c" \\', ""])),
    auth=st.none() | AUTHS,
    tls=TLS,
    proxy=st.none() | URLS,
).map(lambda spec: spec if spec.url.startswith("https") else replace(spec, tls=Tls()))
CONFIGS = st.builds(
    FleetConfig,
    endpoints=st.lists(ENDPOINTS, unique_by=lambda spec: spec.name, max_size=4).map(tuple),
    hosts=st.lists(
        st.builds(HostSpec, name=NAMES, gpus=URLS | st.just("none"), poll=st.none() | SECONDS),
        unique_by=lambda spec: spec.name,
        max_size=3,
    ).map(tuple),
    console=st.builds(
        ConsoleSettings,
        poll=SECONDS,
        paint=st.floats(0.5, 60),
        theme=st.none() | NAMES,
        ascii=st.none() | st.booleans(),
        read_only=st.booleans(),
    ),
    limits=st.builds(
        Limits, busy_waiting=st.integers(1, 99), busy_kv=SHARES, warn_kv=SHARES, stale_after=st.floats(1, 99)
    ),
    source=st.just(BASE / "fleet.toml"),
)


@given(CONFIGS, st.booleans())
def test_what_is_shown_reads_back_the_same(config: FleetConfig, with_origins: bool) -> None:
    loaded = loads(render_config(config, {} if with_origins else None), BASE / "fleet.toml")
    assert loaded.problems == ()
    assert loaded.config == config


def test_show_with_origins() -> None:
    source = '[[endpoint]]\nname = "a b"\nurl = "https://x"\nauth.env = "KEY"\n[limits]\nwarn_kv = "50%"\n'
    loaded = loads(source, Path("fleet.toml"), origins=True)
    assert render_config(loaded.config, loaded.origins) == """\
[console]
poll = "2s"        # default
paint = "500ms"    # default
read_only = false  # default

[limits]
busy_waiting = 1      # default
busy_kv = 0.9         # default
stalled_after = "8s"  # default
stale_after = 3       # default
down_after = "1m"     # default
restarted_for = "1m"  # default
warn_waiting = 20     # default
warn_kv = 0.5         # fleet.toml:6

[jobs]
per_host = 2  # default
keep = "30d"  # default

[policy]
external = "ask"  # default

[chat]
save = false         # default
first_token = "10m"  # default
silence = "2m"       # default

[alerts]
enabled = true  # default
keep = "30d"    # default

[events]
keep = "30d"    # default
most = "64MiB"  # default

[[endpoint]]
name = "a b"                   # fleet.toml:2
url = "https://x"              # fleet.toml:3
engine = "auto"                # default
boundary = "vpc"               # default
protected = false              # default
timeout = "2s"                 # default
auth.env = "KEY"               # fleet.toml:4
auth.header = "Authorization"  # default
auth.scheme = "Bearer"         # default
"""  # fmt: skip


def test_adhoc() -> None:
    config = adhoc(
        [
            "http://GPU-1:8000/",
            "gpu-1:8000/v1",
            "http://gpu-1:8000",
            "gpu-1:8000/v2",
            "https://api.example.com/v1",
            "[::1]:80",
        ]
    )
    assert [(spec.name, spec.url, spec.boundary.value) for spec in config.endpoints] == [
        ("gpu-1:8000", "http://gpu-1:8000", "vpc"),
        ("gpu-1:8000-2", "http://gpu-1:8000/v1", "vpc"),
        ("gpu-1:8000-3", "http://gpu-1:8000/v2", "vpc"),
        ("api.example.com", "https://api.example.com/v1", "external"),
        ("[::1]:80", "http://[::1]:80", "local"),
    ]
    assert adhoc_origins(config)['endpoint."gpu-1:8000".url'] == "--url"
    assert adhoc_origins(config)['endpoint."gpu-1:8000".engine'] == "default"
    assert "# --url" in render_config(config, adhoc_origins(config))


def test_adhoc_tells_every_problem_and_no_credentials() -> None:
    with pytest.raises(ConfigError) as caught:
        adhoc(["http://u:hunter2@gpu-1", "http://ok", "ftp://x", "u:hunter2@gpu-2"])
    assert caught.value.problems == (
        "--url: credentials don't belong in the URL; use auth = { env = ... }",
        '--url: expected a URL such as "http://127.0.0.1:8000", got "ftp://x"',
        "--url: credentials don't belong in the URL; use auth = { env = ... }",
    )


@given(st.lists(URLS | st.builds("http://{}.example.com".format, st.text("ab", min_size=50, max_size=60))))
def test_adhoc_names_are_unique_and_allowed_in_a_file(urls: list[str]) -> None:
    config = adhoc(urls)
    assert len({spec.name for spec in config.endpoints}) == len(config.endpoints) == len(set(urls))
    assert loads(init_text(config.endpoints), BASE / "fleet.toml").config.endpoints == config.endpoints
    assert all(spec.boundary is default_boundary(spec.url) for spec in config.endpoints)
