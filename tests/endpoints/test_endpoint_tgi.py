"""TGI. Its pages in tests/data/tgi are hand-made from its documentation."""

from __future__ import annotations

import pytest

from fake_servers import Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints import tgi
from quarterdeck.model.models import ModelState
from quarterdeck.model.rates import progress_mark
from quarterdeck.model.reading import Outcome
from recorded import recorded, value

INFO, METRICS = recorded("tgi/info.json"), recorded("tgi/metrics.txt")


async def test_load_and_identity() -> None:
    async with watching({"/info": INFO, "/metrics": METRICS}, "tgi") as watch:
        reading = await watch.poll()
        await watch.poll()
        assert watch.server.targets == ["/metrics", "/info", "/metrics"]
    engine, facts = engine_of(reading), facts_of(reading)
    assert (engine.running, engine.waiting) == (8, 5)
    assert engine.generation_tokens == value("tgi/metrics.txt", "tgi_request_generated_tokens_sum") == 64000
    assert engine.prompt_tokens == 32000
    assert engine.steps == 250 + 12750
    assert dict(engine.finished) == {"success": 250, "validation": 2, "overloaded": 1}
    assert [h and h.counts for h in (engine.ttft, engine.itl, engine.e2e, engine.queue)] == [
        None, (125, 250), (100, 240, 250), (200, 250),
    ]  # fmt: skip
    assert (facts.engine, facts.version, facts.notes) == ("tgi", "3.3.7", (tgi.AT_THE_END, tgi.MEANS))
    (model,) = facts.models
    assert (model.id, model.state, model.context_length) == (
        "meta-llama/Llama-3.1-8B-Instruct",
        ModelState.LOADED,
        8192,
    )
    assert dict(facts.identity)["most requests at once"] == "128"
    assert facts.origins["waiting"] == "/metrics tgi_queue_size"


async def test_steps_move_while_a_long_answer_is_written() -> None:
    later = METRICS.replace(b'method="decode"} 12750', b'method="decode"} 12990')
    marks = [
        progress_mark(engine_of(await poll_once({"/info": INFO, "/metrics": page}, "tgi"))) for page in (METRICS, later)
    ]
    assert marks[0] != marks[1]


@pytest.mark.parametrize("page", [None, Reply(b"", 404), b"", Reply(b"", 500)])
async def test_without_metrics(page: object) -> None:
    facts = facts_of(await poll_once({"/info": INFO, "/metrics": page}, "tgi"))
    assert facts.engines == ()
    assert len(facts.notes) == 1
    assert len(facts.models) == 1


@pytest.mark.parametrize("info", [{}, {"model_id": "m"}, b"<html>", [1]])
async def test_what_is_not_tgi(info: object) -> None:
    reading = await poll_once({"*": info}, "tgi")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as TGI")
