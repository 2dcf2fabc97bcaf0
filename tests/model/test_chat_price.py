"""What answers cost, by hand-calculated examples."""

from __future__ import annotations

import pytest

from quarterdeck.model.chat.answer import Usage
from quarterdeck.model.chat.price import Price, gpu_cost, per_million, token_cost


@pytest.mark.parametrize(
    ("price", "usage", "dollars"),
    [
        (Price(1.0, 2.0), Usage(1_000_000, 500_000), 2.0),
        (Price(1.0, 2.0, 0.1), Usage(1_000_000, 0, cached_tokens=400_000), 0.64),
        (Price(1.0, 2.0), Usage(1_000_000, 0, cached_tokens=400_000), 1.0),
        (Price(1.0, 2.0, 0.0), Usage(100, 0, cached_tokens=900), 0.0),
        (Price(0.0, 0.0), Usage(10, 10), 0.0),
        (Price(None, 2.0), Usage(10, 10), None),
        (Price(1.0, None), Usage(10, 10), None),
        (Price(1.0, 2.0), Usage(None, 10), None),
        (Price(1.0, 2.0), Usage(10, None), None),
    ],
)
def test_tokens(price: Price, usage: Usage, dollars: float | None) -> None:
    assert token_cost(price, usage) == (None if dollars is None else pytest.approx(dollars))


def test_gpus() -> None:
    assert gpu_cost(3.6, 10.0, None) == pytest.approx(0.01)
    assert gpu_cost(3.6, 10.0, 4) == pytest.approx(0.002)
    assert per_million(3.6, 1000.0) == pytest.approx(1.0)
    assert per_million(3.6, 0.0) is None
