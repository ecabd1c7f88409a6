# SPDX-License-Identifier: Apache-2.0
"""A decision is explained to a person who did not write the rules: each claim was decided, not guessed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import NotFound
from remit.ports.store.units import Unit
from remit.services.inspection.explanation import NOT_ASKED, NOT_KEPT, Explanation
from tests.worlds.calls import CallWorld, a_bundle, call_world
from tests.worlds.services import PERMIT

Json = Any
LARGE = (
    '@id("large")\n@reason("`{tool}` is for more than 5000")\n'
    'forbid (principal, action == Action::"desk/pay", resource)\n'
    'when { context.args has amount && context.args.amount.greaterThan(decimal("5000.0")) };\n'
)
INTERNAL = (
    '@id("internal")\nforbid (principal, action == Action::"desk/write", resource)\n'
    'when { context.label.class == "internal" };\n'
)
DEVELOPMENT = (
    '@id("development")\nforbid (principal, action == Action::"desk/write", resource)\n'
    'when { principal.environment == "development" };\n'
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk, where money is asked about."""
    async with call_world(tmp_path) as made:
        yield made


async def under(world: CallWorld, policy: str, digest: str = "sha256:under") -> None:
    """Put other policies in force."""
    await world.services.policies.apply(a_bundle(policy, digest), by="root")
    await world.services.tools.registry.described()


async def explained(world: CallWorld, decision: str) -> Explanation:
    """The explanation of a decision, once what is under way has been written."""
    await world.services.store.commit(Unit(tenant=world.services.tenant))
    return await world.services.inspection.explanations.of(decision)


async def called(world: CallWorld, name: str, **arguments: Json) -> Explanation:
    """Make a call, and explain how it was decided."""
    _, token = await world.open()
    end = await world.call(token, name, **arguments)
    return await explained(world, end.decision.id)


def changes(found: Explanation) -> list[tuple[str, str, Outcome]]:
    """What would change the answer."""
    return [(one.kind, one.words, one.outcome) for one in found.changes]


async def test_a_refusal_shows_the_rule_its_text_and_the_facts_it_read(world: CallWorld) -> None:
    """And the argument's value under which the same call is not refused."""
    await under(world, PERMIT + LARGE)
    found = await called(world, "pay", amount=7000)
    (large, permit) = found.rules
    assert (large.id, large.role, large.facts) == ("large", "refuses", {"context.args.amount": 7000.0})
    assert "greaterThan" in large.text
    assert (permit.role, found.missing, found.not_tried) == ("permits", "", ())
    assert changes(found) == [
        ("approval", "a person approved it", Outcome.DENY),
        ("rule", "rule `large` did not exist", Outcome.PERMIT),
        ("argument", "`amount` were 5000.0", Outcome.PERMIT),
    ]


async def test_a_rule_about_data_shows_what_the_task_had_read(world: CallWorld) -> None:
    """Which result brought it, and nothing where no rule that spoke has read the label."""
    await under(world, PERMIT + INTERNAL)
    _, token = await world.open()
    read = await world.call(token, "read")
    refused = await world.call(token, "write", text="a")
    found = await explained(world, refused.decision.id)
    assert (found.outcome, found.rules[0].id) == (Outcome.DENY, "internal")
    assert [(one.tool, one.data_class, one.untrusted) for one in found.label] == [
        ("desk/read", "internal", False)
    ]
    assert (await explained(world, read.decision.id)).label == ()


async def test_a_question_shows_that_an_approval_is_enough(world: CallWorld) -> None:
    """The rule that asks, and what a person's answer leads to."""
    found = await called(world, "pay", amount=1)
    assert [(one.id, one.role) for one in found.rules] == [
        ("ask-for-money", "asks"),
        ("permit-granted", "permits"),
    ]
    assert ("approval", "a person approved it", Outcome.PERMIT) in changes(found)
    assert found.rules[0].facts == {"resource.financial": True}
    assert found.not_tried == ("resource.financial",)


async def test_an_approved_call_shows_the_rules_that_were_waived(world: CallWorld) -> None:
    """Without the approval it would have been asked about."""
    _, token = await world.open()
    await world.approve(await world.asked(token, amount=5))
    end = await world.call(token, "pay", amount=5)
    found = await explained(world, end.decision.id)
    assert (found.rules[0].id, found.rules[0].role) == ("ask-for-money", "waived")
    assert ("approval", "no person had approved it", Outcome.DEFER) in changes(found)


async def test_two_rules_that_refuse_are_told_together(world: CallWorld) -> None:
    """Neither alone makes a difference, so neither is said to."""
    other = LARGE.replace('"large"', '"also-large"').replace("5000", "6000")
    await under(world, PERMIT + LARGE + other)
    found = await called(world, "pay", amount=7000)
    assert changes(found) == [
        ("approval", "a person approved it", Outcome.DENY),
        ("rule", "none of `also-large`, `large` existed", Outcome.PERMIT),
        ("argument", "`amount` were 5000.0", Outcome.PERMIT),
    ]


