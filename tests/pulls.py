"""Downloads for tests: recorded streams, made-up lines, and what holds of any progress."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from quarterdeck.model.pulling import PullProgress, advance, begin
from recorded import recorded

TICK = 0.06
Line = Mapping[str, object]


def stream(name: str) -> list[Line]:
    return [json.loads(line) for line in recorded(f"ollama/{name}.ndjson").splitlines()]


def states(
    lines: list[Line], progress: PullProgress | None = None, at: float = 0.0, tick: float = TICK
) -> Iterator[PullProgress]:
    progress = progress or begin()
    for place, line in enumerate(lines):
        progress = advance(progress, line, at + place * tick)
        yield progress


def after(lines: list[Line], progress: PullProgress | None = None, at: float = 0.0, tick: float = TICK) -> PullProgress:
    *_, last = states(lines, progress, at, tick)
    return last


def layer(name: str, completed: int | None, total: int | None = 1000) -> Line:
    line: dict[str, object] = {"status": f"pulling {name}", "digest": f"sha256:{name}"}
    return line | {key: value for key, value in (("total", total), ("completed", completed)) if value is not None}


def steady(progress: PullProgress) -> bool:
    """What holds of any progress."""
    fraction = progress.fraction
    return (
        (fraction is None or 0.0 <= fraction <= 1.0)
        and (fraction == 1.0) == progress.done
        and (progress.total is None or progress.completed <= progress.total)
        and (progress.rate is None or progress.rate >= 0)
        and (progress.eta_s is None or progress.eta_s > 0)
        and not (progress.done and progress.error)
    )


def no_step_back(before: PullProgress, now: PullProgress) -> bool:
    return (
        (now.fraction or 0.0) >= (before.fraction or 0.0)
        and now.completed >= before.completed
        and now.downloaded >= before.downloaded
    )
