# SPDX-License-Identifier: Apache-2.0
"""The nine steps of a call that an agent makes (`core.decisions.mediation.NineSteps`), each by its module."""

from __future__ import annotations

from remit.services.mediation.steps.bind import bind_task
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.close import close_call
from remit.services.mediation.steps.decide import decide_call
from remit.services.mediation.steps.describe import describe_call
from remit.services.mediation.steps.forward import forward_call, receive_chunk
from remit.services.mediation.steps.identify import identify_agent
from remit.services.mediation.steps.lease import lease_credential
from remit.services.mediation.steps.observe import observe_chunk, release_delivery
from remit.services.mediation.steps.record import record_permit, record_refusal


class CallSteps(CallState):
    """One call through the nine steps. It holds no rule: who may do what is decided in `authorizer`, what an
    end means in `live_tasks` and `revocations`.
    """

    identify = identify_agent
    bind = bind_task
    describe = describe_call
    decide = decide_call
    refuse = record_refusal
    record = record_permit
    lease = lease_credential
    forward = forward_call
    receive = receive_chunk
    observe = observe_chunk
    release = release_delivery
    close = close_call
