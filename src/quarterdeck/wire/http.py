"""One server, asked politely: a client of its own, a deadline, a size cap, its own key and nobody else's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from quarterdeck import __version__
from quarterdeck.config.fleet import Auth, Tls
from quarterdeck.model.reading import Outcome
from quarterdeck.wire import body as json_body
from quarterdeck.wire.connection import Page
from quarterdeck.wire.failure import Failure, explain, is_expired
from quarterdeck.wire.keys import Key
from quarterdeck.wire.redaction import SHORTEST_SECRET, Redactor
from quarterdeck.wire.refusal import refusal
from quarterdeck.wire.stream import bounded, capped
from quarterdeck.wire.tls import context_for, expiry_of, plain_context
from quarterdeck.wire.transport import BEGAN, StreamTransport
from quarterdeck.wire.usual import headers_of

MOST_BYTES = 8 * 2**20
_LONGEST_REFUSAL = 64 * 2**10
_PLAIN_TLS = Tls()
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    # Their debug logs hold the headers of answers, in which a server may echo a key.
    logging.getLogger(_name).disabled = True


@dataclass(frozen=True, slots=True)
class Target:
    """What is needed to talk to one server."""

    url: str
    timeout: float = 2.0
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: Auth | None = None
    tls: Tls = _PLAIN_TLS
    proxy: str | None = None
    tunnel: bool = False
    """Its URL is another machine's: nothing may be sent there before `Fetch.through` says by which socket."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete 2xx answer."""

    status: int
    head: Mapping[str, str] | bytes
    """Its headers, or what they are found in: few ask for them."""
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case."""
        return headers_of(self.head) if isinstance(self.head, bytes) else self.head

    def json(self) -> object:
        """The body's JSON value; ``None`` where it is none."""
        return json_body.parse(self.body)


