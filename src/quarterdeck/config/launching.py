"""Values by which a server is started: programs, variables, folders, and what other tools call it. Secrets are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from quarterdeck.config.kinds import NO_CONTROL_PATTERN, JsonSchema, Kind, Text, toml_strings
from quarterdeck.config.problem import BadValueError, KeyPath, sort_of
from quarterdeck.config.reach import Words, looks_like_a_key

_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_OURS = "QUARTERDECK_"
_TELLTALE_END = r"(?:^|_)(?:key|apikey|token|secret|password|passwd|credentials?|auth)$"
_HARMLESS_VALUE = r"(?:|[01]|true|false|yes|no|on|off|[~./].*)"
_TELLTALE_OPTION = r"--?(?:[a-z]+-)*(?:api-key|apikey|password|token|secret)(?:=(?P<value>.*))?"
_ELSEWHERE = "set it in the environment that the server inherits instead"
_KINDS = {
    "deployment": "deployment",
    "deployments": "deployment",
    "deploy": "deployment",
    "leaderworkerset": "leaderworkerset",
    "leaderworkersets": "leaderworkerset",
    "lws": "leaderworkerset",
}


class Handle(Text):
    """What another tool calls something: a unit, a container. Nothing that the tool takes for an option."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected, longest=253)

    def read(self, value: object, base: Path) -> str:
        text = super().read(value, base)
        if text.startswith("-"):
            raise self.wrong(value)
        return text

    def schema(self) -> JsonSchema:
        return {**super().schema(), "pattern": r"^[^-\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"}


class Resource(Handle):
    """A Kubernetes workload that can be scaled."""

    def __init__(self) -> None:
        super().__init__('"deployment/NAME" or "leaderworkerset/NAME"')

    def read(self, value: object, base: Path) -> str:
        kind, slash, name = super().read(value, base).partition("/")
        if kind.lower() not in _KINDS or not slash or not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", name):
            raise self.wrong(value)
        return f"{_KINDS[kind.lower()]}/{name}"

    def schema(self) -> JsonSchema:
        kinds = "|".join(_KINDS)
        return {"type": "string", "maxLength": 253, "pattern": f"^(?:{kinds})/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$"}


class Machine(Text):
    """The machine that a server is started on by ssh; whether it is one only the whole file tells."""

    def __init__(self) -> None:
        super().__init__("the name of a [[host]], or an ssh destination", longest=200)


class PathText(Text):
    """A path that stays as written: where it lies depends on the driver."""

    def __init__(self) -> None:
        super().__init__("a path", longest=4000)


class Run(Words):
    """A program and its arguments. What is a key among them is refused: every user of the machine sees arguments."""

    expected = 'a list of strings such as ["vllm", "serve", "MODEL"]'

    def read(self, value: object, base: Path) -> tuple[str, ...]:
        words = super().read(value, base)
        if words[0].startswith("-"):
            raise self.wrong(value, hidden=True)
        parts: list[tuple[KeyPath, str]] = [((index,), message) for index, message in _secrets(words)]
        if parts:
            raise BadValueError("", *parts)
        return words


def _secrets(words: Sequence[str]) -> Iterator[tuple[int, str]]:
    for index, word in enumerate(words):
        option = re.fullmatch(_TELLTALE_OPTION, words[index - 1]) if index else None
        own = re.fullmatch(_TELLTALE_OPTION, word)
        if looks_like_a_key(word.rpartition("=")[2]):
            yield index, f"looks like a key, which every user there could read; {_ELSEWHERE}"
        elif own is not None and own["value"]:
            yield index, f"gives a key, which every user there could read; {_ELSEWHERE}"
        elif option is not None and option["value"] is None and word and not word.startswith("-"):
            yield index, f"is a key by the option before it, and every user there could read it; {_ELSEWHERE}"


class Environment(Kind):
    """Environment variables. Values are never echoed, and what looks like a secret is refused."""

    expected = 'a table of strings such as { CUDA_VISIBLE_DEVICES = "0,1" }'

    def read(self, value: object, base: Path) -> Mapping[str, str]:
        if not isinstance(value, dict):
            raise self.wrong(value, hidden=True)
        parts: list[tuple[KeyPath, str]] = [
            ((name,), message) for name, text in value.items() if (message := _variable_problem(name, text))
        ]
        if parts:
            raise BadValueError("", *parts)
        return dict(value)

    def schema(self) -> JsonSchema:
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^{_VARIABLE}$", "maxLength": 200},
            "additionalProperties": {"type": "string", "pattern": NO_CONTROL_PATTERN},
        }

    def toml(self, value: object) -> str:
        return toml_strings(value)


def _variable_problem(name: str, text: object) -> str:
    if not re.fullmatch(_VARIABLE, name) or len(name) > 200:
        return "not the name of an environment variable"
    if name.startswith(_OURS):
        return "is ours: another name, please"
    if not isinstance(text, str):
        return f"expected a string, got {sort_of(text)}"
    if not text.isprintable() or len(text) > 4000:
        return "expected one line of printable text"
    named = re.search(_TELLTALE_END, name.lower()) and not re.fullmatch(_HARMLESS_VALUE, text.lower())
    return (
        f"looks like a secret, which doesn't belong in this file; {_ELSEWHERE}"
        if named or looks_like_a_key(text)
        else ""
    )
