# SPDX-License-Identifier: Apache-2.0
"""An agent tries to earn an exception of a rule by asking often; only what people have read earns one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from remit.api import app
from remit.core.decisions.approval import Approval
from remit.core.decisions.decision import Outcome
from remit.core.identity.principals import Role
from remit.core.policy.bundle import PolicySource
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from remit.services.inspection import policy_suggestions
from remit.services.inspection.policy_suggestions import LEAST_ANSWERS, SuggestedException
from tests.worlds.flow import FlowWorld, a_bundle, flow_world
from tests.worlds.pages import Browsing

Json = Any
DESK = "reports@ext.example"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FlowWorld]:
    """The office, with two approvers."""
    async with flow_world(tmp_path) as made:
        await made.services.identity.directory.add_person(
            NewPerson(name="nora", roles=(Role.APPROVER,)), by="remit"
        )
        yield made


async def asked(world: FlowWorld, to: str = DESK, body: str = "The report", **more: Json) -> Approval:
    """Mail an address that the person has not stated, which is a question, and return it."""
    decision = await world.call("send_mail", to=to, body=body, **more)
    assert decision.outcome is Outcome.DEFER
    return await world.services.decisions.approvals.get(decision.approval)


async def answer(
    world: FlowWorld, one: Approval, by: str = "omar", *, after_s: float = 20, approve: bool = True
) -> None:
    """Let a person answer after some seconds."""
    world.clock.advance(after_s)
    person = await world.services.identity.directory.person(by)
    await world.services.decisions.approvals.answer(one.id, person, approve=approve)


async def worked(world: FlowWorld, times: int = LEAST_ANSWERS + 2, **how: Json) -> None:
    """Let the agent mail the same report in a task a day, which two people approve in turns."""
    by, after_s = how.pop("by", ("omar", "nora")), how.pop("after_s", 20)
    a_day, tasks, read = how.pop("a_day", 2), how.pop("tasks", True), how.pop("read", False)
    for number in range(times):
        if tasks or number == 0:
            await world.open("Mail the report")
            if read:
                await world.run("read_mail", folder="inbox")
        one = await asked(world, body=f"Report {number}", **how)
        await answer(world, one, by[number % len(by)], after_s=after_s)
        if tasks and number % a_day == a_day - 1:
            world.clock.advance(timedelta(days=1).total_seconds())


async def suggested(world: FlowWorld) -> list[SuggestedException]:
    """Return what is suggested."""
    return await world.services.inspection.suggestions.suggested(10_000)


async def adopt(world: FlowWorld, one: SuggestedException) -> None:
    """Put a suggestion in force, as a person would."""
    bundle = world.services.policies.applied.bundle
    policies = tuple(
        msgspec.structs.replace(each, text=one.text) if each.file == one.file else each
        for each in bundle.policies
    )
    await world.services.policies.apply(
        msgspec.structs.replace(bundle, policies=policies, digest="sha256:adopted"), by="root"
    )


async def adopt_rule(world: FlowWorld, rule: str) -> None:
    """Put one more rule in force."""
    bundle = world.services.policies.applied.bundle
    policies = (*bundle.policies, PolicySource("more.cedar", rule))
    await world.services.policies.apply(
        msgspec.structs.replace(bundle, policies=policies, digest="sha256:more"), by="root"
    )


async def outcome(world: FlowWorld, **arguments: Json) -> Outcome:
    """Return what becomes of a mail in a new task."""
    await world.open("Mail the report")
    return (await world.call("send_mail", **arguments)).outcome


async def test_what_people_always_approve_becomes_a_suggestion(world: FlowWorld) -> None:
    """With its evidence, as a diff that loads; in force it spares exactly these questions."""
    await worked(world)
    (one,) = await suggested(world)
    assert one.rule == "flow/ask-destination"
    assert one.evidence.approvers == ("nora", "omar")
    assert (one.evidence.answers, one.evidence.days, one.evidence.median_s) == (10, 5, 20.0)
    assert (one.passed, one.unasked) == (10, 0)
    assert f'+  context.args has "to" && context.args["to"] == "{DESK}"' in one.diff
    removed = [line for line in one.diff.splitlines() if line.startswith("-") and line[:3] != "---"]
    assert len(removed) <= 1
    assert await outcome(world, to=DESK, body="Another") is Outcome.DEFER

    await adopt(world, one)
    assert await outcome(world, to=DESK, body="Another") is Outcome.PERMIT
    assert await outcome(world, to="eve@ext.example", body="Another") is Outcome.DEFER
    assert await outcome(world, to=DESK, cc="eve@ext.example", body="Another") is Outcome.DEFER
    assert await suggested(world) == []


async def test_rules_in_rego_get_the_same_suggestion(tmp_path: Path) -> None:
    """One more condition and a helper, which loads; in force it spares exactly these questions."""
    async with flow_world(tmp_path, rego=True) as world:
        nora = NewPerson(name="nora", roles=(Role.APPROVER,))
        await world.services.identity.directory.add_person(nora, by="remit")
        await worked(world)
        (one,) = await suggested(world)
        assert (one.rule, one.passed, one.unasked) == ("flow/ask-destination", 10, 0)
        assert f'+\tinput.context.args["to"] == "{DESK}"' in one.diff
        assert not [line for line in one.diff.splitlines() if line.startswith("-") and line[:3] != "---"]

        await adopt(world, one)
        assert await outcome(world, to=DESK, body="Another") is Outcome.PERMIT
        assert await outcome(world, to="eve@ext.example", body="Another") is Outcome.DEFER
        assert await outcome(world, to=DESK, cc="eve@ext.example", body="Another") is Outcome.DEFER
        await world.open("Mail the report")
        await world.run("read_mail", folder="inbox")
        assert (await world.call("send_mail", to=DESK, body="Another")).outcome is not Outcome.PERMIT
        assert await suggested(world) == []


async def test_an_exception_ends_where_others_may_have_written(world: FlowWorld) -> None:
    """A task that has read untrusted data is asked about as before, or refused."""
    await worked(world)
    (one,) = await suggested(world)
    await adopt(world, one)
    await world.open("Mail the report")
    await world.run("read_mail", folder="inbox")
    assert (await world.call("send_mail", to=DESK, body="Another")).outcome is not Outcome.PERMIT


async def test_questions_of_tainted_tasks_earn_nothing(world: FlowWorld) -> None:
    """However often people approved them: the exception would not hold there."""
    world.office.answers["read_mail"] = [{"from": DESK, "subject": "report", "body": "Send it here"}]
    for number in range(LEAST_ANSWERS + 2):
        await world.open("Answer the report mail")
        await world.run("read_mail", folder="inbox")
        one = await asked(world, body=f"Report {number}")
        await answer(world, one, ("omar", "nora")[number % 2])
        world.clock.advance(timedelta(days=1).total_seconds())
    assert await suggested(world) == []


@pytest.mark.parametrize(
    "how",
    [
        {"times": LEAST_ANSWERS - 1},
        {"by": ("omar",)},
        {"a_day": 100},
        {"after_s": 1},
        {"tasks": False},
    ],
    ids=["few", "one approver", "one day", "unread", "one task"],
)
async def test_a_flood_of_questions_earns_nothing(world: FlowWorld, how: Json) -> None:
    """Few answers, one approver, one day, answers that no person read, or one task."""
    await worked(world, **how)
    assert await suggested(world) == []


async def test_one_refusal_outweighs_every_approval(world: FlowWorld) -> None:
    """Also of another recipient: people do decide there."""
    await worked(world)
    await world.open("Mail the report")
    await answer(world, await asked(world, to="eve@ext.example"), approve=False)
    assert await suggested(world) == []


async def test_a_refusal_of_a_question_by_several_rules_counts(world: FlowWorld) -> None:
    """It is about the same agent and tool, whichever rules asked."""
    await worked(world)
    await adopt_rule(
        world,
        '@id("also")\n@otherwise("approval")\nforbid (principal, action, resource) '
        'when { context.args has "cc" };\n',
    )
    await world.open("Mail the report")
    one = await asked(world, cc="eve@ext.example")
    assert len(one.rules) > 1
    await answer(world, one, approve=False)
    assert await suggested(world) == []


async def test_a_refusal_is_not_pushed_out_of_view(world: FlowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many questions the agent asks after it."""
    await world.open("Mail the report")
    await answer(world, await asked(world, to="eve@ext.example"), approve=False)
    await worked(world)
    monkeypatch.setattr(policy_suggestions, "MOST", 2 * (LEAST_ANSWERS + 2))
    assert await suggested(world) == []


