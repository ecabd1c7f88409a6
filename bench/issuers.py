# SPDX-License-Identifier: Apache-2.0
"""What tokens of others cost to check, and what becomes of them when their issuer goes silent.

The issuer is real: it serves metadata and keys over HTTP on this machine until it is told to accept
connections and answer nothing, which is the worst that an outage does.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import uvloop
from joserfc import jws
from joserfc.jwk import ECKey

from bench.figure import Figure
from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.refreshed import PAUSE_S
from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import Unauthenticated
from remit.ports.issuers import IssuerUse

Json = Any

AUDIENCE = "https://remit.example"
SILENT = "issuers: tokens under a known key, issuer silent"
UNKNOWN = "issuers: an unknown key is refused, issuer silent"


class LocalIssuer:
    """An issuer on this machine, which can go silent."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256")
        self.silent = False
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the end of the block."""
        held: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held.append(writer)
            head = await reader.readuntil(b"\r\n\r\n")
            if self.silent:
                return
            public = {**self._key.as_dict(private=False), "kid": "known", "use": "sig"}
            document: Json = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            body = json.dumps({"keys": [public]} if b" /keys " in head else document).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for writer in held:
                writer.close()

    def token(self, kid: str, number: int, now: datetime) -> str:
        """Return a token of this issuer, under one of its keys or an unknown one."""
        at = int(now.timestamp())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": f"workload-{number}", "iat": at, "exp": at + 3600}
        return jws.serialize_compact({"alg": "ES256", "kid": kid}, json.dumps(claims), self._key)


async def _measure(count: int) -> tuple[float, float]:
    """Return tokens per second under a known key while an unknown one is being looked for, and how long that
    takes.
    """
    theirs, clock = LocalIssuer(), SystemClock()
    async with theirs.serving():
        ours = OidcIssuers(
            [
                Issuer(
                    name="theirs",
                    issuer=theirs.url,
                    audience=AUDIENCE,
                    uses=frozenset({IssuerUse.WORKLOADS}),
                    fetch=GuardedFetch(plain_loopback=True),
                )
            ],
            clock,
        )
        now = clock.now()
        tokens = [theirs.token("known", number, now) for number in range(count)]
        await ours.verify(tokens[0], use=IssuerUse.WORKLOADS)
        await asyncio.sleep(PAUSE_S)
        theirs.silent = True

        async def refused() -> float:
            begun = time.perf_counter()
            with contextlib.suppress(Unauthenticated):
                await ours.verify(theirs.token("unknown", 0, now), use=IssuerUse.WORKLOADS)
                raise RuntimeError("a token under an unknown key was taken")
            return time.perf_counter() - begun

        waiting = asyncio.create_task(refused())
        await asyncio.sleep(0.1)
        begun = time.perf_counter()
        for token in tokens:
            await ours.verify(token, use=IssuerUse.WORKLOADS)
        rate = count / (time.perf_counter() - begun)
        took = await waiting
        await ours.close()
    return rate, took


def issuers(quick: bool) -> list[Figure]:
    """Measure tokens of others during an outage of their issuer."""
    rate, took = uvloop.run(_measure(500 if quick else 5_000))
    how = "ES256, one token after another, while its issuer accepts connections and answers none"
    return [
        Figure(name=SILENT, value=rate, unit="/s", how=how),
        Figure(name=UNKNOWN, value=took, unit="s", how="from asking to the refusal, one token"),
    ]
