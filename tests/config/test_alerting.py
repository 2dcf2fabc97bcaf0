"""[alerts] and [[alert]]: what is read, what is refused and how, and the rules that come of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.config.alerting import rules
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import loads
from quarterdeck.config.render import render_config
from quarterdeck.model.alerts.alert import Severity
from quarterdeck.model.alerts.builtin import IDS, builtin
from quarterdeck.model.alerts.measures import MEASURES
from quarterdeck.model.alerts.rules import Rule

FILE = Path("/etc/quarterdeck/fleet.toml")


def config_of(text: str) -> FleetConfig:
    loaded = loads(text, FILE)
    assert loaded.problems == ()
    return loaded.config


def rules_of(text: str) -> dict[str, Rule]:
    config = config_of(text)
    return {rule.id: rule for rule in rules(config.alerts, config.alert_rules, config.limits)}


def test_without_a_word_the_built_in_rules_hold() -> None:
    assert rules_of("") == {rule.id: rule for rule in builtin()}
    assert {rule.measure for rule in builtin()} <= set(MEASURES)
    assert len(set(IDS)) == len(IDS) >= 17


def test_built_in_rules_go_off_by_name() -> None:
    assert set(IDS) - set(rules_of("[alerts]\nbuiltin = { spill = false, kv = true }")) == {"spill"}
    assert rules_of("[alerts]\nenabled = false") == {}


def test_the_limits_of_the_file_move_the_built_in_ones() -> None:
    found = rules_of('[limits]\nwarn_waiting = 50\nbusy_kv = "80%"')
    assert (found["queue"].limit, found["queue"].clear) == (50, 25)
    assert (found["kv"].limit, found["kv"].clear) == pytest.approx((0.8, 0.75))


def test_a_rule_called_as_a_built_in_one_changes_what_it_says() -> None:
    usual = {rule.id: rule for rule in builtin()}["queue"]
    found = rules_of('[[alert]]\nname = "queue"\nabove = 60\nseverity = "crit"\nendpoints = "vllm-*"')
    assert found["queue"] == replace(usual, limit=60.0, clear=30.0, severity=Severity.CRITICAL, endpoints=("vllm-*",))
    assert list(found) == list(IDS)  # in its place
    assert rules_of('[[alert]]\nname = "down"\nfor = "1m"')["down"].for_s == 60
    assert rules_of('[alerts]\nbuiltin = { kv = false }\n[[alert]]\nname = "kv"\nabove = "97%"')["kv"].limit == 0.97


def test_a_rule_of_ones_own() -> None:
    text = """
