"""What an action is told: a wrong value is found before a server is asked."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.arguments import MOST_TOKENS, value_of, wrong
from quarterdeck.engine.operate import described
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import ACTIONS, BY_ID, Argument
from quarterdeck.model.job import Option, Order

FLEET = FleetConfig(
    endpoints=(EndpointSpec("e", "http://127.0.0.1:11434", "ollama"),), deployments=(DeploymentSpec("d", "e"),)
)


def argument(action: str, name: str) -> Argument:
    known = BY_ID[action]
    return next(each for each in (*known.arguments, *known.more) if each.name == name)


@pytest.mark.parametrize(
    ("action", "name", "text", "value"),
    [
        ("load", "keep_alive", "30m", "30m"),
        ("load", "keep_alive", " 1h30m ", "1h30m"),
        ("load", "keep_alive", "forever", "forever"),
        ("load", "keep_alive", "-1", "-1"),
        ("load", "keep_alive", "0.5m", "0.5m"),
        ("load", "context", "32768", 32768),
        ("load", "context", "32k", 32768),
        ("sleep", "level", "2", 2),
        ("stop", "within", "0", "0s"),
        ("stop", "within", "90", "1m30s"),
        ("restart", "within", "5m", "5m"),
        ("lora_load", "path", "/a b/ümläut", "/a b/ümläut"),
    ],
)
def test_what_can_be_meant_is_taken(action: str, name: str, text: str, value: Option) -> None:
    assert value_of(argument(action, name), text) == value


@pytest.mark.parametrize(
    ("action", "name", "text", "words"),
    [
        ("load", "keep_alive", "5parsecs", "expected a time like 30m or 24h, or forever, got '5parsecs'"),
        ("load", "keep_alive", "0", "expected more than 0, which would unload it at once, got '0'"),
        ("load", "keep_alive", "0m", "would unload it"),
        ("load", "context", "0", "expected a number of tokens such as 32768 or 32k, got '0'"),
        ("load", "context", "-4096", "expected a number of tokens"),
        ("load", "context", "lots", "expected a number of tokens"),
        ("load", "context", "9" * 11, "expected a number of tokens"),
        ("load", "context", "٣", "expected a number of tokens"),
        ("sleep", "level", "3", "expected 1 or 2, got '3'"),
        ("stop", "within", "soon", "expected a time of up to a day such as 30s or 5m, got 'soon'"),
        ("stop", "within", "-1s", "expected a time"),
        ("stop", "within", "2d", "expected a time of up to a day"),
        ("stop", "within", "1e3", "expected a time"),
        ("copy", "destination", "", "expected something such as qwen3:mine"),
        ("copy", "destination", "a\x1b[2Jb", "expected something such as qwen3:mine"),
    ],
)
def test_what_can_not_be_meant_says_what_could(action: str, name: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match="expected") as told:
        value_of(argument(action, name), text)
    assert words in str(told.value)
    assert str(told.value).isprintable()


@given(st.sampled_from([(a, each) for a in ACTIONS for each in (*a.arguments, *a.more)]), st.text(max_size=30))
def test_whatever_is_typed_is_a_value_or_a_word(known: tuple[object, Argument], text: str) -> None:
    with suppress(ValueError):  # nothing else may come of it
        value = value_of(known[1], text)
        assert isinstance(value, known[1].kind)
        assert known[1].name != "context" or 0 < int(value) <= MOST_TOKENS


@pytest.mark.parametrize(
    "order",
    [
        Order("load", "e", "m", {"keep_alive": "5parsecs"}),
        Order("load", "e", "m", {"context": -1}),
        Order("stop", "d", options={"within": "soon"}),
    ],
)
def test_no_way_to_a_job_goes_around_it(order: Order) -> None:
    """The console's forms and bulk actions come this way too."""
    with pytest.raises(UsageError, match="expected"):
        described(FLEET, order)


def test_what_is_left_out_is_nothing_wrong() -> None:
    assert wrong(BY_ID["load"], {}) == ""
    assert wrong(BY_ID["load"], {"keep_alive": "", "context": 4096}) == ""
