"""Finding servers on this machine: what listens is asked harmlessly, the rest costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_servers import Asked, Recorder, Reply, Writer, free_port, pages_server, raw_server, serving
from quarterdeck.config.fleet import ConsoleSettings, FleetConfig, HostSpec
from quarterdeck.engine import discovery
from quarterdeck.engine.discovery import Candidate, candidates, discover, discovered_fleet, ollama_host
from quarterdeck.model.fleet import Boundary
from recorded import recorded

HERE = "127.0.0.1"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        (":5000", "http://127.0.0.1:5000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:5000", "http://127.0.0.1:5000"),
        ("[::]:5000", "http://127.0.0.1:5000"),
        ("::", "http://127.0.0.1:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("localhost", "http://127.0.0.1:11434"),
        ("gpu-1.lan", "http://gpu-1.lan:11434"),
        ("gpu-1.lan:80", "http://gpu-1.lan:80"),
        ("http://gpu-1.lan", "http://gpu-1.lan:80"),
        ("https://gpu-1.lan", "https://gpu-1.lan:443"),
        ("https://gpu-1.lan:8443/ollama/", "https://gpu-1.lan:8443/ollama"),
        ("http://0.0.0.0:11434/", "http://127.0.0.1:11434"),
        ("ollama.com", "https://ollama.com:443"),
        ('  "127.0.0.1:5000"  ', "http://127.0.0.1:5000"),
        ("'127.0.0.1:5000'", "http://127.0.0.1:5000"),
        ("gpu-1.lan:99999", "http://gpu-1.lan:11434"),
        ("gpu-1.lan:port", "http://gpu-1.lan:11434"),
    ],
)
def test_forms_of_ollama_host(value: str, url: str) -> None:
    found = ollama_host(value)
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(
    "value", ["", "   ", '""', "ftp://x", "http://me:sesame@x", "a b", "\x1b[2J", "[::1", "http://[bad", "é"]
)
def test_what_cannot_be_a_host_is_none(value: str) -> None:
    assert ollama_host(value) is None


hosts = st.sampled_from(["h", "a.b-c", "10.0.0.1", "localhost", "0.0.0.0", "[::1]", "[fe80::1]", "::", "::1", ""])
ports = st.one_of(st.just(""), st.integers(0, 70_000).map(lambda port: f":{port}"), st.just(":x"))
forms = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "http://", "https://", "HTTP://"]), hosts, ports, st.sampled_from(["", "/", "/p/q/"])
    ),
)


@given(forms | st.text(max_size=30))
def test_any_ollama_host_is_a_url_without_secrets_or_nothing(value: str) -> None:
    found = ollama_host(value)
    if found is not None:
        parts = urlsplit(found.url)
        assert parts.scheme in ("http", "https")
        assert parts.hostname == found.host.lower()
        assert parts.port == found.port
        assert 0 < found.port < 65_536
        assert parts.username is parts.password is None
        assert found.url.isascii()
        assert found.url.isprintable()
        assert found.host not in ("0.0.0.0", "::", "")


def test_where_to_look() -> None:
    local = candidates({})
    assert [place.port for place in local] == [11434, *range(8000, 8016), 8080, 30000, 1234, 4000]
    assert {place.host for place in local} == {HERE}
    assert candidates({"OLLAMA_HOST": "0.0.0.0"}) == local
    assert candidates({"OLLAMA_HOST": "gpu-1:11434"}) == (Candidate("gpu-1", 11434), *local)
    assert candidates({"OLLAMA_HOST": "not a host"}) == local


VLLM = {"/v1/models": recorded("vllm/models.json"), "/metrics": recorded("vllm/idle.txt")}
OLLAMA = {"/api/version": {"version": "0.32.15"}, "/api/ps": {"models": []}}


async def test_servers_are_found_named_and_placed_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def server(pages: dict[str, object]) -> Recorder:
            return await stack.enter_async_context(pages_server(pages))

        first, second = await server(dict(VLLM)), await server(dict(VLLM))
        ollama = await server(dict(OLLAMA))
        loading = await server({"*": Reply(recorded("llamacpp/loading.json"), 503)})
        studio = await server({"/v1/models": {"data": []}, "/api/v1/models": {"models": []}})
        locked = await server({"*": Reply({"error": "Unauthorized"}, 401)})
        website = await server({"*": b"<html>hello</html>"})
        broken = await server({"*": Reply(b"", 500)})
        everything = (first, second, loading, studio, locked, website, broken)
        monkeypatch.setattr(discovery, "PORTS", (*(one.port for one in everything), free_port()))
        found = await discover({"OLLAMA_HOST": f"0.0.0.0:{ollama.port}"})
        for one in (*everything, ollama):
            assert one.asked
            assert b"authorization" not in one.everything.lower()
    here = discovery.this_host().name
    assert [(spec.name, spec.url, spec.engine) for spec in found.endpoints] == [
        ("ollama", ollama.url, "ollama"),
        ("vllm", first.url, "vllm"),
        (f"vllm-{second.port}", second.url, "vllm"),
        ("llamacpp", loading.url, "llamacpp"),
        ("lmstudio", studio.url, "lmstudio"),
    ]
    assert {(spec.host, spec.boundary) for spec in found.endpoints} == {(here, Boundary.LOCAL)}
    assert len(set(found.puzzles)) == 3
    assert (
        found.puzzles[0] == f"{locked.url} answers but wants a key: add it to fleet.toml as an [[endpoint]] with auth"
    )
    assert found.puzzles[1].startswith(f"{website.url}: answers, but not as")


async def test_what_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(_: Asked, __: Writer) -> bool:
        await asyncio.sleep(3600)
        return False

    async with (
        serving(respond) as hung,
        raw_server(b"HTTP/1.1 200 OK\r\n", hang=True) as half,
        pages_server(dict(VLLM)) as vllm,
    ):
        monkeypatch.setattr(discovery, "PORTS", (hung.port, vllm.port, half.port))
        monkeypatch.setattr(discovery, "WITHIN_S", 3600.0)
        found = await discover({}, within=0.5)
    assert [spec.url for spec in found.endpoints] == [vllm.url]
    assert found.puzzles == ()


async def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PORTS", (free_port(), free_port()))
    found = await discover({"OLLAMA_HOST": "no-such-host.invalid"})
    words = "OLLAMA_HOST says http://no-such-host.invalid:11434, where no model server answers"
    assert (found.endpoints, found.puzzles) == ((), (words,))


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_a_discovered_endpoint_elsewhere_is_not_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PORTS", ())
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    async with pages_server(dict(OLLAMA), host="::1") as server:
        (spec,) = (await discover({"OLLAMA_HOST": f"[::1]:{server.port}"})).endpoints
    assert (spec.boundary, spec.url) == (Boundary.LOCAL, server.url)
    far = discovery._spec(Candidate("gpu-1", 11434), "ollama", "ollama")
    assert (far.boundary, far.host) == (Boundary.VPC, None)


async def test_the_discovered_fleet_keeps_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pages_server(dict(VLLM)) as server:
        monkeypatch.setattr(discovery, "PORTS", (server.port,))
        found = await discover({})
    settings = FleetConfig(console=ConsoleSettings(poll=5.0))
    fleet = discovered_fleet(settings, found)
    assert (fleet.console.poll, fleet.endpoints) == (5.0, found.endpoints)
    assert fleet.hosts == (discovery.this_host(),)
    assert discovered_fleet(FleetConfig(hosts=(HostSpec("x"),)), found).hosts == (HostSpec("x"),)
