"""How actions are typed: the words and options of each, read from the table of actions by the command line and the console. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.model.actions import BY_ID, Action, Argument, On

if TYPE_CHECKING:
    from quarterdeck.model.job import Order

ON = "on"


class Slot(NamedTuple):
    """Something that is said behind the words of an action."""

    name: str
    """ "targets", "models", "on", or the name of an `Argument`."""
    kind: str
    """What it may be: "deployment", "endpoint", "model" (one that is there), "new-model" (one to download), or "value"."""
    shown: str
    """As it stands in a usage line: "MODEL"."""
    help: str
    option: str = ""
    """ "--context"; "" = a word."""
    required: bool = False
    many: bool = False
    """A word: one or more; an option: may be repeated."""
    argument: Argument | None = None
    """What its value is read by."""


def words(action: Action) -> tuple[str, ...]:
    """What is typed for an action."""
    return action.typed or (action.id,)


def takes_model(action: Action) -> bool:
    """Whether it is told a model: one of an endpoint, or one to download."""
    return action.on is On.MODEL or any(argument.name == "model" for argument in action.arguments)


def takes_on(action: Action) -> bool:
    """Whether the endpoint is named by --on, because other words come first."""
    return action.on is not On.DEPLOYMENT and (takes_model(action) or any(each.required for each in action.arguments))


def slots(action: Action) -> tuple[Slot, ...]:
    """All that may be said, words first, in their order."""
    found = [*_targets(action)]
    found += [
        Slot(each.name, "value", each.name.upper(), each.help, required=True, argument=each)
        for each in action.arguments
        if each.required and each.name != "model"
    ]
    if takes_on(action):
        text = "where (repeatable); needed where several could be meant"
        found.append(Slot(ON, "endpoint", "ENDPOINT", text, "--on", many=True))
    found += [
        Slot(each.name, "value", each.name.upper(), each.help, "--" + each.name.replace("_", "-"), argument=each)
        for each in (*action.arguments, *action.more)
        if not each.required
    ]
    return tuple(found)


def _targets(action: Action) -> list[Slot]:
    """What it is done to."""
    if action.on is On.DEPLOYMENT:
        return [Slot("targets", "deployment", "DEPLOYMENT", "its name in fleet.toml", required=True, many=True)]
    if takes_model(action):
        several = not any(each.required and each.name != "model" for each in action.arguments)
        new = next((each for each in action.arguments if each.name == "model"), None)
        text = "its name, as `quarterdeck status` shows it"
        text = text if new is None else f"its name and tag, as in {new.example}"
        kind = "model" if new is None else "new-model"
        return [Slot("models", kind, "MODEL", text, required=True, many=several)]
    if not takes_on(action):
        text = "its name, as `quarterdeck status` shows it"
        return [Slot("targets", "endpoint", "ENDPOINT", text, required=True, many=True)]
    return []


def command_line(order: Order) -> str:
    """The command that asks for the same, to be pasted into a shell. The action must be one of the table."""
    import shlex

    action = BY_ID[order.action]
    told = dict(order.options)
    model = order.model or told.pop("model", None)
    parts = ["quarterdeck", *words(action)]
    if takes_model(action):
        parts.append(str(model or ""))
    elif not takes_on(action):
        parts.append(order.target)
    parts += [str(told.pop(each.name)) for each in action.arguments if each.required and each.name in told]
    if takes_on(action):
        parts += ["--on", order.target]
    for name, value in told.items():
        parts += ["--" + name.replace("_", "-"), str(value)]
    return shlex.join(parts)
