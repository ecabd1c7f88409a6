# SPDX-License-Identifier: Apache-2.0
"""An endpoint that only answers: who may ask about which subject, what a permit leaves behind, how results
come back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.approval import ApprovalState
from remit.core.identity.workload import Assurance
from remit.core.label import Label
from remit.core.policy.bundle import PolicySource
from remit.core.tools.tool import Argument, ArgumentRole
from remit.ports.store.units import Unit
from remit.services.authzen.enforcement_points import EnforcementPoint
from tests.worlds.authzen import AuthzenWorld, asking, authzen_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AuthzenWorld]:
    """A gateway with AuthZEN's fixtures."""
    async with authzen_world(tmp_path) as made:
        yield made


def point(name: str = "records-api", **changes: Any) -> dict[str, EnforcementPoint]:
    """Return one enforcement point, which guards records and asks about every subject."""
    known: dict[str, Any] = {"resources": frozenset({"record"}), "agents": frozenset({"*"})}
    return {name: EnforcementPoint(name=name, **(known | changes))}


async def events(world: AuthzenWorld, kind: str) -> list[dict[str, Json]]:
    """Return the facts of all events of a kind."""
    found = await world.services.evidence.log.pages(limit=1000, kinds=(kind,))
    return [msgspec.json.decode(entry.leaf)["facts"] for entry in found]


async def test_only_an_enforcement_point_is_answered(world: AuthzenWorld) -> None:
    """Without a credential it is 401; an agent that is no enforcement point, and a person, get 403."""
    await world.begin("alice")
    body = asking("alice", "read")
    assert (await world.ask("POST", "/access/v1/evaluation", body)).status == 401
    assert (await world.asks("evaluation", body, by="sly-bot")).status == 403
    session = await world.session("root")
    assert (await world.ask("POST", "/access/v1/evaluation", body, by=session)).status == 403


async def test_an_enforcement_point_may_come_with_its_certificate(world: AuthzenWorld) -> None:
    """A certificate over the key of an enforcement point will do; one of another agent's will not."""
    await world.begin("alice")
    told = await world.over_tls("records-api", "evaluation", asking("alice", "read"))
    assert (told.status, told.json["decision"]) == (200, True), told.content
    assert (await world.over_tls("records-api", "search/subject", {})).status == 400
    assert (await world.over_tls("sly-bot", "evaluation", asking("alice", "read"))).status == 401


async def test_a_permit_is_in_the_evidence_before_it_is_given(world: AuthzenWorld) -> None:
    """The permit names its end and who carries it out, in the answer and in the evidence."""
    task = await world.begin("alice")
    told = (await world.asks("evaluation", asking("alice", "read"))).json
    assert told["decision"] is True
    until = datetime.fromisoformat(told["context"]["valid_until"])
    assert until == world.clock.now() + timedelta(seconds=5)
    found = await world.services.evidence.log.pages(kinds=("decision.made",))
    record = msgspec.json.decode(found[-1].leaf)
    assert (record["task"], record["call"]) == (task, told["context"]["evaluation_id"])
    assert record["facts"]["enforced_by"] == "records-api"
    assert datetime.fromisoformat(record["facts"]["valid_until"]) == until


async def test_a_permit_does_not_outlive_its_task(world: AuthzenWorld) -> None:
    """`valid_until` is never after the task's deadline."""
    task = await world.begin("alice")
    deadline = (await world.services.tasks.tasks.get(task)).deadline
    world.clock.advance((deadline - world.clock.now()).total_seconds() - 2)
    told = (await world.asks("evaluation", asking("alice", "read"))).json
    assert datetime.fromisoformat(told["context"]["valid_until"]) == deadline


async def test_a_permit_raises_the_label_at_once(world: AuthzenWorld) -> None:
    """From the permit on, the task carries what the tool's results are declared to carry."""
    task = await world.begin("alice")
    assert (await world.services.tasks.tasks.get(task)).label == Label()
    await world.asks("evaluation", asking("alice", "read"))
    stored = await world.services.store.task(world.services.tenant, task)
    assert stored is not None
    assert stored.label.data_class == "internal"


async def test_a_result_is_taken_once(world: AuthzenWorld) -> None:
    """A reported result ends the call in the evidence; a second report of it, or a stranger's, is refused."""
    await world.begin("alice")
    told = (await world.asks("evaluation", asking("alice", "read"))).json
    report = {"evaluation_id": told["context"]["evaluation_id"], "outcome": "ok", "result_bytes": 120}
    assert (await world.asks("result", report, by="todo-backend")).status == 404
    assert (await world.asks("result", report)).status == 200
    assert (await world.asks("result", report)).status == 404
    called = await events(world, "tool.called")
    assert [(one["outcome"], one["result_bytes"], one["enforced_by"]) for one in called] == [
        ("ok", 120, "records-api")
    ]
    assert len(await events(world, "data.read")) == 1


