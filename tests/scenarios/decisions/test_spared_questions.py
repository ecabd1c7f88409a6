# SPDX-License-Identifier: Apache-2.0
"""People are told what an answer for several calls would have spared them, and how they have answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.errors import NotFound
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.inspection.question_reports import AlikeQuestions
from tests.samples.tokens import HELD, task_token
from tests.worlds.flow import FlowWorld, flow_world

Json = Any
MAIL = {"subject": "offsite", "from": "tom@ext.example", "body": "Who comes?"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FlowWorld]:
    """The office."""
    async with flow_world(tmp_path) as made:
        yield made


async def begin(world: FlowWorld, sender: str = "tom@ext.example") -> None:
    """Open a task that answers the mail about the offsite."""
    world.office.answers["read_mail"] = [MAIL | {"from": sender}]
    await world.open("Answer the offsite mail")
    await world.run("read_mail", folder="inbox")


async def asked(world: FlowWorld, text: str, to: str = "tom@ext.example", **more: Json) -> Approval:
    """Mail someone, which is a question, and return it."""
    decision = await world.call("send_mail", to=to, body=text, **more)
    assert decision.outcome is Outcome.DEFER
    return await world.services.decisions.approvals.get(decision.approval)


async def answer(world: FlowWorld, one: Approval, *, approve: bool) -> None:
    """Let omar answer."""
    omar = await world.services.identity.directory.person("omar")
    await world.services.decisions.approvals.answer(one.id, omar, approve=approve)


async def alike(world: FlowWorld, one: Approval) -> AlikeQuestions:
    """Return what is recorded of questions like one."""
    return await world.services.inspection.questions.alike(one.id)


async def test_a_first_question_has_none_like_it(world: FlowWorld) -> None:
    """Nothing is claimed that was not recorded."""
    await begin(world)
    found = await alike(world, await asked(world, "First"))
    assert (found.questions, found.passed, found.read > 0) == (0, 0, True)


async def test_questions_with_another_text_are_alike(world: FlowWorld) -> None:
    """Each is counted once, however often its call was tried, with the answers that people gave."""
    await begin(world)
    for number in range(3):
        one = await asked(world, f"Mail {number}")
        await asked(world, f"Mail {number}")
        await answer(world, one, approve=number > 0)
    await begin(world)
    await asked(world, "To be asked first")
    open_one = await asked(world, "And this")
    found = await alike(world, open_one)
    # In the other task the first answer would have spared two; in this one, the other question.
    assert (found.questions, found.tasks, found.passed) == (4, 2, 3)
    assert (found.approved, found.denied) == (2, 1)


async def test_other_recipients_and_other_arguments_are_not_alike(world: FlowWorld) -> None:
    """What the offer keeps the same has to be the same."""
    await begin(world, "mia@ext.example")
    await asked(world, "First", to="mia@ext.example")
    await begin(world)
    await asked(world, "First", cc="tom@ext.example")
    found = await alike(world, await asked(world, "First"))
    assert found.questions == 0


async def test_a_question_for_just_this_once_has_no_preview(world: FlowWorld) -> None:
    """There is nothing to preview."""
    await begin(world)
    one = await asked(world, "First")
    await answer(world, one, approve=False)
    with pytest.raises(NotFound):
        await alike(world, await _without_offer(world, one))


async def _without_offer(world: FlowWorld, one: Approval) -> Approval:
    bare = msgspec.structs.replace(one, id="apr_bare", offer=None, state=ApprovalState.PENDING)
    await world.services.store.commit(Unit((PutApproval(bare),)))
    return bare


async def test_figures_come_from_the_evidence(world: FlowWorld) -> None:
    """Time to answer, shares, and questions by rule."""
    await begin(world)
    quick, slow = await asked(world, "Quick"), await asked(world, "Slow")
    world.clock.advance(1)
    await answer(world, quick, approve=True)
    world.clock.advance(59)
    await answer(world, slow, approve=False)
    await asked(world, "Open")
    found = await world.services.inspection.questions.figures()
    assert (found.questions, found.answered, found.open) == (3, 2, 1)
    assert (found.median_s, found.slowest_tenth_s) == (1.0, 60.0)
    assert (found.share_approved, found.share_unread) == (0.5, 0.5)
    assert [one.rule for one in found.rules] == ["flow/ask-destination"]
    assert found.calls == 4
    assert found.rules[0].per_100_calls == 75


async def test_a_refusal_that_is_followed_by_an_approval_of_the_same_call_is_overturned(
    world: FlowWorld,
) -> None:
    """Either answer was wrong, or the agent has worn someone down."""
    await begin(world)
    await answer(world, await asked(world, "Twice"), approve=False)
    await answer(world, await asked(world, "Other"), approve=False)
    assert (await world.services.inspection.questions.figures()).overturned == 0
    world.clock.advance(901)
    world.token = await task_token(world.services, world.task.id, confirmation=HELD)
    await answer(world, await asked(world, "Twice"), approve=True)
    found = await world.services.inspection.questions.figures()
    assert (found.denied, found.overturned) == (2, 1)
