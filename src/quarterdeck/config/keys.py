"""The keys of what nearly every fleet.toml has. The other tables: `quarterdeck.config.tables`.

Keys are declared once: decoding, "did you mean", the schema, ``config init`` and ``config show`` read this. Defaults are those of the dataclasses in ``fleet.py``; a key whose field has none is required.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quarterdeck.config.access import AUTH, TLS
from quarterdeck.config.fleet import ENGINES, ConsoleSettings, EndpointSpec, HostSpec
from quarterdeck.config.kinds import NAME, Choice, Count, Duration, Flag, Fraction, Number, Text
from quarterdeck.config.reach import (
    GpuSource,
    Headers,
    HttpUrl,
    LogSource,
    SshDestination,
    Way,
    is_ssh_destination,
)
from quarterdeck.config.table import Key, Table
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.limits import Limits

_HOUR = 3600.0
_DAY = 86400.0


def _check_host(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    name = values.get("name")
    if values.get("gpus") == "ssh" and "ssh" not in given and isinstance(name, str) and not is_ssh_destination(name):
        yield "gpus", 'needs ssh, such as ssh = "user@gpu-1": ssh can\'t connect to a host of this name'


def _check_endpoint(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if "tls" in given and str(values.get("url", "")).startswith("http:"):
        yield "tls", "has no effect on an http:// URL"


_POLL = Duration(0.5, _HOUR)
_TIMEOUT = Duration(0.001, 10 * 60)
_SPAN = Duration(0.5, 7 * _DAY)
_ENGINE_ALIASES = {
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
    "llama-server": "llamacpp",
    "lite-llm": "litellm",
    "lm-studio": "lmstudio",
    "lm studio": "lmstudio",
    "llamaswap": "llama-swap",
    "llama_swap": "llama-swap",
    "text-generation-inference": "tgi",
    "openai-compatible": "openai",
}

CONSOLE = Table(
    "console",
    ConsoleSettings,
    "The console itself.",
    "a table: [console]",
    (
        Key("poll", _POLL, "Time between two polls of an endpoint or host.", '"2s"', ("interval", "refresh")),
        Key("paint", Duration(0.5, 60), "Shortest time between two paints of the screen.", '"500ms"', ("fps", "frame")),
        Key(
            "theme",
            Text('the name of a theme such as "quarterdeck-night"', longest=200),
            "Colours; unset: the theme last chosen in the console, or quarterdeck-night.",
            '"quarterdeck-night"',
        ),
        Key(
            "ascii",
            Flag(),
            "true: nothing but ASCII on the screen; false: never; unset: where the locale can't carry UTF-8.",
            "true",
        ),
        Key("read_only", Flag(), "true: look, never act.", "false", ("readonly",)),
    ),
)

HOST = Table(
    "host",
    HostSpec,
    "A machine whose GPUs are shown.",
    "tables: [[host]]",
    (
        Key("name", NAME, "Its name on the screen, and for an endpoint's host.", '"gpu-1"', ("id",)),
        Key(
            "gpus",
            GpuSource(),
            'How it and its GPUs are read: "local" (this machine), "ssh" (nothing is installed there), "none" (not at all), '
            "or the URL of an exporter's metrics page.",
            '"http://gpu-1:9400/metrics"',
            ("gpu", "source", "url", "exporter", "metrics"),
        ),
        Key("poll", _POLL, "Time between two readings; unset: the console's.", '"5s"', ("interval",)),
        Key("timeout", _TIMEOUT, "Longest wait for one reading.", '"2s"', ("deadline",)),
        Key(
            "ssh",
            SshDestination(),
            'Where ssh finds it, for gpus = "ssh" and for tunnels; unset: under its name. ~/.ssh/config knows the rest.',
            '"user@gpu-1"',
            ("ssh_host", "destination"),
        ),
        Key(
            "protected",
            Flag(),
            "true: actions that disturb what runs on it ask for more than a yes.",
            "true",
            ("protect", "locked"),
        ),
    ),
    _check_host,
    repeated=True,
)

ENDPOINT = Table(
    "endpoint",
    EndpointSpec,
    "A model server.",
    "tables: [[endpoint]]",
    (
        Key("name", NAME, "Its name on the screen and for commands; each only once.", '"vllm-a"', ("id", "label")),
        Key(
            "url",
            HttpUrl(),
            "Its address, without credentials or query.",
            '"https://gpu-1:8000"',
            ("address", "base_url", "endpoint", "server", "uri", "api_base"),
        ),
        Key(
            "engine",
            Choice(ENGINES, _ENGINE_ALIASES),
            "What serves there: " + ", ".join(ENGINES) + '; "auto" asks the server.',
            '"vllm"',
            ("type", "kind", "backend", "provider"),
        ),
        Key("host", NAME, "Name of the [[host]] it runs on.", '"gpu-1"', ("machine", "node")),
        Key(
            "boundary",
            Choice(tuple(Boundary), make=Boundary),
            "How far a prompt sent there travels: local, vpc or external; unset: told from the URL.",
            '"vpc"',
            ("zone", "scope"),
        ),
        Key(
            "protected", Flag(), "true: actions that disturb it ask for more than a yes.", "true", ("protect", "locked")
        ),
        Key(
            "poll",
            _POLL,
            "Time between two polls; unset: the console's, but 30 s where boundary is external.",
            '"5s"',
            ("interval", "refresh"),
        ),
        Key("timeout", _TIMEOUT, "Longest wait for a whole poll.", '"3s"', ("deadline",)),
        Key("headers", Headers(), "Further request headers; no secrets.", '{ "X-Team" = "search" }', ("header",)),
        Key(
            "auth",
            AUTH,
            AUTH.doc,
            '{ env = "VLLM_API_KEY" }',
            ("api_key", "apikey", "key", "token", "password", "bearer", "authorization"),
        ),
        Key(
            "tls",
            TLS,
            TLS.doc,
            '{ ca = "certs/ca.pem", cert = "certs/client.pem", key = "certs/client.key" }',
            ("ssl",),
        ),
        Key(
            "proxy",
            HttpUrl(proxy=True),
            "HTTP proxy to reach it through; unset: none, whatever the environment says.",
            '"http://proxy.internal:3128"',
            ("http_proxy",),
        ),
        Key(
            "via",
            Way(),
            "A tunnel to reach it through: its URL is looked for from that [[host]] (or ssh destination); proxy has no effect then.",
            '"ssh:gpu-1"',
            ("tunnel", "ssh", "jump"),
        ),
        Key(
            "access_log",
            LogSource(),
            "Where an Ollama's access log is read: journal:UNIT, a file or none; unset: its own unit's, where it runs here.",
            '"journal:ollama"',
            ("log", "logs", "journal"),
        ),
    ),
    _check_endpoint,
    repeated=True,
)

_REQUESTS = Count(1)
LIMITS = Table(
    "limits",
    Limits,
    "From which numbers on an endpoint is not OK.",
    "a table: [limits]",
    (
        Key("busy_waiting", _REQUESTS, "BUSY from this many waiting requests on.", "1"),
        Key("busy_kv", Fraction(), "BUSY from this share of the KV cache on.", '"90%"'),
        Key("stalled_after", _SPAN, "STALLED when requests run or wait and no token came for so long.", '"8s"'),
        Key("stale_after", Number(1, 1000), "STALE when the last answer is older than this many polls.", "3"),
        Key("down_after", _SPAN, "DOWN when a STALE endpoint has been silent for so long.", '"1m"'),
        Key("restarted_for", _SPAN, "How long RESTARTED is shown.", '"1m"'),
        Key("warn_waiting", _REQUESTS, "`quarterdeck check` warns from this many waiting requests on.", "20"),
        Key("warn_kv", Fraction(), "`quarterdeck check` warns from this share of the KV cache on.", '"95%"'),
    ),
)
