# SPDX-License-Identifier: Apache-2.0
"""Step 8: what an upstream sent is taken in, and then handed to the agent."""

from __future__ import annotations

import asyncio
from typing import Final

from remit.core.decisions.deferred_call import DeferredStatus
from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery
from remit.services.flow.observation import Observation
from remit.services.mediation.deferred_calls import brought_by, remaining, standing_of
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.forward import ForwardedCall
from remit.services.mediation.steps.record import RecordedCall

#: Answer to a server that sends a request itself.
NOT_OFFERED: Final = b'{"code":-32601,"message":"this client does not take requests from servers"}'
# A name of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_REQUEST = ChunkKind.REQUEST


async def observe_chunk(call: CallState, forwarded: ForwardedCall, chunk: Chunk) -> Delivery | None:
    """Return what may be released of a chunk, once its values and its label are known to the task.

    INVARIANT: the fence is looked at after all that is awaited here.
    """
    if chunk.kind is _REQUEST:
        # An answer to the server's question would be a disclosure without a decision: refused.
        if chunk.request_id is not None:
            forwarded.leased.exchange.respond(chunk.request_id, NOT_OFFERED, error=True)
        return None
    call.result_bytes += chunk.size
    if chunk.deferred:
        return await _defer(call, forwarded, chunk)
    delivery = await call.deps.observer.observe(forwarded.observation, chunk)
    call.withheld |= forwarded.observation.withheld
    return delivery


async def take_standing(
    call: CallState, observation: Observation, standing: DeferredStatus
) -> DeferredStatus:
    """Take in the state of a deferred call; return what may be released of it."""
    released = [await call.deps.observer.observe(observation, one) for one in brought_by(standing)]
    call.withheld |= observation.withheld
    return remaining(standing, released) if observation.request.tool.withholds else standing


async def _defer(call: CallState, forwarded: ForwardedCall, chunk: Chunk) -> Delivery:
    """Keep a call that its upstream has deferred, and return a handle made by remit to the agent."""
    observation, recorded, deps = forwarded.observation, forwarded.leased.recorded, call.deps
    standing = standing_of(chunk, call.asked.upstream, expected=call.asked.defers)
    standing = await take_standing(call, observation, standing)
    held = call.deferred = deps.deferrals.hold(
        recorded.live, recorded.in_flight, recorded.request, recorded.decision,
        number=recorded.number, standing=standing, credential=forwarded.leased.credential,
        handle=call.asked.handle,
    )  # fmt: skip
    return observation.own(deps.deferrals.created(held, standing), deferred=True)


async def release_delivery(call: CallState, recorded: RecordedCall, chunk: Delivery) -> None:
    """Hand what was taken in to the agent.

    INVARIANT: nothing more of an answer is handed out once the call is cut, though it has begun.
    """
    in_flight, running = recorded.in_flight, call.running
    call.look(recorded.live, in_flight)  # an end may have come first since the chunk was taken in
    on_cut = in_flight.on_cut

    def cut() -> None:
        if on_cut is not None:
            on_cut()
        running.cancel()

    in_flight.on_cut = cut
    try:
        await call.sink.release(chunk)
    except asyncio.CancelledError:
        if not in_flight.cut:
            raise
        running.uncancel()
        call.look(recorded.live, in_flight)
    finally:
        in_flight.on_cut = on_cut
