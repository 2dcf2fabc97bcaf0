"""Which tests with real servers run one after the other, on the same server, and which side by side. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

SHARED = (
    "able_vllm",
    "keyed_vllm",
    "plain_vllm",
    "pressed_vllm",
    "vllm_server",
    "llama_server",
    "small_router",
)
"""Fixtures whose server several tests share: to start one takes longer than most tests."""
APART = {"test_real_acting": "acting", "test_real_truth_llama": "truth"}
"""Modules with a server of their own, so that the longest row of tests is shorter."""
SECONDS = {
    "test_a_few_requests_are_told_to_the_last_digit_and_forgotten_after_a_minute": 76,
    "test_a_minute_of_scrapes_is_what_status_says": 72,
    "test_killed_hard_its_survivors_are_named_and_cleaned": 30,
    "test_what_can_not_fit_fails_in_words": 20,
    "test_from_a_deployment": 26,
    "test_from_the_launch_command": 25,
    "test_a_vllm_that_runs_takes_its_port": 25,
    "test_a_cache_too_small_shows_in_waiting_and_preemptions": 22,
    "test_what_a_litellm_is_and_did": 23,
    "test_tokens_add_up_to_what_prometheus_counts": 16,
    "test_requests_that_run_and_wait": 14,
    "test_polling_lets_a_server_fall_asleep_and_sleep_on": 16,
    "test_the_command_beside_status": 13,
    "test_a_port_that_is_taken_meanwhile_fails_in_words": 11,
}
"""About so long the long ones take; what begins first need not be exact."""
_VLLM_STARTS_S, _ELSE_S = 24, 2


def row_of(module: str, name: str, fixtures: Collection[str]) -> str:
    """The tests of one row run one after the other, in one process."""
    shared = sorted(set(SHARED) & set(fixtures))
    if not shared:
        return f"{module}::{name}"
    place = APART.get(module, module if "small_router" in shared else "")
    # What takes two servers goes where the dearer one is.
    return f"{place} {next((each for each in shared if 'vllm' in each), shared[0])}".strip()


def longest_first(rows: Sequence[str], names: Sequence[str]) -> list[int]:
    """The places of the tests, those of the row that takes longest first: what is short fills the gaps at the end."""
    takes: dict[str, int] = defaultdict(int)
    for row, name in zip(rows, names, strict=True):
        takes[row] += SECONDS.get(name, _ELSE_S) + (_VLLM_STARTS_S if "vllm" in row and not takes[row] else 0)
    return sorted(range(len(rows)), key=lambda place: (-takes[rows[place]], rows[place], place))
