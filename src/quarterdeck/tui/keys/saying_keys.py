"""Sentences of the console that name keys, with the keys in force. Pure; used only where somebody has changed keys.

They are written with the keys of the command table, where they are read; this table says which commands those are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quarterdeck.tui.commands import BY_ID, keys_shown
from quarterdeck.tui.lines import Line

if TYPE_CHECKING:
    from quarterdeck.tui.keys.keymap import KeyTable

SENTENCES = (
    "{view_jobs} shows it",
    "{view_jobs} shows them",
    "{view_alerts} shows it",
    "{act} starts it again",
    "{maximise} goes on",
    "{leave} quits",
    "{pause} resumes",
    "{window} window",
    "{window} changes that",
    "{earlier} {later} cursor",
    "{end_orphan} ends it",
    "{resume_job} resumes it",
    "{resume_job} goes on",
    "{rerun_cases} goes on",
    "{write}, then {add_column}",
    "{add_column} adds",
    "{serial} asks one by one",
    "{retry_column} asks a column again",
    "{cancel_column} cancels it",
    "{about_answer} shows them",
    "{chat} on a row of the fleet",
    "{other_list} shows what happened",
    "{help} tells of all keys",
    "{open} shows them",
)
_ID = re.compile(r"\{(\w+)\}")


def as_written(sentence: str) -> str:
    """A sentence with the keys of the command table."""
    return _ID.sub(lambda found: _first(found[1], BY_ID[found[1]].where[0], None), sentence)


def _first(command: str, view: str, keys: KeyTable | None) -> str:
    """The first key of a command, there or where it is at all; where it has none, its name in the palette."""
    known = BY_ID[command]
    where = view if view in known.where else known.where[0]
    return keys_shown(command, where, keys).partition(" ")[0] or f"“{known.label}” (:)"


_WRITTEN = tuple(
    (re.compile(rf"(?<!\w){re.escape(as_written(sentence))}"), sentence, _ID.findall(sentence))
    for sentence in SENTENCES
)


def told(text: str, view: str, keys: KeyTable) -> str:
    """A text of the view with the keys in force."""
    for pattern, sentence, commands in _WRITTEN:
        twins = [other for other in SENTENCES if other != sentence and as_written(other) == as_written(sentence)]
        if twins and not any(view in BY_ID[command].where for command in commands):
            continue  # the other one is meant
        new = _ID.sub(lambda found: _first(found[1], view, keys), sentence)
        text = pattern.sub(lambda _, new=new: new, text)  # type: ignore[misc]
    return text


def told_line(line: Line, view: str, keys: KeyTable) -> Line:
    """A line of the view with the keys in force."""
    return line._replace(runs=tuple(run._replace(text=told(run.text, view, keys)) for run in line.runs))
