"""Price lists of managed APIs, as they document them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_servers import Reply, pages_server
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.endpoints.prices import listed_prices
from quarterdeck.engine.engine import Engine
from quarterdeck.model.chat.price import Price

SOURCE = "the provider's list, 2026-11-23"
OPENROUTER = {
    "data": [
        {"id": "a/b", "pricing": {"prompt": "0.0000002", "completion": "0.0000006", "input_cache_read": "0.00000005"}},
        {"id": "free", "pricing": {"prompt": "0", "completion": "0"}},
        {"id": "router", "pricing": {"prompt": "-1", "completion": "-1"}},
    ]
}
TOGETHER = [{"id": "m", "pricing": {"input": 0.18, "output": 0.59, "cached_input": 0.09, "hourly": 0, "base": 0}}]
DEEPINFRA = {
    "object": "list",
    "data": [
        {"id": "d", "metadata": {"pricing": {"input_tokens": 0.1, "output_tokens": 0.3, "cache_read_tokens": 0.02}}},
        {"id": "none", "metadata": None},
    ],
}


@pytest.mark.parametrize(
    ("listing", "prices"),
    [
        (OPENROUTER, {"a/b": (0.2, 0.6, 0.05), "free": (0.0, 0.0, None)}),
        (TOGETHER, {"m": (0.18, 0.59, 0.09)}),
        (DEEPINFRA, {"d": (0.1, 0.3, 0.02)}),
        ({"data": [{"id": "x", "pricing": {"prompt": "cheap", "completion": "1e400"}}]}, {}),
        ({"data": [{"id": "x", "pricing": {"input": True, "output": -4}}]}, {}),
        ({"data": [{"id": "x"}, 7, None]}, {}),
        ([], {}),
    ],
)
def test_units(listing: object, prices: dict[str, tuple[float, float, float | None]]) -> None:
    found = listed_prices(json.dumps(listing).encode(), "2026-11-23")
    assert set(found) == set(prices)
    for name, price in found.items():
        expected = [None if each is None else pytest.approx(each) for each in prices[name]]
        assert [price.input, price.output, price.cached_input] == expected
        assert price.source == SOURCE


@given(st.binary())
def test_anything_else_is_no_price(body: bytes) -> None:
    assert listed_prices(body, "2026-11-23") == {}


async def test_they_reach_the_row_of_the_endpoint() -> None:
    async with pages_server({"/v1/models": Reply(TOGETHER)}) as server:
        engine = Engine(FleetConfig(endpoints=(EndpointSpec("together", server.url + "/v1", "openai"),)))
        await engine.once()
        (view,) = engine.snapshot().endpoints
        await engine.stop()
    assert isinstance(view.prices["m"], Price)
    assert view.prices["m"].output == 0.59
    assert view.origins["prices"] == "/models"
