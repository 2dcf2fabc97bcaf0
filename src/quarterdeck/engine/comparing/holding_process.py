"""``python -m quarterdeck.engine.comparing.holding_process``: assertions on stdin, findings on stdout, a JSON line each.

It ends with its stdin, so it never outlives the run that it judges for.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from typing import Any

from quarterdeck.model.cases.assertions import Output, held
from quarterdeck.model.cases.case import Assertion

LONGEST_S = 60
"""After so many seconds in one answer the process ends by itself."""


def answered(line: str) -> str:
    """The findings of one line, as a line."""
    wish: dict[str, Any] = json.loads(line)
    output = Output(**wish["output"])
    findings = [asdict(held(Assertion(**each), output)) for each in wish["assertions"]]
    return json.dumps(findings) + "\n"


def main() -> None:
    """Until stdin ends; a "[]" first says that it is ready."""
    sys.stdout.write("[]\n")
    sys.stdout.flush()
    for line in sys.stdin:
        signal.alarm(LONGEST_S)  # nobody may be left to end us, and a regex hears no handler
        text = answered(line)
        signal.alarm(0)
        sys.stdout.write(text)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
