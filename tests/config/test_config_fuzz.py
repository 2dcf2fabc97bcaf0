"""Any file at all gives what can be used and a list of problems: never an exception, a secret or a control character."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.access import AUTH, TLS
from quarterdeck.config.decode import decode
from quarterdeck.config.deployments import DEPLOYMENT, JOBS, NEEDS, TAKES
from quarterdeck.config.keys import CONSOLE, ENDPOINT, HOST, LIMITS
from quarterdeck.config.load import Loaded, load, loads
from quarterdeck.config.locate import line_map
from quarterdeck.config.origins import origins_of, problems_of
from quarterdeck.config.render import render_config

SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["2s", "90%", "http://gpu-1", "https://x/", "gpu-1", "vllm", "local", "\x1b[31m", "~x/y", "http://[", ""]
    ),
    st.dates(),
    st.times(),
    st.datetimes(),
)
ANYTHING = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
)


def tables(*keys: str, values: st.SearchStrategy[object] = ANYTHING) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(keys) | st.text(max_size=5), values, max_size=6)


def names(table: object) -> list[str]:
    return [key.name for key in table.keys]  # type: ignore[attr-defined]


NESTED = ANYTHING | tables(*names(AUTH)) | tables(*names(TLS))
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "console": ANYTHING | tables(*names(CONSOLE)),
        "jobs": ANYTHING | tables(*names(JOBS)),
        "deployment": ANYTHING | st.lists(ANYTHING | tables(*names(DEPLOYMENT)), max_size=3),
        "limits": ANYTHING | tables(*names(LIMITS)),
        "host": ANYTHING | st.lists(ANYTHING | tables(*names(HOST)), max_size=3),
        "endpoint": ANYTHING | st.lists(tables(*names(ENDPOINT), values=NESTED), max_size=3),
        "other": ANYTHING,
    },
)


@given(DOCUMENTS)
def test_any_document_is_decoded(document: dict[str, object]) -> None:
    decoded = decode(document, Path("/etc"))
    for problem in problems_of(decoded.findings, document, "fleet.toml", {}):
        assert str(problem).isprintable()
        assert len(str(problem)) < 500
    origins = origins_of(decoded.config, document, decoded.findings, "fleet.toml", {})
    shown = loads(render_config(decoded.config, origins), Path("/etc/fleet.toml"))
    assert shown.problems == ()
    assert shown.config.endpoints == decoded.config.endpoints


WORDS = st.text(max_size=8) | st.sampled_from(
    ["--api-key", "sk-0123456789abcdef0", "-x", "~/a", "$(x)", "me@box", "deploy/a"]
)
FITTING: dict[str, st.SearchStrategy[object]] = {
    "host": WORDS,
    **{name: st.lists(WORDS, min_size=1, max_size=4) for name in ("run", "start", "stop", "status", "logs")},
    "env": st.dictionaries(st.sampled_from(["A", "B_KEY", "HF_TOKEN"]) | WORDS, WORDS, max_size=3),
    "user": st.booleans(),
    "replicas": st.integers(0, 5),
    "resource": st.sampled_from(["deploy/a", "lws/b", "pod/c"]),
}


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, object]:
    """One that has what its driver needs, and some of what it takes."""
    driver = draw(st.sampled_from(sorted(NEEDS)))
    keys = [*NEEDS[driver], *draw(st.lists(st.sampled_from((*TAKES[driver], "stop_within")), unique=True))]
    values = {key: draw(FITTING.get(key, WORDS)) for key in keys if key != "stop_within"}
    return {"name": draw(st.sampled_from("abc")), "endpoint": "a", "driver": driver, "stop_within": 5, **values}


@given(st.lists(deployments(), max_size=3))
def test_deployments_are_shown_as_they_are(given_: list[dict[str, object]]) -> None:
    document: dict[str, object] = {"endpoint": [{"name": "a", "url": "http://x:1"}], "deployment": given_}
    decoded = decode(document, Path("/etc"))
    shown = loads(render_config(decoded.config), Path("/etc/fleet.toml"))
    assert shown.problems == ()
    assert shown.config.deployments == decoded.config.deployments
    for spec in decoded.config.deployments:
        assert not any(word.startswith("sk-0") for word in (*spec.run, *spec.start, *spec.env.values()))


PIECES = [
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    '"',
    "'",
    '"""',
    "\\",
    "name",
    "url",
    "auth",
    "poll",
    "'http://x'",
    '"2s"',
    "true",
    "1",
    "-inf",
    "1979-05-27",
    "\x00",
    "é",
]
LINES = ["[[endpoint]]\n", "[[host]]\n", "[console]\n", "\n", "\r", " = ", " "]
SOURCE = st.lists(st.sampled_from(PIECES + LINES) | st.text(max_size=3)).map("".join)


