"""``gpus = "ssh"``, ``ssh`` and ``via``: what they mean together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quarterdeck.config.keys import ENDPOINT, HOST
from quarterdeck.config.load import loads
from quarterdeck.config.reach import SshDestination, Way, is_ssh_destination
from quarterdeck.model.fleet import Boundary

FLEET = """
[[host]]
name = "the box"
gpus = "ssh"
ssh = "me@gpu-1"
[[host]]
name = "gpu-2"
gpus = "ssh"
[[endpoint]]
name = "a"
url = "http://127.0.0.1:8000"
via = "ssh:the box"
[[endpoint]]
name = "b"
url = "http://127.0.0.1:8000"
via = "ssh:elsewhere"
boundary = "local"
[[endpoint]]
name = "c"
url = "https://api.example.com"
via = "ssh:gpu-2"
host = "the box"
"""


def test_a_tunnels_end_is_another_machine() -> None:
    loaded = loads(FLEET, Path("fleet.toml"))
    assert loaded.problems == ()
    box, second = loaded.config.hosts
    assert (box.gpus, box.ssh, second.gpus, second.ssh) == ("ssh", "me@gpu-1", "ssh", None)
    a, b, c = loaded.config.endpoints
    assert (a.via, a.host, a.boundary) == ("ssh:me@gpu-1", "the box", Boundary.VPC)
    assert (b.via, b.host, b.boundary) == ("ssh:elsewhere", "elsewhere", Boundary.LOCAL)
    assert (c.via, c.host, c.boundary) == ("ssh:gpu-2", "the box", Boundary.EXTERNAL)


@pytest.mark.parametrize(
    "good",
    ["gpu-1", "me@gpu-1", "me@10.0.0.7", "::1", "me@fe80::1", "ssh://me@gpu-1:2222", "ssh://[::1]:22", "a_b.c-d"],
)
def test_destinations(good: str) -> None:
    assert is_ssh_destination(good)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "-oProxyCommand=x",
        "me@-x",
        "gpu 1",
        "gpu-1:22",
        "me@",
        "@x",
        "a;b",
        "$(x)",
        "a\n",
        "x" * 300,
        "ssh://",
        "ssh://-x",
        "ssh://a:b:c",
    ],
)
def test_what_ssh_could_take_for_something_else(bad: str) -> None:
    assert not is_ssh_destination(bad)


def test_editors_know_it_too() -> None:
    for kind, good, bad in ((SshDestination(), "me@gpu-1", "-x"), (Way(), "ssh:gpu-1", "gpu-1")):
        pattern = str(kind.schema()["pattern"])
        assert re.search(pattern, good)
        assert not re.search(pattern, bad)
    assert {"ssh"} <= {key.name for key in HOST.keys}
    assert {"via"} <= {key.name for key in ENDPOINT.keys}
