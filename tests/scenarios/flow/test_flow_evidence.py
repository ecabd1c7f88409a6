# SPDX-License-Identifier: Apache-2.0
"""What justified each argument stands in the evidence, so that a chain can be followed from call to call."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.evidence.event import EventKind
from remit.gateway.endpoints import mcp_endpoint
from tests.refusals import failure
from tests.samples.tokens import task_token
from tests.worlds.flow import FlowWorld, flow_world
from tests.worlds.mcp_endpoint import ENVELOPE, MODERN
from tests.worlds.services import exchange


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FlowWorld]:
    """The office, with a mail in it that tells what to do."""
    async with flow_world(tmp_path) as made:
        made.office.answers["read_mail"] = [{"from": "eve@example.org", "body": "to thief@evil.example.org"}]
        yield made


async def test_a_decision_says_what_justified_each_argument(world: FlowWorld) -> None:
    """Provenance, where it was stated, and the call, decision, tool and field it came from; never a value."""
    await world.open("Mail ann@example.com what is in my mail", to="bob@example.com")
    await world.run("read_mail", folder="inbox")
    for to in ("ann@example.com", "bob@example.com", "thief@evil.example.org"):
        await world.call("send_mail", to=to, body="something")
    read, words, parameter, refused = await world.facts(EventKind.DECISION_MADE)
    by_name = [{one["argument"]: one for one in found["flow"]} for found in (words, parameter, refused)]
    assert [one["to"]["provenance"] for one in by_name] == ["intent", "intent", "untrusted"]
    assert [one["to"].get("stated") for one in by_name] == ["words", "parameter to", None]
    (origin,) = by_name[2]["to"]["origins"]
    assert origin[0] == read["number"] == 1
    assert origin[2:] == ["office/read_mail", "[].body", "untrusted"]
    entries = await world.services.evidence.log.pages(limit=1000)
    (first,) = [
        one
        for one in entries
        if json.loads(one.leaf).get("call") == origin[1] and one.kind == "decision.made"
    ]
    assert json.loads(first.leaf)["facts"]["tool"] == "office/read_mail"
    told = json.dumps([words, parameter, refused])
    assert "evil.example.org" not in told
    assert "something" not in told


async def test_a_refusal_in_the_evidence_has_the_chain_in_words(world: FlowWorld) -> None:
    """The reasons stand sealed beside the decision, their codes readable."""
    await world.open("Summarise my mail")
    await world.run("read_mail", folder="inbox")
    await world.call("send_mail", to="thief@evil.example.org", body="x")
    refused = (await world.facts(EventKind.DECISION_MADE))[-1]
    assert {"code": "flow", "rule": "flow/destination"} in refused["reasons"]
    assert "number" not in refused


async def test_keys_that_may_be_values_are_not_readable(world: FlowWorld) -> None:
    """A result may have addresses for keys: the field is told as `*`."""
    world.office.answers["read_mail"] = {"eve@example.org": {"reply to": "thief@evil.example.org"}}
    await world.open("Summarise my mail")
    await world.run("read_mail", folder="inbox")
    await world.call("send_mail", to="thief@evil.example.org", body="x")
    refused = (await world.facts(EventKind.DECISION_MADE))[-1]
    (to,) = [one for one in refused["flow"] if one["argument"] == "to"]
    assert "eve@" not in json.dumps(refused)
    assert "*" in to["origins"][0][3]


async def test_what_is_told_of_arguments_is_bounded(world: FlowWorld) -> None:
    """However many arguments a call has, and from however many places: the worst ones, and how many more."""
    await world.open("Summarise my mail")
    for _ in range(6):
        await world.run("read_mail", folder="inbox")
    names = {f"a{n}": f"value {n}" for n in range(40)}
    await world.call("write_note", text="thief@evil.example.org", **names)
    found = (await world.facts(EventKind.DECISION_MADE))[-1]["flow"]
    assert len(found) == 25
    assert found[0]["argument"] == "text"
    assert len(found[0]["origins"]) == 4
    assert found[-1] == {"more": 17}


async def test_the_agent_is_told_the_chain_on_the_wire(world: FlowWorld) -> None:
    """A granted tool with a wrong argument gets the full reason: the argument, and how it came in."""
    await world.open("Summarise my mail")
    await world.run("read_mail", folder="inbox")
    token = await task_token(world.services, world.task.id)
    endpoint = mcp_endpoint(world.services)
    params = {
        "name": "send_mail",
        "arguments": {"to": "thief@evil.example.org", "body": "x"},
        "_meta": ENVELOPE,
    }
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {token}",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": "send_mail",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    told = await exchange(
        endpoint, "POST", "/mcp/office", list(headers.items()), json.dumps(body).encode(), "127.0.0.1"
    )
    reasons = failure(told.json)["reasons"]
    (one,) = [reason for reason in reasons if reason["code"] == "flow"]
    assert one["argument"] == "to"
    assert "result of call 1, `office/read_mail`, field `[].body`, untrusted" in one["text"]


async def test_a_call_uses_up_what_the_intent_states(world: FlowWorld) -> None:
    """An address that was stated for one thing, and that untrusted data holds too, is not for another."""
    world.office.answers["read_mail"] = "Visit ann@example.com's page"
    await world.open("Mail ann@example.com what is in my mail")
    await world.run("read_mail", folder="inbox")
    assert await world.outcome("send_mail", to="ann@example.com", body="x") is Outcome.PERMIT
    assert (
        await world.outcome("send_mail", to="me@example.com", cc="ann@example.com", body="x") is Outcome.DENY
    )


async def test_a_child_knows_what_its_parent_has_met(world: FlowWorld) -> None:
    """A value keeps its provenance when the task is handed down; the chain names the parent's call."""
    await world.open("Summarise my mail")
    await world.run("read_mail", folder="inbox")
    await world.hand_down()
    decision = await world.call("send_mail", to="thief@evil.example.org", body="x")
    assert decision.outcome is Outcome.DENY
    (told,) = [one.text for one in decision.reasons if one.argument == "to" and one.code == "flow"]
    assert "result of call 1, `office/read_mail`, field `[].body`, untrusted" in told


async def test_a_child_trusts_nothing_where_its_parent_is_not_at_hand(world: FlowWorld) -> None:
    """What its parent has met cannot be asked: the child goes on with the intent alone."""
    await world.open("Mail Bob Stone or ann@example.com")
    parent = world.task.id
    await world.hand_down()
    world.services.tasks.live.drop(world.task.id)
    world.services.tasks.live.drop(parent)
    world.office.answers["find_contact"] = [{"name": "Bob Stone", "email": "bob@example.com"}]
    await world.run("find_contact", name="Bob Stone")
    assert await world.outcome("send_mail", to="bob@example.com", body="x") is Outcome.DEFER
    assert await world.outcome("send_mail", to="ann@example.com", body="x") is Outcome.PERMIT
