"""Which models a simulated Ollama has in memory, and until when. Times are seconds of the simulation's clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from quarterdeck.demo.ollama_models import OllamaModel

KEEP_S = 300.0
CONTEXT = 32_768
"""Tokens that a model gets where nobody asks for another number (OLLAMA_CONTEXT_LENGTH)."""
READ_BYTES_S = 2.4e9
"""Bytes of weights read per second while a model loads."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+)(h|ms|m|s|us|µs|ns)")


@dataclass(slots=True)
class Resident:
    """One model in memory, or on its way there."""

    model: OllamaModel
    ready_at: float
    vram: int
    """Bytes on the GPU; the rest of ``model.resident`` is in the machine's memory."""
    keep_s: float = KEEP_S
    expires_at: float = 0.0
    active: int = 0
    """Requests it is working on."""
    context: int = CONTEXT
    """Tokens."""


class Residency:
    """The models in memory. Only idle ones are evicted, the one due next first."""

    def __init__(self, vram_bytes: int) -> None:
        self._capacity = vram_bytes
        self._models: dict[str, Resident] = {}
        self._loader_free = 0.0

    def begin(self, model: OllamaModel, keep_s: float, now: float, context: int | None = None) -> Resident:
        """A request wants ``model``: loads it if needed (it can be used from ``ready_at``) and holds it.

        One that is idle with another ``context`` than is asked for (``None``: the usual one) is loaded again.
        """
        self.expire(now)
        entry = self._models.get(model.name)
        wanted = context_of(model, context)
        if entry is not None and entry.context != wanted and not entry.active:
            del self._models[model.name]
            entry = None
        if entry is None:
            vram = self._make_room(model.resident)
            self._loader_free = max(now, self._loader_free) + 0.4 + model.size / READ_BYTES_S
            entry = self._models[model.name] = Resident(model, self._loader_free, vram, context=wanted)
        entry.keep_s = keep_s
        entry.active += 1
        return entry

    def end(self, entry: Resident, now: float) -> None:
        """That request is done; the idle time starts again."""
        entry.active -= 1
        entry.expires_at = max(now, entry.ready_at) + entry.keep_s
        self.expire(now)

    def unload(self, name: str, now: float) -> None:
        """Take a model out as soon as it is idle."""
        entry = self._models.get(name)
        if entry is not None:
            entry.keep_s, entry.expires_at = 0.0, now
            self.expire(now)

    def expire(self, now: float) -> None:
        """Drop what has been idle for too long."""
        for name, entry in tuple(self._models.items()):
            if not entry.active and entry.expires_at <= now:
                del self._models[name]

    def listed(self, now: float) -> list[Resident]:
        """What /api/ps shows: the loaded ones, the last to expire first. A model still loading is not listed."""
        self.expire(now)
        ready = [entry for entry in self._models.values() if entry.ready_at <= now]
        return sorted(ready, key=lambda entry: -entry.expires_at)

    def context(self, name: str) -> int | None:
        """Tokens of context of a model in memory."""
        entry = self._models.get(name)
        return None if entry is None else entry.context

    def holds(self, name: str) -> bool:
        """Whether a model is in memory or loading."""
        return name in self._models

    @property
    def resident(self) -> list[Resident]:
        """Everything in memory, what still loads among it, the oldest first."""
        return list(self._models.values())

    @property
    def vram_used(self) -> int:
        """Bytes on the GPU."""
        return sum(entry.vram for entry in self._models.values())

    def _make_room(self, need: int) -> int:
        idle = sorted((e for e in self._models.values() if not e.active), key=lambda e: e.expires_at)
        while idle and self._capacity - self.vram_used < need:
            del self._models[idle.pop(0).model.name]
        return max(0, min(need, self._capacity - self.vram_used))


def context_of(model: OllamaModel, asked: int | None) -> int:
    """Tokens of context that ``model`` is loaded with: never more than it was made for."""
    return min(model.context, asked or CONTEXT)


def keep_alive_s(value: object) -> float:
    """A request's ``keep_alive`` in seconds: a number, or a Go duration; negative = for ever, ``None`` = the default.

    Raises ``ValueError`` for anything else.
    """
    if value is None:
        return KEEP_S
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"invalid keep_alive {value!r}")  # noqa: TRY004 (one kind of error for every wrong value)
    seconds = _duration_s(value) if isinstance(value, str) else float(value)
    return math.inf if seconds < 0 else seconds


def _duration_s(text: str) -> float:
    body = text.lstrip("+-")
    parts = _DURATION.findall(body)
    if body != "0" and (not parts or "".join(a + b for a, b in parts) != body):
        raise ValueError(f'time: invalid duration "{text}"')
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    return -seconds if text.startswith("-") else seconds
