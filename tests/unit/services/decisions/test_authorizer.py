# SPDX-License-Identifier: Apache-2.0
"""Steps 3 and 4: each ground for a refusal, in the order in which they count, with its rule and
remediation.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.cooperative_steps import finish
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Outcome, Reason
from remit.core.identity.workload import Assurance
from remit.core.tasks.grant import GrantTemplate
from remit.core.tools.tool import Tier
from remit.services.decisions.authorizer import Ruling
from tests.worlds.calls import ASK, CallWorld, a_bundle, a_surface, a_type, call_world
from tests.worlds.services import PERMIT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def request(world: CallWorld, name: str, task_type: str = "work", **arguments: Any) -> AccessRequest:
    """Describe a call of a fresh task."""
    task, token = await world.open(task_type)
    principal = world.services.identity.authenticator.unproven(token, world.clock.now()).principal
    live = await world.services.tasks.live.load(task.id)
    steps = world.services.decisions.authorizer.describing(
        principal, live, "desk", name, arguments, world.clock.now()
    )
    return finish(steps)


async def decide(world: CallWorld, asked: AccessRequest) -> Ruling:
    """Decide a call."""
    return await world.services.decisions.authorizer.decide(
        asked, await world.services.tasks.live.load(asked.task.id)
    )


async def reasons(world: CallWorld, asked: AccessRequest) -> tuple[Reason, ...]:
    """Decide a call that is refused; gives why."""
    decision = (await decide(world, asked)).decision
    assert decision.outcome is Outcome.DENY
    assert decision.reasons
    assert all(one.rule for one in decision.reasons)
    return decision.reasons


async def test_a_call_is_described_by_its_tool(world: CallWorld) -> None:
    """Tier, clearance and grants come from what was reviewed."""
    found = {name: (await request(world, name)).tier for name in ("read", "write", "pay")}
    assert found == {"read": Tier.ASSISTANT, "write": Tier.OPERATOR, "pay": Tier.AUTONOMOUS}


async def test_what_nobody_described_is_the_worst(world: CallWorld) -> None:
    """An offered tool without a description, and a name that no upstream offers: irreversible, external."""
    for name in ("odd", "never-heard-of"):
        asked = await request(world, name)
        assert (asked.tier, asked.tool.described, asked.grants) == (Tier.AUTONOMOUS, False, ())


async def test_what_was_not_granted_is_refused_first(world: CallWorld) -> None:
    """Before anything is said of arguments or states."""
    (first, *_) = await reasons(world, await request(world, "read", "hello"))
    assert first.code == "not-granted"
    assert first.remediation


async def test_a_changed_tool_is_suspended(world: CallWorld) -> None:
    """The grant alone does not help."""
    world.desk.surfaces["write"] = a_surface("write", "Writes more")
    await world.learn()
    (first, *_) = await reasons(world, await request(world, "write"))
    assert (first.code, first.rule) == ("tool-suspended", "pinned tool description")
    assert "remit tool diff desk/write" in first.remediation


async def test_effects_need_more_than_a_claimed_name(world: CallWorld) -> None:
    """An asserted identity may read and may change nothing."""
    asked = await request(world, "write")
    weak = msgspec.structs.replace(asked.principal, assurance=Assurance.ASSERTED)
    (first, *_) = await reasons(world, msgspec.structs.replace(asked, principal=weak))
    assert first.code == "assurance"
    reading = msgspec.structs.replace(await request(world, "read"), principal=weak)
    assert (await decide(world, reading)).decision.outcome is Outcome.PERMIT


async def test_a_refused_argument_is_named(world: CallWorld) -> None:
    """The reason names the argument and the grant."""
    (first, *_) = await reasons(world, await request(world, "write", "hello", text="goodbye"))
    assert (first.argument, first.rule) == ("text", "grant of desk/write in task type hello")


async def test_of_several_grants_the_closest_explains(world: CallWorld) -> None:
    """One that permits is enough; where none does, the one with the fewest objections speaks."""
    grants = (
        GrantTemplate("desk/write", {"text": {"exact": "a"}, "amount": {"range": {"max": 1}}}),
        GrantTemplate("desk/write", {"text": {"exact": "b"}, "amount": {"range": {"max": 100}}}),
    )
    bundle = a_bundle()
    bundle.task_types["two"] = a_type("two", grants=grants)
    await world.services.policies.apply(bundle, by="root")
    asked = await request(world, "write", "two", text="b", amount=50)
    assert (await decide(world, asked)).decision.outcome is Outcome.PERMIT
    why = await reasons(world, await request(world, "write", "two", text="a", amount=50))
    assert [one.argument for one in why] == ["amount"]


async def test_a_ceiling_on_the_result_is_held(world: CallWorld) -> None:
    """A tool that may return more than the grant takes is refused beforehand."""
    bundle = a_bundle()
    low = GrantTemplate("desk/read", other_arguments=True, ceilings={"result_class": "public"})
    bundle.task_types["low"] = a_type("low", grants=(low,))
    await world.services.policies.apply(bundle, by="root")
    (first, *_) = await reasons(world, await request(world, "read", "low"))
    assert first.code == "result-class"


async def test_without_a_policy_nothing_is_permitted(world: CallWorld) -> None:
    """Default deny, and said so."""
    never = '@id("never")\n@reason("r")\npermit (principal, action, resource) when { false };\n'
    await world.services.policies.apply(a_bundle(never), by="root")
    (first, *_) = await reasons(world, await request(world, "read"))
    assert first.code == "no-permit"


async def test_a_forbid_wins_and_speaks(world: CallWorld) -> None:
    """Its own reason is what is told."""
    forbid = '@id("no-writing")\n@reason("nobody writes today")\nforbid (principal, action, resource);\n'
    await world.services.policies.apply(a_bundle(PERMIT + forbid), by="root")
    why = await reasons(world, await request(world, "read"))
    assert [(one.text, one.rule) for one in why] == [("nobody writes today", "no-writing")]


async def test_a_question_is_only_asked_where_the_rest_would_pass(world: CallWorld) -> None:
    """A waivable forbid on a call that the grant refuses is a refusal: no human is bothered."""
    assert (await decide(world, await request(world, "pay"))).decision.outcome is Outcome.DEFER
    bundle = a_bundle()
    bundle.task_types["pays"] = a_type("pays", grants=(GrantTemplate("desk/pay", {"text": {"exact": "x"}}),))
    await world.services.policies.apply(bundle, by="root")
    assert (await reasons(world, await request(world, "pay", "pays", text="y")))[0].argument == "text"


async def test_an_approval_waives_the_rules_that_were_shown_and_no_others(world: CallWorld) -> None:
    """A rule that came later asks again, although the call is the same; the old answer does not come back."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await world.approve(approval)
    more = '@id("more")\n@reason("r")\n@otherwise("approval")\nforbid (principal, action, resource);\n'
    await world.services.policies.apply(a_bundle(PERMIT + ASK + more), by="root")
    again = await world.asked(token, amount=1)
    assert again != approval
    assert (await world.services.decisions.approvals.get(approval)).state is ApprovalState.EXPIRED
    await world.approve(again)
    end = await world.call(token, "pay", amount=1)
    assert end.decision.outcome is Outcome.PERMIT
    assert end.decision.approval == again
    assert [rule.id for rule in end.decision.waived] == ["ask-for-money", "more"]
    await world.services.policies.apply(a_bundle(), by="root")
    assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER


async def test_a_decision_names_the_bundle_that_it_was_made_under(world: CallWorld) -> None:
    """Also after another was applied."""
    asked = await request(world, "read")
    assert (await decide(world, asked)).decision.bundle == "sha256:desk"
    await world.services.policies.apply(a_bundle(digest="sha256:newer"), by="root")
    assert (await decide(world, asked)).decision.bundle == "sha256:newer"


async def test_what_is_observed_or_takes_any_token_is_said_by_upstream(tmp_path: Path) -> None:
    """Each by itself, and of no other upstream."""
    lenient: Json
    for lenient in ({"observed": frozenset(("desk",))}, {"unconstrained": frozenset(("desk",))}, {}):
        folder = tmp_path / "-".join(lenient)
        folder.mkdir(exist_ok=True)
        async with call_world(folder, **lenient) as world:
            authorizer = world.services.decisions.authorizer
            assert authorizer.observes("desk") is ("observed" in lenient)
            assert authorizer.constrains("desk") is ("unconstrained" not in lenient)
            assert not authorizer.observes("other")
            assert authorizer.constrains("other")
