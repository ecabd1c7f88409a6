# SPDX-License-Identifier: Apache-2.0
"""Messages over a real NATS: who may listen and speak there, over what; what becomes of floods and faults."""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats as library
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.adapters.waker import nats as adapter
from remit.adapters.waker.credentials_file import Creds
from remit.adapters.waker.nats import Login, NatsWaker
from remit.core.errors import KeyUnavailable
from tests.attestation_world import WorldAuthority
from tests.nats_server import NatsServer, nats_server

CHANNEL = "remit.test"


async def until(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not so():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)


@asynccontextmanager
async def waker(
    server: NatsServer, ear: str = "one", *, through: bool = True, address: str = "", **options: Any
) -> AsyncIterator[tuple[NatsWaker, list[bytes]]]:
    """Provide one that listens, and what it hears."""
    heard: list[bytes] = []
    made = NatsWaker([address or server.address], CHANNEL, **options)
    await made.begin(ear, heard.append, lambda: None)
    try:
        if through:
            await until(lambda: not made.fault)
        yield made, heard
    finally:
        await made.close()


async def test_messages_reach_all_or_one(nats: NatsServer) -> None:
    """Those for another ear do not come; what one says itself comes back, for it is for all."""
    async with (
        waker(nats) as (one, first),
        waker(nats, "two") as (_, second),
        waker(nats, "three") as (_, third),
    ):
        await one.send(b"to all")
        await one.send(b"to two", "two")
        await until(lambda: second == [b"to all", b"to two"])
        await until(lambda: third == [b"to all"])
        await until(lambda: first == [b"to all"])


async def test_a_server_that_is_killed_is_found_again(nats: NatsServer) -> None:
    """What is said meanwhile is lost, and raises nothing."""
    async with waker(nats) as (one, _), waker(nats, "two") as (two, second):
        nats.kill()
        await until(lambda: bool(one.fault and two.fault))
        await one.send(b"into nothing")
        nats.start()
        await until(lambda: not one.fault and not two.fault)
        await one.send(b"again")
        await until(lambda: second == [b"again"])


async def test_a_server_that_hangs_is_noticed(nats: NatsServer) -> None:
    """Within seconds, although its connections are open; sending to it holds nobody up for long."""
    async with waker(nats) as (one, first):
        nats.pause(True)
        try:
            async with asyncio.timeout(60):
                while not one.fault:
                    await one.send(b"x" * 1000)
                    await asyncio.sleep(0.01)
        finally:
            nats.pause(False)
        await until(lambda: not one.fault)
        first.clear()
        await one.send(b"again")
        await until(lambda: b"again" in first)


async def test_one_that_starts_before_its_server_comes_later(tmp_path: Path) -> None:
    """Starting waits for nothing."""
    (tmp_path / "nats").mkdir()
    server = NatsServer(tmp_path / "nats")
    async with waker(server, through=False) as (one, _):
        await until(lambda: "Connect" in one.fault or "no servers" in one.fault)
        server.start()
        try:
            await until(lambda: not one.fault)
        finally:
            server.kill()


# Who may.


@pytest.mark.parametrize(
    ("settings", "right", "wrong"),
    [
        (
            'authorization { user: "remit", password: "p4ss" }',
            Login(user="remit", password="p4ss"),
            Login(user="remit", password="other"),
        ),
        ('authorization { token: "t0ken" }', Login(token="t0ken"), Login()),
    ],
    ids=["password", "token"],
)
async def test_a_login_is_shown(tmp_path: Path, settings: str, right: Login, wrong: Login) -> None:
    """The wrong one opens nothing, and no fault repeats it; it is read again for each connection."""
    with nats_server(tmp_path / "nats", settings) as server:
        logins = [wrong]
        async with waker(server, through=False, login=lambda: logins[-1]) as (one, _):
            await until(lambda: "uthorization" in one.fault)
            assert "other" not in one.fault
            logins.append(right)
            await until(lambda: not one.fault)


