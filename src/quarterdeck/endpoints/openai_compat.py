"""Any OpenAI-compatible server: whether it answers, and with which models. Nothing is asked that could cost money.

Source: GET {base}/models, where base is the URL as given if it has a path (https://api.example.com/openai/v1), else its /v1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quarterdeck.endpoints.base import openai_models
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Facts
from quarterdeck.wire.failure import foreign
from quarterdeck.wire.http import Fetch

if TYPE_CHECKING:
    from quarterdeck.model.chat.price import Price

NO_LOAD = "running, waiting and tok/s are unknown: the OpenAI interface has no load numbers; timings are those of our own requests"


def models_path(url: str) -> str:
    """Where the model list is, below ``url``."""
    return "/models" if urlsplit(url).path.strip("/") else "/v1/models"


class OpenAICompatible:
    """One OpenAI-compatible server."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        del monotonic
        self._fetch = fetch
        self._listed: tuple[bytes, Mapping[str, Price]] = (b"", {})
        self._path = models_path(fetch.target.url)

    async def read(self) -> Facts:
        """The models it lists."""
        answer = await self._fetch.optional(self._path)
        if answer is None:
            self._path = "/v1/models"  # a proxy may serve the server below a path
            answer = await self._fetch.get(self._path)
        models = openai_models(answer.body, ModelState.SERVED)
        if models is None:
            raise foreign("an OpenAI-compatible server")
        if answer.body != self._listed[0]:
            self._listed = (answer.body, _prices(answer.body))
        origins = {"models": self._path} | ({"prices": self._path} if self._listed[1] else {})
        return Facts("openai", models=models, prices=self._listed[1], notes=(NO_LOAD,), origins=origins)


def _prices(body: bytes) -> Mapping[str, Price]:
    if b'"pricing"' not in body:
        return {}
    from quarterdeck.endpoints.prices import listed_prices

    return listed_prices(body, time.strftime("%Y-%m-%d", time.gmtime()))
