# SPDX-License-Identifier: Apache-2.0
"""Step 2: the live task that the call belongs to."""

from __future__ import annotations

import msgspec

from remit.core.oauth.access_token import AccessClaims
from remit.services.mediation.steps.call_state import CallState
from remit.services.tasks.live_tasks import LiveTask


class BoundTask(msgspec.Struct, frozen=True):
    """Who asks, and the task in which they do."""

    claims: AccessClaims
    live: LiveTask


async def bind_task(call: CallState, claims: AccessClaims) -> BoundTask:
    """Return the task of a token, which has room for one more call."""
    live = await call.deps.live.bind(claims, call.now)
    call.deps.live.check_running(live)
    live.check_room(call.deps.max_calls_per_task)
    if call.asked.defers:
        call.deps.deferrals.check_room(live)
    live.open_calls += 1
    call.live = live
    return BoundTask(claims, live)
