"""What has to be said beside an answer, and how repeated ones are summed up."""

from __future__ import annotations

import pytest

from quarterdeck.model.chat.answer import Answer, Circumstances, Ending, Piece, ServerTimings, ToolCall, Usage
from quarterdeck.model.chat.fairness import comparable, disturbance, least_tokens, remarks, spread
from quarterdeck.model.chat.request import ChatRequest, Message, Role, Sampling


def asked(text: str) -> ChatRequest:
    return ChatRequest("m", (Message(Role.USER, text),))


def answered(*, prompt_tokens: int | None = None, **given: object) -> Answer:
    answer = Answer("e", "m", 0.0, **given)  # type: ignore[arg-type]
    answer.take(Piece("hello"), 0.5)
    answer.take(Piece(" world", finish="stop", usage=Usage(prompt_tokens, 2)), 1.0)
    answer.end(Ending.DONE, 1.1)
    return answer


def test_a_prompt_that_was_cut_is_told() -> None:
    (note,) = remarks(answered(prompt_tokens=300), asked("word " * 1000))
    assert note == "the server cut the prompt: it read 300 tokens of at least 1000"
    assert remarks(answered(prompt_tokens=1100), asked("word " * 1000)) == []
    assert remarks(answered(prompt_tokens=None), asked("word " * 1000)) == []
    assert remarks(answered(prompt_tokens=20), asked("word " * 100)) == []


def test_no_word_counts_twice() -> None:
    assert least_tokens("It's 12.5 – naïve, well-known") == 7
    assert least_tokens("   \n\t") == 0


def test_cold_spilled_cut_and_another_model() -> None:
    cold = answered(circumstances=Circumstances(loaded=False, spilled=True))
    assert remarks(cold, asked("x")) == [
        "cold start; not compared",
        "a part of the model lies in CPU memory: slower than it could be",
    ]
    slow = answered(circumstances=Circumstances(loaded=True))
    slow.timings = ServerTimings("ollama", load_s=4.2)
    assert remarks(slow, asked("x")) == ["cold start: loading took 4.2 s; not compared"]
    cut = answered()
    cut.finish, cut.answered_by = "length", "other"
    assert remarks(cut, asked("x")) == [
        "the answer was cut: max tokens or the context was reached",
        "answered by other",
    ]
    assert comparable([cold, slow, cut]) == [cut]


def test_numbers_of_an_answer() -> None:
    answer = answered(prompt_tokens=7)
    assert (answer.text, answer.ttft_s, answer.total_s, answer.decode_tps) == ("hello world", 0.5, 1.1, 2.0)
    answer.end(Ending.FAILED, 9.0, "too late")
    assert (answer.ending, answer.reason) == (Ending.DONE, "")
    unknown = Answer("e", "m", 0.0)
    assert (unknown.ttft_s, unknown.total_s, unknown.decode_tps, unknown.cold, unknown.output_tokens) == (None,) * 5


def test_pieces_of_a_tool_call_add_up() -> None:
    answer = Answer("e", "m", 0.0)
    for call in (ToolCall(0, "get", '{"a"', "id1"), ToolCall(0, "", ": 1}"), ToolCall(1, "other", "{}")):
        answer.take(Piece(tools=(call,)), 1.0)
    assert answer.tools == {0: ToolCall(0, "get", '{"a": 1}', "id1"), 1: ToolCall(1, "other", "{}")}


def test_spread() -> None:
    assert spread([]) is None
    three, five = spread([3.0, 1.0, 2.0]), spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert three is not None
    assert five is not None
    assert (three.count, three.median, three.low, three.high) == (3, 2.0, 1.0, 3.0)
    assert (five.median, five.low, five.high) == (3.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("hosts", "said"),
    [([], False), (["a", "b"], False), (["a", "a"], True), ([None, None], False), (["a", None], False)],
)
def test_who_disturbs_whom(hosts: list[str | None], said: bool) -> None:
    assert bool(disturbance(hosts)) is said


def test_what_is_set_for_a_column_counts() -> None:
    assert Sampling(temperature=0.0).over(Sampling(temperature=1.0, seed=3)) == Sampling(temperature=0.0, seed=3)
