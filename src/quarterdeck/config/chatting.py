"""[policy], [chat] and [[price]]: what may be sent where, what is kept of it, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from quarterdeck.config.fleet import ChatSettings
from quarterdeck.config.kinds import Choice, Duration, Flag, JsonSchema, Kind, Number, Text, toml_strings
from quarterdeck.config.problem import BadValueError, shown
from quarterdeck.config.specs import PriceSpec
from quarterdeck.config.table import Key, Table
from quarterdeck.model.chat.boundary import Policy, Rule

_RULES = tuple(Rule)
_RULE = Choice(_RULES, make=Rule)
_MOST_PATHS = 100


class Paths(Kind):
    """Globs of files, each with a rule. ``~`` is expanded, what is relative starts at the fleet file's folder."""

    expected = 'a table of globs such as { "~/work/**" = "never" }'

    def read(self, value: object, base: Path) -> tuple[tuple[str, Rule], ...]:
        if not isinstance(value, dict) or len(value) > _MOST_PATHS:
            raise self.wrong(value)
        found: list[tuple[str, Rule]] = []
        for glob, word in value.items():
            if not glob.strip() or not glob.isprintable():
                raise BadValueError(f"expected the glob of a file, got {shown(glob)}")
            rule = _RULE.read(word, base)
            assert isinstance(rule, Rule)
            path = Path(glob)
            try:
                path = path.expanduser()
            except RuntimeError:
                raise BadValueError(f"{shown(glob)}: there is no such home folder") from None
            found.append((str(path if path.is_absolute() else base / path), rule))
        return tuple(found)

    def schema(self) -> JsonSchema:
        return {"type": "object", "additionalProperties": _RULE.schema(), "maxProperties": _MOST_PATHS}

    def toml(self, value: object) -> str:
        return toml_strings(dict(value)) if isinstance(value, tuple) else "{}"


POLICY = Table(
    "policy",
    Policy,
    "What may leave the network. Holds for the console and the command line alike.",
    "a table: [policy]",
    (
        Key(
            "external",
            _RULE,
            "Prompts to external endpoints: ask (once a session that also holds others), never, or allow.",
            '"ask"',
            ("send_external", "outside"),
        ),
        Key(
            "paths",
            Paths(),
            "The same for attached files that lie under a path or fit a glob; the strictest that fits counts.",
            '{ "~/work/**" = "never" }',
            ("files", "path"),
        ),
    ),
)

CHAT = Table(
    "chat",
    ChatSettings,
    "Prompts and answers.",
    "a table: [chat]",
    (
        Key("save", Flag(), "true: keep prompts and answers in the state folder, readable by you only.", "false"),
        Key(
            "first_token",
            Duration(1, 7200),
            "Longest wait for the first token; a cold model has to load first.",
            '"10m"',
            ("timeout", "ttft"),
        ),
        Key(
            "silence", Duration(1, 3600), "Longest wait for the next token; then the answer failed.", '"2m"', ("idle",)
        ),
    ),
)

_DOLLARS = Number(0, 1_000_000)


def _check_price(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if not {"input", "output", "gpu_hour"} & given.keys():
        yield "", "needs input and output (US dollars per 1M tokens), or gpu_hour"


PRICE = Table(
    "price",
    PriceSpec,
    "What tokens cost; the first that fits counts, before what a provider's own list says.",
    "tables: [[price]]",
    (
        Key("endpoint", Text("a glob of endpoints", longest=200), "Globs of endpoints.", '"together"', ("endpoints",)),
        Key("model", Text("a glob of models", longest=200), "Globs of models; unset: all.", '"qwen3*"', ("models",)),
        Key("input", _DOLLARS, "US dollars per 1M prompt tokens.", "0.2", ("prompt",)),
        Key("cached_input", _DOLLARS, "Per 1M prompt tokens that were cached; unset: as input.", "0.05", ("cached",)),
        Key("output", _DOLLARS, "Per 1M output tokens.", "0.6", ("completion",)),
        Key(
            "gpu_hour",
            _DOLLARS,
            "Instead: what an hour of all the GPUs of this endpoint costs; a million tokens cost what they take of it.",
            "2.49",
            ("hour", "gpu_hours"),
        ),
        Key("date", Text("a date such as 2026-11-20", longest=40), "As of when.", '"2026-11-20"', ("as_of",)),
    ),
    _check_price,
    repeated=True,
)
