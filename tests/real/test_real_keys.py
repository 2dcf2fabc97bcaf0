"""A real vLLM that wants a key and can sleep."""

from __future__ import annotations

import pytest

from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import State
from quarterdeck.model.models import ModelState

from .servers import Server
from .watch import fleet_of, watching

KEY_IN = "QUARTERDECK_TEST_VLLM_KEY"


async def test_the_key_decides(keyed_vllm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyed_vllm.key is not None
    monkeypatch.setenv(KEY_IN, keyed_vllm.key)
    monkeypatch.setenv(KEY_IN + "_WRONG", "sk-wrong")
    engine = Engine(
        fleet_of(
            EndpointSpec("right", keyed_vllm.url, auth=Auth(env=KEY_IN)),
            EndpointSpec("wrong", keyed_vllm.url, auth=Auth(env=KEY_IN + "_WRONG")),
            EndpointSpec("none", keyed_vllm.url),
        )
    )
    await engine.once()
    right, wrong, none = engine.snapshot().endpoints
    await engine.stop()
    assert (right.engine, right.state, right.reason) == ("vllm", State.OK, "")
    assert [(model.id, model.context_length) for model in right.models] == [("tiny-llama", 1024)]
    for refused in (wrong, none):
        assert (refused.engine, refused.state) == ("vllm", State.AUTH)
        assert refused.reason == "401: key missing or wrong"
        assert refused.models == ()


async def test_sleep_is_seen_and_not_disturbed(keyed_vllm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyed_vllm.key is not None
    monkeypatch.setenv(KEY_IN, keyed_vllm.key)
    spec = EndpointSpec("vllm", keyed_vllm.url, auth=Auth(env=KEY_IN))
    with keyed_vllm.client() as client:
        async with watching(fleet_of(spec, poll=0.5)) as watch:
            await watch.until_state("vllm", State.OK, within=15)
            client.post("/sleep", params={"level": 1}).raise_for_status()
            view = await watch.until_state("vllm", State.SLEEPING, within=10)
            assert view.answered is not None
            ten_polls_later = view.answered + 5.0
            view = await watch.until("vllm", lambda now: (now.answered or 0) > ten_polls_later, within=30)
            assert (view.state, view.models[0].state) == (State.SLEEPING, ModelState.SLEEPING)
            assert client.get("/is_sleeping").json() == {"is_sleeping": True}
            client.post("/wake_up").raise_for_status()
            await watch.until_state("vllm", State.OK, within=10)
