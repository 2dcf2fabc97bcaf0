"""LiteLLM's proxy, on answers recorded from 1.106.2. What must not be asked is asserted, not hoped."""

from __future__ import annotations

import pytest

from fake_servers import Asked, Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.config.fleet import Auth
from quarterdeck.endpoints import litellm, litellm_page
from quarterdeck.model.models import ModelState
from quarterdeck.model.rates import Sample, engine_rates, progress_mark, restarted
from quarterdeck.model.reading import Deployment, Outcome
from quarterdeck.wire.prometheus import TOO_MANY
from recorded import recorded, value

PAGES = {
    "/health/readiness": recorded("litellm/readiness.json"),
    "/health/readiness/details": recorded("litellm/readiness_details.json"),
    "/health/backlog": {"in_flight_requests": 4, "admitted_requests": 3, "queued_requests": 2, "rejected_requests": 0},
    "/v1/models": recorded("litellm/v1_models.json"),
    "/model/info": recorded("litellm/model_info.json"),
    "/metrics/": recorded("litellm/metrics_1.txt"),
}
UNAUTHORIZED = Reply(recorded("litellm/unauthorized.json"), 401)
ONE, TWO = "litellm/metrics_1.txt", "litellm/metrics_2.txt"


async def test_everything_it_tells() -> None:
    async with watching(PAGES, "litellm") as watch:
        reading = await watch.poll()
        paths = [one.path for one in watch.server.asked]
    assert paths == ["/health/readiness", "/v1/models", "/model/info", "/health/readiness/details", "/metrics/"]
    engine, facts = engine_of(reading), facts_of(reading)
    assert (facts.engine, facts.version, facts.identity) == ("litellm", "1.106.2", (("database", "Not connected"),))
    assert [(m.id, m.state, m.context_length) for m in facts.models] == [("tiny-a", ModelState.SERVED, 2048)]
    assert (engine.running, engine.waiting, facts.estimates) == (
        0,
        None,
        frozenset({"running"}),
    )  # ours is the only one
    assert facts.notes[1:] == (litellm.UPPER_BOUND, litellm.NO_QUEUE, litellm_page.AT_THE_END)
    assert facts.origins["running"] == "/metrics/ litellm_in_flight_requests, less our own"
    assert engine.generation_tokens == value(ONE, "litellm_output_tokens_metric_total") > 0
    assert engine.prompt_tokens == value(ONE, "litellm_input_tokens_metric_total")
    assert engine.cached_tokens == value(ONE, "litellm_input_cached_tokens_metric_total")
    assert not engine.cached_apart
    assert engine.e2e is not None
    assert engine.e2e.counts[-1] == value(ONE, "litellm_request_total_latency_metric_bucket", le="+Inf") > 0
    assert engine.ttft is not None
    assert engine.ttft.counts[-1] == value(ONE, "litellm_llm_api_time_to_first_token_metric_bucket", le="+Inf") > 0
    assert engine.queue is not None
    assert facts.spend is not None
    assert facts.spend.dollars == value(ONE, "litellm_spend_metric_total")


async def test_deployments_and_their_state() -> None:
    facts = facts_of(await poll_once(PAGES, "litellm"))
    assert facts.deployments == (
        Deployment("tiny-a", "openai/tiny-a at http://127.0.0.1:18911/v1", "healthy"),
        Deployment("tiny-a", "openai/tiny-a at http://127.0.0.1:18919/v1", "partial outage"),
    )
    assert facts.notes[0] == (
        "1 of 2 deployments ail: openai/tiny-a at http://127.0.0.1:18919/v1 for tiny-a: partial outage"
    )


async def test_credentials_of_deployments_stay_out() -> None:
    entries = [
        {"model_name": "m", "litellm_params": {"model": "azure/m", "api_base": base, "api_key": "sk-inner"}}
        for base in ("https://user:sk-inner@[::1]:8443/v1?key=sk-inner#x", "https://h:99999999/", "no url", 5)
    ]
    reading = await poll_once({**PAGES, "/model/info": {"data": [*entries, {"model_name": 5}, "x"]}}, "litellm")
    assert [d.backend for d in facts_of(reading).deployments] == ["azure/m at https://[::1]:8443/v1", *["azure/m"] * 3]
    assert "sk-inner" not in repr(reading)


async def test_requests_of_pollers_are_not_counted() -> None:
    """The page also counts what this very program asked with a wrong key while it was recorded."""
    finished = dict(engine_of(await poll_once(PAGES, "litellm")).finished)
    counted = {
        status: value(ONE, litellm_page.REQUESTS, status_code=status, requested_model="tiny-a")
        for status in ("200", "500")
    }
    assert finished == {f"HTTP {status}": count for status, count in counted.items()}
    assert value(ONE, litellm_page.REQUESTS) > sum(counted.values())


