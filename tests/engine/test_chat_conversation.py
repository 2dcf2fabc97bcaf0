"""The conversation behind the chat: columns, histories, sending, cancelling, what may leave."""

from __future__ import annotations

import asyncio
import random

import pytest

from chat_fakes import DONE, FakeDesk, Script, Wire, answer, failure, fleet_file, settle, typed, wire
from quarterdeck.engine.chat.columns import Column, Phase, Settings, Turn
from quarterdeck.engine.chat.conversation import Conversation
from quarterdeck.engine.chat.session import Session
from quarterdeck.model.chat.answer import Ending, Piece, ServerTimings
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.chat.request import Role, Sampling

__all__ = ["wire"]


def talk(desk: FakeDesk | None = None, **given: object) -> Conversation:
    return Conversation(desk or FakeDesk(), Session(), **given)  # type: ignore[arg-type]


def last(column: Column) -> Turn:
    assert column.last is not None
    return column.last


async def test_one_prompt_goes_to_all_columns_and_each_keeps_its_own_history(wire: Wire) -> None:
    wire.on("lab", answer("a", "b"), answer("c"))
    wire.on("prod", answer("x"), answer("y"))
    it = talk()
    one, other = it.add("lab", "qwen3:8b"), it.add("prod", "qwen3-32b")
    it.send(typed("first"))
    assert it.busy
    await settle()
    assert not it.busy
    assert (last(one).answer.text, last(other).answer.text) == ("ab", "x")
    it.send(typed("second"))
    await settle()
    said = {name: [(m.role, m.text) for m in request.messages] for name, request in wire.asked[2:]}
    assert said["lab"] == [(Role.USER, "first"), (Role.ASSISTANT, "ab"), (Role.USER, "second")]
    assert said["prod"] == [(Role.USER, "first"), (Role.ASSISTANT, "x"), (Role.USER, "second")]
    assert it.totals.answers == 4
    assert it.totals.output_tokens == 20


async def test_cancelling_one_column_keeps_what_came_and_leaves_the_others(wire: Wire) -> None:
    gate = asyncio.Event()
    wire.on("lab", Script(["half", gate]))
    wire.on("prod", answer("whole"))
    it = talk()
    one, other = it.add("lab", "qwen3:8b"), it.add("prod", "qwen3-32b")
    it.send(typed("go"))
    await settle()
    it.cancel(one)
    await settle()
    assert last(one).answer.ending is Ending.CANCELLED
    assert last(one).answer.text == "half"
    assert last(other).answer.ending is Ending.DONE
    assert wire.open == 0


async def test_what_is_cancelled_before_it_begins_ends_too(wire: Wire) -> None:
    it = talk()
    column = it.add("lab", "qwen3:8b")
    it.send(typed("go"))
    assert it.cancel_all() == 1
    await settle()
    assert last(column).phase is Phase.ENDED
    assert last(column).answer.ending is Ending.CANCELLED
    assert wire.asked == []


async def test_a_failure_ends_one_column_and_its_turn_is_left_out_of_the_history(wire: Wire) -> None:
    wire.on("lab", Script([failure("connection reset")]), answer("fine"))
    it = talk()
    column = it.add("lab", "qwen3:8b")
    it.send(typed("first"))
    await settle()
    assert (last(column).answer.ending, last(column).answer.reason) == (Ending.FAILED, "connection reset")
    it.send(typed("second"))
    await settle()
    assert [m.text for m in wire.asked[-1][1].messages] == ["second"]


async def test_retry_takes_the_place_of_the_answer_and_sends_the_same_history(wire: Wire) -> None:
    wire.on("lab", answer("one"), Script(["par", failure("it froze")]), answer("two"))
    it = talk()
    column = it.add("lab", "qwen3:8b")
    for text in ("first", "second"):
        it.send(typed(text))
        await settle()
    assert last(column).answer.text == "par"
    it.retry(column)
    await settle()
    assert [turn.answer.text for turn in column.turns] == ["one", "two"]
    assert [m.text for m in wire.asked[-1][1].messages] == ["first", "one", "second"]


async def test_one_after_another_never_has_two_on_their_way(wire: Wire) -> None:
    it = talk()
    for endpoint in ("lab", "prod"):
        it.add(endpoint, "m")
    it.settings.serial = True
    it.send(typed("go"))
    assert [last(column).phase for column in it.columns] == [Phase.QUEUED, Phase.QUEUED]
    await settle()
    assert wire.most_open == 1
    assert all(last(column).answer.ending is Ending.DONE for column in it.columns)
    it.settings.serial = False
    it.send(typed("go"))
    await settle()
    assert wire.most_open == 2


async def test_a_cancelled_column_does_not_hold_up_those_that_wait_for_it(wire: Wire) -> None:
    wire.on("lab", Script([asyncio.Event()]))
    it = talk()
    one, other = it.add("lab", "m"), it.add("prod", "m")
    it.settings.serial = True
    it.send(typed("go"))
    await settle()
    it.cancel(one)
    await settle()
    assert last(other).answer.ending is Ending.DONE


async def test_repeats_give_a_spread_without_cold_starts_and_stop_at_a_failure(wire: Wire) -> None:
    desk = FakeDesk()

    def after(seconds: float, load_s: float = 0.0) -> Script:
        timings = ServerTimings("ollama", load_s=load_s)
        return Script([lambda: desk.frozen.advance(seconds), "a", lambda: desk.frozen.advance(1.0), "b", DONE, Piece(timings=timings)])  # fmt: skip

    wire.on("lab", after(9.0, load_s=8.0), after(0.5), after(0.3), after(0.4))
    it = talk(desk)
    it.settings.repeat = 4
    column = it.add("lab", "qwen3:8b")
    it.send(typed("go"))
    await settle(200)
    ttft, tps = last(column).spreads()
    assert ttft is not None
    assert (ttft.count, round(ttft.median, 3), round(ttft.low, 3), round(ttft.high, 3)) == (3, 0.4, 0.3, 0.5)
    assert tps is not None
    assert round(tps.median, 3) == 4.0
    wire.on("lab", Script([failure("gone")]))
    it.send(typed("go"))
    await settle()
    assert len(last(column).answers) == 1


