# SPDX-License-Identifier: Apache-2.0
"""Do step 5: one commit, then the effect."""

from __future__ import annotations

from remit.core.decisions.decision import Outcome, overtaken
from remit.core.decisions.mediation import DecidedCall
from remit.core.errors import Conflict
from remit.ports.store.changes import CountHistory
from remit.ports.store.units import Unit
from remit.services.decisions.approval_lookups import use_of
from remit.services.decisions.call_events import decision_event, sanitized
from remit.services.decisions.obligations import due_notifications
from remit.services.flow.observation import rising
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.decide import RuledCall
from remit.services.tasks.calls_in_flight import LiveCall
from remit.services.tasks.live_tasks import LiveTask

# A name of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_PERMIT, _DENY = Outcome.PERMIT, Outcome.DENY


class RecordedCall(DecidedCall, frozen=True):
    """A call that is permitted and recorded. `number` is that of the call among those of its task."""

    live: LiveTask
    in_flight: LiveCall
    number: int


async def record_refusal(call: CallState, ruled: RuledCall) -> None:
    """Record why a call does not proceed, and ask a person where it waits for one."""
    counted = tuple(one for one in ruled.takes if isinstance(one, CountHistory))
    if not counted and ruled.decision.outcome is _DENY:
        counted = call.deps.authorizer.histories.refused(ruled.request, ruled.live)
    asking = ruled.asking
    if asking.changes:
        # INVARIANT: an end has withdrawn all questions of its task, so none is asked after it.
        fence = call.deps.live.checks(ruled.live, ruled.live.call_scopes(ruled.request.tool.id))
        asking = Unit((*fence, *asking.changes), asking.events)
    await call.deps.refusals.record(decision_event(ruled.request, ruled.decision), asking, counted)
    call.recorded = (ruled.request, ruled.decision)
    call.end_approval_turn()
    if ruled.takes:
        call.settle(taken=True)


async def record_permit(call: CallState, ruled: RuledCall) -> RecordedCall:
    """Commit the decision with all that it takes; from here on the call is in flight."""
    deps, request, decision, live = call.deps, ruled.request, ruled.decision, ruled.live
    scopes = live.call_scopes(request.tool.id)
    in_flight = LiveCall(decision.id, request.tool.id, request.tool.effect._value_, scopes)
    changes = [*deps.live.checks(live, scopes), *deps.stored_labels.unchanged(request), *ruled.takes]
    if ruled.approval is not None:
        changes.append(use_of(ruled.approval, request, call.now))
    # INVARIANT: nothing untrusted was released to the agent before this permit, by any call.
    clean = decision.outcome is _PERMIT and live.is_clean
    # INVARIANT: the label rises here, before data that carries it can be released.
    classes = deps.policies.applied.bundle.classes
    rise = rising(live, call.carried(request.tool, classes), request, classes, call.now)
    label = live.label
    live.calls += 1
    number = live.calls
    events = (
        decision_event(request, decision, number),
        *due_notifications(request, decision),
        *rise.events,
        *sanitized(request, decision.id),
    )
    live.in_hand.add(in_flight)
    call.in_flight = in_flight
    try:
        # A statement of the intent is used up by this purpose before another call can be described.
        live.spend(request)
        left = deps.stored_labels.writes(request, decision.id, number)
        # A call that is alone shares its transaction with no other.
        alone = deps.authorizer.evaluations.calls == 1
        await deps.store.commit(Unit((*changes, *rise.changes, *left), events), at_once=alone)
    except BaseException as lost:
        call.settle(taken=False)
        rise.lost()
        if isinstance(lost, Conflict):
            # A fence, an ancestor's budget or another use of the approval came first: that is recorded too.
            refused = deps.authorizer.histories.refused(request, live)
            await deps.store.commit(Unit(refused, (decision_event(request, overtaken(decision, lost)),)))
        raise
    call.recorded = (request, decision)
    call.end_approval_turn()
    # Commits return in the order in which they were submitted, and labels only rise.
    live.kept_label = label
    deps.stored_labels.kept(left)
    if clean:
        live.index.clean.use(request.tool, request.arguments, live.index.statement)
    call.settle(taken=True)
    return RecordedCall(request, decision, live, in_flight, number)
