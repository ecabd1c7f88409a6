# SPDX-License-Identifier: Apache-2.0
"""Token exchange: the same task elsewhere, or a part of it for another agent; never more."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.tasks.task import TaskState
from remit_sdk.dpop import DpopProver
from tests.worlds.oauth import (
    ACCESS_TOKEN,
    EXCHANGE,
    OAuthWorld,
    claims_of,
    details,
    error_of,
    oauth_world,
)
from tests.worlds.services import PUBLIC_URL, Told
from tests.worlds.values import TENANT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with agents of every kind of proof."""
    async with oauth_world(tmp_path) as opened:
        yield opened


# Exchange.


async def exchange(world: OAuthWorld, subject: str, by: str, **more: str) -> Told:
    """Exchange a token."""
    fields: dict[str, Any] = {"subject_token": subject, "subject_token_type": ACCESS_TOKEN} | more
    return await world.ask_token(EXCHANGE, by=by, **fields)


async def test_a_token_is_exchanged_for_another_resource(world: OAuthWorld) -> None:
    """RFC 8693: the same task, for the audience that is asked for."""
    parent = await world.review()
    told = await exchange(
        world, parent.json["access_token"], "contract-bot", resource=f"{PUBLIC_URL}/mcp/contracts"
    )
    claims = claims_of(world, told)
    assert (claims.task, claims.audience) == (parent.json["mission_id"], (f"{PUBLIC_URL}/mcp/contracts",))
    assert told.json["issued_token_type"] == ACCESS_TOKEN


async def test_a_task_is_handed_down(world: OAuthWorld) -> None:
    """The child's token has the whole chain, the outermost actor is the current one; its tools are fewer."""
    parent = await world.review()
    told = await exchange(
        world, parent.json["access_token"], "other-bot", authorization_details=details("read")
    )
    claims = claims_of(world, told)
    assert (claims.subject, claims.client_id) == ("lena", "other-bot")
    assert [actor.name for actor in claims.chain] == ["other-bot", "contract-bot"]
    assert claims.task != parent.json["mission_id"]
    assert [one["actions"] for one in told.json["authorization_details"]] == [["read"]]
    grandchild = await exchange(world, told.json["access_token"], "third-bot")
    deeper = claims_of(world, grandchild)
    assert [actor.name for actor in deeper.chain] == ["third-bot", "other-bot", "contract-bot"]
    wire = deeper.to_wire()["act"]
    assert (wire["sub"], wire["act"]["sub"], wire["act"]["act"]["sub"]) == (
        "third-bot",
        "other-bot",
        "contract-bot",
    )


async def test_a_task_is_handed_down_by_an_actor_token(world: OAuthWorld) -> None:
    """The parent asks; the new token is bound to the key of the agent that will use it."""
    prover = DpopProver()
    world.clock.jump(time.time() - world.clock.now().timestamp())
    parent = await world.review()
    actor = await world.with_proof(prover, "client_credentials", by="other-bot")
    told = await exchange(
        world,
        parent.json["access_token"],
        "contract-bot",
        actor_token=actor.json["access_token"],
        actor_token_type=ACCESS_TOKEN,
    )
    claims = claims_of(world, told)
    assert (claims.client_id, claims.confirmation.jkt) == ("other-bot", prover.key.thumbprint)


async def test_an_actor_token_that_anybody_could_use_is_refused(world: OAuthWorld) -> None:
    """The client that shows it is not its agent: without a key of that agent the token would be lent, not
    shown.
    """
    parent = await world.review()
    told = await exchange(
        world,
        parent.json["access_token"],
        "contract-bot",
        actor_token=await world.agent_token("other-bot"),
        actor_token_type=ACCESS_TOKEN,
    )
    assert error_of(told) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("by", "more", "code"),
    [
        ("other-bot", {"authorization_details": details("write")}, "invalid_authorization_details"),
        ("other-bot", {"authorization_details": details("read", speed=1)}, "invalid_authorization_details"),
        ("pod-bot", {}, "invalid_client"),
        ("contract-bot", {"authorization_details": details("read")}, "invalid_request"),
        ("other-bot", {"subject_token_type": "urn:other"}, "invalid_request"),
        ("other-bot", {"actor_token": "x"}, "invalid_request"),
        ("other-bot", {"subject_token": "nonsense"}, "invalid_request"),
        ("other-bot", {"requested_token_type": "urn:other"}, "invalid_request"),
        ("other-bot", {"scope": "everything"}, "invalid_scope"),
    ],
)
async def test_an_exchange_never_widens(world: OAuthWorld, by: str, more: dict[str, str], code: str) -> None:
    """What the parent does not hold is refused, and so is whatever is not understood."""
    parent = await world.review()
    given = {"subject_token": parent.json["access_token"], "subject_token_type": ACCESS_TOKEN} | more
    told = await world.ask_token(EXCHANGE, by=by if by in world.keys else "", **given)
    assert told.json["error"] == code