async def test_rates_between_two_pages() -> None:
    readings = [engine_of(await poll_once({**PAGES, "/metrics/": recorded(page)}, "litellm")) for page in (ONE, TWO)]
    rates = engine_rates(Sample(0.0, (readings[0],)), Sample(10.0, (readings[1],)))["0"]
    name = "litellm_output_tokens_metric_total"
    assert rates.generation_tps == pytest.approx((value(TWO, name) - value(ONE, name)) / 10)
    assert progress_mark(readings[0]) is None  # a long answer is no stall


async def test_a_queue_in_front_of_admission_control() -> None:
    page = recorded(ONE) + b"litellm_admission_queued_requests 5\n"
    assert engine_of(await poll_once({**PAGES, "/metrics/": page}, "litellm")).waiting == 5


async def test_only_what_is_shown_is_asked_for() -> None:
    async with watching(PAGES, "litellm") as watch:
        for _ in range(7):
            await watch.poll(2.0)
        asked = [one.target for one in watch.server.asked]
        assert all("name%5B%5D=litellm_spend" in target for target in asked if target.startswith("/metrics"))
        paths = [one.path for one in watch.server.asked]
        assert {path: paths.count(path) for path in PAGES} == {
            "/health/readiness": 1,
            "/health/readiness/details": 1,
            "/health/backlog": 0,
            "/v1/models": 1,
            "/model/info": 1,
            "/metrics/": 7,
        }
        del watch.server.asked[:]
        for _ in range(5):
            await watch.poll(3.0)
        assert [one.path for one in watch.server.asked if one.path != "/metrics/"] == [
            "/health/readiness",
            "/v1/models",
            "/model/info",
        ]


async def test_a_slow_proxy_is_learned_over_several_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(PAGES, "litellm") as watch:
        await watch.endpoint._fetch.ready()
        fetch, allowed = watch.endpoint._fetch, 0
        plain = fetch.get

        async def slow(path: str, **more: int) -> object:
            nonlocal allowed
            allowed -= 1
            if allowed < 0:
                raise TimeoutError
            return await plain(path, **more)

        monkeypatch.setattr(fetch, "get", slow)
        outcomes = []
        for _ in range(3):
            allowed = 2
            outcomes.append((await watch.poll(2.0)).outcome)
        assert outcomes == [Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.ANSWERED]


async def test_a_busy_proxy_is_not_lost_over_what_changes_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(PAGES, "litellm") as watch:
        await watch.poll()
        fetch = watch.endpoint._fetch
        plain = fetch.optional

        async def slow(path: str) -> object:
            if path == "/v1/models":
                raise TimeoutError
            return await plain(path)

        monkeypatch.setattr(fetch, "optional", slow)
        for _ in range(4):
            reading = await watch.poll(10.0)
            assert (reading.outcome, len(facts_of(reading).models)) == (Outcome.ANSWERED, 1)


async def test_several_processes_of_one_registry_answer_a_narrowed_request_with_nothing() -> None:
    def serve(asked: Asked) -> object:
        return b"" if "name" in asked.target else PAGES.get(asked.path)

    async with watching(serve, "litellm") as watch:
        assert engine_of(await watch.poll()).generation_tokens is not None
        await watch.poll()
        assert [one.target for one in watch.server.asked if one.path == "/metrics/"][1:] == ["/metrics/"] * 2


async def test_workers_with_counters_of_their_own_are_not_taken_for_restarts() -> None:
    page = b"\n".join(line for line in recorded(ONE).split(b"\n") if not line.startswith(b"process_start"))
    starts = [b"\nprocess_start_time_seconds %d\n" % start for start in (1000, 2000, 1000, 2000)]
    served = dict(PAGES)
    async with watching(served, "litellm") as watch:
        engines = []
        for start in starts:
            served["/metrics/"] = page + start
            reading = await watch.poll()
            engines.append(engine_of(reading))
    assert [engine.generation_tokens is None for engine in engines] == [False, False, True, True]
    assert not restarted(Sample(0.0, (engines[2],)), Sample(2.0, (engines[3],)))
    facts = facts_of(reading)
    assert litellm_page.SEVERAL_WORKERS in facts.notes
    assert engines[-1].running == 3
    assert {d.state for d in facts.deployments} == {"healthy", "partial outage"}


@pytest.mark.parametrize(
    ("page", "note"),
    [
        (None, litellm_page.NO_METRICS),
        (Reply(recorded("litellm/metrics_unauthorized.json"), 401), "/metrics/: 401: key missing or wrong"),
        (Reply(b"", 500), "/metrics/: 500: X"),
    ],
)
async def test_without_metrics(page: object, note: str) -> None:
    async with watching({**PAGES, "/metrics/": page}, "litellm") as watch:
        facts = facts_of(await watch.poll())
        (engine,) = facts.engines
        assert (engine.running, engine.waiting, engine.generation_tokens, engine.finished) == (3, 2, None, ())
        assert facts.notes == (litellm.UPPER_BOUND, note)
        assert {d.state for d in facts.deployments} == {None}
        assert facts.spend is None


