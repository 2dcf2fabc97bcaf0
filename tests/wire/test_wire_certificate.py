"""When a server's certificate expires: looked at beside the polls, once an hour."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from fake_servers import pages_server
from quarterdeck.config.fleet import EndpointSpec, Tls
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.wire.certificate import READ_EVERY_S, Certificate
from quarterdeck.wire.http import Target
from quarterdeck.wire.tls import seconds_of

ENDS = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def serving(ca: trustme.CA, ends: datetime = ENDS) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", not_after=ends).configure_cert(context)
    return context


@dataclass
class Hand:
    now: float = 1000.0


async def settled(certificate: Certificate) -> None:
    """Wait for the look that goes on, if any."""
    if certificate._task is not None:
        await asyncio.wait({certificate._task})


async def test_it_is_looked_at_from_the_third_poll_on_and_once_an_hour(ca: trustme.CA, ca_file: Path) -> None:
    hand = Hand()
    async with pages_server({"/": b""}, tls=serving(ca)) as server:
        certificate = Certificate(Target(server.url, tls=Tls(ca=ca_file)), lambda: hand.now)
        for _ in range(2):
            assert certificate.ends() is None
            assert certificate._task is None
        assert certificate.ends() is None  # nothing waits for it
        await settled(certificate)
        assert certificate.ends() == ENDS.timestamp()
        assert not server.asked  # no request is sent
        hand.now += READ_EVERY_S - 1
        certificate.ends()
        assert certificate._task is None
        hand.now += 1
        certificate.ends()
        assert certificate._task is not None
        await certificate.close()


async def test_a_renewed_certificate_is_seen(ca: trustme.CA, ca_file: Path) -> None:
    hand = Hand()
    context = serving(ca)
    async with pages_server({"/": b""}, tls=context) as server:
        certificate = Certificate(Target(server.url, tls=Tls(ca=ca_file)), lambda: hand.now)
        for _ in range(3):
            certificate.ends()
        await settled(certificate)
        later = datetime(2033, 1, 1, tzinfo=UTC)
        ca.issue_cert("127.0.0.1", not_after=later).configure_cert(context)
        hand.now += READ_EVERY_S
        assert certificate.ends() == ENDS.timestamp()
        await settled(certificate)
        assert certificate.ends() == later.timestamp()


async def test_what_can_t_be_looked_at_stays_unknown(ca: trustme.CA) -> None:
    async with pages_server({"/": b""}, tls=serving(ca)) as server:
        secure = server.url
        targets = [
            Target(secure),  # an authority that nobody knows
            Target(secure, tls=Tls(verify=False)),  # not verified, not told
            Target(secure, tls=Tls(ca=Path("/nowhere/ca.pem"))),
            Target(secure.replace("https:", "http:")),
            Target(secure, proxy="http://127.0.0.1:1"),
            Target(secure, tunnel=True),
            Target("https://127.0.0.1:1"),
        ]
        for target in targets:
            certificate = Certificate(target, lambda: 0.0)
            for _ in range(6):
                assert certificate.ends() is None
                await settled(certificate)


async def test_closing_ends_a_look_that_hangs() -> None:
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        certificate = Certificate(Target(f"https://127.0.0.1:{port}", timeout=600))
        for _ in range(3):
            certificate.ends()
        await asyncio.sleep(0)
        await certificate.close()
        assert certificate._task is None


async def test_an_endpoint_tells_it(ca: trustme.CA, ca_file: Path) -> None:
    pages = {"/v1/models": b'{"data": [{"id": "m"}]}'}
    async with pages_server(pages, tls=serving(ca)) as server:
        endpoint = Endpoint(EndpointSpec("e", server.url, engine="openai", tls=Tls(ca=ca_file)))
        told = []
        for _ in range(4):
            reading = await endpoint.poll()
            assert reading.facts is not None, reading
            told.append(reading.facts.certificate_ends)
            await settled(endpoint._certificate)
        await endpoint.close()
    assert told == [None, None, None, ENDS.timestamp()]


@pytest.mark.parametrize("text", [None, 3, "", "tomorrow", "Foo 31 12:00:00 2026 GMT", "Oct  3 12:00:00 2026"])
def test_what_is_no_date(text: object) -> None:
    assert seconds_of(text) is None


def test_a_date() -> None:
    assert seconds_of("Oct  3 12:00:00 2026 GMT") == datetime(2026, 10, 3, 12, tzinfo=UTC).timestamp()