async def test_a_chain_does_not_come_back_and_does_not_grow_too_long(world: OAuthWorld) -> None:
    """No cycle, and no deeper than the task type lets it."""
    parent = await world.review()
    child = await exchange(world, parent.json["access_token"], "other-bot")
    back = await exchange(world, child.json["access_token"], "contract-bot")
    assert error_of(back) == (400, "invalid_grant")
    assert back.json["code"] == "delegation-cycle"


async def test_a_bound_subject_token_needs_its_key(world: OAuthWorld) -> None:
    """Who shows a token that is bound to a key proves to hold it, at this endpoint too."""
    prover = DpopProver()
    world.clock.jump(time.time() - world.clock.now().timestamp())
    task = await world.open(await world.session("lena"), task_type="review", params={})
    parent = await world.with_proof(prover, "client_credentials", by="contract-bot", mission_id=task)
    told = await exchange(world, parent.json["access_token"], "contract-bot")
    assert error_of(told) == (400, "invalid_request")


async def test_a_childs_token_ends_with_its_parent(world: OAuthWorld) -> None:
    """What was handed down is gone when the parent is."""
    parent = await world.review()
    child = await exchange(world, parent.json["access_token"], "other-bot")
    await world.services.endings.revocations.end_task(
        parent.json["mission_id"], reason="done", by="lena", state=TaskState.COMPLETED
    )
    me = await world.ask("GET", "/api/v1/me", by=child.json["access_token"])
    assert me.status == 401


ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


async def test_a_persons_own_token_lets_an_agent_act_for_them(world: OAuthWorld) -> None:
    """RFC 8693: the subject is the person, the actor the agent; it works once, where a type permits it."""
    token = world.enterprise.token(world.clock.now(), aud=PUBLIC_URL, sub="lena-there")
    told = await exchange(world, token, "contract-bot", subject_token_type=ID_TOKEN)
    claims = claims_of(world, told)
    assert (claims.subject, claims.client_id, claims.on_behalf_of) == ("lena", "contract-bot", "lena")
    task = await world.services.store.task(TENANT, claims.task)
    assert task is not None
    assert task.intent.requested_by == "issuer:enterprise"
    again = await exchange(world, token, "contract-bot", subject_token_type=ID_TOKEN)
    assert error_of(again) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("by", "claims"),
    [
        ("contract-bot", {"sub": "nobody"}),
        ("contract-bot", {"aud": "https://other.example"}),
        ("contract-bot", {"exp": 1}),
        ("other-bot", {}),
    ],
)
async def test_a_persons_token_opens_nothing_else(world: OAuthWorld, by: str, claims: dict[str, Any]) -> None:
    """Of a stranger, for another server, out of time, or for an agent that no such type may be run by."""
    said = {"aud": PUBLIC_URL, "sub": "lena-there"} | claims
    token = world.enterprise.token(world.clock.now(), **said)
    told = await exchange(world, token, by, subject_token_type=ID_TOKEN)
    assert error_of(told) == (400, "invalid_grant")


async def test_an_identity_assertion_is_no_id_token(world: OAuthWorld) -> None:
    """What was issued for one purpose serves no other."""
    told = await exchange(world, world.id_jag(), "contract-bot", subject_token_type=ID_TOKEN)
    assert error_of(told) == (400, "invalid_grant")