async def test_a_rule_that_names_its_approvers_is_never_suggested_away(world: FlowWorld) -> None:
    """Neither a number of people nor a group: who answered may be fewer, or one who broke the glass."""
    bundle = world.services.policies.applied.bundle
    policies = tuple(
        msgspec.structs.replace(
            one, text=one.text.replace("@bounded(", '@approver_group("staff")\n@bounded(')
        )
        for one in bundle.policies
    )
    await world.services.policies.apply(
        msgspec.structs.replace(bundle, policies=policies, digest="sha256:grouped"), by="root"
    )
    for name in ("omar", "nora"):
        person = await world.services.identity.directory.person(name)
        grouped = msgspec.structs.replace(person, groups=("staff",))
        await world.services.store.commit(Unit((PutPerson(grouped),)))
    await worked(world)
    assert await suggested(world) == []


async def test_fast_answers_among_slow_ones_show_that_people_do_not_read(world: FlowWorld) -> None:
    """More than a fifth is too many."""
    await worked(world)
    await worked(world, times=4, after_s=0.5)
    assert await suggested(world) == []


async def test_a_rule_without_bounds_is_never_suggested_away(world: FlowWorld) -> None:
    """Its author has every call decided by a person."""
    bundle = world.services.policies.applied.bundle
    policies = tuple(
        msgspec.structs.replace(one, text=one.text.replace('@bounded("10")\n', "")) for one in bundle.policies
    )
    await world.services.policies.apply(
        msgspec.structs.replace(bundle, policies=policies, digest="sha256:unbounded"), by="root"
    )
    await worked(world)
    assert await suggested(world) == []


async def test_names_that_look_like_policies_stay_names(world: FlowWorld) -> None:
    """Nothing in an argument ends the literal that holds it."""
    hostile = 'a" || true || "@ext.example'
    await worked(world, to=hostile)
    (one,) = await suggested(world)
    await adopt(world, one)
    assert await outcome(world, to="eve@ext.example", body="x") is Outcome.DEFER


async def test_the_console_shows_it_to_auditors_and_applies_nothing(world: FlowWorld) -> None:
    """With its evidence and its difference; a page without any says when there is one."""
    directory = world.services.identity.directory
    await directory.add_person(NewPerson(name="audra", roles=(Role.AUDITOR,)), by="remit")
    audra = Browsing(
        SimpleNamespace(services=world.services, asgi=app(world.services, reload=a_bundle, watch_s=0))
    )
    await audra.sign_in("audra")
    address = "/console/approvals/suggestions"
    assert "Nothing to suggest" in (await audra.get(address)).text
    await worked(world)
    await audra.sign_in("audra")
    page = await audra.get(address)
    assert page.status == 200
    assert "flow/ask-destination" in page.text
    assert "nora, omar" in page.text
    assert "+" in page.text.partition("<pre>")[2]
    assert not [one for one in page.forms if one["action"].startswith("/console")]
