"""The manners of a simulated Ollama's answers: JSON, errors of both its APIs, times, and what guards every request."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address

from quarterdeck.demo.asking import compact
from quarterdeck.demo.http import Handler, Response
from quarterdeck.demo.request import Request

JSON_TYPE = "application/json; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"


def guarded(handler: Handler) -> Handler:
    """``handler`` behind what every request goes through: the check of the Host header, and readable JSON."""

    async def checked(request: Request) -> Response:
        if not _host_allowed(request.headers.get("host", "")):
            return Response(403, content_type=None)
        try:
            return await handler(request)
        except json.JSONDecodeError as error:
            if not request.body:
                return failure(400, "missing request body")
            ended = error.pos >= len(request.body.decode(errors="replace").rstrip()) or "Unterminated" in error.msg
            return failure(400, "unexpected EOF" if ended else f"invalid character in JSON: {error.msg}")
        except ValueError as error:
            return failure(400, str(error))

    return checked


def _host_allowed(host: str) -> bool:
    """A server bound to loopback answers only to local names and private addresses."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]")
    if name in ("", "localhost") or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified


def answer(data: object, status: int = 200) -> Response:
    """A JSON answer of the native API."""
    return Response(status, compact(data), JSON_TYPE)


def failure(status: int, message: str) -> Response:
    """An error of the native API."""
    return answer({"error": message}, status)


def v1_failure(status: int, message: str, kind: str) -> Response:
    """An error of the OpenAI-compatible API."""
    error = {"message": message, "type": kind, "param": None, "code": None}
    return Response(status, compact({"error": error}) + b"\n")


def timestamp(unix: float) -> str:
    """RFC 3339 with fractions, in UTC, as Go writes it."""
    moment = datetime.fromtimestamp(unix, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
