"""What was typed to have something done, in the command line's words, as a wish. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.engine.arguments import value_of
from quarterdeck.engine.wishes import Wish
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import ACTIONS, Action, Argument
from quarterdeck.model.job import Option
from quarterdeck.model.phrasing import Slot, slots
from quarterdeck.model.phrasing import words as words_of

BY_WORDS = {words_of(action): action for action in ACTIONS}
_FLAGS = {"--yes": "yes", "-y": "yes", "--dry-run": "dry-run", "--detach": "detach", "--now": "now"}
_CONFIRM = "--confirm"


class Typed(NamedTuple):
    """A wish, and what was said with it of how it is agreed to."""

    wish: Wish
    yes: bool = False
    confirm: tuple[str, ...] = ()
    dry_run: bool = False


def split(line: str) -> list[str]:
    """The words of a line, as a shell has them. Raises UsageError."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"that can't be read: {str(error).lower()}", hint="A quote that begins has to end.") from None


def action_of(words: Sequence[str]) -> tuple[Action, int] | None:
    """The action that words begin with, and how many of them name it; ``None`` where they name none."""
    for number in (2, 1):
        action = BY_WORDS.get(tuple(words[:number]))
        if action is not None and len(words) >= number:
            return action, number
    return None


def typed(action: Action, words: Sequence[str]) -> Typed:
    """What ``words``, those behind the action's own, say. Raises UsageError that tells how it is typed."""
    known = slots(action)
    options = {slot.option: slot for slot in known if slot.option}
    plain: list[str] = []
    named: list[tuple[Slot, str]] = []
    flags: set[str] = set()
    confirm: list[str] = []
    left = list(words)
    while left:
        word, _, value = left.pop(0).partition("=")
        given = [value] if _ else []
        if word in _FLAGS and not given:
            flags.add(_FLAGS[word])
        elif word == _CONFIRM or word in options:
            if not given and not left:
                raise _wrong(action, f"{word} needs a value")
            value = given[0] if given else left.pop(0)
            if word == _CONFIRM:
                confirm.append(value)
            else:
                named.append((options[word], value))
        elif word.startswith("-"):
            raise _wrong(action, f"there is no option {word!r}")
        else:
            plain.append("=".join([word, *given]))
    if "now" in flags:
        named.append((_within(action, options), "0s"))
    return Typed(_wish(action, known, plain, named), "yes" in flags, tuple(confirm), "dry-run" in flags)


def _wish(action: Action, known: Sequence[Slot], plain: list[str], named: list[tuple[Slot, str]]) -> Wish:
    """The words in their slots."""
    found: dict[str, list[str]] = {"targets": [], "models": [], "on": []}
    told: dict[str, Option] = {}
    for slot in known:
        if slot.option:
            continue
        if not plain:
            raise _wrong(action, f"its {slot.shown.lower()} is missing")
        taken = plain[:] if slot.many else plain[:1]
        del plain[: len(taken)]
        _put(action, slot, taken, found, told)
    if plain:
        raise _wrong(action, f"{plain[0]!r} is too much")
    for slot, value in named:
        _put(action, slot, [value], found, told)
    return Wish(action, found["targets"], found["models"], found["on"], told)


def _put(action: Action, slot: Slot, values: list[str], found: dict[str, list[str]], told: dict[str, Option]) -> None:
    if slot.argument is None:
        found[slot.name] += values
    else:
        told[slot.name] = _value(action, slot.argument, values[0])


def _value(action: Action, argument: Argument, text: str) -> Option:
    try:
        return value_of(argument, text)
    except ValueError as error:
        raise _wrong(action, f"{argument.name.replace('_', ' ')}: {error}") from None


def _within(action: Action, options: dict[str, Slot]) -> Slot:
    slot = options.get("--within")
    if slot is None:
        raise _wrong(action, "there is no option '--now'")
    return slot


def _wrong(action: Action, text: str) -> UsageError:
    return UsageError(f"{action.label.lower()}: {text}", hint=f"It is typed so: {how(action)}.")


def how(action: Action) -> str:
    """How an action is typed: "unload MODEL (--on ENDPOINT)"; what may be left out is in brackets that most voices let be heard."""
    return " ".join([*words_of(action), *map(_shown, slots(action))])


def _shown(slot: Slot) -> str:
    text = f"{slot.option} {slot.shown}".strip()
    return text if slot.required else f"({text})"