[[alert]]
name = "slow-tokens"
measure = "itl_p95"
above = "80ms"
clear = "50ms"
for = "2m"
calm = "1m"
hosts = ["gpu-*"]
models = ["qwen*", "llama*"]
engine = "vllm"
[[alert]]
name = "renew"
measure = "certificate"
below = "30d"
"""
    found = rules_of(text)
    assert found["slow-tokens"] == Rule(
        "slow-tokens",
        "itl_p95",
        Severity.WARNING,
        0.08,
        0.05,
        for_s=120,
        calm_s=60,
        hosts=("gpu-*",),
        models=("qwen*", "llama*"),
        engine="vllm",
    )
    renew = found["renew"]
    assert (renew.limit, renew.clear, renew.below, renew.for_s) == (30 * 86_400, 30 * 86_400, True, 30)


def test_the_units_of_limits() -> None:
    rows = [
        ("kv", '"85%"', 0.85),
        ("kv", "0.85", 0.85),
        ("ttft_p95", '"2s"', 2.0),
        ("ttft_p95", "2", 2.0),
        ("orphaned", '"4GiB"', 4 * 2**30),
        ("orphaned", "1000", 1000.0),
        ("temperature", "85", 85.0),
        ("waiting", "10", 10.0),
    ]
    for measure, written, value in rows:
        found = rules_of(f'[[alert]]\nname = "mine"\nmeasure = "{measure}"\nabove = {written}')["mine"]
        assert found.limit == value, (measure, written)


WRONG = [
    ("[alerts]\nenable = true", 'alerts.enable: unknown key; did you mean "enabled"?'),
    ("[alerts]\nbuiltin = { spil = false }", 'did you mean "spill"?'),
    ("[alerts]\nbuiltin = { spill = 1 }", "expected true or false, got 1"),
    ("[[alerts]]\nname = 'x'", "rules are [[alert]]"),
    ("[alert]\nname = 'x'", "with double brackets"),
    ("[[rule]]\nname = 'x'", "did you mean [[alert]]?"),
    ('[[alert]]\nmeasure = "waiting"\nabove = 3', "name: missing"),
    ('[[alert]]\nname = "a b"\nmeasure = "waiting"\nabove = 3', "expected a name such as"),
    ('[[alert]]\nname = "queu"\nabove = 3', 'did you mean "queue"?'),
    ('[[alert]]\nname = "mine"\nmeasure = "waitng"\nabove = 3', 'did you mean "waiting"?'),
    ('[[alert]]\nname = "mine"\nmeasure = "waiting"', "a rule on waiting needs above or below"),
    ('[[alert]]\nname = "mine"\nmeasure = "waiting"\nabove = 3\nbelow = 1', "expected above or below, not both"),
    ('[[alert]]\nname = "mine"\nmeasure = "waiting"\nabove = "90%"', "expected a number such as 20"),
    ('[[alert]]\nname = "mine"\nmeasure = "kv"\nabove = "5s"', 'expected a share such as 0.9 or "90%", got "5s"'),
    ('[[alert]]\nname = "mine"\nmeasure = "kv"\nabove = 90', 'expected a share such as 0.9 or "90%", got 90'),
    ('[[alert]]\nname = "kv"\nabove = "2s"', "expected a share"),
    ('[[alert]]\nname = "mine"\nmeasure = "kv"\nabove = "lots"', "expected a limit such as"),
    ('[[alert]]\nname = "mine"\nmeasure = "kv"\nabove = "80%"\nclear = "90%"', "must not be above the limit (0.8)"),
    ('[[alert]]\nname = "certificate"\nbelow = "30d"\nclear = "3d"', "must not be below the limit"),
    ('[[alert]]\nname = "queue"\nclear = 30', "must not be above the limit (20)"),
    ('[[alert]]\nname = "down"\nabove = 1', '"down" is yes or no'),
    ('[[alert]]\nname = "hot"\nendpoints = ["a"]', 'has no effect: "temperature" is of a GPU; hosts says of which'),
    ('[[alert]]\nname = "disk"\nengine = "vllm"', "is of a machine"),
    ('[[alert]]\nname = "queue"\nfor = "-2s"', "expected a duration"),
    ('[[alert]]\nname = "queue"\nduration = "2s"', 'did you mean "for"?'),
    ('[[alert]]\nname = "queue"\nendpoints = []', "expected globs of names"),
    ('[[alert]]\nname = "queue"\nendpoints = [3]', "expected globs of names"),
    ('[[alert]]\nname = "queue"\nseverity = "bad"', 'expected one of "warning", "critical"'),
    ('[[alert]]\nname = "queue"\n[[alert]]\nname = "queue"', "used twice"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_what_is_wrong_is_said_with_its_line_and_left_out(text: str, words: str) -> None:
    loaded = loads(text, FILE)
    said = [str(problem) for problem in loaded.problems]
    assert len(said) == 1
    assert words in said[0]
    assert "fleet.toml:" in said[0]
    config = loaded.config
    assert len(rules(config.alerts, config.alert_rules, config.limits)) >= len(IDS)  # the rest holds as ever
    assert config.console.read_only is ("unknown table" in said[0])  # nothing that protects stands in these


def test_what_is_shown_is_read_back() -> None:
    text = """
[alerts]
builtin = { spill = false, kv = true }
keep = "7d"
[[alert]]
name = "queue"
above = 60
for = "90s"
endpoints = ["a*", "b"]
[[alert]]
name = "mine"
measure = "kv"
below = 0.25
clear = "30%"
calm = 0
engine = "vllm"
"""
    config = config_of(text)
    shown = render_config(config)
    assert 'for = "1m30s"' in shown
    assert loads(shown, FILE).config == config
    with_origins = loads(text, FILE, origins=True)
    assert with_origins.origins is not None
    assert with_origins.origins["alert.0.for"] == f"{FILE}:8"
    assert with_origins.origins["alert.1.hosts"] == "default"
