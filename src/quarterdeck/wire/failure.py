"""What can go wrong between us and a server, in words a person can act on."""

from __future__ import annotations

import errno
import re
import socket
import ssl

import httpx

from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome


class Failure(Exception):  # noqa: N818  (a failure is a reading: it says how the poll ended)
    """A request that brought nothing usable."""

    def __init__(self, outcome: Outcome, reason: str, *, status: int | None = None) -> None:
        """``reason`` is a finished phrase for the screen; ``status`` the HTTP status, where there was one."""
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.status = status
        self.refused = ""
        """What a refusal names: its message, parameter and places in the request, at more length than ``reason``."""
        self.retry_after = ""
        """When to ask again, by the server's word, in words ("in 30 s"). Not in ``reason``, which stays the same from poll to poll."""


def foreign(expected: str, why: str = "") -> Failure:
    """Something answers, but not as ``expected``."""
    return Failure(Outcome.FOREIGN, f"answers, but not as {expected}" + (f": {why}" if why else ""))


def timed_out(seconds: float) -> Failure:
    """The deadline passed."""
    return Failure(Outcome.TIMEOUT, f"no answer in {seconds:g} s")


_BY_ERRNO = {
    errno.ECONNREFUSED: (Outcome.REFUSED, "connection refused"),
    errno.EHOSTUNREACH: (Outcome.FAILED, "host unreachable"),
    errno.ENETUNREACH: (Outcome.FAILED, "network unreachable"),
    errno.ECONNRESET: (Outcome.FAILED, "connection reset by the server"),
    errno.EPIPE: (Outcome.FAILED, "connection closed by the server"),
    errno.EMFILE: (Outcome.FAILED, "this process has no file descriptors left (raise `ulimit -n`)"),
    errno.EADDRNOTAVAIL: (Outcome.FAILED, "no local port or address left"),
    errno.EACCES: (Outcome.FAILED, "not permitted by this machine's firewall or sandbox"),
    errno.EPERM: (Outcome.FAILED, "not permitted by this machine's firewall or sandbox"),
}


_ERRNO = re.compile(r"\[Errno (\d{1,4})\]")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it was raised from, groups (happy eyeballs) opened."""
    seen: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue and len(seen) < 32:
        current = queue.pop(0)
        if current is None or current in seen:
            continue
        seen.append(current)
        queue += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            queue += current.exceptions
    return seen


def _tls_words(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == 10:
        return "TLS: certificate expired"
    if code == 9:
        return "TLS: certificate not valid yet (is a clock wrong?)"
    if code == 18:
        return "TLS: certificate is self-signed; set tls.ca to its file"
    if code in (2, 19, 20, 21):
        return "TLS: certificate signed by an unknown authority; set tls.ca"
    if code in (62, 64):
        return "TLS: certificate is for another host name"
    return f"TLS: certificate refused: {printable(error.verify_message or 'unknown reason', 80)}"


def _ssl_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _tls_words(error)
    reason = (error.reason or "").upper()
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "TLS: the server doesn't speak TLS on this port; is it http:// ?"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return "TLS: the server wants a client certificate (tls.cert, tls.key) or refuses ours"
    return f"TLS: {printable((error.reason or str(error)).replace('_', ' ').lower(), 80)}"


def is_expired(error: BaseException) -> bool:
    """Whether the request failed because the server's certificate has expired."""
    return any(isinstance(e, ssl.SSLCertVerificationError) and e.verify_code == 10 for e in _causes(error))


def explain(error: Exception, timeout: float) -> Failure:
    """``error`` (from httpx or below) as a Failure. Never carries text of our own request, where a key could be."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return timed_out(timeout)
    return _of_the_system(_causes(error)) or _of_the_protocol(error)


def _of_the_system(causes: list[BaseException]) -> Failure | None:
    """TLS, name lookup, sockets."""
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return Failure(Outcome.FAILED, _ssl_words(cause))
        if isinstance(cause, socket.gaierror):
            return Failure(Outcome.FAILED, "host name not found")
    for cause in causes:
        if isinstance(cause, OSError) and (known := _BY_ERRNO.get(_errno_of(cause))) is not None:
            return Failure(*known)
    return None


def _errno_of(error: OSError) -> int:
    """Its number; asyncio leaves it out where it tried several addresses, and for a handshake that was cut off."""
    if error.errno is not None:
        return error.errno
    if isinstance(error, ConnectionError):
        return errno.ECONNRESET
    said = [int(number) for number in _ERRNO.findall(str(error))]
    return errno.ECONNREFUSED if errno.ECONNREFUSED in said else (said[0] if said else 0)


def _of_the_protocol(error: Exception) -> Failure:
    if isinstance(error, httpx.RemoteProtocolError):
        if "without sending" in str(error) or "incomplete" in str(error).lower():
            return Failure(Outcome.FAILED, "connection closed before the answer was complete")
        return Failure(Outcome.FOREIGN, "answers, but not in HTTP")
    if isinstance(error, httpx.ConnectError):
        # Several addresses were tried, each refused: there is no single errno.
        return Failure(Outcome.REFUSED, "connection refused")
    if isinstance(error, httpx.ProxyError):
        return Failure(Outcome.FAILED, "the proxy refuses the connection")
    if isinstance(error, httpx.TransportError):
        return Failure(Outcome.FAILED, "connection lost")
    return Failure(Outcome.FAILED, f"the answer can't be read ({type(error).__name__})")
