"""Conversations as JSON and as Markdown."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.engine.chat.attaching import Prompt
from quarterdeck.engine.chat.columns import Column, Phase, Turn
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.request import ChatRequest, Message, Role
from quarterdeck.report.chat import document, markdown

UNIX = 1_795_370_400.0


def column(text: str, *, ending: Ending = Ending.DONE, note: str = "", prompt: str = "Say\nhello.") -> Column:
    answer = Answer("mac", "qwen3:8b", 10.0, parts=[text], ended_at=12.0, ending=ending, reason="it went away")
    request = ChatRequest("qwen3:8b", (Message(Role.USER, prompt),))
    turn = Turn(Prompt(prompt, prompt), request, (), [answer], phase=Phase.ENDED, note=note)
    return Column(1, "mac", "qwen3:8b", turns=[turn])


def test_json_holds_prompts_answers_and_numbers() -> None:
    told = json.loads(json.dumps(document([column("Hi", note="good")], UNIX)))
    assert told["time"] == "2026-11-22T18:00:00.000Z"
    turn = told["columns"][0]["turns"][0]
    assert (turn["prompt"], turn["note"]) == ("Say\nhello.", "good")
    assert turn["answers"][0]["text"] == "Hi"
    assert turn["answers"][0]["ending"] == "done"
    assert turn["answers"][0]["ttft_s"] is None, "unknown is null"


def test_markdown_to_be_read() -> None:
    text = markdown([column("Hi *there*", note="good"), column("", ending=Ending.FAILED)], UNIX)
    assert text.startswith(
        "# Conversation, 2026-11-22T18:00:00.000Z\n\n## qwen3:8b on mac\n\n> Say\n> hello.\n\nHi *there*\n\n*TTFT –"
    )
    assert "Note: good" in text
    assert "*(no answer)*\n\n*failed: it went away, TTFT –" in text
    assert text.endswith("\n")


def test_an_answer_does_nothing_to_a_terminal() -> None:
    assert "a[2J\tb\nc" in markdown([column("a\x1b[2J\tb\r\nc\x9d")], UNIX)


@pytest.mark.parametrize("text", ["```python\nx = 1", "~~~~\n```\n~~~", "a\n```\nb\n```\n```"])
def test_a_code_block_that_was_cut_swallows_nothing(text: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt().parse(markdown([column(text, note="after")], UNIX))
    assert any("Note: after" in token.content for token in tokens if token.type == "inline")


@given(st.text(max_size=80))
def test_names_of_models_are_no_markup(name: str) -> None:
    one = column("x")
    one.model = name
    heading = markdown([one], UNIX).split("\n\n")[1]
    assert "\n" not in heading
    assert heading.startswith("## ")
    assert not re.search(r"(?<!\\)[*_`<\[]", heading[3:].removesuffix(" on mac"))
