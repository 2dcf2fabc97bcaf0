"""Values by which a server is reached: URLs, headers, files, and where a key is found. What may be a secret is not echoed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from quarterdeck.config.kinds import NO_CONTROL_PATTERN, JsonSchema, Kind, toml_string, toml_strings
from quarterdeck.config.problem import BadValueError, KeyPath, shown, sort_of
from quarterdeck.config.urls import URL_EXPECTED, URL_PATTERN, http_url

_JOURNAL_PATTERN = r"journal:[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,199}"
_LONGEST_DESTINATION = 200
_SSH_USER = r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?"
_SSH_HOST = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SSH_URL = rf"ssh://{_SSH_USER}(?:{_SSH_HOST}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?"
_DESTINATION = rf"(?:{_SSH_URL}|{_SSH_USER}(?:{_SSH_HOST}|[0-9A-Fa-f:.]+))"
_WAY = r"ssh:[^\s-][^\u0000-\u001f\u007f-\u009f]{0,199}"
_WORD_OF_HTTP = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # a "token" of RFC 9110, section 5.6.2
_VARIABLE_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"
_LIKE_A_KEY = r"(?:sk|pk|hf|gsk|ghp|xai|nvapi|r8|glpat)[_-]\w{16,}|-----BEGIN "
_TELLTALE_NAME = (
    r"(?<![a-z])(?:auth|authentication|authorization|apikey|bearer|cookie|credentials?|jwt|key|passwd|password|secret|session"
    r"|signature|token)(?![a-z])"
)
_TELLTALE_VALUE = r"(?i)(?:bearer|basic|digest|negotiate)\s|sk-"


class HttpWord(Kind):
    """A word of HTTP: a header's name, an auth scheme. What isn't one may hold the key, so it is not echoed."""

    def __init__(self, expected: str, *, longest: int, empty: bool = False) -> None:
        self.expected = expected
        self._longest = longest
        self._empty = empty

    def read(self, value: object, base: Path) -> str:
        if self._empty and value == "":
            return ""
        if not isinstance(value, str) or len(value) > self._longest or not re.fullmatch(f"{_WORD_OF_HTTP}+", value):
            raise self.wrong(value, hidden=True)
        return value

    def schema(self) -> JsonSchema:
        pattern = f"^{_WORD_OF_HTTP}*$" if self._empty else f"^{_WORD_OF_HTTP}+$"
        return {"type": "string", "maxLength": self._longest, "pattern": pattern}


def looks_like_a_key(text: str) -> bool:
    """Whether a value is a key by its form ("sk-…", "hf_…", a PEM block, "Bearer …")."""
    return re.match(_LIKE_A_KEY, text.lstrip()) is not None or re.match(_TELLTALE_VALUE, text.lstrip()) is not None


class Variable(Kind):
    """The name of an environment variable. What isn't one may be the key itself, so it is not echoed."""

    expected = 'the name of an environment variable such as "VLLM_API_KEY" (its name, not its value)'

    def read(self, value: object, base: Path) -> str:
        if not isinstance(value, str) or not re.fullmatch(_VARIABLE_PATTERN[1:-1], value):
            raise self.wrong(value, hidden=True)
        if len(value) > 200 or re.match(_LIKE_A_KEY, value):
            raise self.wrong(value, hidden=True)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "string", "maxLength": 200, "pattern": _VARIABLE_PATTERN}


class HttpUrl(Kind):
    """An http(s) URL without credentials, query or trailing slash."""

    expected = URL_EXPECTED

    def __init__(self, *, proxy: bool = False) -> None:
        self._proxy = proxy

    def read(self, value: object, base: Path) -> str:
        return str(http_url(value, proxy=self._proxy))

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": URL_PATTERN}


class GpuSource(Kind):
    """How a host's GPUs are read."""

    expected = '"local", "none", "ssh" or the URL of an exporter such as "http://gpu-1:9400/metrics"'

    def read(self, value: object, base: Path) -> str:
        if value in ("local", "none", "ssh"):
            return str(value)
        if not isinstance(value, str) or "://" not in value:
            raise self.wrong(value, hidden=isinstance(value, str) and any(mark in value for mark in "@?#"))
        return str(http_url(value))

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"enum": ["local", "none", "ssh"]}, {"type": "string", "pattern": URL_PATTERN}]}