async def test_warm_up_is_a_request_of_one_token_that_is_not_counted(wire: Wire) -> None:
    it = talk()
    it.settings.warm_up = True
    column = it.add("lab", "qwen3:8b")
    it.send(typed("go"))
    await settle()
    assert [request.sampling.max_tokens for _, request in wire.asked] == [1, None]
    assert it.totals.answers == 1
    assert last(column).answer.text == "yes"
    wire.on("lab", Script([failure("no such model")]), answer("yes"))
    it.send(typed("go"))
    await settle()
    assert "warm-up failed: no such model" in last(column).answer.notes


async def test_settings_are_shared_and_a_column_may_differ(wire: Wire) -> None:
    it = talk()
    it.settings = Settings(system="Be brief.", sampling=Sampling(temperature=0.0, seed=1))
    one, other = it.add("lab", "m"), it.add("prod", "m")
    other.own, other.system = Sampling(seed=2), "Be long."
    it.send(typed("go"))
    await settle()
    asked = dict(wire.asked)
    assert asked["lab"].sampling == Sampling(temperature=0.0, seed=1)
    assert asked["prod"].sampling == Sampling(temperature=0.0, seed=2)
    assert [asked[name].messages[0].text for name in ("lab", "prod")] == ["Be brief.", "Be long."]
    assert last(one).request.messages[0].role is Role.SYSTEM


async def test_external_columns_wait_for_a_yes_however_they_are_ordered(wire: Wire) -> None:
    it = talk()
    outside, inside = it.add("cloud", "atlas"), it.add("lab", "qwen3:8b")
    verdicts = it.verdicts(typed("secret"), it.columns)
    assert verdicts["cloud"][0].rule is Rule.ASK
    assert verdicts["lab"][0].rule is Rule.ALLOW
    it.send(typed("secret"))
    await settle()
    assert last(outside).answer.ending is Ending.FORBIDDEN
    assert last(inside).answer.ending is Ending.DONE
    assert wire.prompts("cloud") == []
    it.session.agree("cloud")
    it.retry(outside)
    await settle()
    assert wire.prompts("cloud") == ["secret"]
    assert it.totals.answers == 2


@pytest.mark.parametrize("desk", [FakeDesk(config=fleet_file(Policy(Rule.NEVER))), FakeDesk(config=fleet_file(read_only=True))])  # fmt: skip
async def test_never_is_never(wire: Wire, desk: FakeDesk) -> None:
    it = talk(desk)
    column = it.add("cloud", "atlas")
    it.session.agree("cloud")
    it.send(typed("secret"))
    await settle()
    assert last(column).answer.ending is Ending.FORBIDDEN
    assert wire.asked == []


async def test_an_endpoint_that_is_no_longer_watched_is_a_failure(wire: Wire) -> None:
    it = talk()
    column = it.add("gone", "m")
    it.send(typed("go"))
    await settle()
    assert "no endpoint is called gone" in last(column).answer.reason


async def test_another_model_in_a_column_begins_afresh(wire: Wire) -> None:
    it = talk()
    column = it.add("lab", "a")
    it.send(typed("first"))
    await settle()
    it.change(column, "prod", "b")
    it.send(typed("second"))
    await settle()
    assert [m.text for m in wire.asked[-1][1].messages] == ["second"]
    it.clear()
    assert column.turns == []


async def test_blind_shuffles_hides_and_a_vote_reveals(wire: Wire) -> None:
    it = talk(rng=random.Random(3))
    for name in ("lab", "prod", "cloud", "other"):
        it.add(name, name)
    it.set_blind(True)
    assert it.hidden
    orders = {tuple(column.model for column in it.columns)}
    it.session.agree("cloud")
    it.session.agree("other")
    it.send(typed("go"))
    orders.add(tuple(column.model for column in it.columns))
    await settle()
    assert orders - {("lab", "prod", "cloud", "other")}
    it.reveal()
    assert not it.hidden
    it.send(typed("more"))
    assert not it.hidden
    await settle()
    it.clear()
    assert it.hidden


async def test_who_keeps_chats_hears_of_every_answer_and_cannot_end_them(wire: Wire) -> None:
    heard: list[str] = []

    def keep(turn: Turn) -> None:
        heard.append(turn.answer.text)
        raise OSError("disk full")

    it = talk(on_finished=keep)
    column, outside = it.add("lab", "m"), it.add("cloud", "m")
    it.send(typed("go"))
    await settle()
    assert heard == ["yes"]
    assert last(column).answer.ending is Ending.DONE
    assert last(outside).answer.ending is Ending.FORBIDDEN


async def test_the_end_of_the_session_hangs_up(wire: Wire) -> None:
    wire.on("lab", Script(["a", asyncio.Event()]))
    it = talk()
    it.add("lab", "m")
    it.send(typed("go"))
    await settle()
    assert wire.open == 1
    await it.stop()
    assert wire.open == 0


async def test_one_machine_for_several_columns_is_said(wire: Wire) -> None:
    it = talk()
    it.add("lab", "a")
    assert it.crowded() == []
    it.add("prod", "b")
    assert it.crowded() == ["box"]
    assert "one after another is fairer" in it.disturbance()
    it.settings.serial = True
    assert it.disturbance() == ""
