"""What may come next in a typed line, the likeliest first, with a word on each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from quarterdeck.engine.meant import models_of
from quarterdeck.format import printable, size
from quarterdeck.model.actions import BY_ID, Action, On
from quarterdeck.model.capability import why_not
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.phrasing import ON, Slot
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.states import look
from quarterdeck.tui.verbs.known import Known, Name
from quarterdeck.tui.verbs.lexing import quoted
from quarterdeck.tui.verbs.reading import Sentence

MOST = 300
_INTERVALS = ("1s", "2s", "5s", "10s", "30s")


class Candidate(NamedTuple):
    """Something that may come next."""

    text: str
    """As it is shown."""
    aside: str = ""
    insert: str = ""
    """What takes the place of the word at the end; "" = ``text``, quoted where it must be."""
    reason: str = ""
    """Why it can't be meant; such come last."""

    @property
    def inserted(self) -> str:
        """What is put into the line."""
        return self.insert or quoted(self.text)


def candidates(sentence: Sentence, known: Known) -> list[Candidate]:
    """What the word at the end of the line may become."""
    if sentence.verb is None:
        return []
    found: list[Candidate] = []
    if sentence.verb.rest:
        return _fitting(_fields(sentence, known), sentence.partial.text)
    typed = sentence.partial.text
    if sentence.expects is not None:
        found += _fitting(_of(sentence.expects, sentence, known), typed)
    options = sentence.options
    if not typed and not sentence.missing and any(slot.name == ON for slot in options):
        found += _places(sentence, known)  # all else that is needed was said: the option and its value in one go
        options = tuple(slot for slot in options if slot.name != ON)
    found += _fitting((Candidate(slot.option, slot.help, slot.option) for slot in options), typed)
    return sorted(found, key=lambda each: bool(each.reason))[:MOST]


def _fitting(found: Iterable[Candidate], typed: str) -> list[Candidate]:
    """Those that begin with what is typed, then those that have it elsewhere; what can't be meant last."""
    wanted = typed.casefold()
    kept: dict[str, Candidate] = {}
    for each in found:
        if wanted in each.text.casefold() and each.text.isprintable():  # what isn't can't be typed either
            kept.setdefault(each.text, each)
    return sorted(kept.values(), key=lambda each: (bool(each.reason), not each.text.casefold().startswith(wanted)))


def _of(slot: Slot, sentence: Sentence, known: Known) -> Iterator[Candidate]:
    """All that a slot may be."""
    verb = sentence.verb
    action = BY_ID[verb.action] if verb is not None and verb.action else None
    if slot.kind == "endpoint":
        yield from _endpoints(action, sentence, known)
    elif slot.kind == "model" and action is not None:
        yield from _models(action, sentence, known)
    elif slot.kind == "new-model":
        yield from _anywhere(known)
    elif slot.kind == "deployment":
        for spec in known.config.deployments:
            yield Candidate(spec.name, _state_of(spec.endpoint, known))
    elif slot.kind in ("place", "target"):
        yield from _pages(known, endpoints=slot.kind == "place")
    else:
        yield from _values(slot, known)


def _values(slot: Slot, known: Known) -> Iterator[Candidate]:
    """What needs no fleet."""
    names: dict[str, Iterable[Name]] = {
        "theme": known.themes,
        "order": known.orders,
        "time": (Name(each, "") for each in _INTERVALS),
    }
    for name in names.get(slot.kind, ()):
        yield Candidate(name.text, name.aside)
    argument = slot.argument
    if argument is not None:
        for each in argument.choices or ((argument.example,) if argument.example else ()):
            yield Candidate(each, argument.help if argument.choices else f"for example. {argument.help}")


def _fields(sentence: Sentence, known: Known) -> Iterator[Candidate]:
    """Fields of the filter: as a word to go on from."""
    sign = "!" if sentence.partial.text.startswith("!") else ""
    for each in known.fields:
        yield Candidate(f"{sign}{each.text}:", each.aside, f"{sign}{each.text}:")


