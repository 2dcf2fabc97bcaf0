"""Downloads: the recorded streams of a real Ollama, and the other servers' answers."""

from __future__ import annotations

import pytest

from pulls import Line, after, layer, no_step_back, states, steady, stream
from quarterdeck.model.pulling import (
    PullError,
    advance,
    begin,
    progress_of,
    restarted,
)

BIG = 304_430_624


def test_a_pull_that_was_cancelled_and_asked_for_again_goes_on_from_where_it_was() -> None:
    cut = after(stream("pull_big_cancelled"))
    assert (cut.done, cut.error, cut.retryable) == (False, None, True)
    assert cut.completed == 26_450_720
    assert cut.fraction == pytest.approx(0.97 * 26_450_720 / BIG, rel=0.01)
    again = restarted(cut, 10.0)
    assert (again.completed, again.fraction, again.rate, again.attempts) == (cut.completed, cut.fraction, None, 2)
    whole = list(states(stream("pull_big"), again, at=10.0))
    for before, now in zip([again, *whole], whole, strict=False):
        assert no_step_back(before, now)
        assert steady(now)
    assert (whole[-1].fraction, whole[-1].done, whole[-1].status) == (1.0, True, "done")
    assert whole[-1].completed == whole[-1].total == BIG


def test_every_recorded_step_moves_the_bar_forward() -> None:
    fractions = [state.fraction or 0.0 for state in states(stream("pull_big"))]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 250
    assert fractions[-2] < 1.0 == fractions[-1]


def test_a_model_that_is_there_already_counts_as_cached_and_is_no_download() -> None:
    *before, last = states(stream("pull_big_again"))
    assert last.done
    assert last.cached == last.completed == BIG + 102 + 74 + 154
    assert last.downloaded == 0
    assert all(state.rate is None or state.rate == 0 for state in before)
    assert all(state.fraction is None for state in before)  # a first layer that is there tells nothing of the next


def test_the_words_of_each_step() -> None:
    said = list(dict.fromkeys(state.status for state in states(stream("pull_small"))))
    assert said[0] == "asking for the manifest"
    assert said[1:3] == ["pulling layer 1", "pulling layer 2"]
    assert said[-3:] == ["checking the digest", "writing the manifest", "done"]


def test_with_the_size_known_the_fraction_is_of_all_of_it() -> None:
    progress = advance(begin(4000), layer("a", 0), 0.0)
    progress = advance(progress, layer("a", 1000), 1.0)
    assert (progress.fraction, progress.total) == (0.25, 4000)
    progress = advance(progress, layer("b", 1000, 3000), 2.0)
    assert progress.fraction == 0.5
    assert advance(progress, layer("b", 3000, 3000), 3.0).fraction == 0.999


def test_a_second_big_layer_does_not_find_a_full_bar() -> None:
    progress = begin()
    for at, line in enumerate([layer("a", 1000), layer("b", 0, 5000), layer("b", 2500, 5000)]):
        progress = advance(progress, line, float(at))
    assert progress.fraction == pytest.approx(0.485)  # the first was there: half of what is to be downloaded, of 97 %


def test_the_bar_still_moves_when_the_total_grows_late() -> None:
    progress = begin()
    for at, line in enumerate([layer("a", 0), layer("a", 900), layer("b", 0, 90_000)]):
        progress = advance(progress, line, float(at))
    stood = progress.fraction
    assert stood == pytest.approx(0.873)
    progress = advance(progress, layer("b", 45_000, 90_000), 9.0)
    assert stood is not None
    assert progress.fraction is not None
    assert stood < progress.fraction < 0.97


def test_a_total_that_outgrows_what_was_expected_does_not_take_the_bar_back() -> None:
    progress = advance(begin(1000), layer("a", 0), 0.0)
    progress = advance(progress, layer("a", 500), 1.0)
    progress = advance(progress, layer("b", 0, 5000), 2.0)
    assert (progress.fraction, progress.total) == (0.5, 6000)
    progress = advance(progress, layer("b", 4000, 5000), 3.0)
    assert progress.fraction == 0.75


def test_a_server_that_says_less_than_before_takes_nothing_back() -> None:
    progress = advance(begin(), layer("a", 0), 0.0)
    progress = advance(advance(progress, layer("a", 800), 1.0), layer("a", 100), 2.0)
    assert progress.completed == progress.layers[0].completed == 800
    assert progress.layers[0].now == 100
    assert progress.fraction == pytest.approx(0.97 * 0.8)


def test_the_rate_is_what_came_in_the_last_ten_seconds() -> None:
    progress = begin()
    for second in range(31):
        there = second * 100 if second <= 10 else 1000 + (second - 10) * 10
        progress = advance(progress, layer("a", 5000 + there, 100_000), 50.0 + second)
    assert progress.rate == pytest.approx(10.0)
    assert progress.downloaded == 1200
    assert progress.cached == 5000
    assert progress.eta_s == pytest.approx((100_000 - 6200) / 10)


def test_a_rate_needs_two_seconds() -> None:
    lines = [layer("a", n * 10) for n in range(4)]
    assert [state.rate for state in states(lines, tick=1.0)] == [None, None, 10.0, 10.0]


def test_a_clock_that_jumps_gives_no_rate_but_loses_nothing() -> None:
    progress = after([layer("a", n * 10) for n in range(5)], tick=1.0)
    for at in (-1000.0, float("nan"), float("inf"), -999.5):
        progress = advance(progress, layer("a", 100), at)
        assert steady(progress)
    assert progress.completed == 100


