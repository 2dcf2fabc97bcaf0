"""What `quarterdeck --help` shows: the commands by what one wants. Only that imports it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

GROUPS = (
    ("look", ("status", "show", "probe", "watch", "events", "audit")),
    ("act on models", ("pull", "load", "unload", "unload-all", "pin", "unpin", "rm", "cp", "mv", "lora")),
    ("act on servers", ("start", "stop", "restart", "launch", "sleep", "wake", "reset-cache")),
    ("jobs", ("jobs",)),
    ("on call", ("check", "alerts", "export", "replay")),
    ("ask and compare", ("chat", "compare", "chats")),
    ("set up", ("config", "doctor", "demo", "tour", "completion", "man")),
)
"""A new command gets its place here; one that has none comes last, under "more"."""


def sections(commands: Iterable[argparse.Action]) -> list[tuple[str, list[argparse.Action]]]:
    """The commands there are (argparse keeps each as an action called by its name), by group. Pure."""
    known = {each.dest: each for each in commands}
    found = [(title, [known.pop(name) for name in names if name in known]) for title, names in GROUPS]
    return [(title, group) for title, group in (*found, ("more", list(known.values()))) if group]
