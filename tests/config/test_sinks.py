"""[[sink]] and [events]."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from quarterdeck.config.decode import decode
from quarterdeck.config.fleet import Auth, EventSettings
from quarterdeck.config.render import render_config
from quarterdeck.config.specs import SecretUrl, SinkSpec

GOOD = """
[events]
keep = "7d"
most = "16MiB"
[[sink]]
name = "pager"
webhook = "https://alerts.example.com/q"
auth = { env = "PAGER_KEY", header = "X-Key", scheme = "" }
headers = { "X-Team" = "search" }
severity = "Critical"
rules = ["down", "stall*"]
subjects = "vllm-*"
resolved = false
repeat = "4h"
timeout = "3s"
retry_for = "30m"
[[sink]]
name = "slack"
webhook_from = { file = "slack" }
[[sink]]
name = "page"
command = ["/usr/bin/page", "--now"]
bell = false
[[sink]]
name = "bell"
bell = true
[[sink]]
name = "desk"
desktop = true
"""


def test_all_of_it(tmp_path: Path) -> None:
    config, findings = decode(tomllib.loads(GOOD), tmp_path)
    assert findings == ()
    assert config.events == EventSettings(keep=7 * 86_400.0, most=16 * 2**20)
    assert config.sinks == (
        SinkSpec(
            "pager",
            webhook="https://alerts.example.com/q",
            auth=Auth(env="PAGER_KEY", header="X-Key", scheme=""),
            headers={"X-Team": "search"},
            severity="critical",
            rules=("down", "stall*"),
            subjects=("vllm-*",),
            resolved=False,
            repeat=14_400.0,
            timeout=3.0,
            retry_for=1800.0,
        ),
        SinkSpec("slack", webhook_from=SecretUrl(file=tmp_path / "slack")),
        SinkSpec("page", command=("/usr/bin/page", "--now")),
        SinkSpec("bell", bell=True),
        SinkSpec("desk", desktop=True),
    )
    again, findings = decode(tomllib.loads(render_config(config)), tmp_path)
    assert findings == ()
    assert (again.sinks, again.events) == (config.sinks, config.events)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected exactly one of webhook"),
        ("bell = true\ndesktop = true", "got bell and desktop"),
        ("bell = false", "got none of them"),
        ('webhook = "https://x/?token=abc"', "query"),
        ('webhook = "https://u:p@x"', "cred"),
        ('bell = true\nauth = { env = "K" }', "no effect without webhook"),
        ('webhook = "http://x"\ntls = { verify = false }', "no effect on an http:// URL"),
        ("webhook_from = {}", "expected exactly one of env"),
        ('command = "page me"', "list of strings"),
        ('command = ["page", "--token", "abcdef"]', "is a key by the option before it"),
        ('bell = true\nrepeat = "1s"', "at least 1m"),
        ("bell = true\nrules = []", "globs"),
        ('bell = true\nlevel = "info"', 'did you mean "severity"'),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    config, findings = decode(tomllib.loads(f'[[sink]]\nname = "a"\n{text}\n'), tmp_path)
    assert said in " ".join(finding.message for finding in findings)
    assert "abc" not in " ".join(finding.message for finding in findings)
    assert config.sinks == ()


def test_two_of_a_name_and_a_wrong_size(tmp_path: Path) -> None:
    text = '[events]\nmost = "10kB"\n[[sink]]\nname = "a"\nbell = true\n[[sink]]\nname = "a"\ndesktop = true\n'
    config, findings = decode(tomllib.loads(text), tmp_path)
    assert [finding.message for finding in findings] == ['must be from 1MiB to 1TiB, got "10kB"', "used twice"]
    assert [sink.bell for sink in config.sinks] == [True]
    assert config.events == EventSettings()


def test_a_mistake_in_a_sink_takes_nothing_else_away(tmp_path: Path) -> None:
    config, findings = decode(tomllib.loads('[[sink]]\nname = "a"\n[events]\nkeep = 1\n'), tmp_path)
    assert len(findings) == 2
    assert not config.console.read_only
