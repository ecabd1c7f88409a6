# SPDX-License-Identifier: Apache-2.0
"""What AuthZEN's messages hold. Fields that are not known are passed over, as the standard demands."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from remit.api.rest.representations import Moment
from remit.core.json_value import Json

Properties = dict[str, Json]

#: Evaluations in one request.
MAX_EVALUATIONS = 100
#: Results in one page, unless fewer are asked for.
MAX_PAGE = 100

Word = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=2048)]


class SubjectForm(msgspec.Struct, frozen=True, kw_only=True):
    """About whom: `type` is `task`, `agent`, or one of `user`, `identity` and `person`.

    Of `properties`, `access_token` (the task's token), `task` and `agent` say which task is meant; the others
    reach the decision as the argument `subject`.
    """

    type: Word
    id: Name
    properties: Properties = {}


class ActionForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done; `properties.arguments` are the arguments of a `tools/call`."""

    name: Word
    properties: Properties = {}


class ResourceForm(msgspec.Struct, frozen=True, kw_only=True):
    """What it is done to."""

    type: Word
    id: Name
    properties: Properties = {}


class KindForm(msgspec.Struct, frozen=True, kw_only=True):
    """A subject or a resource that is searched for; an `id` is passed over."""

    type: Word
    properties: Properties = {}


class PageForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which page: `token` is the `next_token` of the page before."""

    token: Annotated[str, Meta(max_length=8192)] = ""
    limit: Annotated[int, Meta(ge=1)] = MAX_PAGE


class EvaluationForm(msgspec.Struct, frozen=True, kw_only=True):
    """May this subject do this to this resource?"""

    subject: SubjectForm
    action: ActionForm
    resource: ResourceForm
    context: Properties = {}


class OptionsForm(msgspec.Struct, frozen=True, kw_only=True):
    """How several evaluations are made."""

    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = (
        "execute_all"
    )


class EvaluationsForm(msgspec.Struct, frozen=True, kw_only=True):
    """Several evaluations, in order; what stands outside of them holds for each that does not say it
    itself.

    Without `evaluations`, or with none in it, it is a single evaluation.
    """

    subject: Properties | UnsetType = UNSET
    action: Properties | UnsetType = UNSET
    resource: Properties | UnsetType = UNSET
    context: Properties | UnsetType = UNSET
    evaluations: Annotated[tuple[Properties, ...], Meta(max_length=MAX_EVALUATIONS)] = ()
    options: OptionsForm = OptionsForm()


class SubjectSearchForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which subjects of a type may do this to this resource?"""

    subject: KindForm
    action: ActionForm
    resource: ResourceForm
    context: Properties = {}
    page: PageForm = PageForm()


class ResourceSearchForm(msgspec.Struct, frozen=True, kw_only=True):
    """To which resources of a type may this subject do this?"""

    subject: SubjectForm
    action: ActionForm
    resource: KindForm
    context: Properties = {}
    page: PageForm = PageForm()


class ActionSearchForm(msgspec.Struct, frozen=True, kw_only=True):
    """What may this subject do to this resource?"""

    subject: SubjectForm
    resource: ResourceForm
    context: Properties = {}
    page: PageForm = PageForm()


class DenialForm(msgspec.Struct, frozen=True, kw_only=True):
    """The denied evaluation that an access request comes from."""

    evaluation_id: Annotated[str, Meta(min_length=1, max_length=256)]
    expires_at: Moment


class AccessRequestForm(msgspec.Struct, frozen=True, kw_only=True):
    """A denied evaluation that a person may approve."""

    subject: SubjectForm
    action: ActionForm
    resource: ResourceForm
    denial: DenialForm
    context: Properties = {}


class ResultForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a permitted call ended: `evaluation_id` is that of the permit."""

    evaluation_id: Annotated[str, Meta(min_length=1, max_length=256)]
    outcome: Literal["ok", "tool-error", "protocol-error", "not-sent"]
    result_bytes: Annotated[int, Meta(ge=0, le=2**40)] = 0


class EvaluationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decision; `context` says why, or until when it holds."""

    decision: bool
    context: Properties | UnsetType = UNSET


class EvaluationsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions in the order of the request, or the one decision of a single evaluation."""

    evaluations: tuple[EvaluationAnswer, ...] | UnsetType = UNSET
    decision: bool | UnsetType = UNSET
    context: Properties | UnsetType = UNSET


class PageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`next_token` asks for the next page; it is empty on the last one."""

    next_token: str
    count: int


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: subjects and resources with `type` and `id`, actions with `name`."""

    results: tuple[dict[str, str], ...]
    page: PageAnswer


class ApprovalTask(msgspec.Struct, frozen=True, kw_only=True):
    """An access request on its way: `pending`, `approved`, `denied` or `expired`."""

    id: str
    status: str
    status_endpoint: str
    expires_at: Moment


class AccessRequestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where an access request stands; once it is approved, `result` says to evaluate again."""

    task: ApprovalTask
    result: Properties | UnsetType = UNSET


class ResultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The result is in the evidence."""

    evaluation_id: str
    recorded: bool


class PdpMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What this policy decision point offers (AuthZEN section 9)."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str
    search_subject_endpoint: str
    search_resource_endpoint: str
    search_action_endpoint: str
    access_request_endpoint: str
    remit_result_endpoint: str
    capabilities: tuple[str, ...]
