"""The rules that hold without being written down; each can be changed or switched off by its id."""

from __future__ import annotations

from functools import lru_cache

from quarterdeck.model.alerts.alert import Severity
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.limits import Limits

_DAY = 86_400.0
_WARNING, _CRITICAL = Severity.WARNING, Severity.CRITICAL
_YES, _NO = 0.5, 0.5
"""Limits of measures that are 1 or 0."""


@lru_cache(maxsize=8)
def builtin(limits: Limits = Limits()) -> tuple[Rule, ...]:  # noqa: B008  frozen
    """The built-in set. A queue is as long, and a cache as full, as ``limits`` (``[limits]`` of fleet.toml) says."""
    return (
        Rule("down", "down", _CRITICAL, _YES, _NO, for_s=5),
        Rule("auth", "auth", _WARNING, _YES, _NO, for_s=5),
        Rule("stalled", "stalled", _CRITICAL, _YES, _NO),
        Rule("queue", "waiting", _WARNING, float(limits.warn_waiting), float(limits.warn_waiting // 2), for_s=30),
        Rule("kv", "kv", _WARNING, limits.busy_kv, max(0.0, limits.busy_kv - 0.05), for_s=30),
        Rule("ttft", "ttft_p95", _WARNING, 5.0, 3.0, for_s=30),
        Rule("preemptions", "preemptions", _WARNING, 0.2, 0.0, for_s=4, calm_s=60),
        Rule("errors", "errors", _WARNING, 0.05, 0.01, for_s=10, calm_s=60),
        Rule("spill", "spill", _WARNING, 0.01, 0.01, for_s=30),
        Rule("certificate", "certificate", _WARNING, 14 * _DAY, 15 * _DAY, below=True),
        Rule("gpu-lost", "gpu_lost", _CRITICAL, _YES, _NO, for_s=4),
        Rule("xid", "xid", _CRITICAL, _YES, _NO),
        Rule("xid-program", "xid_program", _WARNING, _YES, _NO),
        Rule("throttled", "throttled", _WARNING, _YES, _NO, for_s=30, calm_s=60),
        Rule("hot", "temperature", _WARNING, 87.0, 83.0, for_s=60, calm_s=30),
        Rule("vram", "vram", _WARNING, 0.98, 0.96, for_s=60),
        Rule("orphans", "orphaned", _WARNING, 256 * 2**20, 256 * 2**20, for_s=30),
        Rule("disk", "disk", _WARNING, 0.95, 0.93, for_s=30),
        Rule("host", "unreadable", _WARNING, _YES, _NO, for_s=30),
    )


IDS = tuple(rule.id for rule in builtin())
