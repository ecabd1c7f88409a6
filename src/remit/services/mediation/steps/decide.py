# SPDX-License-Identifier: Apache-2.0
"""Step 4: the decision, and the question to a person where it waits for one."""

from __future__ import annotations

from typing import Final

from remit.core.decisions.approval import Approval
from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import DecidedCall
from remit.ports.store.changes import Take
from remit.ports.store.units import Unit
from remit.services.decisions.authorizer import Ruling
from remit.services.decisions.obligations import redacted
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.describe import DescribedCall
from remit.services.tasks.live_tasks import LiveTask

_NO_UNIT: Final = Unit()
# A name of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_DEFER = Outcome.DEFER


class RuledCall(DecidedCall, frozen=True):
    """A decided call with what step 5 commits for it: what a permit takes, or what asks a person."""

    live: LiveTask
    takes: tuple[Take, ...]
    approval: Approval | None
    asking: Unit


async def decide_call(call: CallState, described: DescribedCall) -> RuledCall:
    """Return the decision; where a person has to approve, it names the approval that step 5 opens."""
    approvals, request, live = call.deps.approvals, described.request, described.bound.live
    ruling = await call.deps.authorizer.decide(request, live)
    call.reserved = ruling.takes
    if ruling.approval is not None and ruling.approval.bounds is not None:
        # INVARIANT: the calls of a task take from a bounded approval one after another, so that each is
        # recorded with the count that is left.
        call.settle(taken=False)
        await call.take_approval_turn(approvals.turn(request.task.id))
        ruling = await call.deps.authorizer.decide(request, live)
        call.reserved = ruling.takes
    asking = _NO_UNIT
    if ruling.lapsed is not None:
        # One of the task's calls records that the question is over, and tells it; the others ask again.
        call.settle(taken=False)
        await call.take_approval_turn(approvals.turn(request.task.id))
        ruling = await call.deps.authorizer.decide(request, live)
        call.reserved = ruling.takes
        asking = approvals.lapsing(ruling.lapsed, ruling.request) if ruling.lapsed is not None else asking
    if _asks(ruling):
        await call.take_approval_turn(approvals.turn(request.task.id))
        asked = await approvals.asking(ruling.request, ruling.decision, ruling.overtaken)
        if asked.is_new and await approvals.is_answered(request):
            # The answer came after the decision had looked for one: a second question would be in vain.
            call.settle(taken=False)
            ruling = await call.deps.authorizer.decide(request, live)
            call.reserved = ruling.takes
            if _asks(ruling):
                asked = await approvals.asking(ruling.request, ruling.decision, ruling.overtaken)
        if _asks(ruling):
            return RuledCall(ruling.request, asked.decision, live, (), None, asked.unit)
    request = redacted(ruling.request, ruling.decision)
    return RuledCall(request, ruling.decision, live, ruling.takes, ruling.approval, asking)


def _asks(ruling: Ruling) -> bool:
    """Return whether a person has to be asked about a call."""
    return ruling.decision.outcome is _DEFER and not ruling.decision.observed
