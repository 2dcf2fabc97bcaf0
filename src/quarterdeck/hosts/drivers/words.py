"""How processes are spoken of. Pure."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import suppress

_ASKED_TO_END = frozenset((0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT))
_MOST_NAMED = 5


def exit_words(status: int) -> str:
    """ "exit code 1", or "killed by SIGKILL" for -9."""
    if status >= 0:
        return f"exit code {status}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


def ended_well(status: int) -> bool:
    """Whether it ended as what is asked to end does, a shell's 128+n included."""
    return status in _ASKED_TO_END


def named(them: Sequence[object]) -> str:
    """ "A, B and C", or the first few and how many more."""
    shown = [str(each) for each in them[:_MOST_NAMED]]
    if len(them) > _MOST_NAMED:
        return f"{', '.join(shown)} and {len(them) - _MOST_NAMED} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""
