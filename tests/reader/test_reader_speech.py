"""Numbers, units and signs as a voice reads them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.format import printable
from quarterdeck.model.advice import ADVICE
from quarterdeck.model.alerts import advising
from quarterdeck.reader import alerts, speech
from quarterdeck.reader.speech import counted, lasting, listed, spoken


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no token for 40 s; 12 running", "no token for 40 seconds; 12 running"),
        ("KV cache 93% full", "KV cache 93 percent full"),
        ("1.2 GiB of 8 GiB, 3 MiB/s", "1.2 gibibytes of 8 gibibytes, 3 mebibytes per second"),
        ("~12 waiting", "about 12 waiting"),
        ("TTFT p95 5.1 s", "95th percentile of the time to first token 5.1 seconds"),
        ("it is 1 s, 1 min, 1 h, 1 d", "it is 1 second, 1 minute, 1 hour, 1 day"),
        ("since 3m, 45s left", "since 3 minutes, 45 seconds left"),
        ("1.2k tok/s", "1200 tokens per second"),
        ("0 B free, 14.8B", "0 bytes free, 14.8B"),
        ("87 °C, 500 W, 1200 MHz", "87 degrees, 500 watts, 1200 megahertz"),
        ("–", "unknown"),
        ("10–20", "10-20"),
        ("a – b", "a - b"),
        ("a → b · c", "a to b, c"),
        ("`quarterdeck start` starts its [[deployment]]", "'quarterdeck start' starts its deployment"),
        ("“it’s” …", '"it\'s" ...'),
        ("\x1b[31mred\x1b[0m\nline", "red line"),
    ],
)
def test_signs_and_units_are_words(text: str, said: str) -> None:
    assert spoken(text) == said


@pytest.mark.parametrize(
    "name", ["qwen3:8b", "gpu-1", "llama-3.3-70b", "http://10.0.0.1:8000/v1", "q4_0", "a/8b", "8b@mac"]
)
def test_names_stay_as_they_are(name: str) -> None:
    assert spoken(f"{name} is there") == f"{name} is there"


@given(st.text(max_size=300))
def test_whatever_a_server_says_is_one_line_without_control_characters(text: str) -> None:
    said = spoken(text)
    assert said == printable(said, 100_000)
    assert not any(sign in said for sign in "–—…`→≥≤")
    assert "\n" not in speech.name(text)


@given(st.one_of(st.none(), st.floats(), st.integers(-(10**20), 10**20)))
def test_every_number_has_words_and_none_is_made_up(value: float | None) -> None:
    for words in (speech.size, speech.percent, speech.seconds, speech.number, lasting):
        said = words(value)
        assert said
        assert said.isascii()
        known = value is not None and math.isfinite(value)
        if not known:
            assert said == speech.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 seconds"),
        (1, "1 second"),
        (65, "1 minute 5 seconds"),
        (120, "2 minutes"),
        (3600, "1 hour"),
        (7860, "2 hours 11 minutes"),
        (90_000, "1 day 1 hour"),
        (-5, "0 seconds"),
    ],
)
def test_how_long(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


def test_lists_and_counts() -> None:
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert listed(list("abcdef")) == "a, b, c and 3 more"
    assert (counted(1, "GPU"), counted(0, "GPU")) == ("1 GPU", "0 GPUs")


@pytest.mark.parametrize("text", [*ADVICE.values(), *advising._ADVICE.values()])
def test_advice_names_no_key_of_the_console(text: str) -> None:
    said = alerts.advice(text.replace("{name}", "vllm-a"))
    assert "in the console" not in said
    assert "of the console" not in said
    assert "Enter on" not in said
    assert "`" not in said
    assert said.endswith((".", "?"))


def test_advice_about_orphans_is_a_command_of_this_mode() -> None:
    said = alerts.advice("End them: x on the GPUs' page (2) of the console.")
    assert said == "End them: gpus lists them with their process numbers."
