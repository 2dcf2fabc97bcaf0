"""Which engine answers at a URL, by safe GETs only: nothing here loads a model, costs money or generates a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from quarterdeck.endpoints.base import first_owner, openai_models
from quarterdeck.endpoints.openai_compat import models_path
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import items, mapping
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
    for path, judge in _PAGES:
        answer = await probe.ask(path)
        name = judge(mapping(answer.json())) if answer is not None else None
        if name is not None:
            return name
    if probe.refusal is not None and probe.refusal.outcome is Outcome.AUTH:
        answer = await probe.ask("/metrics")  # the one page with content that SGLang shows without its key
        if answer is not None and b"\nsglang:" in answer.body:
            return "sglang"
    return None


def _api_version(told: Mapping[str, object]) -> str | None:
    if not isinstance(told.get("version"), str):
        return None
    return "llama-swap" if {"commit", "build_date"} & told.keys() else "ollama"


def _lmstudio(told: Mapping[str, object]) -> str | None:
    """Of the interface since 0.4: ``models`` with a ``key`` each; of the one before: ``data`` with a ``state`` each."""
    for listing, key in (("models", "key"), ("data", "state")):
        models = told.get(listing)
        if isinstance(models, list) and all(key in mapping(model) for model in items(models, 3)):
            return "lmstudio" if models or listing == "models" else None
    return None


def _having(name: str, *keys: str) -> Callable[[Mapping[str, object]], str | None]:
    return lambda told: name if set(keys) <= told.keys() else None


_PAGES: tuple[tuple[str, Callable[[Mapping[str, object]], str | None]], ...] = (
    ("/api/version", _api_version),
    ("/version", lambda told: "vllm" if told.keys() == {"version"} else None),
    ("/props", lambda told: "llamacpp" if {"default_generation_settings", "build_info"} & told.keys() else None),
    ("/health/readiness", _having("litellm", "status", "db")),
    ("/api/v1/models", _lmstudio),
    ("/api/v0/models", _lmstudio),
    ("/info", _having("tgi", "model_id", "max_total_tokens")),
)
