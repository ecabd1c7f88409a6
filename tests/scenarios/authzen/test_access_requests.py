# SPDX-License-Identifier: Apache-2.0
"""An access request is bound to one denial of one enforcement point, which alone hears of its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.notifier.webhook import SignedPost
from remit.core.policy.bundle import PolicySource
from remit.services.authzen.access_requests import RequestCallback
from remit.services.authzen.enforcement_points import EnforcementPoint
from tests.servers.hook_server import SECRET, HookServer, hook_server
from tests.worlds.authzen import AuthzenWorld, asking, authzen_world
from tests.worlds.values import WorldClock

Json = Any
ASK = """
@id("records/approval")
@reason("a person must approve this")
@otherwise("approval")
forbid (principal, action == Action::"record/write", resource);
"""


@pytest.fixture
async def hook() -> AsyncIterator[HookServer]:
    """The callback server of an enforcement point."""
    async with hook_server() as made:
        yield made


def points(*callbacks: str) -> dict[str, EnforcementPoint]:
    """Return two enforcement points that guard records; the first one has registered callbacks."""
    known: Json = {"resources": frozenset({"record"}), "agents": frozenset({"*"})}
    return {
        name: EnforcementPoint(name=name, callbacks=frozenset(its), **known)
        for name, its in (("records-api", callbacks), ("todo-backend", ()))
    }


@pytest.fixture
async def world(tmp_path: Path, hook: HookServer) -> AsyncIterator[AuthzenWorld]:
    """A gateway where writing a record needs a person."""
    guarded = GuardedFetch(plain_loopback=True)
    delivery = SignedPost(lambda: SECRET, deliver=guarded, clock=WorldClock())
    async with authzen_world(tmp_path, points(hook.url), deliveries={"records-api": delivery}) as made:
        await in_force(made, ASK)
        await made.services.signals.notifications.begin()
        yield made


async def in_force(world: AuthzenWorld, policy: str) -> None:
    """Put a rule in force."""
    policies = (*world.bundle.policies, PolicySource("approve.cedar", policy))
    bundle = msgspec.structs.replace(world.bundle, policies=policies, digest=f"sha256:{len(policy)}")
    await world.services.policies.apply(bundle, by="root")


async def denied(world: AuthzenWorld) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return an evaluation that a person may approve, and what its denial says of that."""
    task = await world.begin("alice")
    body = asking("alice", "write")
    body["subject"]["properties"] = {"access_token": await world.signed_for(task)}
    told = (await world.asks("evaluation", body)).json
    assert told["decision"] is False
    offered = told["context"]["access_request"]
    return body, {"evaluation_id": told["context"]["evaluation_id"]} | {
        name: offered[name] for name in ("expires_at", "binding_token")
    }


async def answer(world: AuthzenWorld, approval: str, *, approve: bool = True) -> None:
    """Let a person answer."""
    ada = await world.services.identity.directory.person("ada")
    await world.services.decisions.approvals.answer(approval, ada, approve=approve)


async def status(world: AuthzenWorld, approval: str) -> str:
    """Return the state that the enforcement point is told."""
    mine = await world.agent_token("records-api")
    told = await world.ask("GET", f"/access/v1/requests/{approval}", by=mine)
    return str(told.json["task"]["status"])


def kind(told: Any) -> tuple[int, str]:
    """Return status and kind of a problem."""
    return told.status, told.json["type"].rpartition(":")[2]


async def test_the_binding_token_alone_is_enough(world: AuthzenWorld) -> None:
    """It names the evaluation; both together have to agree. Its key is named in the metadata."""
    body, denial = await denied(world)
    alone = {name: value for name, value in denial.items() if name != "evaluation_id"}
    told = await world.asks("requests", body | {"denial": alone})
    assert (told.status, told.json["task"]["status"]) == (202, "pending")
    assert (await world.asks("requests", body | {"denial": denial})).status == 202
    other = denial | {"evaluation_id": "dec_other~" + denial["evaluation_id"].partition("~")[2]}
    assert kind(await world.asks("requests", body | {"denial": other})) == (400, "invalid_denial_binding")
    metadata = (await world.ask("GET", "/.well-known/authzen-configuration")).json
    assert metadata["jwks_uri"].endswith("/oauth/jwks")


async def test_a_token_that_is_not_of_this_denial_binds_nothing(world: AuthzenWorld) -> None:
    """Changed, of another enforcement point, or another kind of token that remit has signed."""
    body, denial = await denied(world)
    token = denial["binding_token"]
    access = await world.agent_token("records-api")
    for forged in (token[:-4] + "AAAA", "x.y.z", access):
        form = body | {"denial": {"binding_token": forged, "expires_at": denial["expires_at"]}}
        assert kind(await world.asks("requests", form)) == (400, "invalid_denial_binding")
    stranger = await world.asks("requests", body | {"denial": denial}, by="todo-backend")
    assert kind(stranger) == (400, "invalid_denial_binding")
    nothing = body | {"denial": {"expires_at": denial["expires_at"]}}
    assert kind(await world.asks("requests", nothing)) == (400, "invalid_denial_binding")
    assert (await world.ask("POST", "/api/v1/tasks", {}, by=token)).status == 401


async def test_a_stale_denial_is_gone_whatever_its_end_is_said_to_be(world: AuthzenWorld) -> None:
    """By the token's end, and by that of the question."""
    body, denial = await denied(world)
    world.clock.advance(901)
    later = denial | {"expires_at": (world.clock.now() + timedelta(hours=1)).isoformat()}
    body["subject"]["properties"] = {"access_token": await world.signed_for(await world.begin("alice"))}
    assert kind(await world.asks("requests", body | {"denial": later})) == (410, "expired_denial")
    del later["binding_token"]
    assert kind(await world.asks("requests", body | {"denial": later})) == (410, "expired_denial")


