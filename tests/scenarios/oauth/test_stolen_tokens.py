# SPDX-License-Identifier: Apache-2.0
"""A token that was stolen: without the key that it is bound to, it opens nothing (RFC 9449, RFC 8705)."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.evidence.event import EventKind
from remit.core.identity.workload import Confirmation
from remit.core.oauth.resource import TASK_SCOPE
from remit.core.tools.tool import Effect
from remit_sdk.dpop import DpopProver
from tests.refusals import failure, own_failure
from tests.samples.tokens import agent_token, task_token
from tests.worlds.mcp_endpoint import BASIC, ENVELOPE, MODERN, GatewayWorld, a_bundle, a_tool, gateway_world
from tests.worlds.services import PUBLIC_URL, Told
from tests.worlds.values import START

Json = Any

URL = f"{PUBLIC_URL}/mcp/files"
CERTIFICATE = b"a certificate in DER, as the handshake gave it"
THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(CERTIFICATE).digest()).rstrip(b"=").decode()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """A gateway that demands bound tokens, with one tool of tier operator: `files/log`."""
    async with gateway_world(tmp_path, constrained=True) as world:
        bundle = a_bundle()
        tools = {**bundle.tools, "files/log": a_tool("files", "log", effect=Effect.REVERSIBLE)}
        changed = msgspec.structs.replace(bundle, tools=tools, digest="sha256:constrained")
        await world.services.policies.apply(changed, by="remit")
        await world.services.tools.registry.learned(
            "files", await world.services.upstreams["files"].catalogue()
        )
        yield world


@pytest.fixture
def prover(world: GatewayWorld) -> DpopProver:
    """The key of the task's rightful sender, with the nonce of the moment."""
    made = DpopProver()
    made.learn(URL, {"DPoP-Nonce": world.services.oauth.proofs.nonce()})
    return made


async def bound(world: GatewayWorld, prover: DpopProver) -> str:
    """Return a token of the task that is bound to the sender's key."""
    return await task_token(world.services, world.task, confirmation=Confirmation(jkt=prover.key.thumbprint))


async def send(world: GatewayWorld, name: str = "echo", *, path: str = "/mcp/files", **headers: str) -> Told:
    """Call a tool under exactly these headers; `_` stands for `-`."""
    params = {"name": name, "arguments": {"text": "ok"}, "_meta": ENVELOPE}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    given = {**BASIC, "mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": name}
    given |= {"mcp-param-text": "ok"} | {key.replace("_", "-"): value for key, value in headers.items()}
    return await world.send(json.dumps(body).encode(), given, path=path, token="")


def shown(prover: DpopProver, token: str, **changes: str) -> dict[str, str]:
    """Return the headers of a request that its sender may make."""
    proof = prover.proof(changes.get("method", "POST"), changes.get("url", URL), token)
    return {"authorization": f"DPoP {token}", "dpop": proof}


async def refused(world: GatewayWorld) -> list[str]:
    """Return the codes of all refused credentials so far."""
    return [facts["code"] for facts in await world.facts(EventKind.TOKEN_REFUSED)]


async def test_bound_token_with_its_proof_passes(world: GatewayWorld, prover: DpopProver) -> None:
    """The rightful sender reads and changes; the decision says that its token was bound."""
    token = await bound(world, prover)
    assert (await send(world, **shown(prover, token))).status == 200
    assert not own_failure((await send(world, "log", **shown(prover, token))).json)
    decisions = await world.facts(EventKind.DECISION_MADE)
    assert [one["sender"] for one in decisions] == ["dpop", "dpop"]
    assert not any("sender_constraint" in one for one in decisions)


async def test_bound_token_without_its_proof_opens_nothing(world: GatewayWorld, prover: DpopProver) -> None:
    """A bound token is refused as a bearer, without a proof, and with the proof of another key."""
    token = await bound(world, prover)
    thief = DpopProver()
    thief.learn(URL, {"DPoP-Nonce": world.services.oauth.proofs.nonce()})
    for headers, error in (
        ({"authorization": f"Bearer {token}"}, "invalid_token"),
        ({"authorization": f"DPoP {token}"}, "invalid_dpop_proof"),
        (shown(thief, token), "invalid_token"),
        ({**shown(prover, token), "authorization": f"Bearer {token}"}, "invalid_token"),
    ):
        told = await send(world, **headers)
        assert told.status == 401
        assert f'error="{error}"' in told.headers["www-authenticate"]
    assert await refused(world) == ["token-unproven", "proof-missing", "token-unproven", "token-unproven"]
    assert world.calls() == []


