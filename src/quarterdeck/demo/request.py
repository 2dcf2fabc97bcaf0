"""Reading one HTTP/1.1 request from a stream, strictly: what is not clearly right is a `BadRequest`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MAX_HEAD_BYTES = 32 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")


class BadRequest(Exception):  # noqa: N818 (the name HTTP gives it)
    """The request can't be read; ``status`` is 400, 413 or 431, the message goes into the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are in lower case; ``path`` is decoded, ``query`` is not."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    http11: bool = True

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to send more on this connection."""
        wish = self.headers.get("connection", "").lower()
        return "close" not in wish if self.http11 else "keep-alive" in wish

    def values(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return parse_qs(self.query, keep_blank_values=True).get(name, []) if self.query else []

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``ValueError`` where it is none."""
        try:
            found = json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        if not isinstance(found, dict):
            raise ValueError("not an object")  # noqa: TRY004 (one kind of error for every wrong body)
        return found


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    """The next request. Raises `BadRequest`, or ``asyncio.IncompleteReadError`` when the client ends first."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
        while raw == b"\r\n\r\n":  # empty lines before a request are forgiven (RFC 9112, 2.2)
            raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise BadRequest("Request header too large", 431) from error
    lines = raw.lstrip(b"\r\n")[:-4].split(b"\r\n")
    method, target, http11 = _request_line(lines[0])
    headers = _headers(lines[1:])
    if http11 and "host" not in headers:
        raise BadRequest("Missing Host header")
    body = await _body(reader, writer, headers)
    return _request(method, target, http11=http11, headers=headers, body=body)


def _request(method: str, target: str, *, http11: bool, headers: Mapping[str, str], body: bytes) -> Request:
    try:
        parts = urlsplit(target)
    except ValueError as error:
        raise BadRequest("Invalid request target") from error
    return Request(method, unquote(parts.path) or "/", parts.query, headers, body, http11)


def _request_line(line: bytes) -> tuple[str, str, bool]:
    words = line.split(b" ")
    if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadRequest("Invalid HTTP request received.")
    method, target = words[0], words[1]
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise BadRequest("Invalid HTTP request received.")
    if not target.startswith((b"/", b"http://", b"https://")) and target != b"*":
        raise BadRequest("Invalid HTTP request received.")
    return method.decode(), target.decode(), words[2] == b"HTTP/1.1"


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadRequest("Invalid HTTP request received.")
        key, text = name.decode().lower(), value.decode("latin-1")
        if key in ("content-length", "host", "transfer-encoding") and headers.get(key, text) != text:
            raise BadRequest("Invalid HTTP request received.")
        headers[key] = text if key not in headers or headers[key] == text else f"{headers[key]}, {text}"
    return headers


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Mapping[str, str]) -> bytes:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is None and coding is None:
        return b""
    if length is not None and (coding is not None or not (length.isascii() and length.isdigit())):
        raise BadRequest("Invalid HTTP request received.")
    if coding is not None and coding.lower() != "chunked":
        raise BadRequest("Unknown transfer coding")
    if length is not None and (len(length) > 12 or int(length) > MAX_BODY_BYTES):
        raise BadRequest("Request body too large", 413)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await reader.readexactly(int(length)) if length is not None else await _chunked(reader)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while size := _chunk_size(await _line(reader)):
        total += size
        if total > MAX_BODY_BYTES:
            raise BadRequest("Request body too large", 413)
        chunks.append(await reader.readexactly(size))
        if await reader.readexactly(2) != b"\r\n":
            raise BadRequest("Invalid HTTP request received.")
    while await _line(reader):  # trailers
        pass
    return b"".join(chunks)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip(b" \t")
    if not _HEX.fullmatch(digits):
        raise BadRequest("Invalid HTTP request received.")
    return int(digits, 16)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.LimitOverrunError as error:
        raise BadRequest("Request header too large", 431) from error
