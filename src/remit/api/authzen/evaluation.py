# SPDX-License-Identifier: Apache-2.0
"""Evaluation and evaluations: decide, record and answer each one in order, and accept results of calls."""

from __future__ import annotations

import contextlib

from remit.api.authzen import other_replicas
from remit.api.authzen.mapping import merged, question, read_one
from remit.api.authzen.messages import (
    EvaluationAnswer,
    EvaluationForm,
    EvaluationsAnswer,
    EvaluationsForm,
    ResultAnswer,
    ResultForm,
)
from remit.api.authzen.responses import evaluation_of, faulty, permitted, refused
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.rest.route import RestRequest
from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Permitted
from remit.core.errors import (
    Busy,
    Conflict,
    Elsewhere,
    Forbidden,
    NotFound,
    RemitError,
    Unauthenticated,
)
from remit.core.evidence.event import CallOutcome
from remit.core.identity.principals import Principal
from remit.services.authzen.enforcement_points import EnforcementPoint

#: Errors about the subject, the task or the call are refusals. All other errors are faults of the request or
#: of remit, and are no decision.
REFUSALS = (Unauthenticated, NotFound, Forbidden, Conflict, Busy)


def point_of(errand: RestRequest[AuthzenRooms]) -> tuple[EnforcementPoint, Principal]:
    """Return the calling enforcement point and its principal; raise `Forbidden` for any other caller."""
    agent, claims = errand.agent, errand.claims
    point = errand.rooms.answers.point(agent.name) if agent is not None else None
    if point is None or claims is None:
        raise Forbidden(
            "this agent is not an enforcement point",
            code="enforcement-point",
            remediation="add it under `enforcement_points` in remit.yaml",
        )
    return point, claims.principal


async def evaluation(errand: RestRequest[AuthzenRooms]) -> EvaluationAnswer:
    """Decide one evaluation."""
    return await _decide(errand, errand.body, single=True)


async def evaluations(errand: RestRequest[AuthzenRooms]) -> EvaluationsAnswer:
    """Decide several evaluations in order: data that one evaluation reads affects the following ones."""
    form: EvaluationsForm = errand.body
    point_of(errand)
    each = merged(form)
    if not form.evaluations:
        single = await _decide(errand, read_one(each[0]))
        return EvaluationsAnswer(decision=single.decision, context=single.context)
    stop = {"deny_on_first_deny": False, "permit_on_first_permit": True}.get(
        form.options.evaluations_semantic
    )
    answers: list[EvaluationAnswer] = []
    for one in each:
        try:
            answers.append(await _decide(errand, read_one(one)))
        except RemitError as error:
            answers.append(faulty(error))
        if answers[-1].decision is stop:
            break
    return EvaluationsAnswer(evaluations=tuple(answers))


async def _decide(
    errand: RestRequest[AuthzenRooms], form: EvaluationForm, *, single: bool = False
) -> EvaluationAnswer:
    point, caller = point_of(errand)
    rooms = errand.rooms
    try:
        end = await rooms.answers.answer(question(form, point, caller))
    except Elsewhere as error:
        # A replica may forward an item of several evaluations once more, but not a forwarded single
        # evaluation.
        if errand.arrived.passed_on and single:
            raise
        try:
            return await other_replicas.evaluated(errand, form, error)
        except Elsewhere as lost:
            return faulty(lost)
    except REFUSALS as error:
        if error.step != 5:  # a refusal in step 5 is in the evidence already
            await _recorded(errand, error)
        return faulty(error)
    if isinstance(end, Permitted):
        return permitted(end)
    approval, binding = None, ""
    if end.decision.outcome is Outcome.DEFER:
        approval = await rooms.decisions.approvals.find(end.decision.approval)
    if approval is not None:
        evaluation = evaluation_of(end, approval)
        binding = await rooms.access_requests.binding(evaluation, approval, point.name)
    again = "approval" in form.context
    return refused(end, approval, errand.desk.public_url, binding=binding, again=again)


async def _recorded(errand: RestRequest[AuthzenRooms], error: RemitError) -> None:
    """Record a request that was refused before a decision; a flood of such requests is only counted."""
    told = Unauthenticated(error.message, code=error.code)
    with contextlib.suppress(RemitError):  # the refusal holds even if the store cannot record it
        await errand.rooms.identity.authenticator.refused(told, "authzen")


async def result(errand: RestRequest[AuthzenRooms]) -> ResultAnswer:
    """Record the result of a permitted call."""
    point, _ = point_of(errand)
    form: ResultForm = errand.body
    outcome = CallOutcome(form.outcome)
    try:
        await errand.rooms.answers.report(point, form.evaluation_id, outcome, form.result_bytes)
    except NotFound as unknown:
        if errand.arrived.passed_on:
            raise
        await other_replicas.reported(errand, form, unknown)
    return ResultAnswer(evaluation_id=form.evaluation_id, recorded=True)
