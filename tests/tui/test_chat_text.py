"""Streaming text without a screen: safe, wrapped as it comes, folded thoughts, rendered Markdown."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chat_fakes import typed
from quarterdeck.engine.chat.columns import Phase, Turn
from quarterdeck.model.chat.answer import Answer, Ending, Piece, ToolCall
from quarterdeck.model.chat.request import ChatRequest
from quarterdeck.tui.chat.markdown import parts, rendered
from quarterdeck.tui.chat.transcript import Transcript
from quarterdeck.tui.chat.wrapping import Cleaner, Wrapped, clean, wrapped

TEXTS = st.text(alphabet=st.sampled_from("ab \n\t日本e\u0301🎉-"), max_size=200)


@given(TEXTS, st.integers(1, 20), st.randoms(use_true_random=False))
def test_text_in_pieces_is_wrapped_as_text_at_once(text: str, width: int, rng: random.Random) -> None:
    text = clean(text)
    grown = Wrapped(width)
    at = 0
    while at < len(text):
        step = rng.randint(1, 9)
        grown.append(text[at : at + step])
        at += step
    whole = wrapped(text, width)
    assert [grown.line(place) for place in range(len(grown))] == whole + [""] * (len(grown) - len(whole))


@given(TEXTS, st.integers(2, 20))
def test_no_line_is_wider_than_the_column_and_no_letter_is_lost(text: str, width: int) -> None:
    text = clean(text)
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(max_size=300), st.lists(st.integers(1, 8), min_size=1, max_size=50))
def test_nothing_of_a_text_can_move_the_cursor(text: str, steps: list[int]) -> None:
    cleaner, shown, at = Cleaner(), "", 0
    for step in itertools.cycle(steps):
        if at >= len(text):
            break
        shown += cleaner.take(text[at : at + step])
        at += step
    assert all(character == "\n" or character.isprintable() for character in shown), repr(shown)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["a\x1b[31mred\x1b[0m"], "ared"),
        (["a\x1b", "[2", "Jb"], "ab"),
        (["a\x1b]0;tit", "le\x07b"], "ab"),
        (["a\x9b2Jb"], "ab"),
        (["a\r", "\nb\rc"], "a\nb\nc"),
        (["e" + "\u0301" * 40 + "x"], "e\u0301\u0301x"),
        (["\u202eabc\u200b"], "abc"),
        (["[bold]x[/bold]"], "[bold]x[/bold]"),
        (["a\x1b", "\n"], "a\n"),
    ],
)
def test_escape_sequences_vanish_also_in_pieces(pieces: list[str], shown: str) -> None:
    cleaner = Cleaner()
    assert "".join(cleaner.take(piece) for piece in pieces) == shown


def turn(answer: Answer, phase: Phase = Phase.RUNNING, prompt: str = "why?") -> Turn:
    return Turn(typed(prompt), ChatRequest("m", ()), (), [answer], phase=phase)


def shown(transcript: Transcript) -> list[str]:
    return [transcript.line(place).text for place in range(transcript.length)]


def test_thoughts_are_one_line_until_they_are_unfolded() -> None:
    answer = Answer("lab", "m", 10.0)
    answer.take(Piece(reasoning="let me see "), 11.0)
    it = Transcript()
    it.update([turn(answer)], 40, 13.0)
    assert shown(it)[-1] == "▸ thinking for 2 s, 3 words"
    answer.take(Piece(reasoning="it now"), 13.0)
    answer.take(Piece(text="Yes."), 14.2)
    it.update([turn(answer)], 40, 15.0)
    assert shown(it)[-2:] == ["▸ thought for 3.2 s, 5 words", "Yes."]
    it.unfolded = True
    it.update(it_turns := [turn(answer)], 40, 15.0)
    assert shown(it)[-3:] == ["▾ thought for 3.2 s, 5 words", "│ let me see it now", "Yes."]
    assert it_turns[0].answer is answer


@pytest.mark.parametrize(
    ("ending", "reason", "text", "word"),
    [
        (Ending.CANCELLED, "cancelled", "half", "── cancelled ──"),
        (Ending.FAILED, "connection reset", "half", "FAILED: connection reset; what came before is kept"),
        (Ending.FAILED, "connection \x1b[2Jreset", "", "FAILED: connection reset"),
        (Ending.FORBIDDEN, "nobody agreed", "", "NOT SENT: nobody agreed"),
        (Ending.DONE, "", "", "── the answer is empty ──"),
    ],
)
def test_how_an_answer_ended_stands_below_it(ending: Ending, reason: str, text: str, word: str) -> None:
    answer = Answer("lab", "m", 0.0)
    if text:
        answer.take(Piece(text=text), 1.0)
    answer.end(ending, 2.0, reason)
    it = Transcript()
    it.update([turn(answer, Phase.ENDED)], 60, 3.0)
    assert word in shown(it)
    assert (text in shown(it)) or not text


def test_tool_calls_are_shown_and_a_long_prompt_is_not() -> None:
    answer = Answer("lab", "m", 0.0)
    answer.take(Piece(tools=(ToolCall(0, "look_up", '{"city": "Kö'),)), 1.0)
    answer.take(Piece(tools=(ToolCall(0, "", 'ln"}\x1b[2J'),)), 1.0)
    it = Transcript()
    it.update([turn(answer, Phase.ENDED, "word " * 5000)], 50, 3.0)
    assert '⚙ calls look_up({"city": "Köln"})' in shown(it)
    assert any("more characters" in line for line in shown(it))
    assert it.length < 20


def test_a_flood_is_taken_in_over_several_paints_and_nothing_is_lost() -> None:
    answer = Answer("lab", "m", 0.0)
    answer.take(Piece(text="x" * 10_000_000), 1.0)
    answer.end(Ending.DONE, 2.0)
    it, turns = Transcript(), [turn(answer, Phase.ENDED)]
    it.update(turns, 80, 3.0)
    assert it.behind
    for _ in range(10_000):
        if not it.behind:
            break
        it.update(turns, 80, 3.0)
    assert sum(line.count("x") for line in shown(it)) == 10_000_000


def test_another_width_wraps_anew_and_a_new_turn_is_added() -> None:
    answer = Answer("lab", "m", 0.0)
    answer.take(Piece(text="one two three four"), 1.0)
    it = Transcript()
    it.update([turn(answer)], 40, 1.0)
    assert "one two three four" in shown(it)
    it.update([turn(answer)], 9, 1.0)
    assert shown(it)[-3:] == ["one two", "three", "four"]
    second = Answer("lab", "m", 0.0)
    second.take(Piece(text="five"), 2.0)
    answer.end(Ending.DONE, 2.0)
    it.update([turn(answer, Phase.ENDED), turn(second)], 9, 2.0)
    assert shown(it)[-1] == "five"


MARKDOWN = """# A title

Some *words* and **more** with `code`, [a link](http://evil.example) and &#27;[2J, &#x202e;turned.

- one
- two

```python
print("[bold]not markup[/bold]")
```

| a | b |
|---|---|
| 1 | 2 |
"""


async def test_markdown_becomes_lines_without_control_characters_or_live_links() -> None:
    lines = await rendered(MARKDOWN, 60)
    text = "\n".join(line.text for line in lines)
    assert all(character == "\n" or character.isprintable() for character in text)
    for part in ("A title", "• ", "[bold]not markup[/bold]", "http://evil.example"):
        assert part in text
    tones = {run.text.strip(): run.tone for line in lines for run in line.runs}
    assert tones["A title"] == "title"
    assert tones["more"] == "strong"
    assert tones["words"] == "/i"
    assert all(cell_len(line.text) <= 60 for line in lines)


def test_markdown_is_cut_between_paragraphs_never_in_code() -> None:
    text = ("para " * 300 + "\n\n") * 3 + "```\n" + "code\n\n" * 2000 + "```\n\nend\n"
    found = list(parts(text))
    assert "".join(found) == text
    assert len(found) > 3
    assert sum("code" in part for part in found) == 1
