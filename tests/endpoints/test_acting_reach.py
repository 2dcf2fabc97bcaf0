"""How actors reach a server: its own key and no other, TLS, tunnels; who isn't there, refuses or is something else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from acting_demo import HASTY, acting
from fake_servers import Asked, Reply, Writer, free_port, pages_server, serving
from quarterdeck.config.fleet import Auth, EndpointSpec, Tls
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

OLLAMA: dict[str, object] = {"/api/tags": {"models": []}, "/api/ps": {"models": []}}


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (Reply({"error": "unauthorized"}, 401), Outcome.AUTH, "401: key missing or wrong"),
        (Reply(b"", 403), Outcome.AUTH, "403: not allowed (wrong key, or a Host header that is refused)"),
        (Reply("404 page not found", 404), Outcome.FAILED, "404 page not found"),
        (Reply("<html>Bad gateway</html>", 502), Outcome.FAILED, "502: error"),
        (Reply({"error": "server busy"}, 503), Outcome.BUSY, "server busy"),
        (Reply("[1]", 500), Outcome.FOREIGN, "answers, but not as Ollama"),
        (Reply({"error": "no space"}), Outcome.FAILED, "no space"),
        (Reply("{"), Outcome.FOREIGN, "answers, but not as Ollama"),
        (Reply({"models": 7}), Outcome.FOREIGN, "answers, but not as Ollama"),
        (Reply({"models": [{"model": 1}]}), Outcome.FOREIGN, "answers, but not as Ollama"),
        (
            Reply(b"", 302, {"Location": "http://127.0.0.1:9/"}),
            Outcome.FAILED,
            "302: redirects elsewhere; set url to that",
        ),
        (Reply(b"x", 200, {"Content-Encoding": "gzip"}), Outcome.FAILED, "the answer is packed, unasked"),
        (Reply(b" " * 9_000_000), Outcome.FAILED, "the answer is larger than 8192 KiB"),
    ],
)
async def test_who_refuses_or_is_no_ollama(reply: Reply, outcome: Outcome, reason: str) -> None:
    async with pages_server({"*": reply}) as server, acting(EndpointSpec("e", server.url), "ollama") as acted:
        for action in ("pull", "load", "unload_all", "delete"):
            with pytest.raises(Failure) as refused:
                await acted.do(action, "tiny-a")
            assert (refused.value.outcome, refused.value.reason) == (outcome, reason), action


async def test_nobody_there() -> None:
    async with acting(EndpointSpec("e", f"http://127.0.0.1:{free_port()}"), "ollama") as acted:
        for action in ("pull", "load", "unload", "delete", "copy"):
            with pytest.raises(Failure) as refused:
                await acted.do(action, "tiny-a", destination="x")
            assert (refused.value.outcome, refused.value.reason) == (Outcome.REFUSED, "connection refused")


async def test_a_server_that_does_not_answer_in_time() -> None:
    hurry = replace(HASTY, answer_s=0.2, load_s=0.2)

    async def respond(_: Asked, __: Writer) -> bool:
        await asyncio.sleep(3600)
        return False

    async with serving(respond) as server, acting(EndpointSpec("e", server.url, timeout=0.2), "ollama", hurry) as acted:
        for action in ("pull", "load", "unload"):
            with pytest.raises(Failure, match=r"no answer in 0\.2 s") as late:
                await acted.do(action, "tiny-a")
            assert late.value.outcome is Outcome.TIMEOUT


async def test_traps_in_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OLLAMA_API_KEY goes nowhere, OLLAMA_HOST and proxies are not used; the endpoint's own key does go, and is not told."""
    monkeypatch.setenv("OLLAMA_API_KEY", "sk-trap-trap-trap")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OWN", "sk-own-0123456789")
    pages = {"*": Reply({"error": "you sent sk-own-0123456789 and that's wrong"}, 500), "/api/tags": {"models": []}}
    async with pages_server(pages) as server:
        for auth in (None, Auth(env="OWN"), Auth(env="OWN", header="X-Api-Key", scheme="")):
            spec = EndpointSpec("e", server.url, auth=auth, headers={"X-Team": "red"})
            async with acting(spec, "ollama") as acted:
                for action in ("pull", "load", "delete"):
                    with pytest.raises(Failure) as refused:
                        await acted.do(action, "tiny-a")
                    assert ("sk-own" in refused.value.reason) == (auth is None)
            sent = {
                key: asked.headers.get(key)
                for asked in server.asked
                for key in ("authorization", "x-api-key", "x-team")
            }
            bearer = "Bearer sk-own-0123456789" if auth is not None and auth.scheme else None
            bare = "sk-own-0123456789" if auth is not None and not auth.scheme else None
            assert sent == {"authorization": bearer, "x-api-key": bare, "x-team": "red"}
            server.asked.clear()
        assert b"trap" not in server.everything


async def test_tls_as_polling_has_it(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    async with pages_server(OLLAMA, tls=context) as server:
        async with acting(EndpointSpec("e", server.url, tls=Tls(ca=tmp_path / "ca.pem")), "ollama") as acted:
            assert await acted.do("unload_all") == "nothing was in memory"
        async with acting(EndpointSpec("e", server.url), "ollama") as acted:
            with pytest.raises(Failure, match=r"signed by an unknown authority; set tls\.ca"):
                await acted.do("unload_all")


class Way:
    """A tunnel whose end is a Unix socket; it is closed with the actor."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.closed = False

    async def ready(self) -> str:
        if not self.socket.exists():
            raise Failure(Outcome.FAILED, "ssh gpu-1: no route")
        return str(self.socket)

    async def explained(self, failure: Failure) -> Failure:
        return Failure(failure.outcome, f"through gpu-1: {failure.reason}", status=failure.status)

    async def close(self) -> None:
        self.closed = True


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    await asyncio.gather(pipe(reader, back), pipe(there, writer))


@pytest.mark.parametrize("engine", ["ollama", "llama-swap"])
async def test_a_tunnel_is_the_only_way(engine: str, tmp_path: Path) -> None:
    pages = {**OLLAMA, "/running": {"running": []}, "/api/delete": Reply({"error": "locked"}, 500)}
    async with pages_server(pages) as server:
        way = Way(tmp_path / "s")
        spec = EndpointSpec("e", "http://127.0.0.1:9", via="gpu-1")
        async with acting(spec, engine, HASTY, tunnel=way) as acted:
            with pytest.raises(Failure, match="ssh gpu-1: no route"):
                await acted.do("unload_all")
            relay = await asyncio.start_unix_server(lambda r, w: _relay(r, w, server.port), way.socket)
            assert await acted.do("unload_all") == "nothing was in memory"
            assert server.asked[-1].headers["host"] == "127.0.0.1:9"
            if engine == "ollama":
                with pytest.raises(Failure, match="through gpu-1: locked"):
                    await acted.do("delete", "m")
            relay.close()
        assert way.closed
