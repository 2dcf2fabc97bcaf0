"""The time line as JSON. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from quarterdeck.format import printable
from quarterdeck.model.happening import Happening


def document(one: Happening) -> dict[str, object]:
    """A happening for JSON; what doesn't apply is null."""
    return {
        "time": datetime.fromtimestamp(one.at, UTC).isoformat(timespec="milliseconds"),
        "topic": one.topic.value,
        "subject": printable(one.subject, 200),
        "word": printable(one.word, 200),
        "text": printable(one.text, 1000),
        "severity": one.severity or None,
        "key": printable(one.key, 200) or None,
    }
