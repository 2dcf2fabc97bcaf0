"""URLs of servers: checked, cleaned, and never repeated in a message where a credential could be in them."""

from __future__ import annotations

import re
from typing import NamedTuple

from quarterdeck.config.problem import BadValueError, shown, sort_of

URL_PATTERN = r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\\ ]+(?:/[^?# \\]*)?$"
"""What an editor can check; ``http_url`` knows more."""
URL_EXPECTED = 'a URL such as "http://127.0.0.1:8000"'
_NO_CREDENTIALS = "credentials don't belong in the URL; use auth = { env = ... }"
_NO_PROXY_CREDENTIALS = "credentials don't belong in the URL; use a proxy that needs none"
_PARTS = r"(?s)([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)(/[^?#]*)?(\?[^#]*)?(#.*)?"
_HOST = r"[\w-]{1,63}(?:\.[\w-]{1,63})*\.?"
_NUMERIC_END = r"(?:.*\.)?(?:\d+|0[xX]\w*)\.?"
_IPV4 = r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}"
_PORT = r"[0-9]{1,5}"


class Url(NamedTuple):
    """The parts of a checked URL."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without its brackets."""
    port: int | None
    path: str
    """ "" or "/…" without a trailing slash."""

    @property
    def authority(self) -> str:
        """``host[:port]``, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The URL again."""
        return f"{self.scheme}://{self.authority}{self.path}"


def http_url(value: object, *, proxy: bool = False) -> Url:
    """The parts of an http(s) URL. Raises BadValueError; what may hold a credential is not echoed."""
    if not isinstance(value, str):
        raise BadValueError(f"expected {URL_EXPECTED}, got {shown(value)}")
    match = re.fullmatch(_PARTS, value)
    if "@" in (match[2] if match else value):
        raise BadValueError(_NO_PROXY_CREDENTIALS if proxy else _NO_CREDENTIALS)
    if match is None or match[1].lower() not in ("http", "https") or not value.isprintable() or " " in value:
        raise BadValueError(f"expected {URL_EXPECTED}, got {_echo(value)}{_did_you_mean(value)}")
    if match[4] or match[5]:
        raise BadValueError('expected a URL without a query ("?…") or fragment ("#…")')
    host, port = _host_and_port(match[2], value)
    path = (match[3] or "").rstrip("/")
    if "\\" in path:
        raise BadValueError(f"expected {URL_EXPECTED}, got {_echo(value)}")
    return Url(match[1].lower(), host, port, path)


def _echo(value: str) -> str:
    return sort_of(value) if any(mark in value for mark in "@?#") else shown(value)


def _did_you_mean(value: str) -> str:
    """For an address without "http://"."""
    if "://" in value or any(mark in value for mark in "@?#"):
        return ""
    try:
        fixed = http_url(f"http://{value}")
    except BadValueError:
        return ""
    return f'; did you mean "{fixed}"?'


def _host_and_port(authority: str, url: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        well_formed = bool(bracket) and colon in ("", ":") and _is_ipv6(host)
    else:
        host, colon, port = authority.partition(":")
        well_formed = _is_host(host)
    if not well_formed:
        raise BadValueError(f"expected a host name or address in the URL, got {_echo(url)}")
    if not colon:
        return host.lower(), None
    if not re.fullmatch(_PORT, port) or not 1 <= int(port) <= 65535:
        raise BadValueError(f"expected a port between 1 and 65535 in the URL, got {_echo(url)}")
    return host.lower(), int(port)


def _is_host(host: str) -> bool:
    """A name, or an IPv4 address in its plain form: resolvers also take 134744072 or 010.8.8.8, and people misread them."""
    if len(host) > 253 or not re.fullmatch(_HOST, host):
        return False
    return bool(re.fullmatch(_IPV4, host)) if re.fullmatch(_NUMERIC_END, host) else True


def _is_ipv6(host: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
