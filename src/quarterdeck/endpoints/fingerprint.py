"""Which engine answers at a URL, by safe GETs only: nothing here loads a model, costs money or generates a token."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from quarterdeck.endpoints.base import first_owner, openai_models
from quarterdeck.endpoints.openai_compat import models_path
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import mapping
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Answer, Fetch

_OWNERS = {"vllm": "vllm", "sglang": "sglang", "llamacpp": "llamacpp", "llama-swap": "llama-swap", "library": "ollama"}


_NO_SUCH_PAGE = (400, 404, 405, 501)


@dataclass(slots=True)
class _Probe:
    """Remembers the first refusal that says more than "no such page": the truth if nothing else answers."""

    fetch: Fetch
    refusal: Failure | None = None

    async def ask(self, path: str) -> Answer | None:
        """The answer, or ``None`` where this server has none there. Raises Failure when it can't be asked further."""
        try:
            return await self.fetch.get(path, most=2**20)
        except Failure as failure:
            if failure.status is None or failure.outcome is Outcome.LOADING:
                raise
            says_more = failure.status not in _NO_SUCH_PAGE
            if says_more and (self.refusal is None or failure.outcome is Outcome.AUTH):
                self.refusal = failure
            return None


async def fingerprint(fetch: Fetch, *, thorough: bool = True) -> str:
    """Name of the engine: ollama, vllm, llamacpp, sglang, llama-swap, litellm, lmstudio, tgi or openai.

    Raises Failure: not reachable, loading, wants a key everywhere, or nothing known. A server that refuses the key for its models
    is asked for other pages only if ``thorough``: each would bring one more refusal, and some lock such a client out.
    """
    probe = _Probe(fetch)
    listing = None
    # Both where the URL has a path: it may be an OpenAI base, or a whole engine that a proxy serves below it.
    for path in dict.fromkeys((models_path(fetch.target.url), "/v1/models")):
        listing = await probe.ask(path)
        if listing is not None or (probe.refusal is not None and probe.refusal.outcome is Outcome.AUTH):
            break
    owner = first_owner(listing.body) if listing else None
    if owner in _OWNERS:
        return _OWNERS[owner]
    refused = probe.refusal is not None and probe.refusal.outcome is Outcome.AUTH
    if path == "/v1/models" and (thorough or not refused):
        named = await _by_own_pages(probe)
        if named is not None:
            return named
    if listing is not None and openai_models(listing.body, ModelState.SERVED) is not None:
        return "openai"
    if probe.refusal is not None:
        raise probe.refusal
    path = urlsplit(fetch.target.url).path
    raise foreign(
        "any model server that is known here", f"asked below {path}; is the URL the server's root?" if path else ""
    )


async def _by_own_pages(probe: _Probe) -> str | None:
    """Pages that only one engine has; judged by their keys, as some servers answer 200 to every path."""
    for path, judge in (
        ("/api/version", _api_version),
        ("/version", lambda keys: "vllm" if keys == {"version"} else None),
        ("/props", lambda keys: "llamacpp" if {"default_generation_settings", "build_info"} & keys else None),
        ("/health/readiness", lambda keys: "litellm" if "status" in keys and len(keys) > 1 else None),
        ("/api/v1/models", lambda keys: "lmstudio" if "models" in keys else None),
        ("/info", lambda keys: "tgi" if {"model_id", "max_total_tokens"} <= keys else None),
    ):
        answer = await probe.ask(path)
        if answer is None:
            continue
        name = judge(set(mapping(answer.json())))
        if name is not None:
            return name
    return None


def _api_version(keys: set[str]) -> str | None:
    if "version" not in keys:
        return None
    return "llama-swap" if {"commit", "build_date"} & keys else "ollama"
