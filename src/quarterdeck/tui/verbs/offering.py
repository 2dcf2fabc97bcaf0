"""What the palette offers while no verb is complete, and what it says of the word that comes next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from quarterdeck.tui.screens.palette import Entry, found
from quarterdeck.tui.verbs.checking import Checked, in_words
from quarterdeck.tui.verbs.completing import candidates
from quarterdeck.tui.verbs.known import Known
from quarterdeck.tui.verbs.reading import Sentence, Wrong, verb_of
from quarterdeck.tui.verbs.table import Verb

Submit = Callable[[str], None]


def worded(line: str, entries: Sequence[Entry], verbs: Sequence[Verb], *, acts: bool, submit: Submit) -> list[Entry]:
    """Entries that have the words of ``line``; those of a verb that is typed in full, and what begins like it, on top.

    ``acts``: whether something is selected that a verb without a word behind it would be done to.
    """
    kept = found(entries, line)
    words = line.casefold().split()
    if not words:
        return kept
    exact = verb_of(words, verbs) if len(words) <= 2 else None
    if exact is not None and tuple(words) not in (exact.words, *((alias,) for alias in exact.aliases)):
        exact = None
    usages = [_usage(verb) for verb in verbs if verb.slots and _begins(verb, line.casefold())]
    if exact is None:
        split = sum(entry.label.casefold().startswith(words[0]) for entry in kept)
        return [*kept[:split], *usages, *kept[split:]]
    own = [] if exact.action else [entry for entry in entries if entry.label == exact.label]
    if not own and not exact.slots:
        own = [Entry(exact.name, exact.help, partial(submit, exact.name))]
    usages.sort(key=lambda entry: entry.insert != exact.name)
    if exact.needed and exact.action and not acts:
        return [*usages, *kept]
    rest = [entry for entry in kept if entry not in own]
    split = sum(entry.label.casefold() == exact.name for entry in rest)
    return [*own, *rest[:split], *usages, *rest[split:]]


def _begins(verb: Verb, typed: str) -> bool:
    return verb.name.startswith(typed.strip()) or typed.strip() in verb.aliases


def _usage(verb: Verb) -> Entry:
    return Entry(verb.usage, verb.help, _put_in, verb.name)


def _put_in() -> None:
    """It is put into the line."""


def behind(sentence: Sentence, checked: Checked, known: Known, submit: Submit) -> list[Entry]:
    """What may come next behind a verb; the line itself on top, where it can be run."""
    entries: list[Entry] = []
    themed = sentence.expects is not None and sentence.expects.kind == "theme"
    if checked.wrong is None:
        label, aside = in_words(checked, known)
        entries.append(Entry(f"▸ {label}", aside, partial(submit, sentence.line)))
    for each in candidates(sentence, known):
        seen = each.text if themed else ""
        told = each.reason or each.aside
        entries.append(Entry(each.text, told, _put_in, each.inserted, bool(each.reason), seen))
    return entries


def is_done(wrong: Wrong, sentence: Sentence) -> bool:
    """Whether a complaint is of a word that is done, and not of what is still being typed."""
    return wrong.start < wrong.end <= sentence.partial.start and wrong.end <= len(sentence.line.rstrip())


def is_meant(entries: Sequence[Entry], sentence: Sentence) -> bool:
    """Whether Enter takes the first entry in place of what is typed: of an action, only what begins like it."""
    typed, verb = sentence.partial.text.casefold(), sentence.verb
    if not typed or not entries or entries[0].faint:
        return False
    return (verb is not None and not verb.action) or entries[0].label.casefold().startswith(typed)


_IN_WORDS = {
    "model": "a model that is there",
    "endpoint": "an endpoint",
    "deployment": "a [[deployment]] of fleet.toml",
}


def in_reach(sentence: Sentence, *, runs: bool) -> str:
    """What may come next; ``runs``: whether Enter runs the line as it stands."""
    parts = ["Enter runs it"] if runs else []
    slot = sentence.expects
    if slot is not None and runs and not sentence.partial.text and slot.many:
        parts.append(f"another {slot.shown}, or an option")
    elif slot is not None:
        parts.append(f"{slot.shown}: {_IN_WORDS.get(slot.kind, slot.help)}")
    elif sentence.options:
        parts.append("an option")
    return "; ".join(parts)
