"""`quarterdeck audit`: who did what, when, and how it went."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from quarterdeck.config.units import duration
from quarterdeck.engine.audit import audit_path, read
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.report.jobs import audit_line


def run(arguments: argparse.Namespace) -> int:
    """Print; always 0."""
    since = None
    if arguments.since is not None:
        back = duration(arguments.since)
        if back is None:
            raise UsageError(f"--since {arguments.since!r} is no time", hint='Such as "2h" or "7d".')
        since = max(0.0, time.time() - back)
    path = audit_path()
    if path.exists() and not os.access(path, os.R_OK):
        raise QuarterdeckError(f"{path} can't be read (permission denied)")
    for entry in read(since=since, limit=arguments.last):
        sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n" if arguments.json else audit_line(entry))
    return 0
