"""What a server says when it refuses, in words for the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome
from quarterdeck.wire import body as json_body
from quarterdeck.wire.failure import Failure

_LONGEST_SAID = 4096
_LARGEST_SAID = 65536
_LONGEST_WAIT_S = 30 * 86400.0
Clean = Callable[[str], str]
"""Takes a key out of a text."""


def words(said: str, limit: int, clean: Clean) -> str:
    """The server's own text for the screen: cut last, as the part of a key that a cut leaves would not be found."""
    return printable(clean(printable(clean(said), _LONGEST_SAID)), limit)


def refusal(response: httpx.Response, body: bytes, clean: Clean) -> Failure:
    """A status other than 2xx, in words; the server's own words behind it where it gives any."""
    data = json_body.mapping(json_body.parse(body)) if len(body) <= _LARGEST_SAID else {}
    failure = _worded(response, _said(data, clean), clean)
    failure.refused = _named(data, clean)
    failure.retry_after = _retry_after(response.headers.get("retry-after", ""), clean)
    return failure


def _worded(response: httpx.Response, said: str, clean: Clean) -> Failure:
    status = response.status_code
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


def _said(data: Mapping[str, object], clean: Clean) -> str:
    """The message of an error body in any of the usual shapes: {"error": "…"}, {"error": {"message": "…"}}, {"detail": "…"}."""
    error = data.get("error")
    for candidate in (json_body.mapping(error).get("message"), error, data.get("message"), data.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return words(candidate, 100, clean)
    return ""


def _named(data: Mapping[str, object], clean: Clean) -> str:
    """All that says what of the request is wrong: the long message, OpenAI's ``param``, the places of a pydantic ``detail`` list."""
    error = json_body.mapping(data.get("error"))
    named = [error.get("message"), error.get("param"), data.get("error"), data.get("message"), data.get("detail")]
    for one in json_body.items(data.get("detail"), 20):
        told = json_body.mapping(one)
        named += [*json_body.items(told.get("loc"), 8), told.get("msg")]
    return words(" ".join(one for one in named if isinstance(one, str)), 2000, clean)


def _retry_after(header: str, clean: Clean) -> str:
    """The header Retry-After in words: seconds, or a date."""
    try:
        seconds = float(header)
    except ValueError:
        return f"after {words(header, 40, clean)}" if header.strip() else ""
    return f"in {seconds:g} s" if 0 <= seconds < _LONGEST_WAIT_S else ""
