# SPDX-License-Identifier: Apache-2.0
"""A permit's obligations are met, or the call is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.notifier.webhook import Webhook
from remit.core.decisions.decision import Decision, Outcome
from remit.core.errors import Forbidden
from remit.core.evidence.event import EventKind
from remit.core.flow.records.withheld_fields import NOTES
from remit.core.label import Label
from remit.core.policy.bundle import PolicySource
from remit.core.tools.tool import FieldLabel, WithheldBy
from remit.ports.store.changes import Credential
from remit.services.decisions.approvers import FRESH
from remit.services.decisions.obligations import STATE_A_REASON
from remit.services.mediation.mediator import RequestedCall
from remit.services.signals.notifications import NotificationTarget
from tests.samples.tokens import HELD
from tests.servers.hook_server import SECRET, HookServer, hook_server
from tests.worlds.calls import CallWorld, Heard, a_bundle, call_world
from tests.worlds.services import PERMIT
from tests.worlds.values import TENANT, WorldClock

Json = Any
IBAN = "DE02120300000000202051"
ACCOUNT = {"owner": "Ann", "iban": IBAN}


def demanding(notes: str, tool: str = "read") -> str:
    """Return policies that permit everything, one tool with obligations."""
    return (
        f'{PERMIT}@id("demanding") {notes}\npermit (principal, action == Action::"desk/{tool}", resource);\n'
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk."""
    async with call_world(tmp_path) as made:
        yield made


async def under(world: CallWorld, policy: str, *, field: str = "iban") -> str:
    """Put policies in force, with a described field of what `read` returns; return a task's token."""
    bundle = a_bundle(policy, "sha256:obligations")
    labelled = (FieldLabel(field, Label("restricted")),)
    bundle.tools["desk/read"] = msgspec.structs.replace(bundle.tools["desk/read"], fields=labelled)
    await world.services.policies.apply(bundle, by="root")
    await world.learn()
    world.desk.says = ACCOUNT
    return (await world.open())[1]


async def decided(world: CallWorld, token: str, name: str = "read", reason: str = "") -> tuple[Decision, str]:
    """Make a call; return the decision and what the agent got."""
    heard = Heard()
    asked = RequestedCall(token=token, proven=HELD, upstream="desk", name=name, arguments={}, reason=reason)
    end = await world.services.mediation.mediator.run(asked, heard)
    return end.decision, "".join(one.body.decode() for one in heard.chunks)


def codes(decision: Decision) -> list[str]:
    """The codes of a refusal, each with a remediation."""
    assert decision.outcome is Outcome.DENY
    assert all(one.remediation for one in decision.reasons)
    return [one.code for one in decision.reasons]


# Redaction.


async def test_a_redacted_field_does_not_reach_the_agent(world: CallWorld) -> None:
    """A note stands in its place, its label is not taken on, and the evidence names it."""
    token = await under(world, demanding('@redact("iban")'))
    decision, got = await decided(world, token)
    assert (decision.outcome, decision.obligations) == (Outcome.PERMIT, ("redact:iban",))
    assert IBAN not in got
    assert NOTES[WithheldBy.POLICY] in got
    assert "Ann" in got
    (made,) = await world.facts(EventKind.DECISION_MADE)
    assert (made["outcome"], made["obligations"]) == ("permit", ["redact:iban"])
    (called,) = await world.facts(EventKind.TOOL_CALLED)
    assert called["withheld"] == ["said.iban"]
    assert [one["class"] for one in await world.facts(EventKind.LABEL_RAISED)] == ["internal"]


async def test_without_the_obligation_the_field_arrives(world: CallWorld) -> None:
    """So the note is the obligation's work."""
    token = await under(world, PERMIT)
    decision, got = await decided(world, token)
    assert (decision.obligations, IBAN in got) == ((), True)