def test_a_download_that_stands_still_has_no_end_in_sight() -> None:
    progress = after([layer("a", 500)] * 300)
    assert (progress.rate, progress.eta_s, progress.moved) == (0.0, None, None)


def test_a_server_that_lost_the_partial_file_holds_the_bar_until_it_caught_up() -> None:
    progress = after([layer("a", 0), layer("a", 600)], tick=1.0)
    progress = after([layer("a", n * 10) for n in range(5)], restarted(progress, 10.0), at=10.0, tick=1.0)
    assert progress.completed == 600
    assert progress.rate == pytest.approx(10.0)  # what really came, not what was there
    assert progress.eta_s == pytest.approx(96.0)
    assert progress.moved == 14.0


UNREACHABLE, NO_MODEL = PullError.UNREACHABLE, PullError.UNKNOWN_MODEL
ERRORS = [
    ("pull model manifest: file does not exist", NO_MODEL, False),
    ("invalid model name", PullError.INVALID_NAME, False),
    ("unauthorized: access denied", PullError.UNAUTHORISED, False),
    ("pull model manifest: 401: {\"errors\":[]}", PullError.UNAUTHORISED, False),
    ("pull model manifest: 412: \n\nThe model you are attempting to pull requires a newer version of Ollama.", PullError.TOO_OLD, False),
    ("write /root/.ollama/models/blobs/sha256-abc-partial: no space left on device", PullError.DISK_FULL, False),
    ("max retries exceeded: write /x/blobs/sha256-abc-partial: no space left on device", PullError.DISK_FULL, False),
    ("max retries exceeded: EOF", PullError.INTERRUPTED, True),
    ('max retries exceeded: Get "https://x.example/a?X-Amz-Signature=404": dial tcp: lookup x.example: no such host', UNREACHABLE, True),
    ("digest mismatch, file must be downloaded again: want sha256:ab, got sha256:cd", PullError.DAMAGED, True),
    ("pull model manifest: 503: upstream", UNREACHABLE, True),
    ("something 5000 nobody knows", PullError.OTHER, False),
    ("", PullError.OTHER, False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "again"), ERRORS)
def test_errors_in_words(text: str, kind: PullError, again: bool) -> None:
    progress = advance(after([layer("a", 0), layer("a", 400)]), {"error": text}, 5.0)
    assert progress.error is not None
    assert (progress.error.kind, progress.error.retryable, progress.retryable) == (kind, again, again)
    assert progress.error.words
    assert (progress.completed, progress.rate, progress.done) == (400, None, False)


@pytest.mark.parametrize(
    ("name", "kind", "again"),
    [
        ("pull_missing", NO_MODEL, False),
        ("pull_refused", UNREACHABLE, True),
        ("pull_https_mismatch", UNREACHABLE, False),
    ],
)
def test_recorded_errors(name: str, kind: PullError, again: bool) -> None:
    progress = after(stream(name))
    assert progress.error is not None
    assert (progress.error.kind, progress.retryable) == (kind, again)


def test_signed_addresses_are_not_quoted() -> None:
    progress = advance(
        begin(), {"error": 'odd: "https://x.example/blob?X-Amz-Signature=134499809bd0995197a9db4a07"'}, 0.0
    )
    assert progress.error is not None
    assert "X-Amz" not in progress.error.words


def test_nothing_follows_an_end() -> None:
    failed = advance(begin(), {"error": "max retries exceeded: EOF"}, 0.0)
    assert advance(failed, layer("a", 5), 1.0) is failed
    assert restarted(failed, 2.0).error is None
    done = advance(begin(), {"status": "success"}, 0.0)
    assert advance(done, {"error": "late"}, 1.0) is done
    assert restarted(done, 2.0) is done


def test_lm_studio() -> None:
    line: dict[str, object] = {
        "job_id": "x",
        "status": "downloading",
        "total_size_bytes": 1000,
        "downloaded_bytes": 250,
    }
    progress = advance(begin(1000), line, 0.0)
    assert (progress.status, progress.fraction, progress.completed) == ("pulling", 0.25, 250)
    assert advance(progress, line | {"status": "completed"}, 9.0).done
    assert advance(begin(), {"status": "already_downloaded"}, 0.0).done
    assert advance(progress, line | {"status": "failed"}, 9.0).error is not None
    assert advance(progress, line | {"status": "paused"}, 9.0).status == "paused"


def test_the_llama_cpp_router() -> None:
    def answer(value: str, **status: object) -> Line:
        return {"id": "m", "in_cache": value != "downloading", "status": {"value": value, "args": [], **status}}

    first = {"https://h/a.gguf": {"done": 0, "total": 100}, "https://h/b.gguf": {"done": 0, "total": 300}}
    then = {"https://h/a.gguf": {"done": 100, "total": 100}, "https://h/b.gguf": {"done": 100, "total": 300}}
    progress = after(
        [answer("downloading", progress=first), answer("downloading", progress=then)], begin(400), tick=2.0
    )
    assert (progress.fraction, progress.completed, progress.total, progress.rate) == (0.5, 200, 400, 100.0)
    assert advance(progress, answer("unloaded"), 9.0).done
    assert advance(progress, answer("unloaded", failed=True, exit_code=1), 9.0).error is not None


def test_as_a_job_shows_it() -> None:
    shown = progress_of(after([layer("a", n * 10) for n in range(5)], begin(2000), tick=1.0))
    assert (shown.phase, shown.completed, shown.total, shown.rate) == ("pulling layer 1", 40, 2000, 10.0)
    assert (shown.fraction, shown.eta_s) == (0.02, 196.0)
