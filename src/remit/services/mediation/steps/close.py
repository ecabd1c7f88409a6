# SPDX-License-Identifier: Apache-2.0
"""Step 9: the outcome is recorded."""

from __future__ import annotations

from remit.core.evidence.event import CallOutcome
from remit.ports.store.changes import Change
from remit.ports.store.units import Unit
from remit.services.decisions.call_events import outcome_events
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.record import RecordedCall


async def close_call(call: CallState, recorded: RecordedCall, outcome: CallOutcome) -> None:
    """Write the outcome behind the answer; until then the call counts as unfinished."""
    deps, live, size = call.deps, recorded.live, call.result_bytes
    # Data that came in cannot be undone: it is counted, and the bound refuses the next call.
    take = live.count_result(size)
    if (held := call.deferred) is not None:
        held.result_bytes += size
        held.withheld |= call.withheld
        if call.ended_by:
            # The agent did not get the handle.
            deps.deferrals.give_up(held, call.ended_by)
    events = outcome_events(
        recorded.request, recorded.decision, outcome, deps.clock.now(), size, call.ended_by, call.withheld
    )
    if held is not None:
        events = ()
    counted = deps.authorizer.histories.ended(recorded.request, live, outcome, claimed=call.claimed)
    changes: tuple[Change, ...] = (take, *counted) if live.bounds_bytes else counted
    changes += live.worked(recorded.request.tool.id, CallOutcome.UNKNOWN if call.claimed else outcome)
    if changes or events:
        deps.late.write(Unit(changes, events))
