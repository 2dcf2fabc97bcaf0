"""May this be sent there? ``[policy]`` and the boundary of an endpoint decide; what isn't free needs somebody's yes, once a session."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from quarterdeck.model.fleet import Boundary


class Rule(StrEnum):
    """What ``external`` and ``paths`` of ``[policy]`` say; from lax to strict."""

    ALLOW = "allow"
    ASK = "ask"
    NEVER = "never"


_STRICTNESS = {Rule.ALLOW: 0, Rule.ASK: 1, Rule.NEVER: 2}


class Policy(NamedTuple):
    """``[policy]``."""

    external: Rule = Rule.ASK
    """Prompts to external endpoints."""
    paths: tuple[tuple[str, Rule], ...] = ()
    """Of attached files: a glob of absolute paths, and what holds for them; the strictest that fits counts."""


class Verdict(NamedTuple):
    """Whether something may go out."""

    rule: Rule
    reason: str


def crossing(policy: Policy, boundary: Boundary, *, mixed: bool, files: Iterable[str] = ()) -> Verdict:
    """What holds for a prompt to an endpoint of ``boundary``.

    ``mixed``: whether the session also holds endpoints that are not external (then it may hold what is not meant to leave).
    ``files``: resolved absolute paths of what is attached, now or earlier in the conversation.
    """
    if boundary is not Boundary.EXTERNAL:
        return Verdict(Rule.ALLOW, "it stays inside")
    if policy.external is Rule.NEVER:
        return Verdict(Rule.NEVER, '[policy] external = "never": no prompt leaves')
    found = Verdict(Rule.ALLOW, "")
    if policy.external is Rule.ASK and mixed:
        found = Verdict(Rule.ASK, "it is external, and this session also holds endpoints that are not")
    for path in files:
        for glob, rule in policy.paths:
            if _STRICTNESS[rule] > _STRICTNESS[found.rule] and covers(glob, path):
                found = Verdict(rule, f'[policy] paths: "{glob}" = "{rule.value}" holds for {path}')
    return found


def covers(glob: str, path: str) -> bool:
    """Whether a file is meant: the path itself, one below it, or by pattern (``*`` crosses folders)."""
    stem = glob.rstrip("/")
    return path == stem or path.startswith(stem + "/") or fnmatchcase(path, glob)
