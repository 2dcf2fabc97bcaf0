"""The numbers beneath an answer and the head above it: dropped whole by priority, never cut."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from chat_fakes import typed
from fakes import endpoint_view
from quarterdeck.engine.chat.columns import Column, Phase, Turn
from quarterdeck.model.chat.answer import Answer, Circumstances, Ending, Piece, ServerTimings, Usage
from quarterdeck.model.chat.request import ChatRequest, Sampling
from quarterdeck.model.fleet import Boundary
from quarterdeck.tui.chat.about import about_lines
from quarterdeck.tui.chat.figures import figures_of, foot_lines, head_line, in_line, money, title_line
from quarterdeck.tui.chat.sheet import column_fields, in_words, schema_problem, shared_fields, shared_settings


def answered(**known: object) -> Answer:
    answer = Answer("lab", "qwen3-32b", 10.0, Circumstances(waiting=12, loaded=False))
    answer.take(Piece(text="a"), 10.42)
    answer.take(Piece(text="b", finish="length", usage=Usage(123_456, 98_765)), 100.0)
    answer.timings = ServerTimings("llama.cpp timings", load_s=3.0, prompt_s=0.31, decode_s=89.0, total_s=92.0, output_tokens=98_765)  # fmt: skip
    answer.end(Ending.DONE, 100.2)
    for name, value in known.items():
        setattr(answer, name, value)
    return answer


def turn(*answers: Answer, phase: Phase = Phase.ENDED) -> Turn:
    return Turn(typed("go"), ChatRequest("m", ()), (), list(answers), repeat=len(answers), phase=phase)


@pytest.mark.parametrize("width", range(8, 140))
def test_no_number_is_ever_cut(width: int) -> None:
    figures = figures_of(answered(cost=0.01234))
    whole = {"".join(run.text for run in figure.runs) for figure in figures}
    text = "".join(run.text for run in in_line(figures, width))
    assert cell_len(text) <= width
    assert {part for part in text.strip().split("  ") if part} <= whole
    if width > 20:
        assert "TTFT 420 ms" in text


def test_the_least_important_go_first() -> None:
    figures = figures_of(answered())
    wide, narrow = ("".join(run.text for run in in_line(figures, width)) for width in (140, 40))
    assert "queue 12" in wide
    assert "length" in wide
    assert "cold" in wide
    assert "queue" not in narrow
    assert "tok/s" in narrow


@pytest.mark.parametrize("width", [24, 40, 48, 80, 120])
def test_external_is_said_however_narrow_it_is(width: int) -> None:
    column = Column(1, "a-provider-with-a-long-name", "meta-llama/llama-3.3-70b-instruct-turbo-with-more")
    line = head_line(column, endpoint_view("x", engine="openai"), 0, width, selected=True, hidden=False, boundary=Boundary.EXTERNAL)  # fmt: skip
    assert cell_len(line.text) <= width
    assert line.text.rstrip().endswith("EXTERNAL")
    hidden = head_line(column, None, 1, width, selected=False, hidden=True, boundary=Boundary.EXTERNAL)
    assert hidden.text.startswith(" B")
    assert "llama" not in hidden.text


def test_repeats_show_median_and_spread() -> None:
    runs = [answered(timings=None, circumstances=Circumstances(loaded=True)) for _ in range(3)]
    runs[1].first_at = 10.8
    text = "\n".join(line.text for line in foot_lines(turn(*runs), None, 0.0, 100, 6))
    assert "3 of 3 runs: TTFT 420 ms (420 ms – 800 ms)" in text


def test_notes_and_where_the_price_comes_from_stand_below_and_what_is_left_out_is_counted() -> None:
    answer = answered(cost=0.5, cost_source="fleet.toml, 2026-11-20", notes=[f"note {n}" for n in range(9)])
    few = [line.text for line in foot_lines(turn(answer), None, 0.0, 60, 4)]
    assert len(few) == 4
    assert few[-1] == " … 10 more: o shows them"
    many = [line.text for line in foot_lines(turn(answer), None, 0.0, 60, 20)]
    assert " price: fleet.toml, 2026-11-20" in many
    page = "\n".join(line.text for line in about_lines(turn(answer, answer), 80))
    for part in ("note 8", "cold start        yes", "run 2", "running, waiting  –, 12", "llama.cpp timings"):
        assert part in page


@pytest.mark.parametrize(
    ("dollars", "source", "text"),
    [
        (None, "", "$ –"),
        (0.0, "", "$ 0.0000"),
        (0.00004, "", "$ 0.00004"),
        (0.0000001, "", "< $ 0.000001"),
        (0.0123, "", "$ 0.0123"),
        (1234.5, "", "$ 1,234.50"),
        (0.2, "~ share of 2 $ per GPU hour", "~$ 0.2000"),
    ],
)
def test_money(dollars: float | None, source: str, text: str) -> None:
    assert money(dollars, source) == text


def test_tabs_name_every_column_where_not_all_are_in_view() -> None:
    names = ["qwen3:8b", "a-very-long-name-of-a-model", "b", "c"]
    line = title_line(names=names, at=1, hidden=True, asides=[("blind", "accent"), ("x" * 200, "")], width=100)
    assert "▌2 a-very-long-name-…" in line.text
    assert "4 c" in line.text
    assert line.text.rstrip().endswith("blind")


def test_settings_come_back_as_they_were_filled_in() -> None:
    from quarterdeck.engine.chat.columns import Settings

    told = Settings("Be brief.", Sampling(0.5, 0.9, 100, -1, 4096, "low", '{"type": "object"}'), 3, True, True)
    fields = shared_fields(told)
    assert all(field.check is None or field.check(field.value) == "" for field in fields)
    assert shared_settings({field.name: field.value for field in fields}) == told
    assert in_words(told.sampling) == "temperature 0.5, top-p 0.9, max tokens 100, seed -1, context 4096, effort low, JSON schema"  # fmt: skip
    assert [field.value for field in column_fields(Column(1, "a", "b"))] == [""] * 8


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ""),
        ('{"type": "object"}', ""),
        ("{", "no JSON: "),
        ("[]", "expected a JSON object"),
        ('{"type": 5}', "no JSON schema: "),
        ("@/no/such", "/no/such: there is no such file"),
        ("[" * 100_000, "no JSON: "),
    ],
)
def test_a_schema_is_checked_before_it_is_sent(text: str, problem: str) -> None:
    found = schema_problem(text)
    assert found.startswith(problem)
    assert bool(found) is bool(problem)
