"""The metrics of the fleet as a whole, and of the exporter itself."""

from __future__ import annotations

from quarterdeck.report.prometheus.metric import Kind, Metric, Scope, keyed, moment, one_of, words

LEVELS = ("ok", "warning", "critical", "unknown")

FLEET = (
    Metric(
        "fleet_level",
        Scope.FLEET,
        "level",
        "What `quarterdeck check` says of the fleet: 1 for that level, 0 for the others.",
        labels=("level",),
        get=one_of(*LEVELS),
    ),
    Metric(
        "snapshot_timestamp_seconds",
        Scope.FLEET,
        "time",
        "When everything on this page was looked at, Unix time.",
        "seconds",
        get=moment,
    ),
)
PROGRAM = (
    Metric(
        "build_info",
        Scope.PROGRAM,
        "",
        "The quarterdeck that tells this.",
        kind=Kind.INFO,
        labels=("version",),
        get=words("version"),
    ),
    Metric(
        "polls_missed_total",
        Scope.PROGRAM,
        "missed",
        "Polls left out because the one before had not ended.",
        kind=Kind.COUNTER,
    ),
    Metric(
        "jobs",
        Scope.PROGRAM,
        "jobs",
        "Jobs of this user (pulls, loads, launches) by state, of the newest 500.",
        labels=("state",),
        get=keyed,
    ),
    Metric(
        "left_out",
        Scope.PROGRAM,
        "left_out",
        "Things beyond what one page may hold, by kind.",
        labels=("of",),
        get=keyed,
    ),
)
