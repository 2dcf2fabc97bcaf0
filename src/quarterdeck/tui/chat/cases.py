"""A prompt of the chat as a case of a file (JSONL): asked again any time, with models to come."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from quarterdeck.engine.chat.columns import Turn
from quarterdeck.errors import UsageError


def case_of(turn: Turn) -> dict[str, Any]:
    """The messages as they were sent, with what came before; braces in them are no variables.

    Pictures can't be kept in a case: UsageError.
    """
    messages = turn.request.messages
    if any(message.images for message in messages):
        raise UsageError("a prompt with pictures can't be kept as a case")
    if len(messages) == 1:
        return {"prompt": messages[0].text, "literal": True}
    return {"messages": [{"role": one.role.value, "content": one.text} for one in messages], "literal": True}


def append(path: Path, case: dict[str, Any]) -> int:
    """Add it as a line; how many lines there are then. Blocks. Raises UsageError."""
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            before = file.read()
            gap = b"\n" if before and not before.endswith(b"\n") else b""
            file.write(gap + json.dumps(case, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            return sum(1 for line in before.splitlines() if line.strip()) + 1
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'cannot be written'}") from None
