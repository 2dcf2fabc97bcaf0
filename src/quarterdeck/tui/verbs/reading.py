"""What a typed line says: the verb, what each word behind it is, what is wrong and where, what may come next. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.model.phrasing import Slot
from quarterdeck.tui.verbs.lexing import Token, ended, tokens
from quarterdeck.tui.verbs.table import Verb


class Given(NamedTuple):
    """A value, and what it is for."""

    slot: Slot
    token: Token


class Wrong(NamedTuple):
    """What is wrong, in words, and where it stands in the line."""

    text: str
    start: int
    end: int


class Sentence(NamedTuple):
    """A line that was read. ``verb`` is ``None`` where it begins with none."""

    line: str
    verb: Verb | None = None
    given: tuple[Given, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    """What can't be right whatever is typed next."""
    missing: tuple[Slot, ...] = ()
    """What must still be said; an option whose value is missing, too."""
    expects: Slot | None = None
    """What the word at the end of the line is the value of …"""
    options: tuple[Slot, ...] = ()
    """… or which options it may be."""
    partial: Token = Token("", 0, 0)
    """The word at the end, as far as it is typed."""

    @property
    def behind(self) -> bool:
        """Whether something behind the verb is being said."""
        return self.verb is not None and (bool(self.given or self.wrong) or self.line[-1:].isspace())

    def values(self, name: str) -> list[str]:
        """What was given for a slot."""
        return [each.token.text for each in self.given if each.slot.name == name]


def verb_of(words: Sequence[str], verbs: Sequence[Verb]) -> Verb | None:
    """The verb that a line begins with: the longest."""
    spoken = tuple(word.casefold() for word in words[:2])
    for length in (2, 1):
        for verb in verbs:
            if len(verb.words) == length and spoken[:length] == verb.words:
                return verb
    return next((verb for verb in verbs if spoken[:1] and spoken[0] in verb.aliases), None)


def read(line: str, verbs: Sequence[Verb]) -> Sentence:
    """What a line says."""
    words = tokens(line)
    partial = Token("", len(line), len(line)) if ended(line) else words[-1]
    verb = verb_of([each.text for each in words], verbs)
    if verb is None:
        return Sentence(line, partial=partial)
    length = len(verb.words) if words[0].text.casefold() not in verb.aliases else 1
    behind = words[length:]
    if verb.rest:
        return _rest(line, verb, behind, partial)
    sayings = _Sayings(verb, partial)
    for each in behind:
        sayings.take(each)
    return sayings.told(line)


def _rest(line: str, verb: Verb, behind: Sequence[Token], partial: Token) -> Sentence:
    """All that stands behind it is one text, as it was typed."""
    given: tuple[Given, ...] = ()
    if behind:
        start, text = behind[0].start, line[behind[0].start :].strip()
        given = (Given(verb.slots[0], Token(text, start, start + len(text))),)
    return Sentence(line, verb, given, expects=verb.slots[0], partial=partial)


class _Sayings:
    """Takes the words behind a verb, one after the other."""

    def __init__(self, verb: Verb, partial: Token) -> None:
        self._verb = verb
        self._partial = partial
        self._words = [slot for slot in verb.slots if not slot.option]
        self._options = {slot.option: slot for slot in verb.slots if slot.option}
        self._given: list[Given] = []
        self._wrong: list[Wrong] = []
        self._open: Slot | None = None
        """An option that waits for its value."""
        self._at: Slot | None = None
        """What the word at the end is the value of."""
        self._named = False
        """Whether it is the beginning of an option."""

    def take(self, token: Token) -> None:
        """The next word."""
        last = token is self._partial
        if self._open is not None:
            slot, self._open = self._open, None
            self._give(slot, token, last=last)
        elif token.text.startswith("--") and not token.quote:
            self._option(token, last=last)
        else:
            slot_of = self._next_word()
            if slot_of is not None:
                self._give(slot_of, token, last=last)
            elif last and token.text == "-":
                self._named = True
            else:
                self._wrong.append(Wrong(f"nothing can be made of {token.text!r} here", token.start, token.end))

    def _give(self, slot: Slot, token: Token, *, last: bool) -> None:
        self._given.append(Given(slot, token))
        if last:
            self._at = slot

    def _next_word(self) -> Slot | None:
        """What a word without an option is for."""
        for slot in self._words:
            if slot.many or not any(each.slot is slot for each in self._given):
                return slot
        return None

    def _option(self, token: Token, *, last: bool) -> None:
        name, equals, value = token.text.partition("=")
        slot = self._options.get(name)
        if slot is not None and equals:
            start = token.start + len(name) + 1
            inner = Token(value, start, token.end)
            self._given.append(Given(slot, inner))
            if last:
                self._at, self._partial = slot, inner
        elif slot is not None and not last:
            self._open = slot
        elif last and not equals:
            self._named, self._open = True, slot
        else:
            near = difflib.get_close_matches(name, self._options, 1, 0.5)
            known = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(self._options)}"
            text = f"there is no option {name}"
            self._wrong.append(Wrong(text + (known if self._options else ""), token.start, token.end))

    def _free(self) -> tuple[Slot, ...]:
        """Options that may still be given."""
        used = {each.slot.name for each in self._given if not each.slot.many}
        return tuple(slot for slot in self._options.values() if slot.name not in used)

    def told(self, line: str) -> Sentence:
        """What the line says."""
        named = {each.slot.name for each in self._given}
        missing = [slot for slot in self._verb.slots if slot.required and slot.name not in named]
        expects, options = self._at, self._free() if self._named else ()
        if self._open is not None:
            missing.append(self._open)
        if expects is None and not self._named:
            expects = self._open or self._next_word()
            options = () if self._open is not None else self._free()
        given, wrong = tuple(self._given), tuple(self._wrong)
        return Sentence(line, self._verb, given, wrong, tuple(missing), expects, options, self._partial)
