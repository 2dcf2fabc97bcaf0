"""Puts the cost on an answer: the server's own word first, then fleet.toml, then the provider's price list. Unknown stays unknown."""

from __future__ import annotations

from fnmatch import fnmatchcase

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.specs import PriceSpec
from quarterdeck.model.chat.answer import Answer
from quarterdeck.model.chat.price import Price, gpu_cost, token_cost
from quarterdeck.model.fleet import FleetSnapshot


def price_of(fleet: FleetConfig, endpoint: str, model: str) -> PriceSpec | None:
    """The first [[price]] that fits."""
    return next(
        (
            spec
            for spec in fleet.prices
            if fnmatchcase(endpoint.casefold(), spec.endpoint.casefold())
            and fnmatchcase(model.casefold(), spec.model.casefold())
        ),
        None,
    )


def priced(fleet: FleetConfig, snapshot: FleetSnapshot, answer: Answer) -> None:
    """Set ``answer.cost`` and where it comes from."""
    if answer.usage.cost is not None:
        answer.cost, answer.cost_source = answer.usage.cost, "the provider's own sum"
        return
    spec = price_of(fleet, answer.endpoint, answer.model)
    if spec is None:
        _listed(snapshot, answer)
        return
    dated = f", {spec.date}" if spec.date else ""
    if spec.gpu_hour is not None and spec.input is None and spec.output is None:
        if answer.ended_at is not None:
            busy = answer.ended_at - answer.sent_at
            answer.cost = gpu_cost(spec.gpu_hour, busy, answer.circumstances.running)
            answer.cost_source = f"~ share of {spec.gpu_hour:g} $ per GPU hour (fleet.toml{dated})"
        return
    answer.cost = token_cost(Price(spec.input, spec.output, spec.cached_input), answer.usage)
    answer.cost_source = f"fleet.toml{dated}" if answer.cost is not None else ""


def _listed(snapshot: FleetSnapshot, answer: Answer) -> None:
    """By the provider's own list, where its endpoint told one."""
    view = next((view for view in snapshot.endpoints if view.name == answer.endpoint), None)
    price = view.prices.get(answer.model) if view is not None else None
    if price is not None:
        answer.cost = token_cost(price, answer.usage)
        answer.cost_source = price.source if answer.cost is not None else ""
