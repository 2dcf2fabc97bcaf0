"""Whether a typed line can be carried out as it stands; where it can't, what is wrong and where. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quarterdeck.config.units import duration
from quarterdeck.engine.arguments import value_of
from quarterdeck.engine.safety import Asking, asks
from quarterdeck.engine.wishes import Wanted, Wish, orders
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import BY_ID
from quarterdeck.model.job import Option
from quarterdeck.model.phrasing import ON
from quarterdeck.tui.commands import INTERVALS
from quarterdeck.tui.verbs.completing import candidates, model_of
from quarterdeck.tui.verbs.known import Known
from quarterdeck.tui.verbs.lexing import ended, tokens
from quarterdeck.tui.verbs.reading import Given, Sentence, Wrong, read
from quarterdeck.tui.verbs.table import Verb, is_live_only

ENDINGS = (".txt", ".svg", ".json")
RECORDING = "this is a recording: nothing can be asked or changed"


class Checked(NamedTuple):
    """A line that is done. Where nothing is wrong, ``wanted`` are the orders of an action."""

    sentence: Sentence
    wrong: Wrong | None = None
    wanted: tuple[Wanted, ...] = ()


def checked(line: str, verbs: Sequence[Verb], known: Known, *, replay: bool = False) -> Checked:
    """Read a line as if Enter were pressed behind it."""
    sentence = read(_closed(line), verbs)
    if sentence.verb is None:
        return Checked(sentence, _unknown(line, verbs, replay=replay))
    if sentence.wrong:
        return Checked(sentence, sentence.wrong[0])
    if sentence.missing and not (sentence.verb.command and not sentence.given):
        return Checked(sentence, _missing(sentence, known))
    wrong = next((found for each in sentence.given if (found := _value(each, known)) is not None), None)
    if wrong is not None or not sentence.verb.action:
        return Checked(sentence, wrong)
    return _ordered(sentence, known)


def _closed(line: str) -> str:
    """With the end of its last word."""
    if ended(line):
        return line
    return line + tokens(line)[-1].quote + " "


def _unknown(line: str, verbs: Sequence[Verb], *, replay: bool) -> Wrong:
    words = tokens(line)
    if not words:
        return Wrong("nothing is typed", 0, 0)
    first = words[0]
    if replay and is_live_only(first.text.casefold()):
        return Wrong(RECORDING, first.start, first.end)
    near = difflib.get_close_matches(first.text.casefold(), [verb.words[0] for verb in verbs], 2, 0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return Wrong(f"{first.text!r} is no command here{hint}", first.start, first.end)


def _missing(sentence: Sentence, known: Known) -> Wrong:
    """What is missing, and something that it could be."""
    slot = sentence.missing[0]
    end = len(sentence.line.rstrip())
    example = slot.argument.example if slot.argument is not None else ""
    if not example:
        wanted = sentence._replace(expects=slot, options=(), partial=sentence.partial._replace(text=""))
        example = next((each.inserted for each in candidates(wanted, known) if not each.reason), "")
    hint = f", such as {example}" if example else ""
    usage = sentence.verb.usage if sentence.verb is not None else ""
    return Wrong(f"{slot.shown} is missing{hint}: {usage}", end, end + 1)


# ---- values


def _value(given: Given, known: Known) -> Wrong | None:
    """What is wrong with a value, as far as that can be told of it alone."""
    slot, token = given
    text = ""
    if slot.argument is not None:
        try:
            value_of(slot.argument, token.text)
        except ValueError as error:
            text = f"{slot.shown}: {error}"
    elif slot.kind == "time":
        text = "" if seconds_of(token.text) is not None else f"{token.text!r} is no time from 0.5s to 60s, such as 5s"
    elif slot.kind == "file":
        text = "" if token.text.endswith(ENDINGS) else "a file that ends in .txt, .svg or .json says what it is to be"
    elif slot.kind in ("theme", "order"):
        names = known.themes if slot.kind == "theme" else known.orders
        text = _unmeant(token.text, [name.text for name in names], f"no {slot.shown.lower()} is called")
    elif slot.kind in ("place", "target") or (slot.kind == "endpoint" and slot.name == "endpoint"):
        text = _no_page(token.text, known, endpoints=slot.kind != "target")
    return Wrong(text, token.start, token.end) if text else None


def seconds_of(text: str) -> float | None:
    """An interval, if it is one that can be had."""
    seconds = duration(f"{text}s" if text.replace(".", "", 1).isdecimal() and text.isascii() else text)
    return seconds if seconds is not None and INTERVALS[0] <= seconds <= INTERVALS[-1] else None


def _unmeant(name: str, names: Sequence[str], what: str) -> str:
    """Why a name is none of these; "" where it is."""
    if name in names:
        return ""
    near = difflib.get_close_matches(name, names, 2, 0.5) or [each for each in names if name and name in each][:3]
    if near:
        return f"{what} {name!r}; did you mean {' or '.join(near)}?"
    return f"{what} {name!r}" + (f"; there is {', '.join(names[:8])}" if names else "")


def page_of(text: str, known: Known) -> tuple[str, str] | None:
    """Endpoint and model ("" = the endpoint itself) that a name stands for."""
    views = {view.name: view for view in known.fleet.endpoints}
    if text in views:
        return text, ""
    model, at, name = text.rpartition("@")
    if at and name in views and (found := model_of(model, views[name])) is not None:
        return name, found.id
    return None


def _no_page(text: str, known: Known, *, endpoints: bool) -> str:
    found = page_of(text, known)
    if found is not None and (found[1] or endpoints):
        return ""
    model, at, name = text.rpartition("@")
    views = {view.name: view for view in known.fleet.endpoints}
    if at and name in views:
        return _unmeant(model, [each.label for each in views[name].models], f"{name} has no model")
    if found is not None:
        return f"which model of {text}? MODEL@{text}"
    return _unmeant(name, list(views), "no endpoint is called")


# ---- actions


def _ordered(sentence: Sentence, known: Known) -> Checked:
    assert sentence.verb is not None
    options: dict[str, Option] = {
        each.slot.name: value_of(each.slot.argument, each.token.text)
        for each in sentence.given
        if each.slot.argument is not None
    }
    targets, models, on = (tuple(dict.fromkeys(sentence.values(name))) for name in ("targets", "models", ON))
    wish = Wish(BY_ID[sentence.verb.action], targets, models, on, options)
    try:
        return Checked(sentence, None, tuple(orders(wish, known.config, known.fleet)))
    except UsageError as error:
        text = ". ".join(part for part in (error.message, error.hint) if part)
        return Checked(sentence, _placed(text, error.message, sentence.given))


def _placed(text: str, message: str, given: Iterable[Given]) -> Wrong:
    """The complaint at the word that it names; else at the end."""
    words = list(given)
    named = [each.token for each in words if each.token.text and each.token.text in message]
    quoted = [token for token in named if repr(token.text) in message]
    at = (quoted or named or [words[-1].token] if words else [None])[0]
    return Wrong(text, at.start, at.end) if at is not None else Wrong(text, 0, 0)


def asked(wanted: Sequence[Wanted], known: Known) -> list[Asking]:
    """What each order needs before it is carried out."""
    return [asks(known.config, each.order, view=each.view, read_only=known.read_only) for each in wanted]


def in_words(found: Checked, known: Known) -> tuple[str, str]:
    """What Enter does, and what it asks before: ("Unload llama3 on box", "asks first")."""
    verb = found.sentence.verb
    if verb is None:
        return "", ""
    if not verb.action:
        return f"{verb.name} {' '.join(each.token.text for each in found.sentence.given)}".strip(), verb.help
    action = BY_ID[verb.action]
    about = found.wanted[0].order.about if len(found.wanted) == 1 else f"{len(found.wanted)} of them"
    needs = asked(found.wanted, known)
    refused = next((each.refused for each in needs if each.refused), "")
    if refused:
        return f"{action.label} {about}", refused
    if any(each.needs == "name" for each in needs):
        return f"{action.label} {about}", "protected: asks for its name"
    return f"{action.label} {about}", "asks first" if any(each.needs == "yes" for each in needs) else ""
