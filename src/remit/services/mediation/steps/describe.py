# SPDX-License-Identifier: Apache-2.0
"""Step 3: tool and arguments become an access request."""

from __future__ import annotations

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.errors import NotFound
from remit.services.mediation.steps.bind import BoundTask
from remit.services.mediation.steps.call_state import CallState


class DescribedCall(msgspec.Struct, frozen=True):
    """What is asked for, and in which task."""

    bound: BoundTask
    request: AccessRequest


async def describe_call(call: CallState, bound: BoundTask) -> DescribedCall:
    """Return the access request of a call; raises `NotFound` where there is no such upstream.

    A call without an upstream is decided like one of a tool that is not granted: the evidence has both.
    """
    asked = call.asked
    if asked.upstream and asked.upstream not in call.deps.upstreams:
        raise NotFound(f"upstream `{asked.upstream[:80]}` does not exist", code="no-upstream")
    return await describe_known(call, bound)


async def describe_known(call: CallState, bound: BoundTask) -> DescribedCall:
    """Return the access request of a call to an owner of tools that exists."""
    asked, deps = call.asked, call.deps
    steps = deps.authorizer.describing(
        bound.claims.principal, bound.live, asked.upstream, asked.name, asked.arguments, call.now
    )
    request = await deps.observer.turns.take(steps)
    if asked.reason:
        request = msgspec.structs.replace(request, stated_reason=asked.reason)
    if asked.follows is not None:
        request = msgspec.structs.replace(request, follows=asked.follows.decision)
    request = await deps.surroundings.seen(request, bound.live, asked.origin)
    return DescribedCall(bound, await deps.stored_labels.seen(request))
