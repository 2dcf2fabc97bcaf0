"""Prometheus text pages from a template: names, help and labels are laid out once, a render only fills in values."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def number(value: float) -> str:
    """A value as Python's Prometheus client writes it: ``3.0``, ``1.79e+09`` from a million on, ``+Inf``."""
    if value == math.inf:
        return "+Inf"
    text = repr(float(value))
    if value < 1e6 or "e" in text:
        return text
    whole, _, rest = text.partition(".")
    digits = f"{whole[1:]}{rest}".rstrip("0")
    return f"{whole[0]}.{digits}e+{len(whole) - 1:02d}" if digits else f"{whole[0]}e+{len(whole) - 1:02d}"


def labels(*pairs: tuple[str, str]) -> str:
    """``{a="x",b="y"}`` in order of the names, as the client writes them; "" without pairs."""
    if not pairs:
        return ""
    escaped = (f'{name}="{_escape(value)}"' for name, value in sorted(pairs))
    return "{" + ",".join(escaped) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


@dataclass(frozen=True, slots=True)
class _Line:
    head: int
    """Index of the HELP and TYPE lines it stands under."""
    sample: str
    text: str
    """Name and labels; for a constant, with the value."""
    slot: int
    """Which of the values passed to ``render``; -1 = constant."""


class Template:
    """A page being laid out, then rendered any number of times."""

    def __init__(self) -> None:
        self._heads: list[str] = []
        self._lines: list[_Line] = []
        self._plans: dict[frozenset[str] | None, tuple[list[str], list[int]]] = {}
        self._slots = 0

    def family(self, name: str, kind: str, text: str) -> None:
        """Begin a family; the samples that follow belong to it."""
        self._heads.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n")

    def slot(self, name: str, labelled: str = "") -> None:
        """A sample whose value comes with each render, in the order in which slots were made."""
        self._lines.append(_Line(len(self._heads) - 1, name, f"{name}{labelled} ", self._slots))
        self._slots += 1

    def constant(self, name: str, labelled: str, value: float) -> None:
        """A sample that never changes."""
        self._lines.append(_Line(len(self._heads) - 1, name, f"{name}{labelled} {number(value)}\n", -1))

    def render(self, values: Sequence[float], names: Collection[str] = ()) -> bytes:
        """The page; with ``names`` only the samples called so (``?name[]=``)."""
        texts, slots = self._plan(frozenset(names) if names else None)
        parts = [texts[0]]
        for slot, text in zip(slots, texts[1:], strict=True):
            parts.append(number(values[slot]))
            parts.append(text)
        return "".join(parts).encode()

    def _plan(self, names: frozenset[str] | None) -> tuple[list[str], list[int]]:
        """Fixed texts and, between each two of them, the slot whose value goes there."""
        known = self._plans.get(names)
        if known is not None:
            return known
        texts, slots, head, text = [], [], -1, ""
        lines = [line for line in self._lines if names is None or line.sample in names]
        for line in lines:
            if line.head != head:
                head = line.head
                text += self._heads[head]
            text += line.text
            if line.slot >= 0:
                texts.append(text)
                slots.append(line.slot)
                text = "\n"
        plan = ([*texts, text], slots)
        if len(self._plans) < 32:  # whoever asks for ever new sets of names fills no memory
            self._plans[names] = plan
        return plan
