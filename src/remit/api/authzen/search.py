# SPDX-License-Identifier: Apache-2.0
"""Searches: subjects, resources and actions that an evaluation would permit now. Searches are not
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from remit.api.authzen.evaluation import point_of
from remit.api.authzen.mapping import KINDS, OPERATIONS, TOOL_CALL, place_of, question, subject_of, token_of
from remit.api.authzen.messages import (
    MAX_PAGE,
    ActionForm,
    ActionSearchForm,
    EvaluationForm,
    PageAnswer,
    PageForm,
    ResourceForm,
    ResourceSearchForm,
    SearchAnswer,
    SubjectForm,
    SubjectSearchForm,
)
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.rest.route import RestRequest
from remit.core.errors import NotFound
from remit.core.tasks.task import Task
from remit.core.tools.tool import RESERVED_OPERATIONS
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.authzen.search import Searches, listed_values

Named = Callable[[str], EvaluationForm]


async def subjects(errand: RestRequest[AuthzenRooms]) -> SearchAnswer:
    """Find the subjects that may do this action on this resource."""
    form: SubjectSearchForm = errand.body
    point, _ = point_of(errand)
    kind = KINDS.get(form.subject.type)
    names: list[str] = []
    if kind is not None and point.vouches is not None:
        names = await Searches(errand.rooms.answers).subjects(point, kind, errand.desk.clock.now())

    def ask(name: str) -> EvaluationForm:
        subject = SubjectForm(type=form.subject.type, id=name, properties=form.subject.properties)
        return EvaluationForm(
            subject=subject, action=form.action, resource=form.resource, context=form.context
        )

    found, page = await _found(errand, form, form.page, names, ask)
    return SearchAnswer(results=tuple({"type": form.subject.type, "id": name} for name in found), page=page)


async def resources(errand: RestRequest[AuthzenRooms]) -> SearchAnswer:
    """Find the resources on which this subject may do this action.

    Tools are found by their names, other resources only if grants list them.
    """
    form: ResourceSearchForm = errand.body
    point, _ = point_of(errand)
    task = await _task(errand, form.subject, form)
    names = _resource_names(point, task, form.action, form.resource.type) if task is not None else []

    def ask(name: str) -> EvaluationForm:
        resource = ResourceForm(type=form.resource.type, id=name, properties=form.resource.properties)
        return EvaluationForm(
            subject=form.subject, action=form.action, resource=resource, context=form.context
        )

    found, page = await _found(errand, form, form.page, names, ask)
    return SearchAnswer(results=tuple({"type": form.resource.type, "id": name} for name in found), page=page)


def _resource_names(point: EnforcementPoint, task: Task, action: ActionForm, kind: str) -> list[str]:
    granted = sorted({grant.tool for grant in task.grants})
    if action.name == TOOL_CALL and kind == "tool":
        own = [tool for tool in granted if tool.partition("/")[0] in point.resources]
        return [tool for tool in own if tool.partition("/")[2] not in RESERVED_OPERATIONS]
    if action.name in OPERATIONS:
        of, operation, argument = OPERATIONS[action.name]
        tools = [f"{upstream}/{operation}" for upstream in point.resources] if kind == of else []
        return [value for tool in tools for value in listed_values(task, tool, argument)]
    return listed_values(task, f"{kind}/{action.name}", "id")


async def actions(errand: RestRequest[AuthzenRooms]) -> SearchAnswer:
    """Find the actions that this subject may do on this resource."""
    form: ActionSearchForm = errand.body
    _, _ = point_of(errand)
    task = await _task(errand, form.subject, form)
    names: list[str] = []
    if task is not None:
        names = [TOOL_CALL] if form.resource.type == "tool" else []
        names += [name for name, (kind, _, _) in OPERATIONS.items() if form.resource.type == kind]
        tools = (grant.tool.partition("/") for grant in task.grants)
        names += [name for upstream, _, name in tools if upstream == form.resource.type]

    def ask(name: str) -> EvaluationForm:
        return EvaluationForm(
            subject=form.subject, action=ActionForm(name=name), resource=form.resource, context=form.context
        )

    found, page = await _found(errand, form, form.page, names, ask)
    return SearchAnswer(results=tuple({"name": name} for name in found), page=page)


async def _task(
    errand: RestRequest[AuthzenRooms], form: SubjectForm, searched: ResourceSearchForm | ActionSearchForm
) -> Task | None:
    point, caller = point_of(errand)
    try:
        subject = subject_of(form, searched.context)
    except NotFound:
        return None
    return await Searches(errand.rooms.answers).task(point, caller, subject, errand.desk.clock.now())


async def _found(
    errand: RestRequest[AuthzenRooms], form: msgspec.Struct, page: PageForm, names: Sequence[str], ask: Named
) -> tuple[tuple[str, ...], PageAnswer]:
    point, caller = point_of(errand)
    after = place_of(page, form)
    found = await Searches(errand.rooms.answers).page(
        names, lambda name: question(ask(name), point, caller), after, min(page.limit, MAX_PAGE)
    )
    return found.names, PageAnswer(next_token=token_of(found.next, form), count=len(found.names))
