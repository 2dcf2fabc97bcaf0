"""How jobs that were begun in this console ended, said where nobody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quarterdeck.format import printable
from quarterdeck.model.job import Job, JobState

READ_S = 20.0
"""So long it stands in the status line: a sentence that nobody waited for."""
_FEW = 2
"""So many are told in full."""
_BAD = (JobState.FAILED, JobState.DEAD)


class News:
    """Follows jobs until they end."""

    def __init__(self) -> None:
        """Follows none."""
        self._attempts: dict[str, int] = {}
        """By the job's id: the attempt whose end is waited for. A record of the one before may still be what is known."""
        self._told: list[tuple[Job, float]] = []

    def follow(self, job: Job) -> None:
        """Wait for its end."""
        self._attempts[job.id] = job.attempts

    def look(self, jobs: Sequence[Job], now: float, seen: Callable[[Job], bool]) -> str:
        """What to say now; "" where nothing ended since the last look, or somebody has ``seen`` it (monotonic seconds).

        What was told less than `READ_S` ago is told again with what is new.
        """
        if not self._attempts:
            return ""
        ended = [job for job in jobs if job.state.ended and job.attempts >= self._attempts.get(job.id, 1 << 30)]
        for job in ended:
            del self._attempts[job.id]
        fresh = [(job, now + READ_S) for job in ended if not seen(job)]
        if not fresh:
            return ""
        self._told = [each for each in self._told if each[1] > now] + fresh
        return joined([job for job, _ in self._told])

    def all_seen(self, seen: Callable[[Job], bool]) -> bool:
        """Whether somebody looks at all that was told."""
        return all(seen(job) for job, _ in self._told)


def ended_text(job: Job) -> str:
    """How one ended: "pulled qwen3:8b onto mac", "FAILED: pull qwen3:8b on mac: no space left"."""
    order = job.order
    about = printable(order.about, 120)
    words = printable(job.words.split("\n")[0], 200)
    if job.state is JobState.DONE:
        pulled = printable(f"pulled {order.model}", 120)
        if order.action == "pull" and order.model and words.startswith(pulled):
            return f"{pulled} onto {printable(order.target, 60)}{words.removeprefix(pulled)}"
        return f"{about}: {words or 'done'}"
    word = job.state.value.upper() if job.state in _BAD else job.state.value
    why = f": {words}" if words and words != job.state.value else ""
    return f"{word}: {order.action.replace('_', ' ')} {about}{why}"


def joined(jobs: Sequence[Job]) -> str:
    """How several ended: what failed comes first; of many only how many, and which."""
    bad = [job for job in jobs if job.state in _BAD]
    rest = [job for job in jobs if job.state not in _BAD]
    parts = [ended_text(job) for job in bad[:1]]
    if len(bad) > 1:
        parts = [f"{len(bad)} FAILED, {ended_text(bad[0]).partition(': ')[2]}"]
    if bad:
        parts[0] += "; 6 shows it" if len(bad) == 1 else "; 6 shows them"
    if len(rest) <= _FEW:
        parts += [ended_text(job) for job in rest]
    else:
        parts.append(f"{len(rest)} jobs have ended: {', '.join(printable(job.order.about, 60) for job in rest)}")
    return " · ".join(parts)
