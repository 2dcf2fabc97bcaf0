"""The load of an Ollama as its runners tell it: since 0.30 a llama-server for each loaded model, on loopback ports of its machine.

Sources: GET /slots of each, and /metrics where they were started with LLAMA_ARG_ENDPOINT_METRICS=1. Neither loads a model nor keeps
one in memory; a runner that sleeps when it is idle, which Ollama doesn't ask for by itself, is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from quarterdeck.endpoints.llama_pages import LoadPages
from quarterdeck.endpoints.llama_slots import SlotMeter, busy_slots
from quarterdeck.model.models import ModelReading
from quarterdeck.model.ollama import Runner
from quarterdeck.model.reading import EngineReading, Outcome
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target

MOST_RUNNERS = 16
SLEEPS = "it sleeps when it is idle, and being asked would keep it awake"
NO_SLOTS = "it has no /slots (Ollama's own engine has none)"
LOADING = "it is loading its model"


@dataclass(frozen=True, slots=True)
class RunnersLoad:
    """What the runners said. ``engines``: one for each, with ``running`` unknown for those that didn't tell."""

    engines: tuple[EngineReading, ...] = ()
    loading: tuple[str, ...] = ()
    """Names of models that are being loaded."""
    told: int = 0
    """How many engines tell their load."""
    metered: bool = False
    """Whether tokens were counted by watching slots."""
    origin: str = ""
    reason: str = ""
    """Why the first of those that didn't tell didn't."""
    measured_at: float | None = None


@dataclass(slots=True)
class _Known:
    """What is remembered of one runner."""

    pages: LoadPages | None
    """``None`` where it has no metrics."""
    meter: SlotMeter = field(default_factory=SlotMeter)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One runner's answer: a reading (its label still open), or why there is none."""

    runner: Runner
    reading: EngineReading | None = None
    metered: bool = False
    reason: str = ""
    measured_at: float | None = None


class Runners:
    """All runners of one Ollama."""

    def __init__(self, monotonic: Callable[[], float], within: float) -> None:
        """``within``: seconds for one runner's answers together."""
        self._monotonic = monotonic
        self._within = within
        self._known: dict[Runner, _Known] = {}
        self._labels: dict[tuple[int, float], str] = {}

    async def read(self, runners: Sequence[Runner], began: float | None, loaded: Sequence[ModelReading]) -> RunnersLoad:
        """Ask each. ``began``: when the server started; ``loaded``: the models that it says are in memory. Never raises Failure."""
        asked = tuple(runners[:MOST_RUNNERS])
        self._known = {runner: known for runner, known in self._known.items() if runner in asked}
        answers = await asyncio.gather(*(self._ask(runner) for runner in asked))
        loading = [answer.runner for answer in answers if answer.reason == LOADING]
        ready = [answer for answer in answers if answer.reason != LOADING]
        self._labels = labels([answer.runner for answer in ready], loaded, self._labels)
        told = [answer for answer in ready if answer.reading is not None]
        silent = [answer for answer in ready if answer.reading is None]
        times = [answer.measured_at for answer in told if answer.measured_at is not None]
        return RunnersLoad(
            engines=tuple(self._engine(answer, began) for answer in ready),
            loading=tuple(runner.model for runner in loading if runner.model is not None),
            told=len(told),
            metered=any(answer.metered for answer in told),
            origin=_origin(told),
            reason=f"{self._label(silent[0].runner)}: {silent[0].reason}" if silent else "",
            measured_at=max(times, default=None),
        )

    def _label(self, runner: Runner) -> str:
        return self._labels[runner.pid, runner.began]

    def _engine(self, answer: _Answer, began: float | None) -> EngineReading:
        reading = answer.reading or EngineReading()
        # A model that is loaded again counts from 0 again; that is no restart of the server. And who waits, waits in Ollama: a
        # runner gets no more requests than it has slots, so that its own queue is always empty.
        return replace(reading, label=self._label(answer.runner), started=began, waiting=None)

    async def _ask(self, runner: Runner) -> _Answer:
        fetch = Fetch(Target(f"http://127.0.0.1:{runner.port}", timeout=self._within), self._monotonic)
        try:
            async with asyncio.timeout(self._within):
                reading, metered = await self._reading(runner, fetch)
            reason = "" if reading is not None else SLEEPS if runner.may_sleep else NO_SLOTS
            return _Answer(runner, reading, metered, reason, fetch.middle)
        except Failure as failure:
            return _Answer(runner, reason=LOADING if failure.outcome is Outcome.LOADING else failure.reason)
        except TimeoutError:
            return _Answer(runner, reason=f"no answer in {self._within:g} s (it may be reading a long prompt)")
        finally:
            await fetch.close()

    async def _reading(self, runner: Runner, fetch: Fetch) -> tuple[EngineReading | None, bool]:
        """Its load, and whether tokens were counted here. Nothing where it doesn't tell or isn't to be asked."""
        known = self._known.get(runner)
        if known is None:
            known = _Known(LoadPages(fetch))
        if known.pages is not None:
            known.pages.fetch = fetch
            reading = await known.pages.read("")
            if reading is None:
                known.pages = None
            self._known[runner] = known
            if reading is not None:
                return reading, False
        answer = await fetch.optional("/slots") if not runner.may_sleep else None
        slots = busy_slots(answer.json()) if answer is not None else None
        if slots is None:
            return None, False
        known.meter.look(slots)
        return _metered(known.meter, len(slots)), True


