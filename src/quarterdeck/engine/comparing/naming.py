"""Which model of which endpoint is meant: MODEL@ENDPOINT, ENDPOINT/MODEL, or MODEL where only one has it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.result import Target
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.models import ModelReading

_MOST = 8


def endpoints_named(name: str, known: Sequence[str]) -> list[str]:
    """The endpoints that a name may mean by itself; [] where it names none."""
    return [each for each in known if name.endswith(f"@{each}") or name.startswith(f"{each}/")]


def target(name: str, seen: FleetSnapshot) -> Target:
    """The one that is meant. Raises UsageError with the ones that have it, or what may have been meant."""
    exact: dict[Target, None] = {}
    views = {view.name: view for view in seen.endpoints}
    for view in seen.endpoints:
        for model in view.models:
            if any(name in _names(view, spelled) for spelled in _spellings(model)) or name in _spellings(model):
                exact[Target(view.name, model.id)] = None
    if len(exact) == 1:
        return next(iter(exact))
    if exact:
        where = ", ".join(each.label for each in list(exact)[:_MOST])
        raise UsageError(f"{len(exact)} endpoints have {printable(name)}", hint=f"Say which: {where}.")
    named = endpoints_named(name, list(views))
    if len(named) == 1:
        return _at(name, views[named[0]])
    raise _unknown(name, seen)


def _at(name: str, view: EndpointView) -> Target:
    """An endpoint is named, but its list has no such model."""
    model = name.removesuffix(f"@{view.name}") if name.endswith(f"@{view.name}") else name.removeprefix(f"{view.name}/")
    silent = view.state is None or not view.state.answers
    if silent or view.models:
        near = get_close_matches(model, [each.label for each in view.models], 3, 0.5)
        have = near or [each.label for each in view.models[:_MOST]]
        hint = f"It has {', '.join(printable(each, 80) for each in have)}." if have else printable(view.reason, 200)
        state = f" ({view.state.value})" if silent and view.state is not None else ""
        raise UsageError(f"{view.name}{state} has no model {printable(model)!r}", hint=hint)
    return Target(view.name, model)  # it lists none: it may have this one


def _unknown(name: str, seen: FleetSnapshot) -> UsageError:
    labels = [Target(view.name, model.label).label for view in seen.endpoints for model in view.models]
    bare = {label.rpartition("@")[0]: label for label in labels}
    near = get_close_matches(name, [*labels, *bare], 3, 0.5)
    shown = [bare.get(each, each) for each in near] or labels[:_MOST]
    hint = (
        f"There is {', '.join(printable(each, 100) for each in dict.fromkeys(shown))}."
        if shown
        else "No model is known."
    )
    silent = [view.name for view in seen.endpoints if view.state is None or not view.state.answers]
    if silent:
        hint += f" Not answering: {', '.join(silent[:_MOST])}."
    return UsageError(f"no endpoint has a model {printable(name)!r}", hint=hint)


def _spellings(model: ModelReading) -> set[str]:
    found = {model.id, model.label}
    return found | {each.removesuffix(":latest") for each in found}


def _names(view: EndpointView, model: str) -> tuple[str, str]:
    return f"{model}@{view.name}", f"{view.name}/{model}"
