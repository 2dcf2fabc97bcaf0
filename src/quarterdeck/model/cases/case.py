"""A case: what is asked, and what is expected of the answer. Templates are filled in already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.model.chat.request import Message

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
_NOTHING: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Assertion:
    """One expectation."""

    kind: str
    """Without "not-": "contains", "regex", …; `quarterdeck.model.cases.assertions` has the table."""
    value: Json = None
    inverse: bool = False
    threshold: float | None = None
    """latency: ms; cost: US dollars; number: the tolerance; python: the least score."""
    weight: float = 1.0
    """0: it is told, but fails nothing."""
    metric: str = ""
    """A name for people."""
    relative: bool = False
    """number: whether ``threshold`` is a share of ``value``."""

    @property
    def label(self) -> str:
        """As it is written in a case file."""
        return f"not-{self.kind}" if self.inverse else self.kind

    @property
    def words(self) -> str:
        """With its value, for people; quotes the case file."""
        value = "" if self.value is None else json.dumps(self.value, ensure_ascii=False)
        limit = "" if self.threshold is None else f"({self.threshold:g}{' relative' if self.relative else ''})"
        return " ".join(part for part in (self.label + limit, value) if part)


@dataclass(frozen=True, slots=True)
class Case:
    """One case."""

    id: str
    """Unique in a run; the file's own, or made of its place there: never of its text."""
    messages: tuple[Message, ...]
    assertions: tuple[Assertion, ...] = ()
    description: str = ""
    threshold: float | None = None
    """The least weighted share of assertions that must hold; ``None`` = all."""
    where: str = ""
    """ "cases.yaml:12"."""
    variables: Mapping[str, Json] = field(default_factory=lambda: _NOTHING)
    files: tuple[str, ...] = ()
    """Resolved paths of the files its text comes from: what ``[policy] paths`` is held against."""

    def digest(self, salt: str) -> str:
        """A hash of all that is asked and expected."""
        told = {
            "id": self.id,
            "messages": [[message.role.value, message.text] for message in self.messages],
            "assertions": [[a.kind, a.value, a.inverse, a.threshold, a.weight, a.relative] for a in self.assertions],
            "threshold": self.threshold,
            "variables": dict(self.variables),
        }
        return digest(told, salt)


@dataclass(frozen=True, slots=True)
class Suite:
    """What was read of case files."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    """What was left aside: the providers of a promptfoo file, say."""
    files: tuple[str, ...] = ()
    """Resolved paths of all files that were read."""


def digest(value: object, salt: str) -> str:
    """A hash of JSON values, the same on every machine."""
    text = salt + "\0" + json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