async def test_a_result_that_is_not_reported_is_unknown(world: AuthzenWorld) -> None:
    """After its time, a permit without a result counts as a call that may have taken effect."""
    await world.begin("alice")
    told = (await world.asks("evaluation", asking("alice", "write"))).json
    world.clock.advance(304)
    assert await world.services.answers.sweep() == 0
    world.clock.advance(2)
    assert await world.services.answers.sweep() == 1
    await world.services.mediation.mediator.retry_late()
    await world.services.store.commit(Unit(tenant=world.services.tenant))
    called = await events(world, "tool.called")
    assert [(one["outcome"], one["ended_by"]) for one in called] == [("unknown", "not-reported")]
    report = {"evaluation_id": told["context"]["evaluation_id"], "outcome": "ok"}
    assert (await world.asks("result", report)).status == 404


async def test_an_end_lists_what_was_permitted_as_indeterminate(world: AuthzenWorld) -> None:
    """A permit that is out when its task ends stands in the closure, and no other is given after that."""
    task = await world.begin("alice")
    told = (await world.asks("evaluation", asking("alice", "write"))).json
    closure = await world.services.endings.revocations.end_task(task, reason="enough", by="root")
    assert [one.decision for one in closure.indeterminate] == [told["context"]["evaluation_id"]]
    after = (await world.asks("evaluation", asking("alice", "write"))).json
    assert after["decision"] is False
    report = {"evaluation_id": told["context"]["evaluation_id"], "outcome": "not-sent"}
    assert (await world.asks("result", report)).status == 200


async def test_a_subject_without_a_task_has_nothing(world: AuthzenWorld) -> None:
    """A person without a task is refused, and so is a kind of subject that represents no task."""
    for subject in ({"type": "user", "id": "carol"}, {"type": "spaceship", "id": "alice"}):
        told = (await world.asks("evaluation", asking("alice", "read") | {"subject": subject})).json
        assert told["decision"] is False
    assert "authzen" in [one["endpoint"] for one in await events(world, "token.refused")]


async def test_several_tasks_must_be_told_apart(world: AuthzenWorld) -> None:
    """A person with two tasks is refused until the task is named; each subject names what it is."""
    first, second = await world.begin("alice"), await world.begin("alice")
    told = (await world.asks("evaluation", asking("alice", "read"))).json
    assert (told["decision"], told["context"]["reason"]) == (False, "subject-ambiguous")
    for subject in (
        {"type": "user", "id": "alice", "properties": {"task": first}},
        {"type": "task", "id": second},
        {"type": "agent", "id": "records-bot", "properties": {"task": second}},
    ):
        told = (await world.asks("evaluation", asking("alice", "read") | {"subject": subject})).json
        assert told["decision"] is True, told
    wrong = {"type": "user", "id": "bob", "properties": {"task": first}}
    told = (await world.asks("evaluation", asking("bob", "read") | {"subject": wrong})).json
    assert told["decision"] is False


