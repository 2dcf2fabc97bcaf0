"""Wrong files, and exactly what is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quarterdeck.config.load import Loaded

ReadFleet = Callable[[str], Loaded]

GOOD = '[[endpoint]]\nname = "a"\nurl = "http://gpu-1:8000"\n'
DURATION = 'expected a duration such as "2s"'
NAME = 'expected a name such as "gpu-1" (1 to 60 printable characters)'
URL = 'expected a URL such as "http://127.0.0.1:8000"'
AUTH = 'endpoint "a": auth: expected a table such as { env = "VLLM_API_KEY" } (a key never stands in this file)'
ONE_OF = 'expected exactly one of env, file and command, such as { env = "VLLM_API_KEY" }'
GPUS = 'expected "local", "none", "ssh" or the URL of an exporter such as "http://gpu-1:9400/metrics"'
ENDPOINT_KEYS = (
    "name, url, engine, host, boundary, protected, poll, timeout, headers, auth, tls, proxy, via, access_log"
)

KNOWN = (
    "known: [console], [limits], [jobs], [policy], [chat], [alerts], [events], "
    "[[host]], [[endpoint]], [[deployment]], [[price]], [[alert]], [[sink]]"
)
WHOLE_FILES = [
    ("[console]\npoll = ", ["not valid TOML: Invalid value (at end of document)"]),
    ("[console\n", ["1:9: not valid TOML: Expected ']' at the end of a table declaration"]),
    ('a = "', ["not valid TOML: Unterminated string (at end of document)"]),
    ("a = 1\na = 2\n", ["2:6: not valid TOML: Cannot overwrite a value"]),
    ("a = " + "[" * 5000, ["not usable TOML: nested too deeply"]),
    ("a = " + "1" * 5000, ["not usable TOML: a number is too long"]),
    ("endpoint = 5", ["1: endpoint: expected tables: [[endpoint]], got a number"]),
    ("endpoint = [5]", ["1: endpoint 1: expected a table, got a number"]),
    ('[endpoint]\nname = "a"', ["1: endpoint: expected tables: [[endpoint]] with double brackets, got [endpoint]"]),
    ("[[console]]", ["1: console: expected a table: [console], got a list"]),
    ('[[host]]\nname = " h"', [f'2: host " h": name: {NAME}, got " h"']),
    ("limits = true", ["1: limits: expected a table: [limits], got true or false"]),
    ("[[endpoints]]", ["1: endpoints: unknown table; did you mean [[endpoint]]?"]),
    ("[limit]", ["1: limit: unknown table; did you mean [limits]?"]),
    ("[colours]", ["1: colours: unknown table; " + KNOWN]),
    ("poll = 2", ["1: poll: unknown key here; it belongs in [console]"]),
    ('"\\u001b[31m" = 1', ['1: "": unknown table; ' + KNOWN]),
    ('[console]\npoll = "fast"', [f'2: console.poll: {DURATION}, got "fast"']),
    ("[console]\npoll = true", [f"2: console.poll: {DURATION}, got true"]),
    ('[console]\npoll = "100ms"', ['2: console.poll: must be at least 500ms, got "100ms"']),
    ("[console]\npoll = 7200", ["2: console.poll: must be at most 1h, got 7200"]),
    ("[console]\npoll = nan", [f"2: console.poll: {DURATION}, got nan"]),
    ("[console]\npoll = 1979-05-27", [f"2: console.poll: {DURATION}, got a date or time"]),
    ("[console]\npoll.x = 1", [f"2: console.poll: {DURATION}, got a table"]),
    ("[console]\nread_only = 1", ["2: console.read_only: expected true or false, got 1"]),
    ('[console]\nread-only = "x"', ['2: console.read-only: unknown key; did you mean "read_only"?']),
    ("[console]\nbusy_kv = 1", ["2: console.busy_kv: unknown key here; it belongs in [limits]"]),
    ("[console]\ntheme = 7", ['2: console.theme: expected the name of a theme such as "quarterdeck-night", got 7']),
    ("[limits]\nbusy_kv = 90", ['2: limits.busy_kv: expected a fraction such as 0.9 or "90%", got 90']),
    ("[limits]\nwarn_kv = 0", ['2: limits.warn_kv: expected a fraction such as 0.9 or "90%", got 0']),
    ("[limits]\nbusy_waiting = true", ["2: limits.busy_waiting: expected a whole number from 1 to 1000000, got true"]),
    ("[limits]\nbusy_waiting = 1.0", ["2: limits.busy_waiting: expected a whole number from 1 to 1000000, got 1"]),
    ("[limits]\nwarn_waiting = 0", ["2: limits.warn_waiting: expected a whole number from 1 to 1000000, got 0"]),
    ("[limits]\nstale_after = 0.5", ["2: limits.stale_after: expected a number from 1 to 1000, got 0.5"]),
    (
        "[limits]\nbusy_waiting = 0x" + "f" * 4000,
        ["2: limits.busy_waiting: expected a whole number from 1 to 1000000, got a huge number"],
    ),
    ("[[host]]", [f"1: host 1: name: missing; {NAME}"]),
    ('[[host]]\nname = "h"\ngpus = "sshd"', [f'3: host "h": gpus: {GPUS}, got "sshd"']),
    (
        '[[host]]\nname = "the box"\ngpus = "ssh"',
        ['3: host "the box": gpus: needs ssh, such as ssh = "user@gpu-1": ssh can\'t connect to a host of this name'],
    ),
    (
        '[[host]]\nname = "h"\nssh = "-oProxyCommand=x"',
        ['3: host "h": ssh: expected an ssh destination such as "user@gpu-1", got "-oProxyCommand=x"'],
    ),
    (
        '[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:8000"\nvia = "gpu-1"',
        ['4: endpoint "a": via: expected "ssh:HOST", HOST being the name of a [[host]] or an ssh destination, got "gpu-1"'],
    ),
    (
        '[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:8000"\nvia = "ssh:a b"',
        ['4: endpoint "a": via: "a b" is neither a [[host]] nor an ssh destination'],
    ),
    ('[[host]]\nname = "h"\ngpus = "http://u:p@gpu-1"', ["3: host \"h\": gpus: credentials don't belong in the URL; use auth = { env = ... }"]),
    ('[[host]]\nname = "h"\n[[host]]\nname = "h"\ngpus = "none"', ['4: host "h": name: used twice; first in line 2']),
    (
        '[[host]]\nname = "h"\n[[host]]\nname = "i"',
        ['3: host "i": gpus: "local" is this machine, and another host is it already; first in line 1'],
    ),
    (GOOD + GOOD, ['5: endpoint "a": name: used twice; first in line 2']),
    (GOOD + "[[endpoint]]\nname = 5", [f"4: endpoint 2: url: missing; {URL}", f"5: endpoint 2: name: {NAME}, got 5"]),
    (
        '[[endpoint]]\nname = "a\\u0007b"\nurl = "http://x"',
        [f'2: endpoint 1: name: {NAME}, got "ab"'],
    ),
]  # fmt: skip

ONE_MORE_LINE = [
    ("pol = 1", ['4: endpoint "a": pol: unknown key; did you mean "poll"?']),
    ("interval = 1", ['4: endpoint "a": interval: unknown key; did you mean "poll"?']),
    ("cert = 'x'", ['4: endpoint "a": cert: unknown key; did you mean "tls.cert"?']),
    ("ca_file = 'x'", ['4: endpoint "a": ca_file: unknown key; known: ' + ENDPOINT_KEYS]),
    ('api_key = "sk-1"', ['4: endpoint "a": api_key: unknown key; did you mean "auth"?']),
    ("read_only = true", ['4: endpoint "a": read_only: unknown key here; it belongs in [console]']),
    ('poll = "0.4s"', ['4: endpoint "a": poll: must be at least 500ms, got "0.4s"']),
    ("timeout = 0", ['4: endpoint "a": timeout: must be at least 1ms, got 0']),
    ("timeout = -1", [f'4: endpoint "a": timeout: {DURATION}, got -1']),
    ('protected = "yes"', ['4: endpoint "a": protected: expected true or false, got "yes"']),
    (
        'engine = "vlm"',
        [
            '4: endpoint "a": engine: expected one of "auto", "ollama", "vllm", "llamacpp", "sglang", "litellm", "lmstudio",'
            ' "llama-swap", "tgi", "openai", got "vlm"',
        ],
    ),
    ('boundary = "lan"', ['4: endpoint "a": boundary: expected one of "local", "vpc", "external", got "lan"']),
    ('host = "gpu-1"', ['4: endpoint "a": host: "gpu-1" is not declared; add a [[host]] of this name']),
    ('proxy = "socks5://p:1"', [f'4: endpoint "a": proxy: {URL}, got "socks5://p:1"']),
    (
        'proxy = "http://u:hunter2@p:1"',
        ['4: endpoint "a": proxy: credentials don\'t belong in the URL; use a proxy that needs none'],
    ),
    ('auth = "hunter2"', [f"4: {AUTH}, got a string"]),
    ("auth = {}", [f'4: endpoint "a": auth: {ONE_OF}, got none of them']),
    ('auth = { env = "A", file = "b" }', [f'4: endpoint "a": auth: {ONE_OF}, got env and file']),
    (
        'auth = { env = "hunter2-x" }',
        [
            '4: endpoint "a": auth.env: expected the name of an environment variable such as "VLLM_API_KEY" '
            "(its name, not its value), got a string"
        ],
    ),
    (
        'auth = { key = "hunter2" }',
        [
            '4: endpoint "a": auth.key: unknown key; known: env, file, command, header, scheme',
            f'4: endpoint "a": auth: {ONE_OF}, got none of them',
        ],
    ),
    (
        'auth = { command = "pass show hunter2" }',
        ['4: endpoint "a": auth.command: expected a list of strings such as ["pass", "show", "vllm"], got a string'],
    ),
    (
        'auth = { env = "A", header = "X-Key: hunter2" }',
        ['4: endpoint "a": auth.header: expected a header name such as "X-Api-Key", got a string'],
    ),
    (
        'auth = { env = "A", scheme = "Bearer hunter2" }',
        ['4: endpoint "a": auth.scheme: expected one word such as "Bearer", or "", got a string'],
    ),
    (
        'headers = { authorization = "hunter2", Cookie = "hunter2" }',
        [
            '4: endpoint "a": headers.authorization: a header that carries a secret; '
            'use auth = { env = ..., header = "authorization" }',
            '4: endpoint "a": headers.Cookie: a header that carries a secret; '
            'use auth = { env = ..., header = "Cookie" }',
        ],
    ),
    (
        'headers.X-Note = "Bearer hunter2"',
        ['4: endpoint "a": headers.X-Note: the value looks like a secret; use auth = { env = ... }'],
    ),
    ("headers.X-N = 5", ['4: endpoint "a": headers.X-N: expected a string, got a number']),
    ('headers.X-N = "a\\r\\nb"', ['4: endpoint "a": headers.X-N: expected one line of plain ASCII']),
    ('headers."X N" = "a"', ['4: endpoint "a": headers."X N": not a header name']),
    ("tls.verify = false", ['4: endpoint "a": tls: has no effect on an http:// URL']),
]

HTTPS = '[[endpoint]]\nname = "a"\nurl = "https://gpu-1:8000"\n'
TLS = [
    ('tls.cert = "c.pem"', ['4: endpoint "a": tls.cert: needs tls.key, the file of its private key (the same file if that holds both)']),
    ('tls = { key = "k.pem" }', ['4: endpoint "a": tls.key: needs tls.cert, the client certificate it belongs to']),
    ('tls.ca = "c"\ntls.verify = false', ['4: endpoint "a": tls.ca: has no effect with tls.verify = false']),
    ('tls = "no"', ['4: endpoint "a": tls: expected a table such as { ca = "ca.pem" }, got a string']),
    ('tls.ca = "-----BEGIN CERTIFICATE-----"', ['4: endpoint "a": tls.ca: expected the path of a file, got a string']),
]  # fmt: skip

URLS = [
    ("gpu-1:8000", f'{URL}, got "gpu-1:8000"; did you mean "http://gpu-1:8000"?'),
    ("ftp://gpu-1", f'{URL}, got "ftp://gpu-1"'),
    ("http://u:hunter2@gpu-1:8000", "credentials don't belong in the URL; use auth = { env = ... }"),
    ("http:/u:hunter2@gpu-1", "credentials don't belong in the URL; use auth = { env = ... }"),
    ("http://gpu-1/?key=hunter2", 'expected a URL without a query ("?…") or fragment ("#…")'),
    ("gpu-1/?key=hunter2", f"{URL}, got a string"),
    ("http://gpu-1:99999", 'expected a port between 1 and 65535 in the URL, got "http://gpu-1:99999"'),
    ("http://gpu 1", f'{URL}, got "http://gpu 1"'),
    ("http://0x7f.1", 'expected a host name or address in the URL, got "http://0x7f.1"'),
    ("", f'{URL}, got ""'),
]


@pytest.mark.parametrize(("text", "messages"), WHOLE_FILES)
def test_wrong_file(read_fleet: ReadFleet, text: str, messages: list[str]) -> None:
    loaded = read_fleet(text)
    assert [str(problem).removeprefix("fleet.toml:").strip() for problem in loaded.problems] == messages


@pytest.mark.parametrize(("line", "messages"), ONE_MORE_LINE)
def test_wrong_endpoint(read_fleet: ReadFleet, line: str, messages: list[str]) -> None:
    loaded = read_fleet(GOOD + line + '\n[[endpoint]]\nname = "b"\nurl = "http://gpu-2"\n')
    assert [str(problem) for problem in loaded.problems] == [f"fleet.toml:{message}" for message in messages]
    assert [endpoint.name for endpoint in loaded.config.endpoints] == ["b"]
    assert "hunter2" not in repr(loaded)


@pytest.mark.parametrize(("lines", "messages"), TLS)
def test_wrong_tls(read_fleet: ReadFleet, lines: str, messages: list[str]) -> None:
    loaded = read_fleet(HTTPS + lines)
    assert [str(problem) for problem in loaded.problems] == [f"fleet.toml:{message}" for message in messages]
    assert loaded.config.endpoints == ()


@pytest.mark.parametrize(("url", "message"), URLS)
def test_wrong_url(read_fleet: ReadFleet, url: str, message: str) -> None:
    loaded = read_fleet(f'[[endpoint]]\nname = "a"\nurl = "{url}"\n')
    assert [str(problem) for problem in loaded.problems] == [f'fleet.toml:3: endpoint "a": url: {message}']
    assert "hunter2" not in repr(loaded)


def test_every_problem_is_told_at_once_in_the_order_of_the_lines(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(
        '[[endpoint]]\nname = "a"\nurl = "x"\npol = 1\n[[host]]\n[console]\npoll = "fast"\n[limits]\nbusy_kv = 7\n'
    )
    assert [problem.line for problem in loaded.problems] == [3, 4, 5, 7, 9]


def test_a_long_or_dirty_value_is_clipped_and_printable(read_fleet: ReadFleet) -> None:
    loaded = read_fleet('[console]\npoll = "\\u001b]0;owned\\u0007' + "x" * 5000 + '"')
    (problem,) = loaded.problems
    assert str(problem).isprintable()
    assert len(str(problem)) < 150


def test_a_second_endpoint_of_a_name_is_left_out_even_when_the_first_is_wrong(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(GOOD + "pol = 1\n" + GOOD + 'host = "x"\n')
    assert len(loaded.problems) == 3
    assert loaded.config.endpoints == ()


def test_of_a_name_the_first_endpoint_is_used(read_fleet: ReadFleet) -> None:
    loaded = read_fleet(GOOD + '[[endpoint]]\nname = "a"\nurl = "http://other"\n')
    assert [(endpoint.name, endpoint.url) for endpoint in loaded.config.endpoints] == [("a", "http://gpu-1:8000")]


def test_an_endpoint_stays_when_only_its_host_is_wrong(read_fleet: ReadFleet) -> None:
    loaded = read_fleet('[[host]]\nname = "h"\ngpus = 5\n' + GOOD + 'host = "h"\n')
    assert [problem.line for problem in loaded.problems] == [3]
    assert loaded.config.hosts == ()
    assert [(endpoint.name, endpoint.host) for endpoint in loaded.config.endpoints] == [("a", None)]


def test_known_hosts_are_named(read_fleet: ReadFleet) -> None:
    hosts = "".join(f'[[host]]\nname = "h{n}"\ngpus = "none"\n' for n in range(10))
    (problem,) = read_fleet(hosts + GOOD + 'host = "x"').problems
    assert problem.message.endswith('known: "h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", …')


@pytest.mark.parametrize(
    ("text", "read_only"),
    [
        ("", False),
        ("[console]\nread_only = false\n", False),
        ("[console]\nread_onyl = true\n", True),
        ("[console]\nread_only = 'yes'\n", True),
        ("[consoel]\nread_only = true\n", True),
        ("[console\nread_only = true\n", True),
        ("[limits]\nbusy_kv = 7\n", False),
        ("[[endpoint]]\n", False),
    ],
)
def test_a_console_that_cannot_be_understood_may_not_act(read_fleet: ReadFleet, text: str, read_only: bool) -> None:
    assert read_fleet(text).config.console.read_only is read_only
