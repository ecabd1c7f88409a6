# SPDX-License-Identifier: Apache-2.0
"""TLS of the port: a client's certificate of any issuer reaches step 1 unchanged."""

import asyncio
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from remit.cli.serve.tls import AskingContext, RenewedContext
from remit.core.errors import ConfigInvalid
from tests.worlds.tls_port import LOOPS, identity, serving, shown


@pytest.mark.parametrize("loop", LOOPS)
def test_certificate_of_nobody_reaches_step_1(tmp_path: Path, loop: str) -> None:
    """A client's certificate is passed on as it is, and one without any is served as well; large bodies
    travel both ways.
    """
    server, client = identity(tmp_path, "server"), identity(tmp_path, "client")

    async def run() -> None:
        async with serving(AskingContext(*server)) as url:
            body = b"x" * 3_000_000
            told, back = await shown(url, server[0], client, body)
            own = x509.load_pem_x509_certificate(client[0].read_bytes()).public_bytes(Encoding.DER)
            assert told["scheme"] == "https"
            assert told["chain"][0] == own.hex()
            assert back == body
            told, back = await shown(url, server[0], None, body)
            assert (told["chain"], back) == ([], body)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(run(), 60))


def test_without_asking_no_certificate_is_taken(tmp_path: Path) -> None:
    """Where the configuration does not ask, what a client has is not looked at."""
    server, client = identity(tmp_path, "server"), identity(tmp_path, "client")

    async def run() -> None:
        async with serving(RenewedContext(*server)) as url:
            told, _ = await shown(url, server[0], client)
            assert told == {"scheme": "https", "chain": []}

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize("kind", [RenewedContext, AskingContext])
def test_renewed_certificate_is_taken_up(tmp_path: Path, kind: type[RenewedContext]) -> None:
    """A certificate that was renewed in its file is shown to the next client; half a file is not."""
    certificate, key = identity(tmp_path, "server")

    async def seen(url: str) -> bytes | None:
        host, port = url.removeprefix("https://").split(":")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection(host, int(port), ssl=context)
        own: bytes | None = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.close()
        return own

    async def run() -> None:
        async with serving(kind(certificate, key)) as url:
            first = await seen(url)
            whole = certificate.read_bytes()
            certificate.write_bytes(whole[:100])
            assert await seen(url) == first
            identity(tmp_path, "server")
            assert await seen(url) not in (None, first)

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize("kind", [RenewedContext, AskingContext])
def test_wrong_files_leave_the_certificate_that_is_served(tmp_path: Path, kind: type[RenewedContext]) -> None:
    """Of another key, expired, not yet valid, no PEM, or gone: clients are served as before, and the reason
    is told until the files are right.
    """
    certificate, key = identity(tmp_path, "server")
    other, _ = identity(tmp_path, "other")
    past, _ = identity(tmp_path, "past", key=None, days=-2)
    good, wrong = certificate.read_bytes(), b"-----BEGIN CERTIFICATE-----\nnothing\n"
    cases = {
        "not the certificate of this key": (other.read_bytes(), key.read_bytes()),
        "no chain in PEM": (wrong, key.read_bytes()),
        "valid from": (past.read_bytes(), (tmp_path / "past.key").read_bytes()),
    }

    async def run() -> None:
        context = kind(certificate, key)
        before = context.look()
        own = key.read_bytes()
        async with serving(context) as url:
            for reason, (chain, secret) in cases.items():
                certificate.write_bytes(chain)
                key.write_bytes(secret)
                for _ in range(2):
                    told, _ = await shown(url, trusted, None)
                    assert told["scheme"] == "https"
                assert reason in context.look().fault
                assert context.look().expires == before.expires
            certificate.unlink()
            assert (await shown(url, trusted, None))[0]["scheme"] == "https"
            assert "No such file" in context.look().fault
            certificate.write_bytes(good)
            key.write_bytes(own)
            assert context.look().fault == ""

    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(good)
    asyncio.run(asyncio.wait_for(run(), 60))


def test_an_expired_certificate_is_served_where_there_is_no_other(tmp_path: Path) -> None:
    """A start does not fail by it: clients refuse it themselves, and remit tells why."""
    context = RenewedContext(*identity(tmp_path, "past", days=-2))
    assert "valid from" in context.look().fault


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """A certificate or key that is missing, or of another pair, stops the start with a line that names it."""
    certificate, _ = identity(tmp_path, "server")
    _, other = identity(tmp_path, "other")
    for kind in (RenewedContext, AskingContext):
        for key in (tmp_path / "missing.pem", other):
            with pytest.raises(ConfigInvalid, match=r"listen\.tls"):
                kind(certificate, key)


@pytest.mark.parametrize("kind", [RenewedContext, AskingContext])
@pytest.mark.parametrize("place", [0, 1])
def test_files_that_would_hold_up_the_server_are_not_read(
    tmp_path: Path, kind: type[RenewedContext], place: int
) -> None:
    """In the place of chain or key: a pipe, a device without an end, a very long file."""
    files = identity(tmp_path, "server")
    context = kind(*files)

    def piped() -> None:
        os.mkfifo(files[place])

    def endless() -> None:
        files[place].symlink_to("/dev/zero")

    def long() -> None:
        files[place].touch()
        os.truncate(files[place], 1 << 40)

    for put in (piped, endless, long):
        files[place].unlink()
        put()
        assert "no file of at most 256 KiB" in context.look().fault


@pytest.mark.parametrize("kind", [RenewedContext, AskingContext])
def test_an_encrypted_key_asks_no_terminal(tmp_path: Path, kind: type[RenewedContext]) -> None:
    """A question for its password would hold up all calls."""
    certificate, key = identity(tmp_path, "server")
    context = kind(certificate, key)
    private = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    assert "the key is encrypted" in context.look().fault
