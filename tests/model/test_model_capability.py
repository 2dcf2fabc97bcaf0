"""What can't be done to an endpoint or a model, and why."""

from __future__ import annotations

import pytest

from fakes import endpoint_view, model
from quarterdeck.model.actions import ACTIONS, BY_ID, Action, On
from quarterdeck.model.capability import why_not
from quarterdeck.model.fleet import State
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import LoraAdapter

ENGINES = ("ollama", "vllm", "llamacpp", "sglang", "litellm", "lmstudio", "llama-swap", "tgi", "openai", None)
every_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)


@every_action
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_has_no_such_thing_says_so(action: Action, engine: str | None) -> None:
    asleep = State.SLEEPING if action.id == "wake" else State.OK
    view = endpoint_view(
        "e", engine=engine, state=asleep, models=(model("m"),), adapters=(LoraAdapter("sql"),), version="1"
    )
    reason = why_not(action, view, model("m") if action.on is On.MODEL else None)
    assert (reason == "") == (action.on is On.DEPLOYMENT or engine in action.engines), reason
    assert reason == reason.strip()


@every_action
@pytest.mark.parametrize("state", [State.DOWN, State.AUTH, State.STALE])
def test_a_server_that_does_not_answer_can_be_told_nothing(action: Action, state: State) -> None:
    view = endpoint_view("e", engine=(action.engines or ("vllm",))[0], state=state, reason="why")
    reason = why_not(action, view, None)
    if action.on is On.DEPLOYMENT:
        assert reason == "", "what is down can be started"
    else:
        assert reason == f"e is {state.value}: why"


@every_action
def test_what_the_server_told_of_itself_counts(action: Action) -> None:
    view = endpoint_view("e", engine=(action.engines or ("vllm",))[0], cannot={action.id: "it needs a flag"})
    assert why_not(action, view, None) == ("" if action.on is On.DEPLOYMENT else "it needs a flag")


def test_vllm_says_what_to_do_instead() -> None:
    view = endpoint_view("e", engine="vllm")
    assert "the model it was started with" in why_not(BY_ID["pull"], view, None)
    assert "sleep" in why_not(BY_ID["unload"], view, model())


def test_nothing_is_known_before_the_first_poll() -> None:
    assert "not known yet" in why_not(BY_ID["load"], endpoint_view("e", engine=None, state=None), None)


@pytest.mark.parametrize(
    ("action", "state", "reason"),
    [
        ("unload", ModelState.INSTALLED, "m is not in memory"),
        ("unload", ModelState.LOADED, ""),
        ("unload", ModelState.LOADING, ""),
        ("unpin", ModelState.INSTALLED, "m is not in memory"),
        ("load", ModelState.INSTALLED, ""),
        ("load", ModelState.LOADED, ""),
        ("load", ModelState.LOADING, "m is being loaded already"),
        ("delete", ModelState.LOADED, ""),
        ("pin", ModelState.INSTALLED, ""),
    ],
)
def test_of_a_model(action: str, state: ModelState, reason: str) -> None:
    view = endpoint_view("e", engine="ollama", models=(model("m", state),))
    assert why_not(BY_ID[action], view, model("m", state)) == reason


def test_an_adapter_is_no_model_of_its_own() -> None:
    view = endpoint_view("e", engine="ollama")
    assert why_not(BY_ID["load"], view, model("sql", parent="qwen")) == "sql is a LoRA adapter of qwen"


def test_sleep_and_wake_go_by_how_it_is() -> None:
    awake, asleep = endpoint_view("e"), endpoint_view("e", state=State.SLEEPING)
    assert why_not(BY_ID["sleep"], awake, None) == ""
    assert why_not(BY_ID["sleep"], asleep, None) == "e is asleep already"
    assert why_not(BY_ID["wake"], awake, None) == "e is not asleep"
    assert why_not(BY_ID["wake"], asleep, None) == ""


def test_what_is_not_there_can_not_be_taken_away() -> None:
    empty = endpoint_view("e", engine="ollama", models=(model("m", ModelState.INSTALLED),))
    assert why_not(BY_ID["unload_all"], empty, None) == "no model is in memory"
    assert why_not(BY_ID["lora_unload"], endpoint_view("e"), None) == "it has no adapter loaded"
    adapter = endpoint_view("e", models=(model("sql", parent="qwen"),))
    assert why_not(BY_ID["lora_unload"], adapter, None) == ""
