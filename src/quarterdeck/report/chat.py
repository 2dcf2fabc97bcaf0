"""A conversation as JSON and as Markdown, for people who go on with it elsewhere. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from quarterdeck.engine.chat.columns import Column, Turn
from quarterdeck.engine.chat.keeping import details
from quarterdeck.format import DASH, count, duration, rate
from quarterdeck.report.values import timestamp

SCHEMA_VERSION = 1
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but tabs and line feeds: the file may be read on a terminal."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


def document(columns: Sequence[Column], unix: float) -> dict[str, Any]:
    """Every column with every turn: prompt, answer, and the numbers that `quarterdeck chats --json` has."""
    return {
        "schema_version": SCHEMA_VERSION,
        "time": timestamp(unix),
        "columns": [
            {"endpoint": each.endpoint, "model": each.model, "turns": [_turn(turn) for turn in each.turns]}
            for each in columns
        ],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "prompt": turn.prompt.typed,
        "files": list(turn.files),
        "note": turn.note or None,
        "answers": [{"text": answer.text, **details(turn.request, answer)} for answer in turn.answers],
    }


def markdown(columns: Sequence[Column], unix: float) -> str:
    """The same to be read: a section for each model, prompts as quotes, answers as they came, their numbers below."""
    parts = [f"# Conversation, {timestamp(unix) or DASH}"]
    for column in columns:
        parts.append(f"## {_plain(column.model)} on {_plain(column.endpoint)}")
        for turn in column.turns:
            parts += ["\n".join(f"> {line}".rstrip() for line in turn.prompt.typed.splitlines() or [""])]
            parts += [_closed(turn.answer.text.strip("\n")) or "*(no answer)*", _numbers(turn)]
            if turn.note:
                parts.append(f"Note: {turn.note}")
    return _CONTROL.sub("", "\n\n".join(parts)) + "\n"


def _plain(name: str) -> str:
    return " ".join(re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", name).split())


def _closed(text: str) -> str:
    """An answer that was cut within a code block must not swallow what follows."""
    opened = ""
    for match in _FENCE.finditer(text):
        fence = match[1]
        if not opened:
            opened = fence
        elif fence[0] == opened[0] and len(fence) >= len(opened):
            opened = ""
    return f"{text}\n{opened}" if opened else text


def _numbers(turn: Turn) -> str:
    answer = turn.answer
    told = [f"TTFT {duration(answer.ttft_s)}", f"{rate(answer.decode_tps)} tok/s", f"total {duration(answer.total_s)}"]
    told.append(f"{count(answer.usage.prompt_tokens)} + {count(answer.output_tokens)} tokens")
    if answer.ending is not None and answer.ending.value != "done":
        told.insert(0, answer.ending.value + (f": {answer.reason}" if answer.reason else ""))
    return f"*{', '.join(told)}*"
