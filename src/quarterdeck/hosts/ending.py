"""Ends an orphaned worker of a model server on this machine: politely, then for good, and never anything else."""

from __future__ import annotations

import contextlib
import time
from typing import Any, NamedTuple

from quarterdeck.hosts.processes import ProcessTable
from quarterdeck.model import commandlines

GRACE_S = 5.0
"""So long it may take to end by itself after SIGTERM."""
_KILLED_S = 2.0


class Ending(NamedTuple):
    """How it went: ``result`` is one of "ended", "killed", "gone", "refused", "denied", "stuck"; ``words`` says it in full."""

    result: str
    words: str


def end_worker(
    pid: int, started: float | None, *, grace: float = GRACE_S, table: ProcessTable | None = None, psutil: Any = None
) -> Ending:
    """SIGTERM to the orphan ``pid`` (to the worker above it that started it, if there is one), after ``grace`` seconds SIGKILL to
    what is left of them and of what they started. Blocking; never raises.

    Nothing is sent unless the process is the one that started at ``started`` (Unix seconds) and is an orphan at this moment.
    """
    if psutil is None:
        import psutil
    seen = (table or ProcessTable(time.monotonic, psutil)).details([pid]).get(pid)
    if seen is None:
        return Ending("gone", f"process {pid} is gone already")
    if started is None or seen.started != started:
        return Ending("refused", f"process {pid} is another one than the one that was chosen; nothing was done")
    if not seen.orphaned:
        return Ending("refused", f"process {pid} is no orphan: the server it works for lives; nothing was done")
    try:
        process = psutil.Process(pid)
        if process.create_time() != started:  # another one since we looked
            raise psutil.NoSuchProcess(pid)  # noqa: TRY301
        return _ended(process, grace, psutil)
    except psutil.NoSuchProcess:
        return Ending("ended", f"process {pid} has ended")
    except psutil.AccessDenied:
        return Ending("denied", f"process {pid} belongs to {seen.user or 'somebody else'}: not permitted")


def _ended(process: Any, grace: float, psutil: Any) -> Ending:
    first = _topmost(process, psutil)
    family = [first]
    with contextlib.suppress(psutil.NoSuchProcess):  # it may go while we look; what it started doesn't, perhaps
        family += first.children(recursive=True)
        first.terminate()  # psutil looks once more whether the pid is still the same process
    _, alive = psutil.wait_procs({process, *family}, timeout=grace)
    denied = [each for each in alive if not _killed(each, psutil)]
    _, stuck = psutil.wait_procs(alive, timeout=_KILLED_S)
    if stuck and all(each in denied for each in stuck):
        numbers = ", ".join(str(each.pid) for each in stuck)
        return Ending("denied", f"process {numbers} belongs to somebody else: not permitted")
    if stuck:
        numbers = ", ".join(str(each.pid) for each in stuck)
        return Ending("stuck", f"process {numbers} doesn't go, not even by SIGKILL: it hangs in the driver")
    how = "after SIGTERM" if not alive else f"by SIGKILL: it didn't go in {grace:g} s after SIGTERM"
    others = f" with {len(family) - 1} more of the same server" if len(family) > 1 else ""
    return Ending("killed" if alive else "ended", f"process {process.pid} has ended{others} {how}")


def _killed(process: Any, psutil: Any) -> bool:
    """Whether it may be: what a worker started can be another user's by now."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    return True


def _topmost(process: Any, psutil: Any) -> Any:
    """The worker that started this worker (vLLM's EngineCore starts those of tensor parallelism), else the process itself."""
    engine = commandlines.read(process.cmdline()).engine
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # of who stands above: then that is none of it
        above = process.parent()
        while above is not None and above.pid > 1:
            told = commandlines.read(above.cmdline())
            if not told.worker or told.engine != engine:
                break
            process, above = above, above.parent()
    return process
