"""Alerts as JSON. Times are RFC 3339 in UTC; what is unknown is null. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from quarterdeck.engine.audit import iso
from quarterdeck.engine.notifying.notice import alert_document
from quarterdeck.model.alerts.alert import Alert

SCHEMA_VERSION = 1


def document(opened: Iterable[Alert], recent: Iterable[Alert], now: float, **more: object) -> dict[str, Any]:
    """What is wrong, what was; ``more`` stands beside it (silences, events)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "time": iso(now),
        "open": [alert_document(alert) for alert in opened],
        "recent": [alert_document(alert) for alert in recent],
        **more,
    }
