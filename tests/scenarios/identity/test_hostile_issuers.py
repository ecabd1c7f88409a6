# SPDX-License-Identifier: Apache-2.0
"""Issuers that are slow, down or hostile, over real connections: they are refused, and delay no other issuer.

The threat: an issuer that remit trusts is taken over, or breaks, or an attacker makes remit ask it all the
time; then workloads of other issuers must be served as before, and nothing may be read without a bound.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.oidc import OidcAttestor
from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.core.errors import Unauthenticated
from remit.ports.attestor import ShownAssertion
from remit.ports.issuers import IssuerUse
from remit.services.identity.attestation import Attestors
from tests.servers.tls_server import local_server, reply
from tests.worlds.attestation import AUDIENCE, WorldIssuer
from tests.worlds.values import WorldClock


def services(clock: WorldClock, *issuers: WorldIssuer) -> Attestors:
    """Trust these issuers, over real connections."""
    trusted = [
        Issuer(
            name=f"issuer-{number}",
            issuer=one.issuer,
            audience=AUDIENCE,
            uses=frozenset({IssuerUse.WORKLOADS}),
            fetch=GuardedFetch(plain_loopback=True),
        )
        for number, one in enumerate(issuers)
    ]
    return Attestors((OidcAttestor(OidcIssuers(trusted, clock)),))


def answering(issuer: WorldIssuer, **instead: Callable[[], bytes]) -> Callable[[str], bytes]:
    """Return what serves an issuer's documents, with something else at some places."""

    def answer(path: str) -> bytes:
        name = path.strip("/").replace(".well-known/openid-configuration", "metadata")
        if name in instead:
            return instead[name]()
        return reply(json.dumps(issuer.documents[f"{issuer.issuer}{path}"]).encode())

    return answer


async def refusal(attestors: Attestors, token: str) -> str:
    """Return the code of the refusal; empty where there is none."""
    try:
        await attestors.attest(ShownAssertion(token))
    except Unauthenticated as refused:
        return refused.code
    return ""


def thousand(issuer: WorldIssuer) -> bytes:
    """Return a key set of a thousand keys, all of them the right one."""
    (key,) = issuer.jwks["keys"]
    return reply(json.dumps({"keys": [{**key, "kid": str(number)} for number in range(1000)]}).encode())


def endless(_: WorldIssuer) -> bytes:
    """Return a key set that does not end where it should."""
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b'{"keys": [' + b" " * 5_000_000


HOSTILE: dict[str, Callable[[WorldIssuer], dict[str, Callable[[], bytes]]]] = {
    "a thousand keys": lambda one: {"keys": lambda: thousand(one)},
    "a key set without end": lambda one: {"keys": lambda: endless(one)},
    "a redirect inwards": lambda _: {
        "keys": lambda: reply(b"", "Location: http://169.254.169.254/", status="302 Found")
    },
    "no JSON": lambda _: {"keys": lambda: reply(b"<html>")},
    "an error": lambda _: {"metadata": lambda: reply(b"{}", status="500 Oops")},
    "another's metadata": lambda _: {
        "metadata": lambda: reply(json.dumps({"issuer": "https://other.example", "jwks_uri": "x"}).encode())
    },
    "keys at a private address": lambda one: {
        "metadata": lambda: reply(
            json.dumps({"issuer": one.issuer, "jwks_uri": "https://10.0.0.1/keys"}).encode()
        )
    },
    "keys at a file": lambda one: {
        "metadata": lambda: reply(
            json.dumps({"issuer": one.issuer, "jwks_uri": "file:///etc/passwd"}).encode()
        )
    },
}


@pytest.mark.parametrize("way", HOSTILE)
async def test_what_an_issuer_must_not_serve_vouches_for_nobody(way: str) -> None:
    """And a good issuer beside it is believed as before."""
    bad, good = WorldIssuer(), WorldIssuer()
    async with (
        local_server(answering(bad, **HOSTILE[way](bad))) as theirs,
        local_server(answering(good)) as ours,
    ):
        bad.issuer, good.issuer = theirs.url(""), ours.url("")
        attestors = services(WorldClock(), bad, good)
        assert await refusal(attestors, bad.token()) == "issuer-unavailable"
        assert await refusal(attestors, good.token()) == ""


async def test_a_silent_issuer_delays_nobody_else() -> None:
    """While a hundred tokens wait for it, others are served; then all hundred are refused, after one try."""
    silent, good = WorldIssuer(), WorldIssuer()
    tries: list[asyncio.StreamWriter] = []

    async def accept(_: Any, writer: asyncio.StreamWriter) -> None:
        tries.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    silent.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with local_server(answering(good)) as ours:
        good.issuer = ours.url("")
        attestors = services(WorldClock(), silent, good)
        waiting = [asyncio.create_task(refusal(attestors, silent.token())) for _ in range(100)]
        for _ in range(20):
            assert await refusal(attestors, good.token()) == ""
        assert not any(one.done() for one in waiting)
        assert set(await asyncio.gather(*waiting)) == {"issuer-unavailable"}
        # The failure is remembered: for now no request waits again.
        assert await refusal(attestors, silent.token()) == "issuer-unavailable"
    assert len(tries) == 1
    for writer in tries:
        writer.close()
    server.close()


async def test_an_outage_ends_when_it_ends() -> None:
    """Known keys go on, an unknown one is refused; with the issuer back, its new key is learned."""
    clock, issuer = WorldClock(), WorldIssuer()
    down = False

    def answer(path: str) -> bytes:
        return reply(b"", status="503 Down") if down else answering(issuer)(path)

    async with local_server(answer) as server:
        issuer.issuer = server.url("")
        attestors = services(clock, issuer)
        assert await refusal(attestors, issuer.token(clock.now())) == ""
        down = True
        clock.advance(3600)
        assert await refusal(attestors, issuer.token(clock.now())) == ""
        issuer.turn("key-2")
        clock.advance(11)
        assert await refusal(attestors, issuer.token(clock.now())) == "token-signature"
        assert await refusal(attestors, issuer.token(clock.now(), {"kid": "key-1"})) == "token-signature"
        down = False
        clock.advance(11)
        assert await refusal(attestors, issuer.token(clock.now())) == ""
