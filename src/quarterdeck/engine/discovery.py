"""Finds the model servers of this machine: loopback only, in parallel, inside a second, with harmless requests."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urlsplit

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.engine.threads import use_daemon_threads
from quarterdeck.format import printable
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.reading import Outcome

WITHIN_S = 1.0
CONNECT_S = 0.3
PORTS = (11434, *range(8000, 8016), 8080, 30000, 1234, 4000)
LOOKED_FOR = "Ollama (OLLAMA_HOST, 11434), vLLM (8000–8015), llama.cpp and llama-swap (8080), SGLang (30000), LM Studio (1234), LiteLLM (4000)"
_URL_TEXT = re.compile(r"[A-Za-z0-9._~:/\[\]-]+")
HOW_TO = (
    "point at a server with `quarterdeck --url http://HOST:PORT`, or write a fleet.toml with `quarterdeck config init`"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to look at."""

    host: str
    port: int
    scheme: str = "http"
    path: str = ""

    @property
    def url(self) -> str:
        """As in fleet.toml."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, and what answered without being recognised (a line each)."""

    endpoints: tuple[EndpointSpec, ...] = ()
    puzzles: tuple[str, ...] = ()


def this_host() -> HostSpec:
    """This machine, GPUs by NVML."""
    return HostSpec(socket.gethostname().partition(".")[0] or "localhost", "local")


def candidates(environ: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Where to look, OLLAMA_HOST first."""
    local = tuple(Candidate("127.0.0.1", port) for port in PORTS)
    told = ollama_host(environ.get("OLLAMA_HOST", ""))
    if told is None or told in local:
        return local
    return (told, *local)


def ollama_host(value: str) -> Candidate | None:
    """OLLAMA_HOST in any of its forms (host, host:port, :port, URL); bind-all addresses become loopback. ``None`` if unusable."""
    value = value.strip().strip("\"'").rstrip("/")
    if not value:
        return None
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    if rest == "ollama.com" and not separator:
        scheme, separator = "https", "://"
    if scheme not in ("http", "https") or not _URL_TEXT.fullmatch(rest):
        return None
    if rest.count(":") > 1 and not rest.startswith("["):
        rest = f"[{rest}]"  # a bare IPv6 address
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host = parts.hostname or "127.0.0.1"
    except ValueError:
        return None
    if host in ("0.0.0.0", "::", "localhost"):  # noqa: S104  (a bind address, which a client turns into loopback)
        host = "127.0.0.1"
    return Candidate(
        host, _port_of(parts, {"http": 80, "https": 443}[scheme] if separator else 11434), scheme, parts.path
    )


def _port_of(parts: SplitResult, default: int) -> int:
    """Its port; the default one where it has none or none that can be (as Ollama does)."""
    try:
        return parts.port or default
    except ValueError:
        return default


async def discover(environ: Mapping[str, str] | None = None, within: float = WITHIN_S) -> Discovery:
    """Look everywhere at once. Never raises; what does not answer in time is not there."""
    use_daemon_threads()
    environ = os.environ if environ is None else environ
    places = candidates(environ)
    tasks = [asyncio.create_task(_look(place)) for place in places]
    done, late = await asyncio.wait(tasks, timeout=within)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    results = [task.result() for task in tasks if task in done and task.exception() is None]
    host = this_host().name
    found: list[EndpointSpec] = []
    for spec in (result for result in results if isinstance(result, EndpointSpec)):
        is_local = spec.boundary is Boundary.LOCAL
        found.append(replace(spec, name=_free_name(spec, found), host=host if is_local else None))
    puzzles = [result for result in results if isinstance(result, str)]
    puzzles += _about_ollama_host(environ.get("OLLAMA_HOST", ""), {spec.url for spec in found})
    return Discovery(tuple(found), tuple(puzzles))


def _about_ollama_host(value: str, found: set[str]) -> list[str]:
    """What is wrong with OLLAMA_HOST, which somebody set on purpose."""
    told = ollama_host(value)
    if not value.strip() or (told is not None and told.url in found):
        return []
    if told is None:
        return ["OLLAMA_HOST is set, but not to a host or URL that can be used"]
    return [f"OLLAMA_HOST says {printable(told.url, 80)}, where no model server answers"]


def discovered_fleet(fleet: FleetConfig, discovery: Discovery) -> FleetConfig:
    """``fleet`` (settings without endpoints) with what was found and this machine."""
    return replace(fleet, endpoints=discovery.endpoints, hosts=fleet.hosts or (this_host(),))


async def _look(place: Candidate) -> EndpointSpec | str | None:
    """The endpoint at ``place``, a line about something puzzling, or ``None`` where nothing answers."""
    if not await _listens(place):
        return None
    from quarterdeck.endpoints.fingerprint import fingerprint
    from quarterdeck.wire.failure import Failure
    from quarterdeck.wire.http import Fetch, Target

    fetch = Fetch(Target(place.url, timeout=WITHIN_S))
    try:
        engine = await fingerprint(fetch)
    except Failure as failure:
        if failure.outcome is Outcome.LOADING:
            return _spec(place, "llamacpp", "llamacpp")
        if failure.outcome is Outcome.AUTH:
            return f"{place.url} answers but wants a key: add it to fleet.toml as an [[endpoint]] with auth"
        answers = failure.outcome is Outcome.FOREIGN or failure.status is not None
        return f"{place.url}: {failure.reason}" if answers else None
    finally:
        await fetch.close()
    return _spec(place, engine, engine if engine != "openai" else "auto")


def _spec(place: Candidate, label: str, engine: str) -> EndpointSpec:
    return EndpointSpec(label, place.url, engine=engine, boundary=default_boundary(place.url))


def _free_name(spec: EndpointSpec, taken: list[EndpointSpec]) -> str:
    """The engine's name, with its port where two of a kind run."""
    names = {other.name for other in taken}
    if spec.name not in names:
        return spec.name
    return f"{spec.name}-{urlsplit(spec.url).port}"


async def _listens(place: Candidate) -> bool:
    """A connection costs a closed port nothing and spares it an HTTP client."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