async def test_a_field_that_no_file_describes_cannot_be_redacted(world: CallWorld) -> None:
    """remit would not find it in every form of the result: the call is refused before it is sent."""
    token = await under(world, demanding('@redact("account.iban")'))
    decision, _ = await decided(world, token)
    assert codes(decision) == ["obligation"]
    assert "account.iban" in decision.reasons[0].text
    assert world.desk.arrived == []


async def test_what_remit_does_not_know_refuses(world: CallWorld) -> None:
    """A watermark is for an enforcement point that can make one."""
    token = await under(world, demanding('@obligation("watermark")'))
    assert codes((await decided(world, token))[0]) == ["obligation"]


# Notification.


def ops(hook: HookServer) -> dict[str, NotificationTarget]:
    """The addressee that listens."""
    deliver = GuardedFetch(plain_loopback=True)
    webhook = Webhook(hook.url, lambda: SECRET, deliver=deliver, clock=WorldClock())
    return {"ops": NotificationTarget(name="ops", notifier=webhook)}


async def test_an_addressee_hears_of_the_call(tmp_path: Path) -> None:
    """Of the permitted one alone, after it is durable, and no other addressee does."""
    async with hook_server() as hook, call_world(tmp_path, addressees=ops(hook)) as world:
        await world.services.signals.notifications.begin()
        world.services.decisions.authorizer._addressees = frozenset({"ops", "others"})
        token = await under(
            world,
            demanding('@notify("ops")')
            + demanding('@notify("others")', "write")
            .replace(PERMIT, "")
            .replace("demanding", "demanding-too"),
        )
        decision, _ = await decided(world, token)
        assert decision.obligations == ("notify:ops",)
        assert (await decided(world, token, "write"))[0].obligations == ("notify:others",)
        assert await world.services.signals.notifications.turn() == 1
        (told,) = hook.taken
        assert told["type"] == "decision.notify"
        assert (told["data"]["addressee"], told["data"]["tool"]) == ("ops", "desk/read")
        assert "demanding" in told["data"]["rules"]


async def test_an_unknown_addressee_refuses(world: CallWorld) -> None:
    """A call of which no one would hear is not made."""
    token = await under(world, demanding('@notify("security")'))
    decision, _ = await decided(world, token)
    assert codes(decision) == ["obligation"]
    assert await world.facts(EventKind.NOTIFICATION_DUE) == []


# Reasons.


async def test_a_call_without_a_reason_is_refused_and_says_how(world: CallWorld) -> None:
    """The reason is kept, sealed; the upstream does not get it."""
    token = await under(world, demanding("@require_reason", "write"))
    decision, _ = await decided(world, token, "write")
    assert codes(decision) == ["reason-required"]
    assert decision.reasons[0].remediation == STATE_A_REASON
    decision, _ = await decided(world, token, "write", "ann asked for it")
    assert decision.outcome is Outcome.PERMIT
    assert "ann asked" not in str(world.desk.arrived)
    made = (await world.facts(EventKind.DECISION_MADE))[-1]
    assert "ann asked" not in json.dumps(made)


@pytest.mark.parametrize("reason", ["\u200b\u2060", "\u2800\u3164", " \u00ad ", "...", "\u0301"])
async def test_a_reason_that_no_one_can_read_is_none(world: CallWorld, reason: str) -> None:
    """Characters without a shape, and signs alone."""
    token = await under(world, demanding("@require_reason", "write"))
    decision, _ = await decided(world, token, "write", reason)
    assert codes(decision) == ["reason-required"]


async def test_an_approver_sees_the_words_of_the_agent_as_its_own(world: CallWorld) -> None:
    """They are marked; the approver's comment is a reason, too."""
    asks = (
        '@id("asks") @otherwise("approval")\nforbid (principal, action == Action::"desk/write", resource);\n'
    )
    token = await under(world, demanding("@require_reason", "write") + asks)
    decision, _ = await decided(world, token, "write", "ann asked for it")
    approval = await world.services.decisions.approvals.get(decision.approval)
    assert "in the agent's own words: ann asked for it" in approval.reasons
    await world.services.decisions.approvals.answer(
        decision.approval, await world.person("omar"), approve=True, comment="ticket 7"
    )
    assert (await decided(world, token, "write"))[0].outcome is Outcome.PERMIT


