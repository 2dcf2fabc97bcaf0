"""The keys of the tables inside an [[endpoint]] that say how we prove who we are, and how it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quarterdeck.config.fleet import Auth, Tls
from quarterdeck.config.kinds import Flag
from quarterdeck.config.reach import FilePath, HttpWord, Variable, Words
from quarterdeck.config.table import Key, Table


def _check_auth(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    named = [name for name in ("env", "file", "command") if name in given]
    if len(named) != 1:
        got = " and ".join(named) or "none of them"
        yield "", f'expected exactly one of env, file and command, such as {{ env = "VLLM_API_KEY" }}, got {got}'


def _check_tls(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if "cert" in given and "key" not in given:
        yield "cert", "needs tls.key, the file of its private key (the same file if that holds both)"
    if "key" in given and "cert" not in given:
        yield "key", "needs tls.cert, the client certificate it belongs to"
    if "ca" in given and values.get("verify") is False:
        yield "ca", "has no effect with tls.verify = false"


AUTH = Table(
    "auth",
    Auth,
    "Where this endpoint's key is found; the key itself never stands in this file.",
    'a table such as { env = "VLLM_API_KEY" } (a key never stands in this file)',
    (
        Key(
            "env",
            Variable(),
            "Environment variable that holds the key.",
            '"VLLM_API_KEY"',
            ("variable", "env_var", "environment"),
        ),
        Key("file", FilePath(), "File that holds the key, on one line.", '"~/.secrets/vllm"', ("path", "key_file")),
        Key(
            "command",
            Words(),
            "Command that prints the key; run without a shell.",
            '["pass", "show", "vllm"]',
            ("cmd", "exec"),
        ),
        Key(
            "header",
            HttpWord('a header name such as "X-Api-Key"', longest=200),
            "Header the key is sent in.",
            '"Authorization"',
        ),
        Key(
            "scheme",
            HttpWord('one word such as "Bearer", or ""', longest=20, empty=True),
            'Word before the key; "" sends the bare key.',
            '"Bearer"',
        ),
    ),
    _check_auth,
)

TLS = Table(
    "tls",
    Tls,
    "How an https endpoint is verified, and for mTLS what it is shown.",
    'a table such as { ca = "ca.pem" }',
    (
        Key(
            "ca",
            FilePath(),
            "PEM file of the authority to trust instead of the system's.",
            '"certs/ca.pem"',
            ("cafile",),
        ),
        Key("cert", FilePath(), "PEM file of the client certificate (mTLS).", '"certs/client.pem"', ("certificate",)),
        Key("key", FilePath(), "PEM file of the client certificate's private key.", '"certs/client.key"', ("keyfile",)),
        Key(
            "verify",
            Flag(),
            "false accepts any certificate: only for a test.",
            "true",
            ("insecure", "skip_verify", "verify_ssl"),
        ),
    ),
    _check_tls,
)
