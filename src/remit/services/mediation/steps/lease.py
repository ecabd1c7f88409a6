# SPDX-License-Identifier: Apache-2.0
"""Step 6: the upstream credential, and a connection."""

from __future__ import annotations

import msgspec

from remit.ports.broker import UpstreamCredential
from remit.ports.upstream import Exchange
from remit.services.credentials.scrubbing import Scrubber
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.record import RecordedCall


class LeasedCall(msgspec.Struct, frozen=True):
    """A recorded call with a credential, where its upstream wants one, and a connection that was prepared."""

    recorded: RecordedCall
    credential: UpstreamCredential | None
    scrubber: Scrubber
    exchange: Exchange


async def lease_credential(call: CallState, recorded: RecordedCall) -> LeasedCall:
    """Return a credential for this task, and the call as it will be written with it."""
    deps, upstream, task = call.deps, call.asked.upstream, recorded.request.task
    # INVARIANT: nothing is awaited between the check of the fence and the beginning of a lease.
    call.look(recorded.live, recorded.in_flight)
    credential = call.credential = await deps.leases.lease(task, upstream)
    scrubber = deps.leases.scrubber(credential, upstream, task)
    headers = credential.headers if credential is not None else {}
    wire = call.wire(recorded.request, credential)
    exchange = call.exchange = await deps.upstreams[upstream].prepare(wire, headers)
    return LeasedCall(recorded, credential, scrubber, exchange)
