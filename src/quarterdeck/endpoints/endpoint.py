"""One watched endpoint: one deadline a poll, every failure a reading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.base import Adapter, Cadence, Partly, redacted
from quarterdeck.endpoints.fingerprint import fingerprint
from quarterdeck.endpoints.llamacpp import LlamaCpp
from quarterdeck.endpoints.ollama import Ollama
from quarterdeck.endpoints.openai_compat import OpenAICompatible
from quarterdeck.endpoints.sglang import SGLang
from quarterdeck.endpoints.vllm import Vllm
from quarterdeck.model.reading import Facts, Outcome, Reading
from quarterdeck.wire.failure import Failure, timed_out
from quarterdeck.wire.http import Fetch, Target

THOROUGH_EVERY_S = 60.0
"""How often a server that refuses our key is asked for more than its models, to tell its engine."""
_KEEPS_ADAPTER = (Outcome.ANSWERED, Outcome.AUTH, Outcome.BUSY, Outcome.TIMEOUT)


def target_of(spec: EndpointSpec) -> Target:
    """Where and how to send requests for ``spec``. A trailing /v1 is dropped for engines whose pages lie beside it."""
    url = spec.url.rstrip("/")
    if spec.engine != "openai" and url.endswith("/v1") and url.count("/") == 3:
        url = url.removesuffix("/v1")
    return Target(url, spec.timeout, spec.headers, spec.auth, spec.tls, spec.proxy)


class Endpoint:
    """Polls one server. Not to be polled twice at once."""

    def __init__(
        self,
        spec: EndpointSpec,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing yet."""
        self.spec = spec
        self._monotonic = monotonic
        self._wall = wall
        self._fetch = Fetch(target_of(spec), monotonic)
        self._adapter: Adapter | None = None
        self._thorough_due = Cadence(monotonic, THOROUGH_EVERY_S)

    async def poll(self) -> Reading:
        """Ask once, within ``spec.timeout`` seconds (and the time a key's command takes). Never raises, cancellation excepted."""
        started = self._monotonic()
        self._fetch.begin()
        outcome, reason, facts = await self._outcome()
        if self._fetch.secret:
            reason, facts = self._fetch.redacted(reason), redacted(facts, self._fetch.redacted)
        if outcome not in _KEEPS_ADAPTER:
            self._adapter = None  # what comes back may be another server
        at = (started + self._monotonic()) / 2 if facts is None or facts.measured_at is None else facts.measured_at
        return Reading(at, outcome, reason, latency_s=self._fetch.first_answer_s, facts=facts)

    async def close(self) -> None:
        """Close its connections."""
        await self._fetch.close()

    async def _outcome(self) -> tuple[Outcome, str, Facts | None]:
        try:
            await self._fetch.ready()
            async with asyncio.timeout(self.spec.timeout):
                return Outcome.ANSWERED, "", await self._read()
        except Partly as partly:
            return partly.outcome, partly.reason, partly.facts
        except Failure as failure:
            return failure.outcome, failure.reason, None
        except TimeoutError:
            return Outcome.TIMEOUT, timed_out(self.spec.timeout).reason, None
        except Exception as error:  # noqa: BLE001  (one server's surprise must not stop the fleet)
            return Outcome.FAILED, f"the answer can't be read ({type(error).__name__})", None

    async def _read(self) -> Facts:
        if self._adapter is None:
            engine = self.spec.engine
            self._adapter = self._open(await self._recognised() if engine == "auto" else engine)
        return await self._adapter.read()

    async def _recognised(self) -> str:
        try:
            return await fingerprint(self._fetch, thorough=self._thorough_due.due())
        except Failure as failure:
            if failure.outcome is Outcome.AUTH and self._thorough_due.due():
                self._thorough_due.done()
            raise

    def _open(self, engine: str) -> Adapter:
        fetch, monotonic = self._fetch, self._monotonic
        match engine:
            case "vllm":
                return Vllm(fetch, monotonic)
            case "ollama":
                return Ollama(fetch, monotonic, self._wall)
            case "llamacpp":
                return LlamaCpp(fetch, monotonic)
            case "sglang":
                return SGLang(fetch, monotonic)
            case _:
                return OpenAICompatible(fetch, monotonic, engine)
