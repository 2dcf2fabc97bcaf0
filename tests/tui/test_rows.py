from __future__ import annotations

import pytest

from fakes import endpoint_view, model, snapshot
from fleets import mixed_fleet
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.models import ModelState
from quarterdeck.model.replica import ReplicaView
from quarterdeck.tui.columns import in_order, next_order, order_by
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.rows import IN_TURN, ORDERS, has_parts, models_text, rows, wanted_widths
from quarterdeck.tui.sieve import sieved
from quarterdeck.tui.states import LOOKS, look, severity

BY_ID = {order.id: order for order in ORDERS}


def names(order: str, *, turned: bool = False) -> list[str]:
    return [view.name for view in in_order(mixed_fleet().endpoints, BY_ID[order]._replace(turned=turned))]


def matches(view: EndpointView, needle: str) -> bool:
    return bool(sieved([view], needle, "fleet", Frame(snapshot(view), 0.0, 0.0)).rows)


def test_every_state_has_a_word_a_glyph_of_its_own_and_a_meaning() -> None:
    assert set(LOOKS) == set(State)
    assert len({seen.glyph for seen in LOOKS.values()}) == len(LOOKS)
    assert all(seen.word == state.value and seen.meaning for state, seen in LOOKS.items())
    assert all(model_look(state).word for state in ModelState)


def test_the_worst_comes_first_and_equals_keep_the_order_of_the_file() -> None:
    assert names("state") == [
        *("coder-b", "embed", "openrouter", "llama-edge", "sglang-r1", "llama-batch", "qwen-prod", "ollama-lab")
    ]
    assert severity(State.DOWN) < severity(State.STALLED) < severity(None) < severity(State.OK)


def test_orders_by_name_and_numbers_with_the_unknown_last() -> None:
    assert names("name") == sorted(names("name"))
    assert names("tps")[:3] == ["qwen-prod", "llama-batch", "sglang-r1"]
    assert set(names("tps")[-3:]) == {"coder-b", "ollama-lab", "openrouter"}
    assert names("queue")[:2] == ["llama-batch", "embed"]


def test_turned_round_the_unknown_still_comes_last() -> None:
    assert names("tps", turned=True)[:5] == names("tps")[4::-1]
    assert set(names("tps", turned=True)[-3:]) == set(names("tps")[-3:])
    assert names("name", turned=True) == names("name")[::-1]


@pytest.mark.parametrize("order", BY_ID)
@pytest.mark.parametrize("turned", [False, True])
def test_every_order_keeps_every_endpoint_the_unknown_last(order: str, turned: bool) -> None:
    views = mixed_fleet().endpoints
    chosen = BY_ID[order]._replace(turned=turned)
    ordered = in_order(views, chosen)
    values = [chosen.value(view) for view in ordered]
    known = [value for value in values if value is not None]
    assert sorted(view.name for view in ordered) == sorted(view.name for view in views)
    assert values == known + [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=chosen.down is not turned)
    assert chosen.arrow == ("↓" if chosen.down is not turned else "↑")
    assert chosen.words


def test_orders_in_turn_and_by_name() -> None:
    turn = [ORDERS[0]]
    for _ in range(IN_TURN):
        turn.append(next_order(ORDERS, turn[-1], IN_TURN))
    assert [order.id for order in turn] == ["state", "name", "tps", "queue", "state"]
    assert next_order(ORDERS, BY_ID["host"], IN_TURN) is ORDERS[0]
    again = order_by(ORDERS, BY_ID["tps"], "tps")
    assert again is not None
    assert again.turned
    assert order_by(ORDERS, again, "tps") == BY_ID["tps"]
    assert order_by(ORDERS, again, "name") is BY_ID["name"]
    assert order_by(ORDERS, again, "heat") is None


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
