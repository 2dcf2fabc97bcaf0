"""What a server says when it refuses, in words for the screen."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome
from quarterdeck.wire import body as json_body
from quarterdeck.wire.failure import Failure

_LONGEST_SAID = 4096
Clean = Callable[[str], str]
"""Takes a key out of a text."""


def words(said: str, limit: int, clean: Clean) -> str:
    """The server's own text for the screen: cut last, as the part of a key that a cut leaves would not be found."""
    return printable(clean(printable(clean(said), _LONGEST_SAID)), limit)


def refusal(response: httpx.Response, body: bytes, clean: Clean) -> Failure:
    """A status other than 2xx, in words; the server's own words behind it where it gives any."""
    status = response.status_code
    said = _said(body, clean)
    if response.is_redirect or 300 <= status < 400:
        where = clean(response.headers.get("location", "")).partition("?")[0].rpartition("@")[2]
        return Failure(
            Outcome.FAILED,
            f"{status}: redirects to {words(where, 80, clean) or 'elsewhere'}; set url to that",
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
    text = said or {
        502: "the proxy can't reach the server behind it",
        503: "not available",
        504: "the proxy got no answer from the server behind it",
    }.get(status, words(response.reason_phrase, 60, clean) or "error")
    return Failure(Outcome.FAILED, f"{status}: {text}", status=status)


def _said(body: bytes, clean: Clean) -> str:
    """The message of an error body in any of the usual shapes: {"error": "…"}, {"error": {"message": "…"}}, {"detail": "…"}."""
    if len(body) > 65536:
        return ""
    data = json_body.mapping(json_body.parse(body))
    error = data.get("error")
    for candidate in (json_body.mapping(error).get("message"), error, data.get("message"), data.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return words(candidate, 100, clean)
    return ""
