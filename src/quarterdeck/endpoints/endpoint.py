"""One watched endpoint: one deadline a poll, every failure a reading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.base import Adapter, Cadence, Partly, redacted
from quarterdeck.endpoints.fingerprint import fingerprint
from quarterdeck.endpoints.openai_compat import OpenAICompatible
from quarterdeck.model.reading import Facts, Outcome, Reading
from quarterdeck.wire.certificate import Certificate
from quarterdeck.wire.failure import Failure, timed_out
from quarterdeck.wire.http import Fetch, Target

if TYPE_CHECKING:
    from quarterdeck.endpoints.base import Tunnel
    from quarterdeck.endpoints.ollama_ladder import Local

THOROUGH_EVERY_S = 60.0
"""How often a server that refuses our key is asked for more than its models, to tell its engine."""
_KEEPS_ADAPTER = (Outcome.ANSWERED, Outcome.AUTH, Outcome.BUSY, Outcome.TIMEOUT)


def target_of(spec: EndpointSpec) -> Target:
    """Where and how to send requests for ``spec``. A trailing /v1 is dropped for engines whose pages lie beside it."""
    url = spec.url.rstrip("/")
    if spec.engine != "openai" and url.endswith("/v1") and url.count("/") == 3:
        url = url.removesuffix("/v1")
    return Target(url, spec.timeout, spec.headers, spec.auth, spec.tls, spec.proxy, spec.via is not None)


class Endpoint:
    """Polls one server. Not to be polled twice at once."""

    def __init__(
        self,
        spec: EndpointSpec,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        local: Local | None = None,
        tunnel: Tunnel | None = None,
    ) -> None:
        """Opens nothing yet. ``local``: looks into this machine, for engines that tell more to who runs beside them (Ollama).

        ``tunnel``: the way to a server that doesn't listen where we are.
        """
        self.spec = spec
        self._monotonic = monotonic
        self._wall = wall
        self._local = local
        self._tunnel = tunnel
        self._fetch = Fetch(target_of(spec), monotonic, in_time=True)
        self._certificate = Certificate(self._fetch.target, monotonic)
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
        if facts is not None and (ends := self._certificate.ends()) is not None:
            facts = replace(facts, certificate_ends=ends)
        now = self._monotonic()
        at = (started + now) / 2 if facts is None or facts.measured_at is None else facts.measured_at
        wall = self._wall() - (now - at)
        return Reading(at, outcome, reason, latency_s=self._fetch.first_answer_s, facts=facts, wall=wall)

    async def close(self) -> None:
        """Close its connections."""
        await self._certificate.close()
        await self._fetch.close()
        if self._tunnel is not None:
            await self._tunnel.close()

    async def _outcome(self) -> tuple[Outcome, str, Facts | None]:
        try:
            await self._fetch.ready()
            async with asyncio.timeout(self.spec.timeout):
                if self._tunnel is not None:
                    await self._fetch.through(await self._tunnel.ready())
                return Outcome.ANSWERED, "", await self._read()
        except Partly as partly:
            return partly.outcome, partly.reason, partly.facts
        except Failure as failure:
            explained = failure if self._tunnel is None else await self._tunnel.explained(failure)
            return explained.outcome, explained.reason, None
        except TimeoutError:
            silent = timed_out(self.spec.timeout)
            return (
                Outcome.TIMEOUT,
                (silent if self._tunnel is None else await self._tunnel.explained(silent)).reason,
                None,
            )
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
                from quarterdeck.endpoints.vllm import Vllm

                return Vllm(fetch, monotonic)
            case "ollama":
                from quarterdeck.endpoints.ollama import Ollama

                return Ollama(fetch, monotonic, self._wall, self._local)
            case "llamacpp":
                from quarterdeck.endpoints.llamacpp import LlamaCpp

                return LlamaCpp(fetch, monotonic)
            case "sglang":
                from quarterdeck.endpoints.sglang import SGLang

                return SGLang(fetch, monotonic)
            case _:
                return self._open_other(engine)

    def _open_other(self, engine: str) -> Adapter:
        fetch, monotonic = self._fetch, self._monotonic
        match engine:
            case "litellm":
                from quarterdeck.endpoints.litellm import LiteLLM

                return LiteLLM(fetch, monotonic)
            case "lmstudio":
                from quarterdeck.endpoints.lmstudio import LMStudio

                return LMStudio(fetch, monotonic)
            case "llama-swap":
                from quarterdeck.endpoints.llama_swap import LlamaSwap

                return LlamaSwap(fetch, monotonic)
            case "tgi":
                from quarterdeck.endpoints.tgi import TGI

                return TGI(fetch, monotonic)
            case _:
                return OpenAICompatible(fetch, monotonic)