class Fetch:
    """GETs from one server. Proxies and .netrc of the environment are not used, redirects not followed: a key stays put."""

    def __init__(
        self, target: Target, monotonic: Callable[[], float] = time.monotonic, *, in_time: bool = False
    ) -> None:
        """Opens nothing. A broken TLS setting shows at the first request. ``in_time``: who asks for pages sees to the deadline."""
        self.target = target
        self._in_time = in_time
        self.middle: float | None = None
        """Monotonic seconds mid-way between the last request and its answer: the best guess of when the server measured."""
        self._monotonic = monotonic
        self.first_answer_s: float | None = None
        """Seconds the first answer since ``begin`` took, by its headers."""
        self._answered = False
        self._key = Key(target.auth) if target.auth else None
        self._redactor: Redactor | None = None
        self._client: httpx.AsyncClient | None = None
        self._socket: str | None = None
        self._requests: dict[str, httpx.Request] = {}

    def begin(self) -> None:
        """A new poll starts: measure its first answer."""
        self.first_answer_s = None

    async def ready(self) -> None:
        """Have the key at hand: its command may take longer than a request. Raises Failure(AUTH) where it can't be had."""
        if self._key is not None and self._key.value is None:
            self._requests.clear()
            await self._key.header()

    def redacted(self, text: str) -> str:
        """``text`` without this endpoint's key."""
        redactor = self._redaction()
        return redactor.text(text) if redactor else text

    def _redaction(self) -> Redactor | None:
        secret = self.secret
        if not secret:
            return None
        if self._redactor is None or self._redactor.secret != secret:
            self._redactor = Redactor(secret)
        return self._redactor

    @property
    def secret(self) -> str:
        """What no text from the server may carry on; "" where there is no key, or one too short to be told from a word."""
        value = self._key.value if self._key is not None else None
        return value if value and len(value) >= SHORTEST_SECRET else ""

    async def through(self, socket: str) -> None:
        """Connect to this Unix socket from now on instead of the URL's host, which stays the name in Host header and TLS."""
        if socket != self._socket:
            await self.close()
            self._socket = socket

    async def close(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        self._requests.clear()
        if client is not None:
            await client.aclose()

    async def get(self, path: str, *, most: int = MOST_BYTES) -> Answer:
        """GET ``path`` (with its query, if any) below the target's URL. Raises Failure for everything but a 2xx answer."""
        try:
            return await self._get(path, most)
        except Failure as failure:
            if failure.outcome is Outcome.AUTH and failure.status and self._key is not None and self._key.refused():
                self._requests.clear()
                return await self._get(path, most)
            raise

    async def optional(self, path: str) -> Answer | None:
        """Like ``get``; ``None`` where the server has no such page (404, 405, 501)."""
        try:
            return await self.get(path)
        except Failure as failure:
            if failure.status in (404, 405, 501):
                return None
            raise

    @asynccontextmanager
    async def streaming(
        self, path: str, payload: object, *, most: int = MOST_BYTES, method: str = "POST"
    ) -> AsyncIterator[httpx.Response]:
        """Send ``payload`` as JSON and read the 2xx answer as it comes (`aiter_lines`, httpx-sse), at most ``most`` bytes of it.

        Raises Failure for everything else, also while the body is read. It is sent once; the deadline is the caller's.
        """
        try:
            await self.ready()
            request = await self._request(path, json_body.dumped(payload), method)
            response = await self._opened().send(request, stream=True)
            try:
                if not response.is_success:
                    raise refusal(response, await bounded(response, _LONGEST_REFUSAL, self.redacted), self.redacted)
                yield capped(response, most)
            finally:
                await response.aclose()
        except (Failure, TimeoutError):
            raise
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise await self._explained(error) from None

    async def _get(self, path: str, most: int) -> Answer:
        try:
            if self._in_time:
                return await self._asked(path, most)
            async with asyncio.timeout(self.target.timeout):
                return await self._asked(path, most)
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a library raises)
            raise await self._explained(error) from None

    async def _asked(self, path: str, most: int) -> Answer:
        return await self._exchange(self._requests.get(path) or await self._request(path), most)

    def open(self) -> None:
        """Make ready what takes time before a request (TLS settings, the client); connects to nothing."""
        self._opened()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._open()
        return self._client

    async def headers(self) -> dict[str, str]:
        """The endpoint's own headers, its key among them. Raises Failure(AUTH) where that can't be had."""
        headers = dict(self.target.headers)
        if self._key is not None:
            name, value = await self._key.header()
            headers[name] = value
        return headers

    def client_options(self) -> dict[str, Any]:
        """What makes an httpx client of another library connect as ours does: its TLS, proxy or tunnel, nothing of the environment.

        Deadlines are the caller's where there is no proxy.
        """
        target = self.target
        if target.tunnel and self._socket is None:
            raise Failure(Outcome.FAILED, "reached through a tunnel only, and that isn't open")
        if target.proxy is not None and not target.tunnel:
            return {"verify": context_for(target.tls), "proxy": target.proxy, "trust_env": False}
        context = context_for(target.tls) if target.url.startswith("https:") else plain_context()
        return {"transport": StreamTransport(context, self._socket), "trust_env": False}

    async def _request(self, path: str, content: bytes | None = None, method: str = "POST") -> httpx.Request:
        """A GET, or ``content``, which is JSON, sent by ``method``."""
        headers = await self.headers()
        if content is None:
            method = "GET"
        else:
            headers["Content-Type"] = "application/json"
        request = self._opened().build_request(
            method, self.target.url + path, headers=headers, content=content, timeout=None
        )  # the deadline is an `asyncio.timeout`
        if content is None and len(self._requests) < 64:
            self._requests[path] = request
        return request

    def _open(self) -> httpx.AsyncClient:
        headers = {"User-Agent": f"quarterdeck/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        options = self.client_options()
        self._direct = None if "@" in urlsplit(self.target.url).netloc else options.get("transport")
        return httpx.AsyncClient(**options, headers=headers, timeout=self.target.timeout)

    _direct: StreamTransport | None = None
    """What the client would send through: it has no redirects to follow, no cookies to keep and nobody to sign in. That is a
    third of what a request costs."""

    async def _exchange(self, request: httpx.Request, most: int) -> Answer:
        if self._client is None:
            raise Failure(Outcome.FAILED, "closed")
        started, asked_at = time.perf_counter(), self._monotonic()
        found = await (
            self._client.send(request, stream=True) if self._direct is None else self._direct.get(request, most)
        )
        self._answered = True
        began = found.began if isinstance(found, Page) else found.extensions.get(BEGAN, time.perf_counter())
        held = time.perf_counter() - began
        self.middle = (asked_at + max(asked_at, self._monotonic() - held)) / 2
        if self.first_answer_s is None:
            self.first_answer_s = began - started
        body = found.body if isinstance(found, Page) else await self._body(found, most)
        redactor = self._redaction()
        if redactor is not None:  # a debugging proxy echoes it; it must not get to a screen or file
            body = redactor.body(body)
        if isinstance(found, Page):
            return Answer(200, found.head, body)
        if not found.is_success:
            raise refusal(found, body, self.redacted)
        return Answer(found.status_code, found.headers, body)

    async def _body(self, response: httpx.Response, most: int) -> bytes:
        try:
            return await bounded(response, most, self.redacted)
        finally:
            await response.aclose()

    @property
    def _may_lack_certificate(self) -> bool:
        target = self.target
        return target.url.startswith("https:") and target.tls.cert is None and not self._answered

    async def _explained(self, error: Exception) -> Failure:
        failure = explain(error, self.target.timeout)
        if self._may_lack_certificate and failure.reason.startswith("connection "):
            # Some servers (uvicorn) just hang up on a client without a certificate.
            return Failure(failure.outcome, f"TLS: {failure.reason}; it may want tls.cert and tls.key")
        parts = urlsplit(self.target.url)
        if failure.outcome is Outcome.REFUSED and parts.port is None and self.target.proxy is None:
            return Failure(failure.outcome, f"{failure.reason} on port {443 if parts.scheme == 'https' else 80}")
        if not is_expired(error) or self.target.proxy is not None or self.target.tunnel:
            return failure
        ended = await expiry_of(parts.hostname or "", parts.port or 443, self.target.tls, self.target.timeout)
        return Failure(failure.outcome, f"TLS: certificate expired on {ended}") if ended else failure