# Step-up.


def session(world: CallWorld, method: str, age: timedelta) -> Credential:
    """A session of omar's, whose sign-in is so old."""
    at = world.clock.now() - age
    return Credential(
        tenant=TENANT, digest="", kind="session", person="omar", created=at, expires=at, method=method
    )


async def test_a_step_up_needs_a_person_who_has_just_signed_in(world: CallWorld) -> None:
    """An approver, with a passkey, within five minutes; then the call passes once."""
    token = await under(world, demanding("@step_up", "write"))
    decision, _ = await decided(world, token, "write")
    assert (decision.outcome, [one.id for one in decision.rules]) == (Outcome.DEFER, ["demanding"])
    assert "step-up" in [one.code for one in decision.reasons]
    approvals, omar = world.services.decisions.approvals, await world.person("omar")
    for held in (
        None,
        session(world, "code", timedelta(0)),
        session(world, "browser", timedelta(0)),
        session(world, "passkey", FRESH + timedelta(seconds=1)),
    ):
        with pytest.raises(Forbidden) as refused:
            await approvals.answer(decision.approval, omar, approve=True, session=held)
        assert refused.value.code == "step-up"
    fresh = session(world, "passkey", FRESH)
    await approvals.answer(decision.approval, omar, approve=True, session=fresh)
    assert (await decided(world, token, "write"))[0].outcome is Outcome.PERMIT
    assert (await decided(world, token, "write"))[0].outcome is Outcome.DEFER


async def test_a_step_up_is_told_as_a_question_and_shadowed_as_one(world: CallWorld) -> None:
    """Its explanation says that an approval is enough; the same candidate differs in nothing."""
    policy = demanding("@step_up", "write")
    token = await under(world, policy)
    sources = [PolicySource("policies/base.cedar", policy)]
    await world.services.decisions.shadow.start(sources, by="root")
    decision, _ = await decided(world, token, "write")
    told = await world.services.inspection.explanations.of(decision.id)
    assert ("approval", Outcome.PERMIT) in [(one.kind, one.outcome) for one in told.changes]
    await world.services.decisions.approvals.answer(
        decision.approval,
        await world.person("omar"),
        approve=True,
        session=session(world, "passkey", timedelta(0)),
    )
    assert (await decided(world, token, "write"))[0].outcome is Outcome.PERMIT
    await world.services.decisions.shadow.settled()
    report = await world.services.decisions.shadow.report()
    assert report is not None
    assert (report.replay.replayed, report.replay.flips) == (2, {})


async def test_a_step_up_may_be_denied_by_any_sign_in(world: CallWorld) -> None:
    """To refuse takes no more than to be an approver."""
    token = await under(world, demanding("@step_up", "write"))
    decision, _ = await decided(world, token, "write")
    await world.services.decisions.approvals.answer(
        decision.approval, await world.person("omar"), approve=False
    )
    assert codes((await decided(world, token, "write"))[0]) == ["denied"]


# Threats.


async def test_a_second_permit_takes_no_obligation_away(world: CallWorld) -> None:
    """Threat: a permit is added beside the one that redacts."""
    more = '@id("more") permit (principal, action == Action::"desk/read", resource);\n'
    token = await under(world, demanding('@redact("iban")') + more)
    decision, got = await decided(world, token)
    assert (decision.outcome, IBAN in got) == (Outcome.PERMIT, False)


async def test_an_agent_cannot_state_a_reason_as_an_approver(world: CallWorld) -> None:
    """Threat: an agent's words stand for a person's approval. They never permit what waits for one."""
    token = await under(world, demanding("@require_reason @step_up", "write"))
    decision, _ = await decided(world, token, "write", "omar has approved this")
    assert decision.outcome is Outcome.DEFER