@pytest.mark.parametrize("status", [404, 401, 403])
async def test_pages_that_are_missing_or_forbidden_are_left_alone_for_a_minute(status: int) -> None:
    refused = Reply(b"", status)
    served = {**PAGES, "/metrics/": refused, "/health/backlog": refused}
    async with watching(served, "litellm") as watch:
        for _ in range(10):
            facts = facts_of(await watch.poll(2.0))
        paths = [one.path for one in watch.server.asked]
        assert (paths.count("/metrics/"), paths.count("/health/backlog")) == (1, 1)
        assert len(facts.notes) == 2
        assert facts.engines == ()
        served.update(PAGES)
        facts = facts_of(await watch.poll(60.0))
        assert facts.engines[0].running == 0
        assert litellm_page.AT_THE_END in facts.notes
        assert not [note for note in facts.notes if note.startswith("/")]


async def test_neither_metrics_nor_backlog() -> None:
    facts = facts_of(await poll_once({**PAGES, "/metrics/": None, "/health/backlog": None}, "litellm"))
    assert (facts.engines, facts.notes) == ((), (litellm.NO_BACKLOG, litellm_page.NO_METRICS))


@pytest.mark.parametrize("engine", ["litellm", "auto"])
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (UNAUTHORIZED, "401: key missing or wrong"),
        (Reply(recorded("litellm/wrong_key.json"), 400), "400: key missing or wrong"),
        (Reply(b"Internal Server Error", 500), "500: key missing or wrong"),
    ],
    ids=["401", "400 without a database", "500 without prisma"],
)
async def test_without_a_good_key_what_is_public_is_known(engine: str, reply: Reply, reason: str) -> None:
    served = {"/health/readiness": PAGES["/health/readiness"], "*": reply}
    async with watching(served, engine) as watch:
        for _ in range(5):
            reading = await watch.poll(2.0)
            assert (reading.outcome, reading.reason) == (Outcome.AUTH, reason)
            assert facts_of(reading).identity == (("database", "Not connected"),)
        refused = [one.path for one in watch.server.asked if one.path != "/health/readiness"]
        assert refused.count("/v1/models") == (1 if engine == "litellm" else 2)
        if engine == "litellm":
            assert refused == ["/v1/models"]
        served.update(PAGES)
        assert (await watch.poll(20.0)).outcome is Outcome.ANSWERED


async def test_a_500_with_a_key_is_no_matter_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-local-0123456789")
    served = {**PAGES, "/v1/models": Reply(b"Internal Server Error", 500)}
    async with watching(served, "litellm", auth=Auth(env="MY_KEY")) as watch:
        assert (await watch.poll()).outcome is Outcome.FAILED
        served.update(PAGES)
        assert len(facts_of(await watch.poll()).models) == 1
        served["/v1/models"] = Reply(b"Internal Server Error", 500)
        await watch.poll(20.0)
        facts = facts_of(await watch.poll())
        assert len(facts.models) == 1
        assert "/v1/models: 500: X" in facts.notes


async def test_a_key_that_is_revoked_under_watch() -> None:
    served: dict[str, object] = dict(PAGES)
    async with watching(served, "litellm") as watch:
        await watch.poll()
        served.update({path: UNAUTHORIZED for path in PAGES if path != "/health/readiness"})
        await watch.poll(20.0)
        reading = await watch.poll()
        assert (reading.outcome, facts_of(reading).models) == (Outcome.AUTH, ())
        served.update(PAGES)
        assert (await watch.poll(20.0)).outcome is Outcome.ANSWERED


async def test_shutting_down() -> None:
    reading = await poll_once({"*": Reply({"status": "shutting_down"}, 503)}, "litellm")
    assert (reading.outcome, reading.reason) == (
        Outcome.FAILED,
        "503: not ready: shutting down, or without its database",
    )


@pytest.mark.parametrize("answers", [{}, {"*": b"<html>"}, {"*": {"version": "1"}}])
async def test_what_is_not_litellm(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "litellm")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as LiteLLM")


async def test_a_page_with_too_many_series_gives_no_part_of_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.wire.prometheus.MOST_SERIES", 10)
    name = "litellm_output_tokens_metric_total"
    many = "".join(f'{name}{{user="{i}"}} 5\n' for i in range(20))
    page = f"litellm_in_flight_requests 3\n{many}"
    reading = await poll_once({**PAGES, "/metrics/": page}, "litellm")
    assert (engine_of(reading).running, engine_of(reading).generation_tokens) == (2, None)
    assert TOO_MANY in facts_of(reading).notes
    alone = facts_of(await poll_once({**PAGES, "/metrics/": many}, "litellm")).notes
    assert TOO_MANY in alone
    assert litellm_page.NO_METRICS not in alone
