"""Prompts of case files: a text with ``{{name}}``, or the messages of a conversation. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.case import Json
from quarterdeck.model.cases.template import filled
from quarterdeck.model.chat.request import Message, Role

_ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_DELIMITER = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt, not yet filled in. Either ``text`` or ``messages`` is there."""

    text: str = ""
    messages: tuple[tuple[Role, str], ...] = ()
    label: str = ""
    files: tuple[str, ...] = ()
    literal: bool = False
    """Its braces are text."""

    def render(self, variables: Mapping[str, Json], prefix: str = "", suffix: str = "") -> tuple[Message, ...]:
        """Filled in. Raises UsageError."""
        if self.literal:
            return tuple(Message(role, text) for role, text in self.messages or ((Role.USER, self.text),))
        if self.messages:
            if prefix or suffix:
                raise UsageError("prefix and suffix can't be put around messages")
            return tuple(Message(role, filled(text, variables)) for role, text in self.messages)
        return (Message(Role.USER, filled(prefix + self.text + suffix, variables)),)


def from_text(text: str, label: str = "", files: tuple[str, ...] = ()) -> Template:
    """A text is a prompt; one that is a JSON list of messages is these. Raises UsageError."""
    if text.lstrip().startswith("["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list) and value and all(isinstance(each, dict) and "role" in each for each in value):
            return Template(messages=messages(value), label=label, files=files)
    return Template(text, label=label, files=files)


def from_file(text: str, name: str, path: str) -> list[Template]:
    """The prompts of a text file (``---`` between them) or a JSON file."""
    if name.endswith(".json"):
        return [from_text(text, name, (path,))]
    parts = [part.strip() for part in _DELIMITER.split(text)]
    return [from_text(part, name, (path,)) for part in parts if part]


def messages(value: object) -> tuple[tuple[Role, str], ...]:
    """``[{role, content}]``. Raises UsageError."""
    if not isinstance(value, list) or not value:
        raise UsageError("messages are a list of {role, content}")
    return tuple(_message(each) for each in value)


def _message(value: object) -> tuple[Role, str]:
    if not isinstance(value, Mapping) or set(value) - {"role", "content"}:
        extra = ", ".join(sorted(map(str, set(value) - {"role", "content"}))) if isinstance(value, Mapping) else ""
        raise UsageError(f"a message is {{role, content}}{f', not {printable(extra, 80)}' if extra else ''}")
    role = _ROLES.get(str(value.get("role")))
    if role is None:
        raise UsageError(f"the role {printable(str(value.get('role')), 40)!r} of a message is not supported")
    content = value.get("content")
    if isinstance(content, list):
        content = "".join(_part(each) for each in content)
    if not isinstance(content, str):
        raise UsageError("the content of a message is a text")
    return role, content


def _part(value: object) -> str:
    if isinstance(value, Mapping) and value.get("type") == "text" and isinstance(value.get("text"), str):
        return str(value["text"])
    kind = value.get("type") if isinstance(value, Mapping) else None
    raise UsageError(f"content of the type {printable(str(kind), 40)!r} is not supported in case files")
