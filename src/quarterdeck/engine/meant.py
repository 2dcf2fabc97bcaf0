"""What is meant by a name: an endpoint, a model somewhere; and what may have been meant where nothing is called so."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.models import ModelReading

_MOST = 8


def meant(name: str, known: Iterable[str], *, none: str) -> str:
    """ "Did you mean qwen-chat?", else the names there are, else ``none``. Pure."""
    import difflib

    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, 3, 0.6)
    if near:
        return f"Did you mean {' or '.join(printable(each, 100) for each in near)}?"
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"There is {', '.join(printable(each, 100) for each in names[:_MOST])}{more}." if names else none


def view_of(name: str, seen: FleetSnapshot) -> EndpointView:
    """The endpoint of that name. Raises UsageError."""
    view = next((view for view in seen.endpoints if view.name == name), None)
    if view is None:
        hint = meant(name, [view.name for view in seen.endpoints], none="There are no endpoints.")
        raise UsageError(f"no endpoint is called {name!r}", hint=hint)
    return view


def places(name: str, on: list[str] | None, seen: FleetSnapshot) -> list[tuple[EndpointView, ModelReading]]:
    """The model on each endpoint of ``on``, or where ``on`` names none, on the only one that has it. Raises UsageError."""
    views = [view_of(each, seen) for each in on] if on else list(seen.endpoints)
    having = [(view, model) for view in views if (model := _model(name, view)) is not None]
    missing = [view for view in views if on and _model(name, view) is None]
    if missing or not having:
        raise _lacking(name, missing[0] if missing else None, views)
    for view, _ in having:
        alike = models_of(name, view)
        if len(alike) > 1:
            which = ", ".join(printable(model.id, 200) for model in alike[:_MOST])
            raise UsageError(f"{len(alike)} models of {view.name} are called {name}", hint=f"Say which: {which}.")
    if len(having) > 1 and not on:
        where = ", ".join(view.name for view, _ in having[:_MOST])
        raise UsageError(f"{len(having)} endpoints have {name}", hint=f"Say which with --on: {where}.")
    return having


def models_of(name: str, view: EndpointView) -> list[ModelReading]:
    """The models of an endpoint that a name may mean: the one with this id, else all that are shown so (files in two folders). Pure."""
    names = (name, f"{name}:latest")
    for each in names:
        for model in view.models:
            if model.id == each:
                return [model]
    return [model for model in view.models if model.label in names]


def _model(name: str, view: EndpointView) -> ModelReading | None:
    return next(iter(models_of(name, view)), None)


def _lacking(name: str, view: EndpointView | None, views: list[EndpointView]) -> UsageError:
    """Nobody has the model; or ``view`` has not, perhaps because it doesn't answer."""
    if view is not None and not _answers(view):
        state = view.state.name if view.state is not None else "silent"
        reason = f": {printable(view.reason)}" if view.reason else ""
        return UsageError(f"{view.name} is {state}{reason}", hint=f"Whether it has {name} can't be known.")
    asked = [view] if view is not None else views
    hint = meant(name, [model.label for each in asked for model in each.models], none="No model is known there.")
    silent = [each.name for each in asked if not _answers(each)]
    if silent:
        hint += f" Not answering: {', '.join(silent[:_MOST])}."
    where = f"{view.name} has no" if view is not None else "no endpoint has a"
    return UsageError(f"{where} model {name!r}", hint=hint)


def _answers(view: EndpointView) -> bool:
    return view.state is not None and view.state.answers
