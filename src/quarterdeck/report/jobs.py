"""Jobs and audit lines as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from quarterdeck.format import age, percent, printable, size
from quarterdeck.model.job import Job


def document(job: Job) -> dict[str, object]:
    """A job for JSON. Times are ISO 8601 in UTC, sizes bytes, rates bytes per second; what is unknown is null."""
    progress = job.progress
    return {
        "id": job.id,
        "action": job.order.action,
        "target": job.order.target,
        "model": job.order.model,
        "options": dict(job.order.options),
        "state": job.state.value,
        "created": _iso(job.created),
        "started": _iso(job.started),
        "ended": _iso(job.ended),
        "phase": progress.phase,
        "fraction": progress.fraction,
        "completed_bytes": progress.completed,
        "total_bytes": progress.total,
        "bytes_per_second": progress.rate,
        "eta_s": progress.eta_s,
        "attempts": job.attempts,
        "user": job.user,
        "words": job.words,
    }


def _iso(unix: float | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")


def table(jobs: Sequence[Job], unix: float) -> str:
    """One line a job, under a line of titles."""
    rows = [("ID", "STATE", "ACTION", "WHAT", "DONE", "RATE", "LEFT", "AGE", "")]
    for job in jobs:
        progress = job.progress
        going = not job.state.ended
        rows.append(
            (
                job.id,
                job.state.value,
                job.order.action.replace("_", "-"),
                printable(job.order.about, 80),
                percent(progress.fraction) if going else "",
                f"{size(progress.rate)}/s" if going and progress.rate is not None else "",
                age(progress.eta_s) if going and progress.eta_s is not None else "",
                age(max(0.0, unix - job.created)),
                printable(job.words.split("\n")[0] if job.state.ended else progress.phase, 160),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def line(job: Job) -> str:
    """One line of progress, for a pipe."""
    progress, about = job.progress, printable(job.order.about)
    if job.state.ended:
        return ": ".join(part for part in (about, job.state.value, _one_line(job.words)) if part)
    parts = [progress.phase or job.state.value, *far(job)]
    return f"{about}: {', '.join(printable(part, 120) for part in parts if part)}"


def far(job: Job) -> list[str]:
    """How far it is: share, bytes, rate, time left; what is unknown is left out."""
    progress = job.progress
    parts = [percent(progress.fraction)] if progress.fraction is not None else []
    if progress.completed is not None:
        parts.append(
            f"{size(progress.completed)} of {size(progress.total)}" if progress.total else size(progress.completed)
        )
    if progress.rate is not None:
        parts.append(f"{size(progress.rate)}/s")
    if progress.eta_s is not None:
        parts.append(f"{age(progress.eta_s)} left")
    return parts


def _one_line(words: str) -> str:
    return printable(" ".join(words.split("\n")), 400)


def audit_line(entry: Mapping[str, object]) -> str:
    """One line of the audit log for people."""

    def told(name: str) -> str:
        value = entry.get(name)
        return "" if value is None else printable(str(value), 300)

    what = " ".join(part for part in (told("action"), told("model") or told("title")) if part)
    where = told("target") or told("host")
    took = entry.get("duration_s")
    spent = f" in {took:.1f} s" if isinstance(took, int | float) else ""
    words = f": {told('words')}" if told("words") else ""
    return f"{told('time')}  {told('user')}  {what}{f' on {where}' if where else ''}  {told('result')}{spent}{words}\n"
