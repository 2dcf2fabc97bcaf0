"""[policy], [chat] and [[price]]."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from quarterdeck.config.decode import decode
from quarterdeck.config.fleet import ChatSettings
from quarterdeck.config.render import render_config
from quarterdeck.config.specs import PriceSpec
from quarterdeck.model.chat.boundary import Policy, Rule

GOOD = """
[policy]
external = "Allow"
paths = { "~/work/**" = "never", "notes" = "ask" }
[chat]
save = true
silence = "30s"
[[price]]
endpoint = "together"
input = 0.2
output = 0.6
cached_input = 0.1
date = "2026-11-20"
[[price]]
endpoint = "vllm-*"
gpu_hour = 2.49
"""


def test_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    config, findings = decode(tomllib.loads(GOOD), tmp_path)
    assert findings == ()
    assert config.policy == Policy(Rule.ALLOW, (("/home/me/work/**", Rule.NEVER), (f"{tmp_path}/notes", Rule.ASK)))
    assert config.chat == ChatSettings(save=True, silence=30.0)
    assert config.prices == (
        PriceSpec("together", input=0.2, output=0.6, cached_input=0.1, date="2026-11-20"),
        PriceSpec("vllm-*", gpu_hour=2.49),
    )
    again, findings = decode(tomllib.loads(render_config(config)), tmp_path)
    assert findings == ()
    assert (again.policy, again.chat, again.prices) == (config.policy, config.chat, config.prices)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[policy]\nexternal = "sometimes"', "expected one of"),
        ('[policy]\npaths = { "~nobody-here/x" = "never" }', "home folder"),
        ('[policy]\npaths = { "x" = "maybe" }', "expected one of"),
        ('[policy]\npaths = ["x"]', "expected a table of globs"),
        ('[policy]\noutside = "never"', "external"),
        ('[[price]]\nmodel = "x"', "needs input and output"),
        ('[chat]\nsave = "yes"', "expected true or false"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    _, findings = decode(tomllib.loads(text), tmp_path)
    assert said in findings[0].message


@pytest.mark.parametrize(
    "text", ['[policy]\nexternal = "nver"', '[pollicy]\nexternal = "never"', "[policy]\npaths = 3"]
)
def test_a_typo_in_the_policy_lets_nothing_out(tmp_path: Path, text: str) -> None:
    config, _ = decode(tomllib.loads(text), tmp_path)
    assert config.policy.external is Rule.NEVER
