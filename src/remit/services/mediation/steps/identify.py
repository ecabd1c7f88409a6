# SPDX-License-Identifier: Apache-2.0
"""Step 1: who asks."""

from __future__ import annotations

from remit.core.oauth.access_token import AccessClaims
from remit.services.mediation.steps.call_state import CallState


async def identify_agent(call: CallState) -> AccessClaims:
    """Return what the token of the call says, once it was verified."""
    return call.deps.authenticator.claims(call.asked.token, call.now, proven=call.asked.proven)
