"""The fields of an action's form, and what was filled in as options of an order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quarterdeck.model.actions import Action, Argument
from quarterdeck.model.job import Option
from quarterdeck.tui.screens.form import Field


def fields(action: Action) -> list[Field]:
    """A field for each argument."""
    return [
        Field(
            argument.name,
            argument.name.replace("_", " "),
            example=argument.example if argument.required else f"{argument.example} (may be empty)",
            help=argument.help + (f" One of {', '.join(argument.choices)}." if argument.choices else ""),
            check=_check(argument),
        )
        for argument in action.arguments
    ]


def typed_name(name: str) -> Field:
    """A field that takes one name only: what is protected is acted on by who types it."""
    return Field(
        "name", "its name", example=name, help="", check=lambda text: "" if text == name else f"type {name} to go on"
    )


def options(action: Action, answers: Mapping[str, str]) -> dict[str, Option]:
    """What was filled in; what is empty is left out."""
    kinds = {argument.name: argument.kind for argument in action.arguments}
    return {name: kinds[name](text) for name, text in answers.items() if text}


def _check(argument: Argument) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not text:
            return f"{argument.name.replace('_', ' ')} is missing" if argument.required else ""
        if argument.choices and text not in argument.choices:
            return f"expected one of {', '.join(argument.choices)}"
        if argument.kind is str:
            return ""
        try:
            argument.kind(text)
        except ValueError:
            return f"expected a number such as {argument.example or 1}"
        return ""

    return check
