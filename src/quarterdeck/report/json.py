"""The snapshot as JSON, ``schema_version`` 1. Unknown is null; times are RFC 3339 in UTC; fractions are 0–1.

README.md has the contract: fields are added, never renamed or removed, within a schema version.
"""

from __future__ import annotations

from typing import Any

from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.verdict import Verdict
from quarterdeck.report.json_endpoint import endpoint
from quarterdeck.report.json_host import host
from quarterdeck.report.values import timestamp

SCHEMA_VERSION = 1


def document(snapshot: FleetSnapshot, verdict: Verdict) -> dict[str, Any]:
    """The whole document, ready for ``json.dumps(…, allow_nan=False)``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "time": timestamp(snapshot.time),
        "level": verdict.level.word,
        "summary": verdict.summary,
        "endpoints": [endpoint(snapshot, view) for view in snapshot.endpoints],
        "hosts": [host(snapshot, view) for view in snapshot.hosts],
    }
