"""One server, asked politely: a client of its own, a deadline, a size cap, its own key and nobody else's."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from quarterdeck import __version__
from quarterdeck.config.fleet import Auth, Tls
from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome
from quarterdeck.wire import body as json_body
from quarterdeck.wire.failure import Failure, explain, is_expired
from quarterdeck.wire.keys import Key
from quarterdeck.wire.redaction import SHORTEST_SECRET, Redactor
from quarterdeck.wire.tls import context_for, expiry_of, plain_context
from quarterdeck.wire.transport import StreamTransport

MOST_BYTES = 8 * 2**20
_INFLATE = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_LONGEST_SAID = 4096
_PLAIN_TLS = Tls()
Clean = Callable[[str], str]
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


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete 2xx answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body's JSON value; ``None`` where it is none."""
        return json_body.parse(self.body)


class Fetch:
    """GETs from one server. Proxies and .netrc of the environment are not used, redirects not followed: a key stays put."""

    def __init__(self, target: Target, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Opens nothing. A broken TLS setting shows at the first request."""
        self.target = target
        self.middle: float | None = None
        """Monotonic seconds mid-way through the last exchange: the best guess of when the server measured."""
        self._monotonic = monotonic
        self.first_answer_s: float | None = None
        """Seconds the first answer since ``begin`` took, by its headers."""
        self._answered = False
        self._key = Key(target.auth) if target.auth else None
        self._redactor: Redactor | None = None
        self._client: httpx.AsyncClient | None = None
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

    async def _get(self, path: str, most: int) -> Answer:
        try:
            async with asyncio.timeout(self.target.timeout):
                request = self._requests.get(path) or await self._request(path)
                return await self._exchange(request, most)
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a library raises)
            raise await self._explained(error) from None

    async def _request(self, path: str) -> httpx.Request:
        if self._client is None:
            self._client = self._open()
        headers = dict(self.target.headers)
        if self._key is not None:
            name, value = await self._key.header()
            headers[name] = value
        request = self._client.build_request("GET", self.target.url + path, headers=headers)
        if len(self._requests) < 64:
            self._requests[path] = request
        return request

    def _open(self) -> httpx.AsyncClient:
        target = self.target
        headers = {"User-Agent": f"quarterdeck/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        if target.proxy is not None:
            context = context_for(target.tls)
            return httpx.AsyncClient(
                verify=context, proxy=target.proxy, trust_env=False, headers=headers, timeout=target.timeout
            )
        context = context_for(target.tls) if target.url.startswith("https:") else plain_context()
        return httpx.AsyncClient(transport=StreamTransport(context), trust_env=False, headers=headers)

    async def _exchange(self, request: httpx.Request, most: int) -> Answer:
        if self._client is None:
            raise Failure(Outcome.FAILED, "closed")
        started, asked_at = time.perf_counter(), self._monotonic()
        response = await self._client.send(request, stream=True)
        try:
            self._answered = True
            if self.first_answer_s is None:
                self.first_answer_s = time.perf_counter() - started
            body = await _bounded(response, most, self.redacted)
        finally:
            await response.aclose()
        self.middle = (asked_at + self._monotonic()) / 2
        if (
            redactor := self._redaction()
        ) is not None:  # a debugging proxy echoes it; it must not get to a screen or file
            body = redactor.body(body)
        if not response.is_success:
            raise _refusal(response, body, self.redacted)
        return Answer(response.status_code, response.headers, body)

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
        if not is_expired(error) or self.target.proxy is not None:
            return failure
        ended = await expiry_of(parts.hostname or "", parts.port or 443, self.target.tls, self.target.timeout)
        return Failure(failure.outcome, f"TLS: certificate expired on {ended}") if ended else failure


def _words(said: str, limit: int, clean: Clean) -> str:
    """The server's own text for the screen: cut last, as the part of a key that a cut leaves would not be found."""
    return printable(clean(printable(clean(said), _LONGEST_SAID)), limit)


async def _bounded(response: httpx.Response, most: int, clean: Clean) -> bytes:
    """The body, unpacked here where a server compresses unasked: httpx would unpack a bomb before its size is known."""
    status = response.status_code
    named = response.headers.get("content-encoding", "")
    coding = named.strip().lower()
    if coding not in ("", "identity") and coding not in _INFLATE:
        raise Failure(Outcome.FAILED, f"the answer is packed as {_words(named, 20, clean)}, unasked", status=status)
    unpack = zlib.decompressobj(_INFLATE[coding]) if coding in _INFLATE else None
    chunks: list[bytes] = []
    size = packed = 0
    async for raw in response.aiter_raw():
        try:
            chunk = unpack.decompress(raw, most + 1 - size) if unpack is not None else raw
        except zlib.error:
            raise Failure(Outcome.FAILED, f"the answer is not {coding}, as it says it is", status=status) from None
        size += len(chunk)
        if size > most:
            words = f"{most // 2**20} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
            raise Failure(Outcome.FAILED, f"the answer is larger than {words}", status=status)
        chunks.append(chunk)
        packed += len(raw)
    if unpack is not None and packed and not unpack.eof:
        raise Failure(Outcome.FAILED, f"the {coding} answer ends half-way", status=status)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refusal(response: httpx.Response, body: bytes, clean: Clean) -> Failure:
    """A status other than 2xx, in words; the server's own words behind it where it gives any."""
    status = response.status_code
    said = _said(body, clean)
    if response.is_redirect or 300 <= status < 400:
        where = clean(response.headers.get("location", "")).partition("?")[0].rpartition("@")[2]
        return Failure(
            Outcome.FAILED,
            f"{status}: redirects to {_words(where, 80, clean) or 'elsewhere'}; set url to that",
            status=status,
        )
    if status == 401:
        return Failure(Outcome.AUTH, "401: key missing or wrong", status=status)
    if status == 403:
        return Failure(
            Outcome.AUTH, f"403: not allowed ({said or 'wrong key, or a Host header that is refused'})", status=status
        )
    if status == 503 and said.lower().startswith("loading model"):
        return Failure(Outcome.LOADING, "loading the model", status=status)
    if status == 429:
        return Failure(Outcome.BUSY, f"429: {said or 'too many requests'}", status=status)
    words = said or {
        502: "the proxy can't reach the server behind it",
        503: "not available",
        504: "the proxy got no answer from the server behind it",
    }.get(status, _words(response.reason_phrase, 60, clean) or "error")
    return Failure(Outcome.FAILED, f"{status}: {words}", status=status)


def _said(body: bytes, clean: Clean) -> str:
    """The message of an error body in any of the usual shapes: {"error": "…"}, {"error": {"message": "…"}}, {"detail": "…"}."""
    if len(body) > 65536:
        return ""
    data = json_body.mapping(json_body.parse(body))
    error = data.get("error")
    for candidate in (json_body.mapping(error).get("message"), error, data.get("message"), data.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return _words(candidate, 100, clean)
    return ""
