from __future__ import annotations

import pytest

from fakes import endpoint_view, model, snapshot
from fleets import mixed_fleet
from quarterdeck.model.fleet import EndpointView, ReplicaView, State
from quarterdeck.model.models import ModelState
from quarterdeck.tui.rows import ORDERS, endpoints, has_parts, matches, models_text, rows, wanted_widths
from quarterdeck.tui.states import LOOKS, look, model_look, severity

BY_ID = {order.id: order for order in ORDERS}


def names(order: str, needle: str = "") -> list[str]:
    return [view.name for view in endpoints(mixed_fleet(), BY_ID[order], needle)]


def test_every_state_has_a_word_a_glyph_of_its_own_and_a_meaning() -> None:
    assert set(LOOKS) == set(State)
    assert len({seen.glyph for seen in LOOKS.values()}) == len(LOOKS)
    assert all(seen.word == state.value and seen.meaning for state, seen in LOOKS.items())
    assert all(model_look(state).word for state in ModelState)


def test_the_worst_comes_first_and_equals_keep_the_order_of_the_file() -> None:
    assert names("severity") == [
        *("coder-b", "embed", "openrouter", "llama-edge", "sglang-r1", "llama-batch", "qwen-prod", "ollama-lab")
    ]
    assert severity(State.DOWN) < severity(State.STALLED) < severity(None) < severity(State.OK)


def test_orders_by_name_and_numbers_with_the_unknown_last() -> None:
    assert names("name") == sorted(names("name"))
    assert names("tps")[:3] == ["qwen-prod", "llama-batch", "sglang-r1"]
    assert set(names("tps")[-3:]) == {"coder-b", "ollama-lab", "openrouter"}
    assert names("waiting")[:2] == ["llama-batch", "embed"]


@pytest.mark.parametrize(
    ("needle", "kept"),
    [
        ("", True),
        ("  ", True),
        ("!", True),
        ("VLLM", True),
        ("qwen3", True),
        ("gpu-box", True),
        ("busy", True),
        ("nothing", False),
        ("!vllm", False),
        ("!nothing", True),
        ("[red]", False),
    ],
)
def test_the_filter_looks_into_name_engine_model_host_and_state(needle: str, kept: bool) -> None:
    view = endpoint_view("prod", host="gpu-box-1", state=State.BUSY, models=(model("Qwen3-32B"),))
    assert matches(view, needle) is kept


def test_an_endpoint_that_knows_nothing_matches_by_name_only() -> None:
    bare = EndpointView("bare", "http://x")
    assert matches(bare, "bar")
    assert not matches(bare, "vllm")


def test_opened_endpoints_show_replicas_then_models() -> None:
    view = endpoint_view(
        "dp", replicas=(ReplicaView("0"), ReplicaView("1")), models=(model("a"), model("b", ModelState.INSTALLED))
    )
    listed = rows([view, endpoint_view("other")], {"dp"})
    assert [row.key[0] for row in listed] == ["dp", "dp", "dp", "dp", "dp", "other"]
    assert [type(row.part).__name__ for row in listed[1:5]] == [
        "ReplicaView",
        "ReplicaView",
        "ModelReading",
        "ModelReading",
    ]
    assert [row.last for row in listed[1:5]] == [False, False, False, True]
    assert len({row.key for row in listed}) == len(listed)
    assert has_parts(view)


def test_one_replica_is_the_endpoint_itself() -> None:
    view = endpoint_view("single", replicas=(ReplicaView("0"),))
    assert not has_parts(view)
    assert len(rows([view], {"single"})) == 1


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ((), ""),
        ((model("qwen3-32b"),), "qwen3-32b"),
        ((model("a"), model("b", ModelState.INSTALLED)), "a +1"),
        ((model("a"), model("b"), model("c", ModelState.INSTALLED)), "2 of 3 loaded"),
        ((model("a", ModelState.SERVED), model("b", ModelState.SERVED)), "2 models"),
        ((model("a"), model("b")), "2 models"),
    ],
)
def test_models_in_a_few_words(models: tuple[object, ...], text: str) -> None:
    assert models_text(endpoint_view("x", models=models)) == text


def test_wide_characters_want_two_cells() -> None:
    assert wanted_widths(snapshot(endpoint_view("日本")))["name"] == 4


def test_an_unpolled_endpoint_looks_unpolled() -> None:
    assert look(None).word == "…"
