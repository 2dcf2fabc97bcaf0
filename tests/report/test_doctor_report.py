"""What doctor says of a fleet, and how names are taken out of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fakes import endpoint_view, gpu, host_view, snapshot
from quarterdeck.model.fleet import State
from quarterdeck.report.doctor import (
    BAD,
    NOTE,
    OK,
    WARN,
    Names,
    Section,
    document,
    of_endpoint,
    of_fleet,
    of_host,
    text,
)


def levels(section: Section) -> dict[str, str]:
    return {found.name: found.level for found in section.findings}


def said(section: Section, name: str) -> str:
    return next(found.text for found in section.findings if found.name == name)


def test_a_healthy_endpoint_with_all_numbers() -> None:
    view = endpoint_view(
        running=1, waiting=0, generation_tps=9.0, kv_used=0.5, ttft_p95_s=0.1, itl_p95_s=0.02, kv_capacity_tokens=9
    )
    section = of_endpoint(view, 0.4)
    assert levels(section) == {"state": OK, "url": NOTE, "engine": OK, "answers in": OK, "numbers": OK, "clock": OK}
    assert said(section, "numbers") == "7 of 7 known"


def test_what_is_missing_is_named_with_the_reason() -> None:
    view = endpoint_view(running=1, waiting=0, notes=("start it with --metrics",), cannot={"sleep": "needs dev mode"})
    section = of_endpoint(view, None)
    assert said(section, "numbers") == "2 of 7 known; not tok/s, KV cache, TTFT, ITL, KV capacity"
    assert said(section, "why") == "start it with --metrics"
    assert said(section, "can't sleep") == "needs dev mode"
    assert "clock" not in levels(section)


def test_what_is_down_is_bad_and_has_no_numbers() -> None:
    section = of_endpoint(endpoint_view(state=State.DOWN, reason="connection refused"), None)
    assert levels(section)["state"] == BAD
    assert said(section, "state") == "DOWN: connection refused"
    assert "numbers" not in levels(section)


def test_a_clock_that_is_wrong() -> None:
    assert said(of_endpoint(endpoint_view(), -90.0), "clock") == "90 s behind ours"
    assert levels(of_endpoint(endpoint_view(), 3600.0))["clock"] == WARN


def test_a_host_with_a_gpu_that_lacks_something() -> None:
    section = of_host(host_view("box", gpu(0, problems=("fan: not supported",)), driver="580", cuda="13.0"))
    assert said(section, "driver") == "580, CUDA up to 13.0"
    assert said(section, "GPU 0 lacks") == "fan: not supported"
    assert levels(of_host(host_view("box", reason="no driver")))["read by"] == WARN


def test_text_and_json() -> None:
    fleet = snapshot(endpoint_view(state=State.DOWN, reason="\x1b[31mred"), hosts=(host_view("box"),))
    sections = of_fleet(fleet, {})
    shown = text(sections)
    assert "\x1b" not in shown
    assert shown.endswith("1 bad\n")
    assert [each["title"] for each in document(sections)] == ["Host box", "Endpoint vllm-a"]


def test_names_are_taken_out_the_longest_first() -> None:
    names = Names({"box": "host-1", "box.example.org": "server-1", "": "never"})
    assert names.out("http://box.example.org:8000 on box") == "http://server-1:8000 on host-1"


@given(st.dictionaries(st.text(min_size=2, max_size=6), st.just("#"), max_size=5), st.text(max_size=60))
def test_no_name_is_left(words: dict[str, str], told: str) -> None:
    words = {name: word for name, word in words.items() if "#" not in name}
    out = Names(words).out(told)
    assert not any(name in part for name in words for part in out.split("#"))
