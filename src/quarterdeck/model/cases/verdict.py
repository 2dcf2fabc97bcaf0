"""What came of holding an answer against its case. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Of one answer."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    """It was answered, and is not as expected."""
    ERROR = "error"
    """It was not answered, or can't be judged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one assertion."""

    label: str
    """ "not-contains"."""
    passed: bool | None
    """``None``: it can't be told."""
    reason: str = ""
    """Never with text of the case or the answer: it may be kept where texts may not."""
    detail: str = ""
    """The same with what was expected and found."""
    score: float | None = None
    """Where there is more than yes or no (python)."""
    weight: float = 1.0

    @property
    def words(self) -> str:
        """All that is known of why."""
        return " – ".join(part for part in (self.reason, self.detail) if part)


@dataclass(frozen=True, slots=True)
class Judged:
    """Of all assertions of a case."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """Why not "pass"; never with text of the case or the answer."""


def conclude(findings: Sequence[Finding], threshold: float | None = None) -> Judged:
    """All must hold; with a threshold, the weighted share of those that do. What has weight 0 fails nothing."""
    found = tuple(findings)
    counted = [one for one in found if one.weight > 0]
    unknown = next((one for one in counted if one.passed is None), None)
    if unknown is not None:
        return Judged(Verdict.ERROR, found, f"{unknown.label}: {unknown.reason}")
    if threshold is not None:
        weights = sum(one.weight for one in counted)
        score = sum(_score(one) * one.weight for one in counted) / weights if weights else 0.0
        if not found or score >= threshold:
            return Judged(Verdict.PASS, found)
        return Judged(Verdict.FAIL, found, f"score {score:.2f} is below {threshold:g}")
    failed = next((one for one in counted if not one.passed), None)
    if failed is None:
        return Judged(Verdict.PASS, found)
    return Judged(Verdict.FAIL, found, f"{failed.label}: {failed.reason}")


def _score(finding: Finding) -> float:
    return finding.score if finding.score is not None else float(bool(finding.passed))