@pytest.mark.parametrize("denied", ["publish", "subscribe"])
async def test_who_may_not_speak_or_listen_there_is_told(tmp_path: Path, denied: str) -> None:
    """A connection alone is not enough."""
    user = f'user: "u", password: "p", permissions: {{ {denied}: {{ deny: "remit.>" }} }}'
    with nats_server(tmp_path / "nats", f"authorization {{ users: [ {{ {user} }} ] }}") as server:
        login = Login(user="u", password="p")
        async with waker(server, through=False, login=lambda: login) as (one, _):
            await until(lambda: "ermissions" in one.fault or "come back" in one.fault)


async def test_a_user_needs_these_subjects_and_no_others(tmp_path: Path) -> None:
    """To speak there, and to listen."""
    rights = 'permissions: { publish: "remit.test.>", subscribe: "remit.test.>" }'
    user = f'{{ user: "u", password: "p", {rights} }}'
    with nats_server(tmp_path / "nats", f"authorization {{ users: [ {user} ] }}") as server:
        login = Login(user="u", password="p")
        async with waker(server, login=lambda: login) as (one, heard):
            await one.send(b"hello", "one")
            await until(lambda: heard == [b"hello"])


# Over what.


def authority() -> WorldAuthority:
    """Return one that is trusted now."""
    now = datetime.now(UTC)
    return WorldAuthority(since=now - timedelta(hours=1), until=now + timedelta(hours=1))


def pem_files(folder: Path, name: str, by: WorldAuthority) -> tuple[str, str]:
    """Lay a certificate and its key into files."""
    chain, key = by.svid_and_key(dns=("localhost",))
    pem = b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in chain)
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(pem)
    private.write_bytes(key)
    return str(certificate), str(private)


def trusting(by: WorldAuthority, *shown: str) -> Callable[[], ssl.SSLContext]:
    """Return what trusts an authority, and shows a certificate."""

    def made() -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=by.pem.decode())
        if shown:
            context.load_cert_chain(*shown)
        return context

    return made


async def test_over_tls_both_sides_are_known(tmp_path: Path) -> None:
    """The server by its name and authority, the replica by a certificate where the server asks for one."""
    ours, theirs = authority(), authority()
    certificate, key = pem_files(tmp_path, "server", ours)
    shown = pem_files(tmp_path, "replica", ours)
    (tmp_path / "ca.pem").write_bytes(ours.pem)
    tls = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{tmp_path}/ca.pem", verify: true'
    with nats_server(tmp_path / "nats", f"tls {{ {tls}, handshake_first: true }}") as server:
        address = f"tls://localhost:{server.port}"
        async with waker(server, address=address, tls=trusting(ours, *shown)) as (one, heard):
            await one.send(b"hello")
            await until(lambda: heard == [b"hello"])
        for tls_of in (trusting(theirs, *shown), trusting(ours)):
            async with waker(server, address=address, through=False, tls=tls_of) as (one, _):
                await until(lambda one=one: one.fault not in ("", "not connected yet"))  # type: ignore[misc]


async def test_no_secret_is_shown_before_the_handshake(tmp_path: Path) -> None:
    """To a server that would talk in the clear, or who poses as one: it hears no word of ours."""
    heard: list[bytes] = []

    async def pose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {
            "server_id": "x",
            "version": "2.11.0",
            "max_payload": 1048576,
            "proto": 1,
            "auth_required": True,
        }
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        with contextlib.suppress(OSError):
            heard.append(await reader.read(4096))
        writer.close()

    listening = await asyncio.start_server(pose, "127.0.0.1", 0)
    address = f"tls://localhost:{listening.sockets[0].getsockname()[1]}"
    server = NatsServer(tmp_path)
    login = Login(user="remit", password="of-the-fleet")
    async with waker(server, address=address, through=False, login=lambda: login) as (one, _):
        await until(lambda: len(heard) >= 2 and one.fault not in ("", "not connected yet"))
    listening.close()
    assert b"of-the-fleet" not in b"".join(heard)
    assert b"CONNECT" not in b"".join(heard)


# What others send.