async def test_overheard_request_cannot_be_made_again(world: GatewayWorld, prover: DpopProver) -> None:
    """An eavesdropper can neither repeat a request nor use its proof elsewhere."""
    token = await bound(world, prover)
    headers = shown(prover, token)
    assert (await send(world, **headers)).status == 200
    for path, code in (("/mcp/files", "proof-replayed"), ("/mcp", "proof-address")):
        assert (await send(world, path=path, **headers)).status == 401
        assert (await refused(world))[-1] == code
    for change, code in (
        ({"method": "GET"}, "proof-method"),
        ({"url": f"{PUBLIC_URL}/mcp/notes"}, "proof-address"),
    ):
        assert (await send(world, **shown(prover, token, **change))).status == 401
        assert (await refused(world))[-1] == code
    other = await bound(world, prover)
    swapped = {**shown(prover, other), "authorization": f"DPoP {token}"}
    assert (await send(world, **swapped)).status == 401
    assert (await refused(world))[-1] == "proof-token"
    assert len(world.calls()) == 1


async def test_nonce_is_asked_for_and_renewed(world: GatewayWorld) -> None:
    """A first proof is answered by a challenge with the nonce to use; an older nonce by a newer one."""
    prover = DpopProver()
    token = await bound(world, prover)
    told = await send(world, **shown(prover, token))
    assert told.status == 401
    assert 'error="use_dpop_nonce"' in told.headers["www-authenticate"]
    prover.learn(URL, {"DPoP-Nonce": told.headers["dpop-nonce"]})
    told = await send(world, **shown(prover, token))
    assert (told.status, told.headers.get("dpop-nonce")) == (200, None)
    world.clock.advance(61)
    told = await send(world, **shown(prover, token))
    assert (told.status, told.headers["dpop-nonce"]) == (200, world.services.oauth.proofs.nonce())


async def test_proof_of_a_skewed_clock_is_refused(world: GatewayWorld, prover: DpopProver) -> None:
    """A proof from five minutes before or after is refused, nonce or not."""
    token = await bound(world, prover)
    for seconds in (-400, 400):
        claims = {"jti": "x", "htm": "POST", "htu": URL, "iat": int(world.clock.now().timestamp()) + seconds}
        proof = prover.key.sign(claims, {"typ": "dpop+jwt", "jwk": prover.key.public_jwk})
        assert (await send(world, authorization=f"DPoP {token}", dpop=proof)).status == 401
    assert await refused(world) == ["proof-time", "proof-time"]
    assert world.clock.now() > START


async def test_unbound_token_does_not_change_things(world: GatewayWorld) -> None:
    """A bearer token reads; a call of tier operator is refused, and the refusal says what would do."""
    token = await task_token(world.services, world.task)
    bearer = {"authorization": f"Bearer {token}"}
    assert not own_failure((await send(world, **bearer)).json)
    (reason,) = failure((await send(world, "log", **bearer)).json)["reasons"]
    assert reason["code"] == "sender-constraint"
    assert "remit run" in reason["remediation"]
    decision = (await world.facts(EventKind.DECISION_MADE))[-1]
    assert (decision["sender"], decision["outcome"]) == ("bearer", "deny")
    assert len(world.calls()) == 1


async def test_unbound_token_is_no_dpop_token(world: GatewayWorld, prover: DpopProver) -> None:
    """A proof beside a token that is bound to nothing lifts it to nothing."""
    token = await task_token(world.services, world.task)
    assert (await send(world, **shown(prover, token))).status == 401
    assert await refused(world) == ["token-unbound"]


async def test_lowered_demand_is_told(tmp_path: Path) -> None:
    """Where a site lowers the demand, a bearer may change things, and each decision says so."""
    async with gateway_world(tmp_path) as world:
        told = await send(world, authorization=f"Bearer {world.token}")
        assert told.status == 200
        (decision,) = await world.facts(EventKind.DECISION_MADE)
        assert (decision["sender"], decision["sender_constraint"]) == ("bearer", "optional")


