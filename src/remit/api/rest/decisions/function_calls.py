# SPDX-License-Identifier: Apache-2.0
"""Calls of functions that an agent's own program carries out: the decision before, the result after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.decisions.decision import Outcome
from remit.core.decisions.obligations import MAX_REASON
from remit.core.errors import Malformed, Unauthenticated
from remit.core.evidence.event import CallOutcome
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.services.mediation.assembly import MediationServices
from remit.services.mediation.call import RequestedCall


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRooms:
    """The rooms that these endpoints work with."""

    mediation: MediationServices


class FunctionCallForm(Body, frozen=True, kw_only=True):
    """The call of a function: its tool (`billing/refund`), and the arguments by name.

    `reason` is why the agent makes the call. A call that needs a person's answer waits `wait_s` seconds for
    it.
    """

    tool: Annotated[str, msgspec.Meta(min_length=3, max_length=200)]
    arguments: dict[str, Json] = {}
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""
    wait_s: Annotated[int, msgspec.Meta(ge=0, le=60)] = 0


class FunctionDecision(View, frozen=True, kw_only=True):
    """What was decided, recorded before this answer.

    With `permit`, the program carries the call out and reports the result of `call` before `expires`; any
    other outcome means that it must not. With `defer`, a person is asked: repeat the call after the answer to
    `approval`.
    """

    call: str
    decision: str
    outcome: Outcome
    reasons: tuple[dict[str, Json], ...]
    approval: str
    expires: Moment | None
    obligations: tuple[str, ...]


class FunctionResult(Body, frozen=True, kw_only=True):
    """The result of a permitted call; `content` is any JSON.

    `not-sent`: the function was not run. `unknown`: it was cancelled, and may have taken effect.
    """

    outcome: Literal["ok", "error", "not-sent", "unknown"]
    content: Json = None


class ReleasedResult(View, frozen=True, kw_only=True):
    """What the model may see of a result: without the fields that the task does not get."""

    call: str
    content: Json


async def decide(errand: RestRequest[FunctionRooms]) -> FunctionDecision:
    """Decide a call of a function."""
    task, wanted = await errand.task(), errand.body
    owner, _, name = wanted.tool.partition("/")
    if not owner or not name:
        raise Malformed(
            f"`{wanted.tool}` is not the name of a tool", remediation="write `owner/tool`, as in `tools/`"
        )
    asked = RequestedCall(
        token="",
        upstream=owner,
        name=name,
        arguments=wanted.arguments,
        origin=errand.origin,
        reason=wanted.reason.strip(),
    )
    run = await errand.rooms.mediation.functions.decide(_claims(errand), asked, wait_s=wanted.wait_s)
    decision = run.decided
    assert task.id == run.task
    return FunctionDecision(
        call=decision.id if run.sent else "",
        decision=decision.id,
        outcome=Outcome.PERMIT if run.sent else decision.outcome,
        reasons=tuple(msgspec.to_builtins(one) for one in decision.reasons),
        approval=decision.approval if not run.sent else "",
        expires=run.expires,
        obligations=decision.obligations,
    )


async def result(errand: RestRequest[FunctionRooms]) -> ReleasedResult:
    """Take in the result of a permitted call."""
    task, told = await errand.task(), errand.body
    call = errand.place["call"]
    outcome = CallOutcome.TOOL_ERROR if told.outcome == "error" else CallOutcome(told.outcome)
    content = await errand.rooms.mediation.functions.report(task.id, call, outcome, told.content)
    return ReleasedResult(call=call, content=content)


def _claims(errand: RestRequest[FunctionRooms]) -> AccessClaims:
    if errand.claims is None:
        raise Unauthenticated("this needs the token of a task", step=1)
    return errand.claims


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/calls",
        summary="Decide a call of a function that the agent's own program carries out",
        serve=decide,
        tasks=True,
        takes=FunctionCallForm,
        gives=FunctionDecision,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/calls/{call}/result",
        summary="Report the result of such a call, and get what the model may see of it",
        serve=result,
        tasks=True,
        takes=FunctionResult,
        gives=ReleasedResult,
    ),
)
