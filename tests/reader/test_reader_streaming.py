"""An answer becomes lines while it comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.format import printable
from quarterdeck.reader.streaming import LONGEST, Lines

PARTS = st.sampled_from(
    ["The sky is blue. ", "Why? ", "word ", "\n", "```py\n", "    x = 1\n", "```\n", "| a | b |\n", "x" * 90, "é。"]
)


def lines_of(*pieces: str) -> list[str]:
    lines = Lines()
    return [line for piece in pieces for line in lines.take(piece)] + lines.end()


@given(st.lists(PARTS, max_size=40), st.lists(st.integers(1, 50), max_size=40))
def test_lines_are_the_same_however_the_pieces_were_cut(parts: list[str], sizes: list[int]) -> None:
    text, pieces, at = "".join(parts), [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    found = lines_of(*pieces, text[at:])
    assert found == lines_of(text)
    assert "".join("".join(found).split()) == "".join(printable(text, 100_000).split())
    assert all(line.strip() and len(line) <= LONGEST * 5 for line in found)


@given(st.text(max_size=500))
def test_no_control_character_comes_through(text: str) -> None:
    assert all(line.strip() == printable(line, 100_000) for line in lines_of(text))


def test_a_sentence_is_read_before_the_next_one_came() -> None:
    lines = Lines()
    assert lines.take("The sky looks blue because short waves scatter more. It") == [
        "The sky looks blue because short waves scatter more."
    ]
    assert lines.take(" is so. ") == []
    assert lines.end() == ["It is so."]


def test_code_keeps_its_indentation_and_is_not_cut_at_signs() -> None:
    found = lines_of(
        "See this example:\n```py\nif a: b = 'this is a long line; with signs. In it'; c = 1\n    return  b\n```\n"
    )
    assert found == [
        "See this example:",
        "```py",
        "if a: b = 'this is a long line; with signs. In it'; c = 1",
        "    return  b",
        "```",
    ]


def test_text_without_end_is_cut_between_words() -> None:
    found = lines_of("word " * 100)
    assert len(found) > 1
    assert all(len(line) <= LONGEST for line in found)
    assert lines_of("x" * 1000)[0] == "x" * LONGEST