async def test_certificate_bound_token_needs_its_certificate(world: GatewayWorld) -> None:
    """A token that is bound to a certificate passes on its own connections and on no others (RFC 8705)."""
    token = await task_token(world.services, world.task, confirmation=Confirmation(x5t_s256=THUMBPRINT))
    bearer = {"authorization": f"Bearer {token}"}
    endpoint = world.endpoint

    async def mutual(scope: Json, receive: Json, send: Json) -> None:
        await endpoint({**scope, "remit.peer_certificate": [CERTIFICATE]}, receive, send)

    async def another(scope: Json, receive: Json, send: Json) -> None:
        await endpoint({**scope, "remit.peer_certificate": [CERTIFICATE + b"x"]}, receive, send)

    assert (await send(world, "log", **bearer)).status == 401
    world.endpoint = another  # type: ignore[assignment]
    assert (await send(world, "log", **bearer)).status == 401
    world.endpoint = mutual  # type: ignore[assignment]
    assert not own_failure((await send(world, "log", **bearer)).json)
    assert (await world.facts(EventKind.DECISION_MADE))[-1]["sender"] == "mtls"
    assert await refused(world) == ["token-unproven", "token-unproven"]


async def test_each_resource_takes_its_own_tokens(world: GatewayWorld) -> None:
    """A token for one upstream is refused at the other, and where all are; the refusal names the resource."""
    token = await task_token(world.services, world.task, audience=(URL,))
    bearer = {"authorization": f"Bearer {token}"}
    assert not own_failure((await send(world, **bearer)).json)
    for path in ("/mcp", "/mcp/notes"):
        told = await send(world, path=path, **bearer)
        assert told.status == 401
        assert (
            f'resource_metadata="{PUBLIC_URL}/.well-known/oauth-protected-resource{path}"'
            in (told.headers["www-authenticate"])
        )
        assert f'scope="{TASK_SCOPE}"' in told.headers["www-authenticate"]
    assert await refused(world) == ["token-audience", "token-audience"]


async def test_token_without_a_task_is_stepped_up(world: GatewayWorld) -> None:
    """A token that holds and names no task is told which scope it lacks: 403, `insufficient_scope`."""
    agent = await world.services.store.agent(world.services.tenant, "bot")
    assert agent is not None
    told = await send(world, authorization=f"Bearer {await agent_token(world.services, agent)}")
    assert told.status == 403
    assert f'error="insufficient_scope", resource_metadata="{PUBLIC_URL}' in told.headers["www-authenticate"]
    assert f'scope="{TASK_SCOPE}"' in told.headers["www-authenticate"]


async def test_ended_task_stands_in_the_evidence(world: GatewayWorld) -> None:
    """A token of a task that has ended is refused at every method, and each refusal is written with both."""
    token = await task_token(world.services, world.task)
    await world.services.endings.revocations.end_task(world.task, reason="enough", by="lena")
    assert failure((await send(world, authorization=f"Bearer {token}")).json)["code"] == "task-ended"
    assert (await world.modern("tools/list", token=token)).status == 403
    entries = await world.services.evidence.log.pages(limit=1000)
    leaves = [json.loads(one.leaf) for one in entries if one.kind == EventKind.TOKEN_REFUSED.value]
    assert [(leaf["facts"]["code"], leaf["task"], leaf["agent"]) for leaf in leaves] == [
        ("task-ended", world.task, "bot")
    ] * 2


async def test_flood_of_an_ended_task_is_counted(world: GatewayWorld) -> None:
    """Refusals of one second beyond a bound are counted, and the count is written."""
    token = await task_token(world.services, world.task)
    await world.services.endings.revocations.end_task(world.task, reason="enough", by="lena")
    for _ in range(60):
        assert failure((await send(world, authorization=f"Bearer {token}")).json)["code"] == "task-ended"
    world.clock.advance(2)
    assert failure((await send(world, authorization=f"Bearer {token}")).json)["code"] == "task-ended"
    written = await world.facts(EventKind.TOKEN_REFUSED)
    assert len(written) + written[-1]["further"] == 61
    assert len(written) < 40
