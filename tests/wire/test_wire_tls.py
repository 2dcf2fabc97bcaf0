"""Certificates, good and bad: each refusal says what to do."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fake_servers import pages_server
from quarterdeck.config.fleet import Auth, Tls
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def server_context(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


async def asked(url: str, tls: Tls, auth: Auth | None = None) -> str:
    """The body, or the reason why there is none (which is never a timeout or a refused connection)."""
    fetch = Fetch(Target(url, tls=tls, auth=auth))
    try:
        return (await fetch.get("/")).body.decode()
    except Failure as failure:
        return failure.reason if failure.outcome is Outcome.FAILED else repr(failure)
    finally:
        await fetch.close()


async def test_a_certificate_of_our_own_authority(ca: trustme.CA, ca_file: Path) -> None:
    async with pages_server({"/": b"fine"}, tls=server_context(ca.issue_cert("localhost", "127.0.0.1"))) as server:
        assert await asked(server.url, Tls(ca=ca_file)) == "fine"
        assert await asked(server.url.replace("127.0.0.1", "localhost"), Tls(ca=ca_file)) == "fine"


async def test_an_unknown_authority(ca: trustme.CA) -> None:
    async with pages_server({"/": b"fine"}, tls=server_context(ca.issue_cert("127.0.0.1"))) as server:
        reason = await asked(server.url, Tls())
        assert reason == "TLS: certificate signed by an unknown authority; set tls.ca"
        assert not server.asked
        assert await asked(server.url, Tls(verify=False)) == "fine"


async def test_another_host_name(ca: trustme.CA, ca_file: Path) -> None:
    async with pages_server({"/": b"fine"}, tls=server_context(ca.issue_cert("gpu-1.example"))) as server:
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            assert await asked(url, Tls(ca=ca_file)) == "TLS: certificate is for another host name"


async def test_an_expired_certificate_tells_its_last_day(ca: trustme.CA, ca_file: Path) -> None:
    cert = ca.issue_cert("127.0.0.1", not_after=datetime(2024, 10, 3, tzinfo=UTC))
    async with pages_server({"/": b"fine"}, tls=server_context(cert)) as server:
        assert await asked(server.url, Tls(ca=ca_file)) == "TLS: certificate expired on Oct 3 2024"
        assert await asked(server.url, Tls(verify=False)) == "fine"


async def test_a_certificate_of_tomorrow(ca: trustme.CA, ca_file: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    cert = ca.issue_cert("127.0.0.1", not_before=tomorrow, not_after=tomorrow + timedelta(days=9))
    async with pages_server({"/": b"fine"}, tls=server_context(cert)) as server:
        assert await asked(server.url, Tls(ca=ca_file)) == "TLS: certificate not valid yet (is a clock wrong?)"


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("self") / "self.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


async def test_a_self_signed_certificate_can_be_trusted_by_its_file(self_signed: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    async with pages_server({"/": b"fine"}, tls=context) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert await asked(url, Tls()) == "TLS: certificate is self-signed; set tls.ca to its file"
        assert await asked(url, Tls(ca=self_signed)) == "fine"


@pytest.fixture
def client_pem(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "client.pem"
    ca.issue_cert("console@example.org").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


WANTS_OURS = "TLS: the server wants a client certificate (tls.cert, tls.key) or refuses ours"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_wants_our_certificate(
    ca: trustme.CA, ca_file: Path, client_pem: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(ca.issue_cert("127.0.0.1"))
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    async with pages_server({"/": b"fine"}, tls=context) as server:
        # asyncio servers (uvicorn's too) hang up without the alert that would say why.
        reason = await asked(server.url, Tls(ca=ca_file))
        assert reason == WANTS_OURS or re.fullmatch("TLS: connection .*; it may want tls.cert and tls.key", reason)
        assert await asked(server.url, Tls(ca=ca_file, cert=client_pem, key=client_pem)) == "fine"
    with threaded_tls_server(context) as url:
        assert await asked(url, Tls(ca=ca_file)) == WANTS_OURS


@contextmanager
def threaded_tls_server(context: ssl.SSLContext) -> Iterator[str]:
    """One handshake, as OpenSSL's own loop does it: with an alert where it fails."""
    listener = socket.create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        connection, _ = listener.accept()
        with connection.dup() as raw:  # closing with unread data would reset the connection, and the alert be lost
            raw.settimeout(10)
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured,
            ):
                secured.settimeout(10)
                secured.do_handshake()
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass

    thread = threading.Thread(target=shake_hands)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(10)
    listener.close()


async def test_tls_towards_a_port_that_speaks_http() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    words = "TLS: the server doesn't speak TLS on this port; is it http:// ?"
    assert await asked(f"https://127.0.0.1:{port}", Tls()) == words
    server.close()


async def test_a_handshake_that_is_cut_off() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    reason = await asked(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", Tls())
    assert reason == "TLS: connection reset by the server; it may want tls.cert and tls.key"
    server.close()


async def test_http_towards_a_port_that_speaks_tls(ca: trustme.CA) -> None:
    async with pages_server({"/": b"fine"}, tls=server_context(ca.issue_cert("127.0.0.1"))) as server:
        fetch = Fetch(Target(server.url.replace("https", "http")))
        with pytest.raises(Failure) as caught:
            await fetch.get("/")
        await fetch.close()
    assert caught.value.outcome in (Outcome.FAILED, Outcome.FOREIGN)
    assert re.match("connection (closed|reset)|answers, but not in HTTP", caught.value.reason)


@pytest.mark.parametrize(
    ("which", "content"),
    [(which, content) for which in ("ca", "cert") for content in (None, "", "not a certificate")]
    + [("cert", "locked")],
)
async def test_files_that_cannot_be_used(which: str, content: str | None, tmp_path: Path, ca: trustme.CA) -> None:
    path = tmp_path / "file.pem"
    if content == "locked":
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
        path.write_bytes(ca.cert_pem.bytes() + key)
    elif content is not None:
        path.write_text(content)
    tls = Tls(ca=path) if which == "ca" else Tls(cert=path, key=path)
    reason = await asked("https://127.0.0.1:1", tls)
    words = "No such file or directory" if content is None else "not a usable PEM certificate or key"
    assert reason == f"TLS: tls.{which} {path}: {words}"


async def test_no_key_is_sent_before_the_certificate_is_known_to_be_good(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-very-secret")
    async with pages_server({"/": b"fine"}, tls=server_context(ca.issue_cert("127.0.0.1"))) as server:
        await asked(server.url, Tls(), Auth(env="A_KEY"))
        assert server.everything == b""
        await asked(server.url, Tls(verify=False), Auth(env="A_KEY"))
        assert b"Bearer sk-very-secret" in server.everything
