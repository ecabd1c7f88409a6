# SPDX-License-Identifier: Apache-2.0
"""Functions that an agent's own program carries out: decided and recorded before, observed after."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.history import CountedOutcome, CountOf, HistoryCounter
from remit.core.tools.tool import Argument, ArgumentRole, Effect, FieldLabel, Tool, WithheldBy
from remit.services.mediation import function_calls
from remit.services.mediation.call import RequestedCall
from tests.worlds.services import PERMIT, SUMMARISE, ServiceWorld, Told, a_bundle, service_world

Json = Any
PATIENCE_S = 600.0
REFUND = Tool(
    upstream="billing",
    name="refund",
    effect=Effect.IRREVERSIBLE,
    audience=Audience("internal"),
    label=Label(),
    arguments={"customer": Argument(ArgumentRole.SELECTOR), "cents": Argument(ArgumentRole.CONTENT)},
    described=True,
)
CUSTOMER = Tool(
    upstream="billing",
    name="customer",
    effect=Effect.NONE,
    audience=Audience("self"),
    label=Label("confidential", trust=Trust.UNTRUSTED),
    arguments={"customer": Argument(ArgumentRole.SELECTOR)},
    fields=(FieldLabel("iban", Label("restricted"), withheld=WithheldBy.TOOL),),
    described=True,
)
GRANTS = (
    GrantTemplate("billing/refund", {"customer": {"exact": "C-1"}}, other_arguments=True),
    GrantTemplate("billing/customer", other_arguments=True),
    GrantTemplate("contracts/read", other_arguments=True),
)
#: Refunds wait for a person once the task has read untrusted data.
ASK = (
    '@id("ask-refund")\n@reason("a person looks at it")\n@otherwise("approval")\n'
    "forbid (principal, action, resource)\n"
    'when { resource == Tool::"billing/refund" && context.label.untrusted };\n'
)


def billing() -> Bundle:
    """Return the legal team's bundle, with functions for billing."""
    made = a_bundle(policy=PERMIT)
    work = msgspec.structs.replace(SUMMARISE, grants=GRANTS)
    tools = {**made.tools, REFUND.id: REFUND, CUSTOMER.id: CUSTOMER}
    return msgspec.structs.replace(
        made, tools=tools, task_types={**made.task_types, work.name: work}, digest="sha256:billing"
    )


class Billing:
    """A task of the contract bot, and its program's requests."""

    def __init__(self, world: ServiceWorld, task: str, token: str) -> None:
        self.world = world
        self.task = task
        self.token = token

    async def call(self, tool: str, arguments: dict[str, Json], **more: Json) -> Told:
        """Ask for a decision."""
        body = {"tool": tool, "arguments": arguments, **more}
        return await self.world.ask("POST", f"/api/v1/tasks/{self.task}/calls", body, by=self.token)

    async def permitted(self, tool: str = "billing/refund", **arguments: Json) -> str:
        """Ask for a decision that permits, and return the call."""
        told = await self.call(tool, arguments or {"customer": "C-1", "cents": 100})
        assert told.status == 200, told.content
        assert told.json["outcome"] == "permit", told.content
        return str(told.json["call"])

    async def report(self, call: str, outcome: str = "ok", content: Json = None) -> Told:
        """Report a result."""
        path = f"/api/v1/tasks/{self.task}/calls/{call}/result"
        return await self.world.ask("POST", path, {"outcome": outcome, "content": content}, by=self.token)

    async def outcomes(self) -> list[str]:
        """Return the outcomes of calls in the evidence, in order."""
        # Outcomes are written behind the answers: commits end in the order in which they began.
        await self.world.session("lena")
        return [facts["outcome"] for facts in await self.facts("tool.called")]

    async def facts(self, kind: str) -> list[dict[str, Json]]:
        """Return the facts of all events of a kind."""
        found = await self.world.services.evidence.log.pages(limit=1000, kinds=(kind,))
        return [msgspec.json.decode(one.leaf)["facts"] for one in found]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Billing]:
    """A task whose program has functions for billing."""
    # Most requests here show no proof of a key, which a copied token could not show either.
    async with opened(tmp_path, unconstrained=frozenset({"billing"})) as made:
        yield made


