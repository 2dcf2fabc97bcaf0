"""What every form of the report says of a cell and of a model, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.format import DASH, count, duration, printable, rate
from quarterdeck.model.cases.result import Comparison, Result, Sums, of_target
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.model.chat.answer import Circumstances
from quarterdeck.model.chat.fairness import Spread

MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.ERROR: "!"}
MEANINGS = {
    Verdict.PASS: "It was answered as expected.",
    Verdict.FAIL: "It was answered, and not as expected.",
    Verdict.ERROR: "It was not answered, or can't be judged.",
}
COLUMNS = ("model", "passed", "failed", "errors", "not asked", "TTFT", "time", "tok/s", "cold", "tokens", "cost")
COLUMN_MEANINGS = {
    "model": "The model and its endpoint.",
    "passed": "Answers as expected, of all that were asked for.",
    "failed": "Answers that are not as expected.",
    "errors": "What was not answered, or can't be judged.",
    "not asked": "What is still missing.",
    "TTFT": "Time to the first token: the median, and from where to where the middle half lies; without cold starts.",
    "time": "The same of whole answers.",
    "tok/s": "The same of tokens a second, from the first token to the last.",
    "cold": "How often the model had to be loaded first.",
    "tokens": "Of all prompts, and of all answers.",
    "cost": "US dollars for all answers; unknown: answers without a price.",
}


def mark(results: Sequence[Result | None]) -> str:
    """ "✓", "✗", "!", "–" where nothing was answered; "2/3" where it was asked several times and not all passed."""
    if len(results) == 1:
        return DASH if results[0] is None else MARKS[results[0].verdict]
    passed = sum(one is not None and one.verdict is Verdict.PASS for one in results)
    if passed == len(results):
        return f"✓ {passed}/{passed}"
    known = [one for one in results if one is not None]
    if not known:
        return DASH
    return f"{'✗' if any(one.verdict is Verdict.FAIL for one in known) else '!'} {passed}/{len(results)}"


def took(results: Sequence[Result | None]) -> str:
    """The time of an answer, or of the middle one; a cold start is marked."""
    times = sorted(one.total_s for one in results if one is not None and one.total_s is not None)
    if not times:
        return ""
    cold = any(one is not None and one.cold for one in results)
    return duration(times[len(times) // 2]) + (" cold" if cold else "")


def dollars(value: float | None) -> str:
    """ "$0.0123"; four digits that count."""
    if value is None:
        return DASH
    return f"${value:.2f}" if value >= 1 else f"${value:.4g}"


def share(sums: Sums) -> str:
    """ "97 of 100 (97%)"; full only when it is."""
    if sums.share is None:
        return DASH
    whole = int(sums.share * 100) if sums.share < 1 else 100
    return f"{sums.passed} of {sums.pairs} ({whole}%)"


def times(found: Spread | None) -> str:
    """Median, and the middle half."""
    if found is None:
        return DASH
    if found.count == 1:
        return duration(found.median)
    return f"{duration(found.median)} ({duration(found.low)} … {duration(found.high)})"


def rates(found: Spread | None) -> str:
    """The same for tokens a second."""
    if found is None:
        return DASH
    if found.count == 1:
        return rate(found.median)
    return f"{rate(found.median)} ({rate(found.low)} … {rate(found.high)})"


def row(run: Comparison, place: int) -> tuple[str, ...]:
    """A model's line under `COLUMNS`."""
    sums = of_target(run, place)
    tokens = DASH if sums.output_tokens is None else f"{count(sums.prompt_tokens)} → {count(sums.output_tokens)}"
    cost = dollars(sums.cost) + (f" ({sums.unpriced} unknown)" if sums.cost is not None and sums.unpriced else "")
    return (
        printable(run.targets[place].label, 120),
        share(sums),
        str(sums.failed),
        str(sums.errors),
        str(sums.missing),
        times(sums.ttft),
        times(sums.total),
        rates(sums.decode),
        str(sums.cold),
        tokens,
        cost,
    )


def columns(run: Comparison) -> list[int]:
    """The places in `COLUMNS` that say something: no column of zeros."""
    rows = [row(run, place) for place in range(len(run.targets))]
    optional = {"errors", "not asked", "cold"}
    return [
        place
        for place, name in enumerate(COLUMNS)
        if name not in optional or any(each[place] not in ("0", DASH) for each in rows)
    ]


def reason(result: Result, *, texts: bool) -> str:
    """Why it did not pass; with ``texts`` with what was expected and found."""
    if result.verdict is Verdict.PASS:
        return ""
    if not texts:
        return result.reason
    failed = [f"{one.label}: {one.words}" for one in result.findings if one.passed is not True and one.weight > 0]
    return "; ".join(failed) or (result.detail if result.ending != "done" else "") or result.reason


def circumstances(seen: Circumstances) -> str:
    """How the endpoint was when the request went out."""
    parts = []
    if seen.running is not None or seen.waiting is not None:
        parts.append(f"queue {_number(seen.running)}+{_number(seen.waiting)}")
    if seen.kv_used is not None:
        parts.append(f"KV {seen.kv_used * 100:.0f}%")
    if seen.vram_bytes is not None:
        parts.append(f"VRAM {seen.vram_bytes / 2**30:.1f} GiB")
    if seen.watts is not None:
        parts.append(f"{seen.watts:.0f} W")
    return ", ".join(parts)


def _number(value: int | None) -> str:
    return DASH if value is None else str(value)


SPREADS = (
    "Times and tok/s: the median, and where the middle half lies (the extremes below four); cold starts are left out."
)