@given(SOURCE | st.text())
def test_any_text_is_loaded(text: str) -> None:
    check(loads(text, Path("fleet.toml"), origins=True))


@given(st.binary() | SOURCE.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_loaded(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        check(load(file.name, origins=True, environ={}))


@given(st.text())
def test_any_file_name_is_looked_for(name: str) -> None:
    assert all(str(problem).isprintable() for problem in load("/nowhere/" + name, environ={}).problems)


def check(loaded: Loaded) -> None:
    assert all(str(problem).isprintable() for problem in loaded.problems)
    assert render_config(loaded.config, loaded.origins)


SECRET = "hunter2hunter2"  # in every place where somebody may put one
PLACES = [
    "url = 'http://u:{}@gpu-1'",
    "url = 'http://gpu-1/?api_key={}'",
    "url = 'gpu-1/?api_key={}'",
    "url = 'http://gpu-1#{}'",
    "url = 'http://{}@'",
    "url = 'http:// {}@x'",
    "proxy = 'http://u:{}@p'",
    "auth = '{}'",
    "auth = ['{}']",
    "auth = {{ env = '{}-' }}",
    "auth = {{ env = 'sk_{}xx' }}",
    "auth = {{ file = 'sk-{}xx' }}",
    "auth = {{ command = '{}' }}",
    "auth = {{ command = [1, '{}'] }}",
    "auth = {{ key = '{}' }}",
    "auth = {{ env = 'A', scheme = 'Bearer {}' }}",
    "auth = {{ env = 'A', header = 'Authorization: Bearer {}' }}",
    "auth = {{ env = 'A', value = '{}' }}",
    "api_key = '{}'",
    "password = '{}'",
    "headers = 'Authorization: {}'",
    "headers = {{ Authorization = 'Bearer {}' }}",
    "headers = {{ X-Any = 'Bearer {}' }}",
    "headers = {{ X-Any = ['{}'] }}",
    "headers = {{ X-Any = '{}\\u0000' }}".replace("'", '"'),
    "headers = {{ X-Auth-Token = '{}' }}",
    "tls = '{}'",
]


def test_no_secret_that_stands_in_the_file_comes_out_of_it() -> None:
    for place in PLACES:
        line = place.format(SECRET)
        url = "" if line.startswith("url") else "url = 'https://gpu-1'\n"
        loaded = loads(f"[[endpoint]]\nname = 'a'\n{url}{line}\n", Path("fleet.toml"), origins=True)
        assert loaded.problems, line
        assert SECRET not in repr(loaded) + "".join(map(str, loaded.problems)), line
        assert loaded.config.endpoints == (), line


def test_a_long_file_is_walked_once() -> None:
    text = "".join(f'[[endpoint]]\nname = "e{n}"\nurl = "http://gpu-{n}:8000"\n' for n in range(2000))
    loaded = loads(text + "pol = 1\n", Path("fleet.toml"))
    assert len(loaded.config.endpoints) == 1999
    assert loaded.problems[0].line == 6001
    assert line_map(text)[("endpoint", 1999, "url")] == 6000