@asynccontextmanager
async def opened(folder: Path, patience_s: float = PATIENCE_S, **outfit: Json) -> AsyncIterator[Billing]:
    """Open a world with functions for billing, and a task in it."""
    async with service_world(folder, functions={"billing": patience_s}, **outfit) as world:
        await world.services.policies.apply(billing(), by="remit")
        await world.services.tools.registry.described()
        task = await world.open(await world.session("lena"))
        told = await world.task_token(task)
        yield Billing(world, task, told.json["access_token"])
        await world.services.mediation.functions.close()


async def test_a_copied_token_gets_no_permit_for_what_changes_something(tmp_path: Path) -> None:
    """Without the proof of the task's key, the call is refused like any other."""
    async with opened(tmp_path) as desk:
        told = await desk.call("billing/refund", {"customer": "C-1", "cents": 100})
        assert told.json["outcome"] == "deny"
        assert told.json["reasons"][0]["code"] == "sender-constraint"


async def test_a_permit_is_recorded_before_the_program_hears_of_it(desk: Billing) -> None:
    """The decision is in the evidence when the answer arrives; the outcome follows the report."""
    call = await desk.permitted()
    assert (await desk.world.kinds())[-1] == "decision.made"
    told = await desk.report(call, content="refunded")
    assert (told.status, told.json) == (200, {"call": call, "content": "refunded"})
    assert await desk.outcomes() == ["ok"]


@pytest.mark.parametrize("content", ["text", 7, None, True, [1, {"a": "b"}], {"total": 3, "of": ["x"]}])
async def test_a_result_comes_back_in_the_form_in_which_it_was_reported(desk: Billing, content: Json) -> None:
    """Text stays text, and structure stays structure."""
    told = await desk.report(await desk.permitted(), content=content)
    assert told.json["content"] == content


async def test_what_is_not_granted_is_refused_with_a_reason(desk: Billing) -> None:
    """A refusal has no call to report about."""
    told = await desk.call("billing/refund", {"customer": "C-2", "cents": 1})
    assert told.status == 200
    assert (told.json["outcome"], told.json["call"]) == ("deny", "")
    assert told.json["reasons"]
    assert (await desk.report(told.json["decision"])).status == 404


@pytest.mark.parametrize("tool", ["contracts/read", "changes/deploy", "nobody/refund"])
async def test_only_functions_are_left_to_a_program(desk: Billing, tool: str) -> None:
    """A tool of an upstream is called at remit, even where the task has a grant for it."""
    told = await desk.call(tool, {})
    assert (told.status, told.json["code"]) == (404, "no-functions")
    assert told.json["remediation"]


async def test_a_withheld_field_does_not_come_back(desk: Billing) -> None:
    """The model gets the result without it, and the task's label does not have its class."""
    call = await desk.permitted("billing/customer", customer="C-1")
    told = await desk.report(call, content={"name": "Ada", "iban": "DE89370400440532013000"})
    assert told.json["content"]["name"] == "Ada"
    assert b"DE89" not in told.content
    live = await desk.world.services.tasks.live.load(desk.task)
    assert live.label.data_class == "confidential"


async def test_what_a_function_returned_is_known_to_later_calls(desk: Billing) -> None:
    """Its label rises before the result is there, and its values have an origin."""
    services = desk.world.services
    call = await desk.permitted("billing/customer", customer="C-1")
    live = services.tasks.live.get(desk.task)
    assert live is not None
    assert live.label.trust is Trust.UNTRUSTED
    await desk.report(call, content={"name": "Lovelace-Byron"})
    told = await desk.call("billing/refund", {"customer": "C-1", "note": "Lovelace-Byron"})
    made = (await desk.facts("decision.made"))[-1]
    assert told.status == 200
    assert "billing/customer" in msgspec.json.encode(made["flow"]).decode()