async def test_an_enforcement_point_asks_about_its_own_alone(tmp_path: Path) -> None:
    """Agents that it may not ask about, and what it does not guard, are refused alike."""
    points = point(agents=frozenset({"todo-bot"}), vouches=Assurance.KEY_BOUND)
    async with authzen_world(tmp_path, points) as world:
        task = await world.begin("alice")
        by_name = asking("alice", "read")
        by_task = by_name | {"subject": {"type": "task", "id": task}}
        for body in (by_name, by_task):
            told = (await world.asks("evaluation", body)).json
            assert (told["decision"], told["context"]["reason"]) == (False, "no-task")
        search = {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": by_name["resource"]}
        assert (await world.asks("search/subject", search)).json["results"] == []
        await world.begin("morty", "keep-todos")
        other = {"resource": {"type": "todo", "id": "1"}, "action": {"name": "can_read_todos"}}
        told = (await world.asks("evaluation", asking("morty", "read") | other)).json
        assert (told["decision"], told["context"]["reason"]) == (False, "no-resource")


async def test_who_does_not_vouch_shows_the_token(tmp_path: Path) -> None:
    """Without `vouches` a name proves nothing; the task's own token does, for its own subject alone."""
    async with authzen_world(tmp_path, point()) as world:
        task = await world.begin("alice")
        told = (await world.asks("evaluation", asking("alice", "read"))).json
        assert (told["decision"], told["context"]["reason"]) == (False, "subject-unproven")
        token = await world.signed_for(task)
        shown = {"access_token": token}
        for name, decision in (("alice", True), ("records-bot", True), (task, True), ("bob", False)):
            subject = {"type": "user", "id": name, "properties": shown}
            told = (await world.asks("evaluation", asking("", "read") | {"subject": subject})).json
            assert told["decision"] is decision, told
        log = [entry.leaf for entry in await world.services.evidence.log.pages(limit=1000)]
        assert not any(token.encode() in leaf for leaf in log)
        subject = {"type": "user", "id": "alice", "properties": {"access_token": token + "x"}}
        told = (await world.asks("evaluation", asking("", "read") | {"subject": subject})).json
        assert told["decision"] is False


async def test_what_is_vouched_for_counts_no_more_than_trusted(tmp_path: Path) -> None:
    """A subject that is merely asserted may read, and change nothing."""
    async with authzen_world(tmp_path, point(vouches=Assurance.ASSERTED)) as world:
        await world.begin("alice")
        assert (await world.asks("evaluation", asking("alice", "read"))).json["decision"] is True
        told = (await world.asks("evaluation", asking("alice", "write"))).json
        assert (told["decision"], told["context"]["reason"]) == (False, "assurance")


async def test_a_name_given_twice_is_no_evaluation(world: AuthzenWorld) -> None:
    """Two values of one argument could be read in two ways."""
    await world.begin("alice")
    body = asking("alice", "read", status="active")
    twice = body | {"action": {"name": "read", "properties": {"status": "archived"}}}
    assert (await world.asks("evaluation", twice)).status == 400
    assert (await world.asks("evaluation", asking("alice", "read", id="record-2"))).status == 400


async def test_a_tool_call_is_asked_as_coaz_maps_it(world: AuthzenWorld) -> None:
    """`tools/call` of a tool, with or without its upstream's name; without arguments the grant refuses."""
    await world.begin("alice")
    subject = {"type": "identity", "id": "alice"}
    body: dict[str, Json] = {
        "subject": subject,
        "action": {"name": "tools/call", "properties": {"arguments": {"id": "record-1"}}},
        "context": {"agent": "records-bot"},
    }
    for name in ("read", "record/read", "record__read"):
        body["resource"] = {"type": "tool", "id": name}
        assert (await world.asks("evaluation", body)).json["decision"] is True, name
        bare = body | {"action": {"name": "tools/call"}}
        assert (await world.asks("evaluation", bare)).json["decision"] is False
        other = body | {"context": {"agent": "todo-bot"}}
        assert (await world.asks("evaluation", other)).json["decision"] is False
    unknown = body | {"resource": {"type": "tool", "id": "drop"}}
    told = (await world.asks("evaluation", unknown)).json
    assert told["context"]["reason_user"] == {"en": "this is not permitted"}
    assert "does not grant" in told["context"]["reason_admin"]["en"]


APPROVED = """
@id("records/approval")
@reason("somebody must approve this")
@otherwise("approval")
forbid (principal, action == Action::"record/write", resource);
"""


async def test_a_person_approves_what_was_denied(world: AuthzenWorld) -> None:
    """A deferred evaluation leads to an access request; once approved, the same evaluation permits, once."""
    waits = msgspec.structs.replace(
        world.bundle, policies=(*world.bundle.policies, PolicySource("approve.cedar", APPROVED))
    )
    await world.services.policies.apply(waits, by="root")
    await world.begin("alice")
    body = asking("alice", "write")
    denied = (await world.asks("evaluation", body)).json
    assert denied["decision"] is False
    request = denied["context"]["access_request"]
    denial = {"evaluation_id": denied["context"]["evaluation_id"], "expires_at": request["expires_at"]}
    submitted = await world.asks("requests", body | {"denial": denial})
    assert submitted.status == 202, submitted.content
    task = submitted.json["task"]
    assert task["status"] == "pending"
    place = task["status_endpoint"].removeprefix(world.services.public_url)
    other = asking("alice", "write", "record-2") | {"denial": denial}
    assert (await world.asks("requests", other)).json["type"].endswith("invalid_denial_binding")
    stranger = await world.agent_token("todo-backend")
    assert (await world.ask("GET", place, by=stranger)).json["type"].endswith("unknown_task")

    ada = await world.services.identity.directory.person("ada")
    await world.services.decisions.approvals.answer(task["id"], ada, approve=True)
    mine = await world.agent_token("records-api")
    told = (await world.ask("GET", place, by=mine)).json
    assert (told["task"]["status"], told["result"]["mode"]) == ("approved", "reevaluate")
    again = body | {"context": {"approval": told["result"]["approval"]}}
    permitted = (await world.asks("evaluation", again)).json
    assert (permitted["decision"], permitted["context"]["approval"]["id"]) == (True, task["id"])
    once_more = (await world.asks("evaluation", again)).json
    assert (once_more["decision"], once_more["context"]["next_action"]) == (False, "request")
    used = await world.services.store.approval(world.services.tenant, task["id"])
    assert used is not None
    assert used.state is ApprovalState.CONSUMED


async def test_a_person_permits_less_than_was_denied(world: AuthzenWorld) -> None:
    """The access request is partial, and the evaluation tells the narrower request that passes."""
    tools = dict(world.bundle.tools)
    write = tools["record/write"]
    sends = write.arguments | {"to": Argument(ArgumentRole.DESTINATION)}
    tools["record/write"] = msgspec.structs.replace(write, arguments=sends, described=True)
    waits = msgspec.structs.replace(
        world.bundle, tools=tools, policies=(*world.bundle.policies, PolicySource("approve.cedar", APPROVED))
    )
    await world.services.policies.apply(waits, by="root")
    await world.services.tools.registry.described()
    await world.begin("alice")
    body = asking("alice", "write")
    body["resource"]["properties"] = {"to": ["anna", "tom"]}
    denied = (await world.asks("evaluation", body)).json["context"]
    denial = {
        "evaluation_id": denied["evaluation_id"], "expires_at": denied["access_request"]["expires_at"]
    }  # fmt: skip
    task = (await world.asks("requests", body | {"denial": denial})).json["task"]
    ada = await world.services.identity.directory.person("ada")
    await world.services.decisions.approvals.answer(task["id"], ada, approve=True, narrow={"to": ["anna"]})

    place = task["status_endpoint"].removeprefix(world.services.public_url)
    told = (await world.ask("GET", place, by=await world.agent_token("records-api"))).json
    assert (told["task"]["status"], told["result"]["mode"]) == ("partial", "reevaluate")
    refused = (await world.asks("evaluation", body)).json
    assert (refused["decision"], refused["context"]["reason"]) == (False, "narrowed")
    assert refused["context"]["instead"]["arguments"]["to"] == ["anna"]
    assert refused["context"]["instead"]["approval"] == told["result"]["approval"]["id"]
    body["resource"]["properties"] = {"to": ["anna"]}
    assert (await world.asks("evaluation", body)).json["decision"] is True


async def test_an_access_request_comes_in_time(world: AuthzenWorld) -> None:
    """A denial that has expired, or that no person may approve, leads nowhere."""
    await world.begin("alice")
    past = {"evaluation_id": "dec_x~apr_y", "expires_at": (world.clock.now()).isoformat()}
    told = await world.asks("requests", asking("alice", "write") | {"denial": past})
    assert (told.status, told.json["type"].rpartition(":")[2]) == (410, "expired_denial")
    later = past | {"expires_at": (world.clock.now() + timedelta(minutes=1)).isoformat()}
    told = await world.asks("requests", asking("alice", "write") | {"denial": later})
    assert (told.status, told.json["type"].rpartition(":")[2]) == (400, "invalid_denial_binding")


async def test_a_search_records_and_spends_nothing(world: AuthzenWorld) -> None:
    """After a search, the evidence and the budgets are what they were."""
    task = await world.begin("alice")
    subject = {"type": "user", "id": "alice"}
    token = await world.agent_token("records-api")
    before = await world.services.evidence.log.size()
    body = {"subject": subject, "resource": {"type": "record", "id": "record-1"}}
    told = await world.ask("POST", "/access/v1/search/action", body, by=token)
    assert {"name": "read"} in told.json["results"]
    assert await world.services.evidence.log.size() == before
    assert (await world.services.store.usage(world.services.tenant, task)).calls == 0


async def test_a_page_token_belongs_to_its_search(world: AuthzenWorld) -> None:
    """A token of one search is a bad request in another, and so is one that is none."""
    await world.begin("alice")
    body = {
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record"},
    }
    token = (await world.asks("search/resource", body | {"page": {"limit": 1}})).json["page"]["next_token"]
    assert token
    other = body | {"action": {"name": "write"}, "page": {"token": token}}
    assert (await world.asks("search/resource", other)).status == 400
    for junk in ("!!", "bm8=", "ñ"):
        assert (await world.asks("search/resource", body | {"page": {"token": junk}})).status == 400


async def test_a_store_that_cannot_commit_permits_nothing(tmp_path: Path) -> None:
    """Without a durable record there is no permit, one by one and in a batch."""
    world = AuthzenWorld(tmp_path)
    await world.settle_in()
    await world.begin("alice")
    token = await world.agent_token("records-api")
    await world.services.store.close()
    told = await world.ask("POST", "/access/v1/evaluation", asking("alice", "read"), by=token)
    assert told.status >= 500
    several = {"evaluations": [asking("alice", "read")]}
    told = await world.ask("POST", "/access/v1/evaluations", several, by=token)
    assert told.status >= 500 or [one["decision"] for one in told.json["evaluations"]] == [False]
