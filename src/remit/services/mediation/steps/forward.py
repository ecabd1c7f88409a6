# SPDX-License-Identifier: Apache-2.0
"""Step 7: the call is written, and the upstream's messages are waited for."""

from __future__ import annotations

from functools import partial

import msgspec

from remit.core.decisions.mediation import Chunk
from remit.core.errors import Conflict, UpstreamUnreachable
from remit.core.tools.tool import Effect
from remit.services.flow.observation import Observation
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.lease import LeasedCall

# A name of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_NONE = Effect.NONE


class ForwardedCall(msgspec.Struct, frozen=True):
    """A call that was written. `observation` keeps, over all that the call brings, what step 8 must know."""

    leased: LeasedCall
    deadline_s: float
    observation: Observation


async def forward_call(call: CallState, leased: LeasedCall) -> ForwardedCall:
    """Write the call. INVARIANT: nothing is awaited between the look at the fence and the write."""
    deps, recorded = call.deps, leased.recorded
    live, request, in_flight = recorded.live, recorded.request, recorded.in_flight
    call.look(live, in_flight)
    tool, classes = request.tool, deps.policies.applied.bundle.classes
    if tool.effect is not _NONE and live.rose_beside(request.label, call.carried(tool, classes), classes):
        # Data that another call read in the meantime may be in the upstream, where this call could carry it
        # on.
        raise Conflict(
            "the task has read more data since the decision", code="label-rose", remediation="call again"
        )
    deadline_s = deps.clock.boot_s() + deps.call_timeout_s
    in_flight.on_cut = leased.exchange.release
    leased.exchange.send()
    in_flight.sent = True
    look = partial(call.look, live, in_flight)
    return ForwardedCall(
        leased, deadline_s, Observation(live, request, recorded.number, in_flight.decision, look)
    )


async def receive_chunk(call: CallState, forwarded: ForwardedCall) -> Chunk:
    """Return the upstream's next message, without the credential that it may echo."""
    deps, leased, look = call.deps, forwarded.leased, forwarded.observation.look
    left = forwarded.deadline_s - deps.clock.boot_s()
    try:
        with deps.alarms.within(left, call.running):
            chunk = await leased.exchange.receive(deps.observer.turns)
    except TimeoutError:
        leased.exchange.cancel("timed out")
        raise UpstreamUnreachable(
            f"upstream `{call.asked.upstream}` did not answer in time",
            sent=True,
            code="upstream-timeout",
        ) from None
    except UpstreamUnreachable:
        look()
        raise
    look()
    return await deps.observer.turns.take(leased.scrubber.take(chunk), look)
