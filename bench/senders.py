# SPDX-License-Identifier: Apache-2.0
"""What it costs that a sender proves to hold its token's key (DPoP), in process and on one core."""

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.target import confined
from remit.compose import application, open_services
from remit.config import load_config
from remit.core.identity.workload import AttestationMethod, Attested, Confirmation
from remit.services.assembly.services import Services
from remit.services.oauth.access_tokens import TokenQuestion
from remit.services.oauth.client_authentication import TokenClient
from remit.services.oauth.presented_tokens import PresentedToken
from remit_sdk.dpop import DpopProver

Json = Any

CHECK = "senders: DPoP proof checked"
BOUND = "senders: DPoP-bound tokens verified"
ADDED = "senders: added to a governed call"
_ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


class Caller:
    """An agent with two tokens of one task: one that any caller may show, one that is bound to a key."""

    def __init__(self, services: Services, asgi: Any, bearer: str, bound: str, prover: DpopProver) -> None:
        self.services = services
        self.prover = prover
        self.bound = bound
        self._bearer = bearer
        self._asgi = asgi
        self.url = f"{services.public_url}/mcp/{UPSTREAM}"

    def proof(self) -> str:
        """Sign a proof for the next call, with the nonce of the moment."""
        self.prover.learn(self.url, {"DPoP-Nonce": self.services.oauth.proofs.nonce()})
        return self.prover.proof("POST", self.url, self.bound)

    async def call(self, number: int, proof: str) -> float:
        """Make one governed call; gives the microseconds that it took. An empty proof: as a bearer."""
        params = {"name": "echo", "arguments": {"text": f"call {number:08d} sent"}, "_meta": _ENVELOPE}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        content = json.dumps(body).encode()
        shown = [(b"authorization", f"DPoP {self.bound}".encode()), (b"dpop", proof.encode())]
        headers = [
            (b"content-type", b"application/json"),
            (b"accept", b"application/json, text/event-stream"),
            (b"mcp-protocol-version", b"2026-07-28"),
            (b"mcp-method", b"tools/call"),
            (b"mcp-name", b"echo"),
            *(shown if proof else [(b"authorization", f"Bearer {self._bearer}".encode())]),
        ]
        told: dict[str, Json] = {}
        pieces = iter([content])

        async def receive() -> Json:
            content = next(pieces, None)
            if content is None:
                await asyncio.Event().wait()  # this caller waits for its answer, however long it takes
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Json) -> None:
            told.update(message)

        path = f"/mcp/{UPSTREAM}"
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8700),
        }  # fmt: skip
        start = time.perf_counter_ns()
        await self._asgi(scope, receive, send)
        took = (time.perf_counter_ns() - start) / 1e3
        if told.get("status") != 200 or b'"result"' not in told["body"]:
            raise RuntimeError(f"call {number}: {told.get('status')} {told['body'][:200]!r}")
        return took


async def _caller(services: Services, asgi: Any) -> Caller:
    bearer = await open_task(services)
    claims = services.identity.authenticator.unproven(bearer, services.clock.now())
    live = await services.tasks.live.load(claims.task)
    prover = DpopProver()
    asking = TokenQuestion(how="bench", confirmation=Confirmation(jkt=prover.key.thumbprint))
    method = AttestationMethod.PRIVATE_KEY
    attested = Attested(workload="jkt:bench", method=method, assurance=method.assurance)
    client = TokenClient(agent=live.agent, client_id=live.agent.name, attested=attested)
    bound = (await services.oauth.tokens.for_task(client, live, asking)).text
    return Caller(services, asgi, bearer, bound, prover)


def _each(work: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1e3


async def run(config_path: Path, rounds: int) -> dict[str, float]:
    """Check proofs, verify bound tokens, and make calls with and without, one of each in turn."""
    config = load_config(config_path)
    async with open_services(config) as services:
        caller = await _caller(services, application(services, config))
        now, url, token = services.clock.now(), caller.url, caller.bound
        checks, identified = [], []
        for _ in range(rounds):
            proof = caller.proof()
            checks.append(
                _each(partial(services.oauth.proofs.check, proof, method="POST", url=url, token=token))
            )
            showing = PresentedToken(
                authorization=f"DPoP {token}", method="POST", url=url, proofs=[caller.proof()]
            )
            identified.append(_each(partial(services.oauth.presented.identify, showing, now, resource=url)))
        for number in range(rounds // 10):
            await caller.call(number, "")
        bearer, bound = [], []
        for number in range(rounds):
            bearer.append(await caller.call(number, ""))
            bound.append(await caller.call(number, caller.proof()))
    return {
        CHECK: statistics.median(checks),
        BOUND: 1e6 / statistics.fmean(identified),
        ADDED: statistics.median(bound) - statistics.median(bearer),
    }


def senders(quick: bool) -> list[Figure]:
    """A proof checked, bound tokens verified per second, and what a proof adds to a call."""
    cpus, rounds = layout(), 300 if quick else 2_000
    build = Path("build")
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-senders-", dir=build))
    try:
        with running_upstream(cpus.others) as upstream, confined(cpus.target):
            took = uvloop.run(run(write_bundle(folder, upstream.url, 8700, "buffered"), rounds))
    finally:
        shutil.rmtree(folder)
    once = f"median of {rounds}, ES256, the key met before"
    return [
        Figure(name=CHECK, value=took[CHECK], unit="us", how=once),
        Figure(
            name=BOUND, value=took[BOUND], unit="1/s",
            how=f"{rounds}, one after another, one core: token met before, a new proof each, nothing else",
        ),
        Figure(
            name=ADDED, value=took[ADDED], unit="us",
            how=f"medians of {rounds} calls with and {rounds} without, in turn, through the endpoint",
        ),
    ]  # fmt: skip
