"""What tokens cost by a provider's own list of models, each with its own names and units.

Sources: OpenRouter ``pricing`` (texts, US dollars per token, "-1" = it depends), Together ``pricing`` (numbers, US dollars per 1M tokens),
DeepInfra ``metadata.pricing`` (numbers, US dollars per 1M tokens).
"""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.model.chat.price import PER, Price
from quarterdeck.wire.body import items, mapping, number, parse, text

_DEAREST = 1e6
"""US dollars per 1M tokens; more is another unit, or nonsense."""


def listed_prices(body: bytes, date: str) -> dict[str, Price]:
    """Model id → price, of those that have one; ``date`` (ISO) is put into their source."""
    listing = parse(body)
    entries = listing if isinstance(listing, list) else mapping(listing).get("data")
    source = f"the provider's list, {date}"
    found: dict[str, Price] = {}
    for entry in items(entries):
        told = mapping(entry)
        name, price = text(told.get("id")), _price(told, source)
        if name is not None and price is not None:
            found[name] = price
    return found


def _price(told: Mapping[str, object], source: str) -> Price | None:
    pricing = mapping(told.get("pricing"))
    if "prompt" in pricing or "completion" in pricing:
        return _made(
            _per_token(pricing.get("prompt")),
            _per_token(pricing.get("completion")),
            _per_token(pricing.get("input_cache_read")),
            source,
        )
    if "input" in pricing or "output" in pricing:
        return _made(
            _dollars(pricing.get("input")),
            _dollars(pricing.get("output")),
            _dollars(pricing.get("cached_input")),
            source,
        )
    pricing = mapping(mapping(told.get("metadata")).get("pricing"))
    return _made(
        _dollars(pricing.get("input_tokens")),
        _dollars(pricing.get("output_tokens")),
        _dollars(pricing.get("cache_read_tokens")),
        source,
    )


def _made(prompt: float | None, output: float | None, cached: float | None, source: str) -> Price | None:
    return None if prompt is None and output is None else Price(prompt, output, cached, source)


def _dollars(value: object) -> float | None:
    found = number(value)
    return found if found is not None and 0 <= found <= _DEAREST else None


def _per_token(value: object) -> float | None:
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = float(value)
        except ValueError:
            return None
    found = number(value)
    return _dollars(found * PER) if found is not None else None