# ---- the fleet


def _state_of(endpoint: str, known: Known) -> str:
    view = next((view for view in known.fleet.endpoints if view.name == endpoint), None)
    return look(view.state).word if view is not None else ""


def _endpoints(action: Action | None, sentence: Sentence, known: Known) -> Iterator[Candidate]:
    """Endpoints that can; those that can't with the reason."""
    given = [*sentence.values(ON), *sentence.values("targets")]
    named = set(given[:-1] if sentence.partial.text in given else given)
    wanted = sentence.values("models")
    for view in known.views:
        if view.name in named:
            continue
        reason = _why_not(action, view, wanted) if action is not None else ""
        told = f"{look(view.state).word} · {printable(view.engine or '', 20)}".strip(" ·")
        yield Candidate(view.name, reason or told, reason=reason)


def _why_not(action: Action, view: EndpointView, wanted: Iterable[str]) -> str:
    """Why it can't be done there, to the models that are named."""
    if action.on is not On.MODEL:
        return why_not(action, view, None)
    for name in wanted:
        model = model_of(name, view)
        if model is None:
            return why_not(action, view, None) or f"has no {name}"
        if reason := why_not(action, view, model):
            return reason
    return why_not(action, view, None)


def model_of(name: str, view: EndpointView) -> ModelReading | None:
    """The model of that name; of several that are shown so, the first."""
    return next(iter(models_of(name, view)), None)


def _models(action: Action, sentence: Sentence, known: Known) -> Iterator[Candidate]:
    """Models to which it can be done, with where they are; the others with the reason."""
    on = sentence.values(ON)
    given = sentence.values("models")
    named = set(given[:-1] if sentence.partial.text in given else given)
    able: dict[str, list[tuple[EndpointView, ModelReading]]] = {}
    unable: dict[str, str] = {}
    for view in known.views:
        models = view.models if not on or view.name in on else ()
        shown = Counter(model.label for model in models)
        for model in models:
            told = model.label if shown[model.label] == 1 else model.id
            reason = why_not(action, view, model)
            if reason:
                unable.setdefault(told, reason)
            else:
                able.setdefault(told, []).append((view, model))
    for label, places in able.items():
        if label not in named:
            yield Candidate(label, _where(places))
    for label, reason in unable.items():
        if label not in able and label not in named:
            yield Candidate(label, reason, reason=reason)


def _where(places: list[tuple[EndpointView, ModelReading]]) -> str:
    """ "ready · 19 GiB on box", "on box and mac"."""
    if len(places) > 1:
        return f"on {', '.join(printable(view.name, 30) for view, _ in places[:4])}"
    view, model = places[0]
    told = model_look(model.state).word + (f" · {size(model.size_bytes)}" if model.size_bytes is not None else "")
    return f"{told} on {printable(view.name, 30)}"


def _anywhere(known: Known) -> Iterator[Candidate]:
    """Names of models that somebody has: to be had elsewhere, too. Adapters and files are not downloaded by name."""
    for view in known.views:
        for model in view.models:
            if model.parent is None and model.label == model.id:
                yield Candidate(model.id, f"on {printable(view.name, 30)}")


def _places(sentence: Sentence, known: Known) -> Iterator[Candidate]:
    """--on with each endpoint that can."""
    verb = sentence.verb
    if verb is None or not verb.action:
        return
    for each in _endpoints(BY_ID[verb.action], sentence, known):
        if not each.reason:
            yield Candidate(f"--on {each.text}", each.aside, f"--on {quoted(each.text)}")


def _pages(known: Known, *, endpoints: bool) -> Iterator[Candidate]:
    """What has a page: endpoints, and models of them; what can be asked is there or can be loaded."""
    for view in known.views if endpoints else ():
        yield Candidate(view.name, look(view.state).word)
    for view in known.views:
        for model in view.models:
            if endpoints or model.state is not ModelState.FAILED:
                yield Candidate(f"{model.id}@{view.name}", model_look(model.state).word)