async def test_the_end_is_told_where_it_was_asked_for(world: AuthzenWorld, hook: HookServer) -> None:
    """Once, signed, with the state and what the enforcement point gave; it grants nothing itself."""
    body, denial = await denied(world)
    callback = {"endpoint": hook.url, "state": "session-7", "events": ["approved", "denied"]}
    told = await world.asks("requests", body | {"denial": denial, "callback": callback})
    request = told.json["task"]["id"]
    await world.services.signals.notifications.turn()
    assert hook.taken == []
    await answer(world, request)
    await world.services.signals.notifications.turn()
    await world.services.signals.notifications.turn()
    place = told.json["task"]["status_endpoint"]
    task = {"id": request, "status": "approved", "status_endpoint": place}
    assert hook.taken == [{"task": task, "state": "session-7"}]
    assert await status(world, request) == "approved"


async def test_a_callback_that_fails_is_sent_again(world: AuthzenWorld, hook: HookServer) -> None:
    """From the log, with the same id; the answer counts meanwhile."""
    body, denial = await denied(world)
    told = await world.asks("requests", body | {"denial": denial, "callback": {"endpoint": hook.url}})
    request = told.json["task"]["id"]
    hook.answers = [503]
    await answer(world, request, approve=False)
    await world.services.signals.notifications.turn()
    assert hook.taken == []
    assert await status(world, request) == "denied"
    world.clock.advance(2)
    await world.services.signals.notifications.turn()
    assert [one["task"]["status"] for one in hook.taken] == ["denied"]


async def test_a_callback_goes_to_registered_addresses_alone(world: AuthzenWorld, hook: HookServer) -> None:
    """Not to one that only begins like it, not to an inner one, and not to another one's."""
    body, denial = await denied(world)
    inner, other = "http://169.254.169.254/latest", "https://evil.example/hook"
    for endpoint in (inner, other, hook.url + "/../x", hook.url + "?a=1"):
        form = body | {"denial": denial, "callback": {"endpoint": endpoint}}
        told = await world.asks("requests", form)
        assert (told.status, told.json["code"]) == (403, "callback")
    await answer(world, denial["evaluation_id"].partition("~")[2])
    await world.services.signals.notifications.turn()
    assert hook.deliveries == 0


async def test_events_that_were_not_asked_for_are_not_told(world: AuthzenWorld, hook: HookServer) -> None:
    """An unknown one is refused."""
    body, denial = await denied(world)
    callback = {"endpoint": hook.url, "events": ["denied"]}
    told = await world.asks("requests", body | {"denial": denial, "callback": callback})
    await answer(world, told.json["task"]["id"])
    await world.services.signals.notifications.turn()
    assert hook.deliveries == 0
    unknown = body | {"denial": denial, "callback": {"endpoint": hook.url, "events": ["maybe"]}}
    assert (await world.asks("requests", unknown)).status == 400


async def test_an_answer_before_the_request_needs_no_callback(world: AuthzenWorld, hook: HookServer) -> None:
    """The answer to the request says so."""
    body, denial = await denied(world)
    await answer(world, denial["evaluation_id"].partition("~")[2])
    told = await world.asks("requests", body | {"denial": denial, "callback": {"endpoint": hook.url}})
    assert (told.status, told.json["task"]["status"]) == (201, "approved")


async def test_what_is_taken_back_is_cancelled(world: AuthzenWorld) -> None:
    """By a person, or because the task has ended; time alone makes it expire."""
    _, denial = await denied(world)
    given = denial["evaluation_id"].partition("~")[2]
    await answer(world, given)
    ada = await world.services.identity.directory.person("ada")
    await world.services.decisions.approvals.withdraw(given, ada)
    assert await status(world, given) == "cancelled"

    _, denial = await denied(world)
    waiting = denial["evaluation_id"].partition("~")[2]
    assert await status(world, waiting) == "pending"
    task = (await world.services.decisions.approvals.get(waiting)).task
    await world.services.endings.revocations.end_task(task, by="root", reason="done")
    assert await status(world, waiting) == "cancelled"


async def test_a_question_of_other_rules_has_failed(world: AuthzenWorld) -> None:
    """The new denial has its own request."""
    body, denial = await denied(world)
    old = denial["evaluation_id"].partition("~")[2]
    await in_force(world, ASK.replace("a person must", "two people must"))
    again = (await world.asks("evaluation", body)).json["context"]
    assert again["evaluation_id"].partition("~")[2] != old
    assert await status(world, old) == "failed"


async def test_time_alone_makes_a_request_expire(world: AuthzenWorld) -> None:
    """Also after its task has ended later."""
    _, denial = await denied(world)
    world.clock.advance(901)
    assert await status(world, denial["evaluation_id"].partition("~")[2]) == "expired"


async def test_another_enforcement_point_takes_no_callback_away(
    world: AuthzenWorld, hook: HookServer
) -> None:
    """It may ask about the same denial; the one that asked before still hears of the end."""
    body, denial = await denied(world)
    told = await world.asks("requests", body | {"denial": denial, "callback": {"endpoint": hook.url}})
    requests, decided = world.services.access_requests, world.services.decisions
    approval = await decided.approvals.get(told.json["task"]["id"])
    other = points(hook.url)["records-api"]
    other = msgspec.structs.replace(other, name="todo-backend")
    await requests.follow(approval, other, RequestCallback(endpoint=hook.url))
    await answer(world, approval.id)
    await world.services.signals.notifications.turn()
    assert [one["task"]["status"] for one in hook.taken] == ["approved"]