def _metered(meter: SlotMeter, running: int) -> EngineReading:
    return EngineReading(
        running=running,
        generation_tokens=meter.generated,
        prompt_tokens=meter.prompted,
        cached_tokens=meter.cached,
        cached_apart=True,
        steps=float(meter.begun),
    )


def _origin(told: Sequence[_Answer]) -> str:
    """Where the numbers come from: "/slots of its runner on port 41234"."""
    pages = sorted({"/slots" if answer.metered else "/metrics" for answer in told})
    ports = [str(answer.runner.port) for answer in told]
    which = f"runner on port {ports[0]}" if len(ports) == 1 else f"runners on ports {', '.join(ports)}"
    return f"{' and '.join(pages)} of its {which}" if told else ""


def labels(
    runners: Sequence[Runner], loaded: Iterable[ModelReading], known: dict[tuple[int, float], str]
) -> dict[tuple[int, float], str]:
    """Each runner's label: its model's name where that can be told, else "runner PID".

    By the model's files, by what it was called before, by elimination, or by a context length that only one of them has.
    """
    free = {model.id: model.context_length for model in loaded}
    found: dict[tuple[int, float], str] = {}
    rest: list[Runner] = []
    for runner in runners:
        name = runner.model or known.get((runner.pid, runner.began))
        if name in free:
            found[runner.pid, runner.began] = name
            del free[name]
        else:
            rest.append(runner)
    for runner in _by_context(rest, free, found):
        taken = runner.model is None or runner.model in found.values()  # one that goes while the next comes
        found[runner.pid, runner.began] = f"runner {runner.pid}" if taken else runner.model or ""
    return found


def _by_context(rest: list[Runner], free: dict[str, int | None], found: dict[tuple[int, float], str]) -> list[Runner]:
    """Gives names to those that only one name fits; returns the others."""
    contexts = [runner.context for runner in rest]
    for runner in list(rest):
        fitting = [name for name, context in free.items() if context is not None and context == runner.context]
        if runner.model is None and len(fitting) == 1 and contexts.count(runner.context) == 1:
            found[runner.pid, runner.began] = fitting[0]
            del free[fitting[0]]
            rest.remove(runner)
    if len(rest) == 1 and len(free) == 1 and rest[0].model is None:
        found[rest[0].pid, rest[0].began] = next(iter(free))
        rest = []
    return rest
