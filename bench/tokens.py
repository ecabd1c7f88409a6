# SPDX-License-Identifier: Apache-2.0
"""What the authorization server does in a second on one core: requests through its endpoints, in process.

The HTTP server is not in the figures (it is in those of the governed call), nor is what the client does: its
assertions are signed beforehand. Everything else is: the form, the client's authentication and its single
use, the decision, the signature, the evidence.
"""

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvloop
from joserfc import jws
from joserfc.jwk import ECKey

from bench.figure import Figure
from bench.governed_bundle import AGENT, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.target import confined
from remit.compose import application, open_services
from remit.config import load_config
from remit.services.assembly.services import Services

Json = Any
Ask = Callable[[], Awaitable[Json]]

CONCURRENCY = 16
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class Desk:
    """The authorization server of a gateway, and an agent with its key before it."""

    def __init__(self, services: Services, asgi: Any, key: ECKey) -> None:
        self._services = services
        self._asgi = asgi
        self._key = key
        self._number = 0

    def proof(self) -> dict[str, str]:
        """Sign an assertion."""
        self._number += 1
        claims = {
            "iss": AGENT,
            "sub": AGENT,
            "aud": self._services.public_url,
            "jti": f"{self._number}-{time.time_ns()}",
            "exp": int(time.time()) + 290,
        }
        header = {"alg": "ES256", "typ": "JWT"}
        signed = jws.serialize_compact(header, json.dumps(claims).encode(), self._key, algorithms=["ES256"])
        return {"client_assertion_type": ASSERTION, "client_assertion": signed}

    async def ask(self, path: str, form: bytes) -> Json:
        """Send one form; gives the answer, which must be good."""
        told: dict[str, Any] = {"body": b""}

        async def receive() -> Json:
            return {"type": "http.request", "body": form, "more_body": False}

        async def send(message: Json) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
            else:
                told["body"] += message.get("body", b"")

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (b"host", b"127.0.0.1:8700"),
                (b"content-type", b"application/x-www-form-urlencoded"),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8700),
        }
        await self._asgi(scope, receive, send)
        if told["status"] != 200:
            raise RuntimeError(f"{path}: {told['status']} {told['body'][:200]!r}")
        return json.loads(told["body"])


async def rate(asks: list[Ask]) -> float:
    """Return how many of them are done in a second, so many at once."""
    waiting = iter(asks)

    async def worker() -> None:
        for ask in waiting:
            await ask()

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker())
    return len(asks) / (time.perf_counter() - start)


async def run(config_path: Path, rounds: int) -> dict[str, float]:
    """Make requests of each kind; gives how many were answered in a second, and what checking takes."""
    config = load_config(config_path)
    key = ECKey.generate_key("P-256")
    async with open_services(config) as services:
        token = await open_task(services, key)
        claims = services.identity.authenticator.unproven(token, services.clock.now())
        desk = Desk(services, application(services, config), key)
        own = {"grant_type": "client_credentials"}
        bound = own | {"mission_id": claims.task}
        exchange = {
            "grant_type": EXCHANGE,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "resource": f"{services.public_url}/mcp",
        }
        kinds = {
            "tokens of tasks issued": ("/oauth/token", bound),
            "tokens of agents issued": ("/oauth/token", own),
            "tokens exchanged": ("/oauth/token", exchange),
            "tokens introspected": ("/oauth/introspect", {"token": token}),
        }
        found = {}
        for name, (path, fields) in kinds.items():
            forms = [urlencode(fields | desk.proof()).encode() for _ in range(rounds + rounds // 10)]
            asks: list[Ask] = [partial(desk.ask, path, form) for form in forms]
            await rate(asks[: rounds // 10])
            found[name] = await rate(asks[rounds // 10 :])
        found["verified token met again"] = hit(services, token, rounds)
        found["token verified"] = await miss(desk, services, bound)
    return found


def hit(services: Services, token: str, rounds: int) -> float:
    """Return the median of checking a token that was verified before, in microseconds."""
    took = []
    for _ in range(rounds):
        now = services.clock.now()
        start = time.perf_counter_ns()
        services.identity.authenticator.claims(token, now)
        took.append((time.perf_counter_ns() - start) / 1e3)
    return statistics.median(took)


async def miss(desk: Desk, services: Services, fields: dict[str, str]) -> float:
    """Return the median of verifying a token for the first time, in microseconds."""
    took = []
    for _ in range(200):
        form = urlencode(fields | desk.proof()).encode()
        token = (await desk.ask("/oauth/token", form))["access_token"]
        now = services.clock.now()
        start = time.perf_counter_ns()
        services.identity.authenticator.claims(token, now)
        took.append((time.perf_counter_ns() - start) / 1e3)
    return statistics.median(took)


def tokens(quick: bool) -> list[Figure]:
    """Tokens issued, exchanged and introspected per second; what checking one takes."""
    cpus, rounds = layout(), 300 if quick else 3_000
    build = Path("build")
    build.mkdir(exist_ok=True)
    found: list[Figure] = []
    with running_upstream(cpus.others) as upstream, confined(cpus.target):
        for durability in ("durable", "buffered"):
            folder = Path(tempfile.mkdtemp(prefix="bench-tokens-", dir=build))
            try:
                took = uvloop.run(run(write_bundle(folder, upstream.url, 8700, durability), rounds))
            finally:
                shutil.rmtree(folder)
            how = (
                f"{rounds} requests through the endpoints in process, {CONCURRENCY} at once, one core; the "
                f"client proves itself by a new assertion (ES256) each time; evidence {durability}"
            )
            for name, value in took.items():
                per_second = name.startswith("tokens")
                told = how if per_second else "median, one at a time"
                if per_second or durability == "durable":
                    unit = "1/s" if per_second else "us"
                    prefix = f"oauth-{durability}" if per_second else "oauth"
                    found.append(Figure(name=f"{prefix}: {name}", value=value, unit=unit, how=told))
    return found
