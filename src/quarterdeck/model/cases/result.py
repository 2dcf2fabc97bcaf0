"""What came of a run: each answer's verdict and numbers, and what they add up to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from quarterdeck.model.cases.verdict import Finding, Verdict
from quarterdeck.model.chat.answer import Circumstances
from quarterdeck.model.chat.fairness import Spread, spread

if TYPE_CHECKING:
    from quarterdeck.model.cases.case import Case

N = TypeVar("N", int, float)


_NOTHING_KNOWN = Circumstances()


class Target(NamedTuple):
    """A model of an endpoint."""

    endpoint: str
    model: str

    @property
    def label(self) -> str:
        """As it is typed: MODEL@ENDPOINT."""
        return f"{self.model}@{self.endpoint}"


class Pair(NamedTuple):
    """One case put to one model, once."""

    id: str
    """A hash of all that is asked and expected, of whom, and of which time it is."""
    case: int
    """Its place in the run."""
    target: int
    repeat: int
    """0, 1, …"""


@dataclass(frozen=True, slots=True)
class Result:
    """One pair, answered. Times in seconds."""

    verdict: Verdict
    reason: str = ""
    """Why not "pass"; without text of case or answer."""
    detail: str = ""
    """The server's own words, which may quote the prompt."""
    findings: tuple[Finding, ...] = ()
    ending: str = "done"
    """A word of `quarterdeck.model.chat.answer.Ending`."""
    finish: str | None = None
    ttft_s: float | None = None
    total_s: float | None = None
    decode_tps: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    """US dollars."""
    cost_source: str = ""
    cold: bool | None = None
    notes: tuple[str, ...] = ()
    circumstances: Circumstances = _NOTHING_KNOWN
    at: float | None = None
    """Unix seconds when it was asked."""
    text: str | None = None
    """The answer, where it may be kept."""
    asked: int = 1
    """How often it was sent: more than once after a break, a retry or a re-run."""

    @property
    def counts(self) -> bool:
        """Whether its times belong in a comparison: it was answered, and not by a model that had to be loaded first."""
        return self.ending == "done" and not self.cold


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run, whole or in part."""

    id: str
    cases: tuple[Case, ...]
    targets: tuple[Target, ...]
    repeat: int
    pairs: tuple[Pair, ...]
    results: Mapping[str, Result]
    """By the id of the pair; what is missing was not answered yet."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What was the same for all, in words and numbers."""
    notes: tuple[str, ...] = ()
    """What has to be known to judge the numbers."""
    begun: float | None = None
    """Unix seconds."""

    def cell(self, case: int, target: int) -> list[Result | None]:
        """The results of one case with one model, one for each time."""
        found = {
            pair.repeat: self.results.get(pair.id) for pair in self.pairs if (pair.case, pair.target) == (case, target)
        }
        return [found.get(time) for time in range(self.repeat)]

    def cells(self) -> dict[tuple[int, int], list[Result | None]]:
        """All of them at once, by case and target."""
        made: dict[tuple[int, int], list[Result | None]] = {}
        for pair in self.pairs:
            row = made.setdefault((pair.case, pair.target), [None] * self.repeat)
            row[pair.repeat] = self.results.get(pair.id)
        return made


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one model over all cases, or of a run over all models."""

    pairs: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    missing: int = 0
    """Not answered yet."""
    cold: int = 0
    """Left out of the spreads."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    unpriced: int = 0
    """Answers whose cost is not known: missing in ``cost``."""
    time_s: float | None = None
    """Of all answers, one after another."""
    ttft: Spread | None = None
    total: Spread | None = None
    decode: Spread | None = None

    @property
    def share(self) -> float | None:
        """Passed of all pairs; an error or what is missing is no pass."""
        return self.passed / self.pairs if self.pairs else None


def sums(results: Sequence[Result | None]) -> Sums:
    """Added up."""
    known = [one for one in results if one is not None]
    counted = [one for one in known if one.counts]
    return Sums(
        pairs=len(results),
        passed=sum(one.verdict is Verdict.PASS for one in known),
        failed=sum(one.verdict is Verdict.FAIL for one in known),
        errors=sum(one.verdict is Verdict.ERROR for one in known),
        missing=len(results) - len(known),
        cold=sum(bool(one.cold) for one in known),
        prompt_tokens=_sum(one.prompt_tokens for one in known),
        output_tokens=_sum(one.output_tokens for one in known),
        cost=_sum(one.cost for one in known),
        unpriced=sum(one.cost is None for one in known),
        time_s=_sum(one.total_s for one in known),
        ttft=spread([one.ttft_s for one in counted if one.ttft_s is not None]),
        total=spread([one.total_s for one in counted if one.total_s is not None]),
        decode=spread([one.decode_tps for one in counted if one.decode_tps is not None]),
    )


def _sum(values: Iterable[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def of_target(run: Comparison, target: int) -> Sums:
    """The sums of one model."""
    return sums([run.results.get(pair.id) for pair in run.pairs if pair.target == target])


def of_all(run: Comparison) -> Sums:
    """The sums of the whole run."""
    return sums([run.results.get(pair.id) for pair in run.pairs])