async def test_what_a_rule_says_of_the_agent_is_tried_too(world: CallWorld) -> None:
    """Here: the environment that the agent was registered for."""
    await under(world, PERMIT + DEVELOPMENT)
    found = await called(world, "write")
    assert found.rules[0].facts == {"principal.environment": "development"}
    words = "the agent were registered for environment `production`"
    assert ("identity", words, Outcome.PERMIT) in changes(found)


async def test_changes_that_help_only_together_are_told_together(world: CallWorld) -> None:
    """A single one is not said to be enough."""
    both = DEVELOPMENT.replace('"development"\n', '"development"\n').replace(
        'principal.environment == "development"',
        'principal.environment == "development" || (context.args has text && context.args.text == "a")',
    )
    await under(world, PERMIT + both)
    found = await called(world, "write", text="a")
    words = [words for kind, words, _ in changes(found) if kind not in ("rule", "approval")]
    assert len(words) == 1
    assert "`text`" in words[0]
    assert "`production`" in words[0]


async def test_a_call_that_no_rule_permits_says_what_the_permits_read(world: CallWorld) -> None:
    """The permit that there is needs a larger amount."""
    only = (
        '@id("small")\npermit (principal, action == Action::"desk/pay", resource)\n'
        'when { context.args has amount && context.args.amount.lessThan(decimal("10.0")) };\n'
    )
    await under(world, only)
    found = await called(world, "pay", amount=11)
    assert found.rules == ()
    assert ("argument", "`amount` were 9.0", Outcome.PERMIT) in changes(found)


async def test_a_permitted_call_says_which_argument_would_have_been_refused(world: CallWorld) -> None:
    """And that nothing permits it without its rule."""
    await under(world, PERMIT + LARGE)
    found = await called(world, "pay", amount=10)
    assert changes(found) == [
        ("rule", "rule `permit-granted` did not exist", Outcome.DENY),
        ("argument", "`amount` were 5001.0", Outcome.DENY),
    ]


async def test_what_a_grant_refused_is_not_said_to_depend_on_rules(world: CallWorld) -> None:
    """The rules that spoke are shown; no change of theirs is tried."""
    _, token = await world.open("hello")
    end = await world.call(token, "write", text="goodbye")
    found = await explained(world, end.decision.id)
    assert (found.elsewhere, found.changes, found.tried) == (True, (), 0)
    assert [one.role for one in found.rules] == ["permits"]


async def test_what_no_policy_was_asked_about_is_explained_as_such(world: CallWorld) -> None:
    """A plan with a tool that the task does not grant."""
    task, _ = await world.open("hello")
    extension = await world.services.decisions.plans.extend(task.id, ["desk/pay"], by="clerk")
    assert extension.decision is not None
    found = await explained(world, extension.decision.id)
    assert (found.elsewhere, found.missing, found.rules) == (True, NOT_ASKED, ())


async def test_the_texts_are_those_of_the_bundle_that_decided(world: CallWorld) -> None:
    """Also after another one came into force; the version is named."""
    await under(world, PERMIT + LARGE)
    _, token = await world.open()
    end = await world.call(token, "pay", amount=7000)
    await under(world, PERMIT + LARGE.replace("5000", "9000"), "sha256:later")
    found = await explained(world, end.decision.id)
    assert "5000" in found.rules[0].text
    assert (found.bundle, found.version) == ("sha256:under", 2)


async def test_what_is_not_kept_is_said_and_not_guessed(world: CallWorld) -> None:
    """A bundle that is gone, values that were forgotten, a decision that does not exist."""
    await under(world, PERMIT + LARGE)
    _, token = await world.open()
    end = await world.call(token, "pay", amount=7000)
    await explained(world, end.decision.id)
    await world.services.evidence.log.forget("lena", by="root")
    found = await explained(world, end.decision.id)
    assert "forgotten" in found.missing
    assert (found.rules[0].facts, found.changes) == ({}, ())
    assert "greaterThan" in found.rules[0].text
    await under(world, PERMIT, "sha256:later")
    kept = world.services.policies.versions.keep(msgspec.structs.replace(a_bundle(), digest="sha256:under"))
    gone = msgspec.structs.replace(kept, value=None)
    await world.services.store.commit(Unit(changes=(gone,)))
    found = await explained(world, end.decision.id)
    assert (found.missing, found.rules[0].text) == (NOT_KEPT, "")
    with pytest.raises(NotFound):
        await explained(world, "dec_nothing")
