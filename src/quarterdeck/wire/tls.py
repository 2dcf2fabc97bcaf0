"""TLS contexts: one shared by every endpoint without settings of its own (making one costs 20 ms), read lazily."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache

from quarterdeck.config.fleet import Tls
from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME


@cache
def plain_context() -> ssl.SSLContext:
    """For clients that only speak http: knows no authority, so it costs nothing and would refuse every certificate."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _shared_context() -> ssl.SSLContext:
    return _trusting(None)


def _trusting(ca: str | None) -> ssl.SSLContext:
    """Trusts ``ca``, or what this machine and certifi trust."""
    if ca is not None:
        return ssl.create_default_context(cafile=ca)
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def context_for(tls: Tls) -> ssl.SSLContext:
    """The context for an https endpoint. Raises Failure naming the file that can't be used."""
    if tls == Tls():
        return _shared_context()
    try:
        context = _trusting(str(tls.ca) if tls.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise Failure(Outcome.FAILED, f"TLS: tls.ca {tls.ca}: {_words(error)}") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        try:
            # A key that needs a passphrase must fail instead of asking for it on the terminal.
            context.load_cert_chain(tls.cert, tls.key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise Failure(Outcome.FAILED, f"TLS: tls.cert {tls.cert}: {_words(error)}") from None
    return context


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "not a usable PEM certificate or key"
    return printable(error.strerror or "can't be read", 80)


async def expiry_of(host: str, port: int, tls: Tls, timeout: float) -> str | None:  # noqa: ASYNC109  (a deadline to keep)
    """The day an expired certificate ended ("Oct 3 2026"): asked once more with everything verified but the time."""
    try:
        context = _trusting(str(tls.ca) if tls.ca else None)
        context.verify_flags |= _NO_CHECK_TIME
        certificate = await certificate_of(host, port, context, timeout)
    except (OSError, ssl.SSLError, ValueError):
        return None
    ended = certificate.get("notAfter")
    if not isinstance(ended, str):
        return None
    fields = ended.split()  # "Oct  3 12:00:00 2026 GMT"
    return f"{fields[0]} {fields[1]} {fields[3]}" if len(fields) >= 4 else None


async def certificate_of(
    host: str,
    port: int,
    context: ssl.SSLContext,
    timeout: float,  # noqa: ASYNC109  (a deadline to keep)
) -> Mapping[str, object]:
    """A server's certificate as `ssl.SSLSocket.getpeercert` tells it; empty where it isn't verified. Raises OSError, ValueError."""
    async with asyncio.timeout(timeout):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        return writer.get_extra_info("peercert") or {}
    finally:
        writer.close()


def seconds_of(ended: object) -> float | None:
    """Unix seconds of a certificate's "Oct  3 12:00:00 2026 GMT"; ``None`` for anything else."""
    try:
        return float(ssl.cert_time_to_seconds(ended)) if isinstance(ended, str) else None
    except ValueError:
        return None
