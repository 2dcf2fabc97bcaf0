"""Ends all processes of a launch: its first is asked, the rest is told, and what doesn't hear is killed."""

from __future__ import annotations

import signal
import time

from quarterdeck.format import duration
from quarterdeck.hosts.drivers.base import DriverError, Say
from quarterdeck.hosts.drivers.family import Member, leader_lives, members, send, wait_until
from quarterdeck.hosts.drivers.record import Record
from quarterdeck.hosts.drivers.words import named

TOLD_S = 5.0
"""So long what is left may take after SIGTERM; vLLM gives its workers as much …"""
KILLED_S = 3.0
"""… and so long a killed process may take to be gone (a driver frees its GPU memory first)."""
_ROUNDS = 3


def end_all(record: Record, grace: float, say: Say) -> str:
    """How it went; "" where nothing ran. Raises DriverError naming what is still there."""
    them = members(record)
    if not them:
        return ""
    began = time.monotonic()
    count = len(them)
    left = _asked(record, them, grace, say)
    if left:
        say(f"{_processes(left)} left: SIGTERM to all")
        left = _signalled(record, left, signal.SIGTERM, min(TOLD_S, grace))
    killed = len(left)
    for _ in range(_ROUNDS):  # what is killed may have started more a moment before
        if left:
            say(f"{_processes(left)} left: SIGKILL to all")
            left = _signalled(record, left, signal.SIGKILL, KILLED_S)
    if left:
        raise DriverError(f"{named(left)} can't be ended, not even by SIGKILL")
    took = duration(time.monotonic() - began)
    if killed:
        return f"ended by SIGKILL after {took} ({killed} of {count} processes)"
    return f"ended after {took}"


def _asked(record: Record, them: list[Member], grace: float, say: Say) -> list[Member]:
    """SIGTERM to the first process alone (vLLM ends the others itself, and hears only the first signal); who is left."""
    if not leader_lives(record):
        return them
    say(f"asked process {record.pid} to end; it gets up to {duration(grace)}")
    send(signal.SIGTERM, [each for each in them if each.pid == record.pid])
    gone = wait_until(lambda: not leader_lives(record), grace)
    if gone:
        wait_until(lambda: not members(record), min(TOLD_S, max(grace, 1.0)), look_again=0.2)
    return members(record)


def _signalled(record: Record, them: list[Member], number: signal.Signals, within: float) -> list[Member]:
    send(number, them)
    wait_until(lambda: not members(record), within, look_again=0.2)
    return members(record)


def _processes(them: list[Member]) -> str:
    return f"{len(them)} process{'' if len(them) == 1 else 'es'}"