class SshDestination(Kind):
    """Where ssh connects to: a host of ~/.ssh/config, user@host, or ssh://user@host:port. Nothing that it takes for an option."""

    expected = 'an ssh destination such as "user@gpu-1"'

    def read(self, value: object, base: Path) -> str:
        if not isinstance(value, str) or not is_ssh_destination(value):
            raise self.wrong(value)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "string", "maxLength": _LONGEST_DESTINATION, "pattern": f"^{_DESTINATION}$"}


def is_ssh_destination(text: str) -> bool:
    """Whether ssh may be given ``text`` as the place to connect to."""
    return len(text) <= _LONGEST_DESTINATION and re.fullmatch(_DESTINATION, text) is not None


class Way(Kind):
    """How a server is reached that doesn't listen where we are: "ssh:HOST"."""

    expected = '"ssh:HOST", HOST being the name of a [[host]] or an ssh destination'

    def read(self, value: object, base: Path) -> str:
        if not isinstance(value, str) or not re.fullmatch(_WAY, value) or not value.isprintable():
            raise self.wrong(value)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": f"^{_WAY}$"}


class FilePath(Kind):
    """A path: ``~`` is expanded, a relative one is relative to the fleet file."""

    expected = "the path of a file"

    def read(self, value: object, base: Path) -> Path:
        if not isinstance(value, str) or re.match(_LIKE_A_KEY, value.lstrip()):
            raise self.wrong(value, hidden=True)
        if not value.isprintable() or not value.strip():
            raise self.wrong(value)
        return base / os.path.expanduser(value)  # noqa: PTH111  Path.expanduser raises where there is no such user

    def schema(self) -> JsonSchema:
        return {"type": "string", "minLength": 1, "pattern": NO_CONTROL_PATTERN}


class LogSource(FilePath):
    """An access log: a unit of the systemd journal, a file, or none."""

    expected = '"journal:ollama" (a unit of the journal), the path of a log file, or "none"'

    def read(self, value: object, base: Path) -> str:  # type: ignore[override]
        """The journal's unit and "none" stay as they are."""
        if value == "none" or (isinstance(value, str) and re.fullmatch(_JOURNAL_PATTERN, value)):
            return str(value)
        if isinstance(value, str) and value.startswith("journal:"):
            raise self.wrong(value)
        return str(super().read(value, base))


class Words(Kind):
    """A command with its arguments; no shell reads it. Arguments may be secret, so they are not echoed."""

    expected = 'a list of strings such as ["pass", "show", "vllm"]'

    def read(self, value: object, base: Path) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
            raise self.wrong(value, hidden=True)
        if not value[0].strip() or any("\0" in word for word in value):
            raise self.wrong(value, hidden=True)
        return tuple(value)

    def schema(self) -> JsonSchema:
        return {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": r"^[^\u0000]*$"}}

    def toml(self, value: object) -> str:
        words = value if isinstance(value, tuple) else ()
        return "[" + ", ".join(toml_string(word) for word in words) + "]"


class Headers(Kind):
    """Extra request headers; those that carry secrets are refused in favour of auth. Values are never echoed."""

    expected = 'a table of strings such as { "X-Team" = "search" }'

    def read(self, value: object, base: Path) -> Mapping[str, str]:
        if not isinstance(value, dict):
            raise self.wrong(value, hidden=True)
        problems = [((name,), message) for name, text in value.items() if (message := _header_problem(name, text))]
        if problems:
            parts: list[tuple[KeyPath, str]] = list(problems)
            raise BadValueError("", *parts)
        return dict(value)

    def schema(self) -> JsonSchema:
        names = {"pattern": f"^{_WORD_OF_HTTP}+$", "maxLength": 200}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": {"type": "string", "pattern": "^[ -~]*$"},
        }

    def toml(self, value: object) -> str:
        return toml_strings(value)


def _header_problem(name: str, text: object) -> str:
    if not re.fullmatch(f"{_WORD_OF_HTTP}+", name) or len(name) > 200:
        return "not a header name"
    if re.search(_TELLTALE_NAME, name.lower()):
        return f"a header that carries a secret; use auth = {{ env = ..., header = {shown(name)} }}"
    if not isinstance(text, str):
        return f"expected a string, got {sort_of(text)}"
    if not text.isascii() or not text.isprintable() or len(text) > 4000:
        return "expected one line of plain ASCII"
    if re.match(_TELLTALE_VALUE, text):
        return "the value looks like a secret; use auth = { env = ... }"
    return ""