async def test_a_call_waits_for_a_person_and_is_decided_again(desk: Billing) -> None:
    """A defer names its approval; a program that waits hears the answer in the same request."""
    bundle = msgspec.structs.replace(
        billing(),
        policies=(*billing().policies, type(billing().policies[0])("ask.cedar", ASK)),
        digest="sha256:ask",
    )
    await desk.world.services.policies.apply(bundle, by="remit")
    await desk.report(await desk.permitted("billing/customer", customer="C-1"), content={"name": "Ada"})
    arguments = {"customer": "C-1", "cents": 5}
    told = await desk.call("billing/refund", arguments)
    assert (told.json["outcome"], told.json["call"]) == ("defer", "")
    waiting = asyncio.ensure_future(desk.call("billing/refund", arguments, wait_s=60))
    ada = await desk.world.session("ada")
    path = f"/api/v1/approvals/{told.json['approval']}"
    approved = await desk.world.ask("POST", path, {"approve": True}, by=ada)
    assert approved.status == 200, approved.content
    again = await waiting
    assert again.json["outcome"] == "permit"
    assert (await desk.report(again.json["call"], content="done")).status == 200


async def test_a_call_that_is_given_back_was_not_made(desk: Billing) -> None:
    """`not-sent` is the outcome in the evidence."""
    told = await desk.report(await desk.permitted(), "not-sent")
    assert told.status == 200
    assert await desk.outcomes() == ["not-sent"]


async def test_a_function_that_failed_is_recorded_so(desk: Billing) -> None:
    """Its error is the model's to read."""
    told = await desk.report(await desk.permitted(), "error", "no such customer")
    assert told.json["content"] == "no such customer"
    assert await desk.outcomes() == ["tool-error"]


async def test_a_result_is_reported_once_and_by_its_own_task(desk: Billing) -> None:
    """Neither a second report nor another task's is taken."""
    call = await desk.permitted()
    other = await desk.world.open(await desk.world.session("lena"))
    token = (await desk.world.task_token(other)).json["access_token"]
    assert (await Billing(desk.world, other, token).report(call)).status == 404
    assert (await Billing(desk.world, desk.task, token).report(call)).status == 404
    first, second = await asyncio.gather(desk.report(call), desk.report(call))
    assert min(first.status, second.status) == 200
    assert max(first.status, second.status) in (404, 409)
    assert await desk.outcomes() == ["ok"]


async def test_a_result_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    """After that, the call is `unknown`, and makes room for another."""
    async with opened(tmp_path, 0.01, unconstrained=frozenset({"billing"})) as desk:
        call = await desk.permitted()
        while not (outcomes := await desk.outcomes()):
            pass  # each look waits for the store, so that the call goes on
        assert outcomes == ["unknown"]
        told = await desk.report(call)
        assert (told.status, told.json["code"]) == (409, "call-ended")
        live = desk.world.services.tasks.live.get(desk.task)
        assert live is not None
        assert (live.open_calls, live.in_hand) == (0, set())


async def test_a_remit_that_stops_records_open_calls_as_unknown(desk: Billing) -> None:
    """A late report hears so."""
    call = await desk.permitted()
    await desk.world.services.mediation.functions.close()
    assert await desk.outcomes() == ["unknown"]
    told = await desk.report(call)
    assert (told.status, told.json["code"]) == (409, "call-ended")


async def test_an_end_before_the_result_says_so(desk: Billing) -> None:
    """The call is listed as indeterminate, its result is not taken, and nothing keeps its arguments."""
    call = await desk.permitted(customer="C-1", note="kept by nothing")
    told = await desk.world.ask(
        "POST",
        "/api/v1/end",
        {"kind": "tool", "name": "billing/refund", "reason": "a test"},
        by=await desk.world.session("otto"),
    )
    assert told.status == 200, told.content
    late = await desk.report(call, content="refunded")
    assert late.status == 409
    assert late.json["code"] != "call-ended"
    again = await desk.report(call, content="refunded")
    assert again.json["code"] == late.json["code"]
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, RequestedCall)]
    assert not any(one.arguments.get("note") == "kept by nothing" for one in kept)
    assert await desk.outcomes() == ["unknown"]


async def test_a_task_that_has_ended_takes_no_result(desk: Billing) -> None:
    """Its token is refused."""
    call = await desk.permitted()
    lena = await desk.world.session("lena")
    told = await desk.world.ask("POST", f"/api/v1/tasks/{desk.task}/complete", {}, by=lena)
    assert told.status == 200
    assert (await desk.report(call)).status == 401
    assert (await desk.call("billing/refund", {})).status == 401


