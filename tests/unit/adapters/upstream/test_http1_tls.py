# SPDX-License-Identifier: Apache-2.0
"""TLS to an upstream: who it is is always verified, and its end is told from a cut."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from remit.adapters.upstream.http1 import Origin, Pool
from remit.core.errors import ConfigInvalid, UpstreamFault, UpstreamUnreachable
from tests.clients.raw_peer import OK, Visit, answering, ask, each_loop, pool_of, raw_peer


class LocalCa:
    """An authority for one test."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(
            self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), None
        )

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        constraints: x509.BasicConstraints,
        host: str | None,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=constraints.ca,
            crl_sign=constraints.ca,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority alone."""
        return ssl.create_default_context(cadata=self._certificate.public_bytes(Encoding.PEM).decode("ascii"))

    def serve_as(self, host: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(subject, key, x509.BasicConstraints(ca=False, path_length=None), host)
        file = self._folder / "server.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@each_loop
async def test_an_exchange_over_tls_is_like_any_other(tmp_path: Path) -> None:
    """Connections are verified, kept and used again, and the upstream is told which host is meant."""
    ca = LocalCa(tmp_path, "Example CA")
    server = ca.serve_as("localhost")
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with (
        raw_peer(answering(OK, chunked, OK), tls=server) as peer,
        pool_of(peer, tls=ca.trust()) as pool,
    ):
        assert [await ask(pool) for _ in range(3)] == [(200, b"ok"), (200, b"abc"), (200, b"ok")]
        assert (peer.visits, names) == (1, ["localhost"])


@each_loop
async def test_a_large_exchange_over_tls_arrives_whole(tmp_path: Path) -> None:
    """Eight megabytes there and back, with the reader holding the upstream back."""
    ca = LocalCa(tmp_path, "Example CA")
    body = bytes(range(256)) * 32_768

    async def serve(visit: Visit) -> None:
        request = await visit.request()
        assert request.endswith(b"\r\n\r\n" + body)
        visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await visit.request()

    async with (
        raw_peer(serve, tls=ca.serve_as("localhost")) as peer,
        pool_of(peer, tls=ca.trust()) as pool,
    ):
        connection = await pool.acquire()
        connection.send(b"POST", b"/", [], body)
        assert b"".join([piece async for piece in connection.chunks()]) == body
        connection.release()


@each_loop
async def test_another_hosts_certificate_is_refused(tmp_path: Path) -> None:
    """A certificate for a different name does not open a connection, and nothing is sent."""
    ca = LocalCa(tmp_path, "Example CA")
    async with (
        raw_peer(answering(OK), tls=ca.serve_as("other.example.test")) as peer,
        pool_of(peer, tls=ca.trust()) as pool,
    ):
        with pytest.raises(UpstreamUnreachable, match="certificate") as caught:
            await ask(pool)
        assert not caught.value.sent
        assert peer.requests == []


@each_loop
async def test_another_authoritys_certificate_is_refused(tmp_path: Path) -> None:
    """Neither a strange authority nor one absent from the system's store is believed."""
    ca, other = LocalCa(tmp_path, "Example CA"), LocalCa(tmp_path, "Other CA")
    async with raw_peer(answering(OK), tls=ca.serve_as("localhost")) as peer:
        for context in (other.trust(), None):
            async with pool_of(peer, tls=context) as pool:
                with pytest.raises(UpstreamUnreachable, match="certificate") as caught:
                    await ask(pool)
                assert not caught.value.sent
        assert peer.requests == []


def test_settings_that_trust_anybody_are_refused() -> None:
    """A context that does not verify the chain, or not the name, is an error of configuration."""
    origin = Origin.parse("https://tools.example.test")
    no_name = ssl.create_default_context()
    no_name.check_hostname = False
    no_chain = ssl.create_default_context()
    no_chain.check_hostname = False
    no_chain.verify_mode = ssl.CERT_NONE
    for context in (no_name, no_chain):
        with pytest.raises(ConfigInvalid):
            Pool(origin, ssl_context=context)
    with pytest.raises(ConfigInvalid):
        Pool(Origin.parse("http://tools.example.test"), ssl_context=ssl.create_default_context())


@each_loop
async def test_plain_http_on_a_tls_port_is_unreachable(tmp_path: Path) -> None:
    """A peer that does not speak TLS fails before anything is sent."""
    ca = LocalCa(tmp_path, "Example CA")

    async def serve(visit: Visit) -> None:
        visit.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_peer(serve) as peer:
        peer.origin = Origin("https", "localhost", peer.origin.port)
        async with pool_of(peer, tls=ca.trust()) as pool:
            with pytest.raises(UpstreamUnreachable) as caught:
                await pool.acquire()
            assert not caught.value.sent


@each_loop
@pytest.mark.parametrize("orderly", [True, False])
async def test_only_close_notify_ends_a_body_without_length(tmp_path: Path, orderly: bool) -> None:
    """Under TLS a connection that is cut never passes for the end of a response (RFC 9112 section 9.8)."""
    ca = LocalCa(tmp_path, "Example CA")

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(b"HTTP/1.1 200 OK\r\n\r\npart")
        await visit.writer.drain()
        if orderly:
            visit.end()
        else:
            visit.cut()

    async with (
        raw_peer(serve, tls=ca.serve_as("localhost")) as peer,
        pool_of(peer, tls=ca.trust()) as pool,
    ):
        if orderly:
            assert await ask(pool) == (200, b"part")
        else:
            with pytest.raises(UpstreamFault) as caught:
                await ask(pool)
            assert caught.value.code == "upstream-truncated"