async def test_a_flood_is_not_taken_in(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server hands over so many and no more; afterwards messages come through again."""
    monkeypatch.setattr(adapter, "BURST", 50)
    async with waker(nats) as (one, heard):
        stranger = await library.connect(nats.address)
        for _ in range(20):
            for _ in range(1000):
                await stranger.publish(f"{CHANNEL}.all", b"flood")
            await stranger.flush()
        assert len(heard) < 1000, "of twenty thousand"
        await until(lambda: "than replicas send" in one.fault)
        await stranger.close()
        await until(lambda: not one.fault)
        heard.clear()
        await one.send(b"after it")
        await until(lambda: b"after it" in heard)


# Credentials of users.


def nkey(kind: int, private: Ed25519PrivateKey) -> tuple[str, str]:
    """Write a key as NKEYS does: its public half, and its seed."""

    def told(raw: bytes) -> str:
        checked = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
        return base64.b32encode(checked).decode().rstrip("=")

    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    secret = private.private_bytes_raw()
    return told(bytes([kind]) + public), told(bytes([18 << 3 | kind >> 5, (kind & 31) << 3]) + secret)


def token(claims: dict[str, Any], issuer: Ed25519PrivateKey) -> str:
    """Sign claims as NATS has them."""

    def part(value: Any) -> str:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    claims = {"iat": 1_700_000_000, **claims}
    claims["jti"] = (
        base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
    )
    head = f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(claims)}"
    return f"{head}.{part(issuer.sign(head.encode()))}"


OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3


def a_house_of_accounts() -> tuple[str, str]:
    """Return the settings of a server that knows one account, and the credentials of a user of it."""
    operator, account, user = (Ed25519PrivateKey.generate() for _ in range(3))
    names = [nkey(kind, key)[0] for kind, key in ((OPERATOR, operator), (ACCOUNT, account), (USER, user))]
    by_operator = token(
        {"iss": names[0], "sub": names[0], "name": "o", "nats": {"type": "operator", "version": 2}}, operator
    )
    limits = {
        "subs": -1,
        "data": -1,
        "payload": -1,
        "imports": -1,
        "exports": -1,
        "wildcards": True,
        "conn": -1,
    }
    of_account = token(
        {
            "iss": names[0],
            "sub": names[1],
            "name": "a",
            "nats": {"type": "account", "version": 2, "limits": limits | {"leaf": -1}},
        },
        operator,
    )
    of_user = token(
        {
            "iss": names[1],
            "sub": names[2],
            "name": "u",
            "nats": {
                "type": "user",
                "version": 2,
                "subs": -1,
                "data": -1,
                "payload": -1,
                "pub": {},
                "sub": {},
            },
        },
        account,
    )
    settings = (
        f"operator: {by_operator}\nresolver: MEMORY\nresolver_preload: {{ {names[1]}: {of_account} }}\n"
    )
    written = (
        f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
        "*** do not share ***\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{nkey(USER, user)[1]}\n------END USER NKEY SEED------\n"
    )
    return settings, written


async def test_credentials_of_a_user_open_their_account(tmp_path: Path) -> None:
    """Signed by the operator's account; those of another account open nothing."""
    settings, written = a_house_of_accounts()
    with nats_server(tmp_path / "nats", settings) as server:
        async with waker(server, login=lambda: Login(credentials=written)):
            pass
        _, others = a_house_of_accounts()
        async with waker(server, through=False, login=lambda: Login(credentials=others)) as (one, _):
            await until(lambda: "uthorization" in one.fault)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.replace("USER NKEY", "ACCOUNT NKEY"),
        lambda text: text.replace("\nSU", "\nSA"),
        lambda text: text.replace("\nSUA", "\nSUB"),
        lambda text: text.partition("-----BEGIN USER")[0],
    ],
)
def test_what_are_no_credentials_says_so(change: Callable[[str], str]) -> None:
    """And repeats nothing of them."""
    _, written = a_house_of_accounts()
    seed = next(line for line in written.splitlines() if line.startswith("SU"))
    with pytest.raises(KeyUnavailable) as refused:
        Creds(change(written))
    assert seed[4:20] not in str(refused.value)


async def test_credentials_that_are_none_do_not_end_it(nats: NatsServer) -> None:
    """It says why, and goes on trying with what is there then."""
    logins = [Login(credentials="none")]
    async with waker(nats, through=False, login=lambda: logins[-1]) as (one, _):
        await until(lambda: "no NATS credentials" in one.fault)
        logins.append(Login())
        await until(lambda: not one.fault)