async def test_a_person_and_an_agent_without_the_task_cannot_call(desk: Billing) -> None:
    """Only the task's own token does."""
    path, body = f"/api/v1/tasks/{desk.task}/calls", {"tool": "billing/refund"}
    for by in (await desk.world.session("lena"), await desk.world.agent_token()):
        assert (await desk.world.ask("POST", path, body, by=by)).status == 403


async def test_one_agent_leaves_room_for_the_calls_of_others(
    desk: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next call is refused until it reports a result."""
    monkeypatch.setattr(function_calls, "MAX_AWAITED_OF_AGENT", 2)
    first, _ = await desk.permitted(), await desk.permitted()
    refused = await desk.call("billing/refund", {"customer": "C-1", "cents": 100})
    assert refused.status == 503
    assert "report the results" in refused.json["remediation"]
    assert (await desk.report(first)).status == 200
    await desk.permitted()


async def test_the_number_of_open_calls_is_bounded(desk: Billing) -> None:
    """One task cannot collect permits without end."""
    told = [await desk.call("billing/refund", {"customer": "C-1", "cents": n}) for n in range(65)]
    assert [one.status for one in told[:64]] == [200] * 64
    assert told[64].status in (409, 429, 503)


async def reopened(desk: Billing, bundle: Bundle, **changes: Json) -> None:
    """Put a bundle into force with a changed task type, and open another task of it."""
    work = msgspec.structs.replace(bundle.task_types[SUMMARISE.name], **changes)
    types = {**bundle.task_types, work.name: work}
    bundle = msgspec.structs.replace(bundle, task_types=types, digest=f"sha256:{desk.task}")
    await desk.world.services.policies.apply(bundle, by="remit")
    await desk.world.services.tools.registry.described()
    desk.task = await desk.world.open(await desk.world.session("lena"))
    desk.token = (await desk.world.task_token(desk.task)).json["access_token"]


NOTES = FieldLabel("notes", Label("restricted", trust=Trust.UNTRUSTED))


@pytest.mark.parametrize("outcome", ["", "not-sent", "error", "ok"])
@pytest.mark.parametrize("effect", [Effect.NONE, Effect.REVERSIBLE])
async def test_a_program_may_have_read_what_it_does_not_report(
    desk: Billing, outcome: str, effect: Effect
) -> None:
    """The task carries the labels of the fields from the permit on, and the call itself goes on."""
    made, profile = billing(), msgspec.structs.replace(REFUND, name="profile", effect=effect, fields=(NOTES,))
    grants = (*GRANTS, GrantTemplate(profile.id, other_arguments=True))
    await reopened(
        desk, msgspec.structs.replace(made, tools={**made.tools, profile.id: profile}), grants=grants
    )
    call = await desk.permitted(profile.id, customer="C-1")
    if outcome:
        assert (await desk.report(call, outcome, "ValueError")).status == 200
    live = await desk.world.services.tasks.live.load(desk.task)
    assert (live.label.data_class, live.label.trust) == ("restricted", Trust.UNTRUSTED)


COUNTER = HistoryCounter(
    name="refunds", of=CountOf.CALLS, tools=(REFUND.id,), outcome=CountedOutcome.SUCCEEDED
)
ONE_REFUND = (
    '@id("one-refund")\n@reason("one is enough")\nforbid (principal, action, resource)\n'
    'when { resource == Tool::"billing/refund" && context.history.refunds >= 1 };\n'
)


@pytest.mark.parametrize("outcome", ["ok", "not-sent", "error"])
async def test_a_call_counts_as_made_whatever_its_program_says(desk: Billing, outcome: str) -> None:
    """It counts among the calls that succeeded, and it completes the task."""
    made = billing()
    policies = (*made.policies, PolicySource("once.cedar", ONE_REFUND))
    await reopened(desk, msgspec.structs.replace(made, history=(COUNTER,), policies=policies))
    assert (await desk.report(await desk.permitted(), outcome, "x")).status == 200
    again = await desk.call(REFUND.id, {"customer": "C-1", "cents": 1})
    assert again.json["reasons"][0]["text"] == "one is enough"
    await reopened(desk, made, ends_after=(REFUND.id,))
    assert (await desk.report(await desk.permitted(), outcome, "x")).status == 200
    done = await desk.call(REFUND.id, {"customer": "C-1", "cents": 1})
    assert done.json["reasons"][0]["code"] == "work-done"
