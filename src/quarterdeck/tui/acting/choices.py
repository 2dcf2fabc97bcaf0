"""What can be done to the selected rows, and why the rest can't. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.model.actions import ACTIONS, Action, On
from quarterdeck.model.capability import why_not
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.job import Option, Order
from quarterdeck.model.models import ModelReading

if TYPE_CHECKING:
    from quarterdeck.tui.rows import Row


class Target(NamedTuple):
    """What an action is done to: an endpoint, or a model of it."""

    view: EndpointView
    model: ModelReading | None = None


class Choice(NamedTuple):
    """An action, and what it can be done to."""

    action: Action
    targets: tuple[Target, ...] = ()
    """Those that can; of an endpoint's row, and an action on models, each model that can."""
    reason: str = ""
    """Why it can't be done to any."""
    left_out: str = ""
    """How many of several rows it can't be done to, and why."""


def targets_of(rows: Sequence[Row]) -> list[Target]:
    """What rows of the fleet stand for: endpoints, or models of them."""
    return [Target(row.view, row.part if isinstance(row.part, ModelReading) else None) for row in rows]


def choices(selected: Sequence[Target], deployments: Mapping[str, str]) -> list[Choice]:
    """Every action, what can be done first. ``deployments``: by the name of the endpoint that each becomes."""
    found = [choice(action, selected, deployments) for action in ACTIONS]
    return sorted(found, key=lambda each: bool(each.reason))


def choice(action: Action, selected: Sequence[Target], deployments: Mapping[str, str]) -> Choice:
    """One action on the selected rows."""
    wanted = _wanted(action, selected)
    reasons = [_reason(action, target, deployments) for target in wanted]
    able = tuple(target for target, reason in zip(wanted, reasons, strict=True) if not reason)
    if able:
        return Choice(action, able, left_out=_left_out(action, selected, deployments))
    return Choice(action, (), next((reason for reason in reasons if reason), "nothing is selected"))


def _left_out(action: Action, selected: Sequence[Target], deployments: Mapping[str, str]) -> str:
    """Which of several rows nothing is done to: who marked them counts on all."""
    if len(selected) < 2:
        return ""
    by_row = [[_reason(action, one, deployments) for one in _wanted(action, [each])] for each in selected]
    whys = [reasons[0] for reasons in by_row if reasons and all(reasons)]
    return f"{len(whys)} of {len(selected)} can't: {whys[0]}" if whys else ""


def _wanted(action: Action, selected: Sequence[Target]) -> list[Target]:
    """What it would be done to: rows of models for actions on models, else each endpoint once."""
    if action.on is not On.MODEL:
        return [Target(view) for view in {id(each.view): each.view for each in selected}.values()]
    wanted: list[Target] = []
    for each in selected:
        if each.model is not None or not each.view.models:
            wanted.append(each)
        else:
            wanted += [Target(each.view, model) for model in each.view.models]
    return wanted


def _reason(action: Action, target: Target, deployments: Mapping[str, str]) -> str:
    if action.on is On.DEPLOYMENT:
        name = target.view.name
        return "" if name in deployments else f"no [[deployment]] in fleet.toml becomes {name}"
    return why_not(action, target.view, target.model)


def order_of(action: Action, target: Target, options: Mapping[str, Option], deployments: Mapping[str, str]) -> Order:
    """What is asked for."""
    if action.on is On.DEPLOYMENT:
        return Order(action.id, deployments[target.view.name], options=options)
    named = options.get("model")
    if action.on is On.ENDPOINT and named is not None:
        rest = {name: value for name, value in options.items() if name != "model"}
        return Order(action.id, target.view.name, str(named), rest)
    return Order(action.id, target.view.name, target.model.id if target.model else None, options)


def of_key(key: str) -> Action | None:
    """The action on a key."""
    return next((action for action in ACTIONS if key in action.keys), None)
