# SPDX-License-Identifier: Apache-2.0
"""AuthZEN's messages. Unknown fields are ignored, as the standard requires."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from remit.api.rest.representations import Moment
from remit.core.json_value import Json
from remit.services.authzen.access_requests import RequestCallback, RequestState

Properties = dict[str, Json]

#: Maximum number of evaluations in one request.
MAX_EVALUATIONS = 100
#: Maximum number of results in one page; the caller may ask for fewer.
MAX_PAGE = 100

Word = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=2048)]


class SubjectForm(msgspec.Struct, frozen=True, kw_only=True):
    """The subject: `type` is `task`, `agent`, or one of `user`, `identity` and `person`.

    Of `properties`, `access_token` (the task's token), `task` and `agent` identify the task. All other
    properties are part of the decision, as the argument `subject`.
    """

    type: Word
    id: Name
    properties: Properties = {}


class ActionForm(msgspec.Struct, frozen=True, kw_only=True):
    """The action; `properties.arguments` are the arguments of a `tools/call`."""

    name: Word
    properties: Properties = {}


class ResourceForm(msgspec.Struct, frozen=True, kw_only=True):
    """The resource of the action."""

    type: Word
    id: Name
    properties: Properties = {}


class KindForm(msgspec.Struct, frozen=True, kw_only=True):
    """A subject or a resource to search for; an `id` is ignored."""

    type: Word
    properties: Properties = {}


class PageForm(msgspec.Struct, frozen=True, kw_only=True):
    """The page to return: `token` is the `next_token` of the previous page."""

    token: Annotated[str, Meta(max_length=8192)] = ""
    limit: Annotated[int, Meta(ge=1)] = MAX_PAGE


class EvaluationForm(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation: may this subject do this action on this resource?"""

    subject: SubjectForm
    action: ActionForm
    resource: ResourceForm
    context: Properties = {}


class OptionsForm(msgspec.Struct, frozen=True, kw_only=True):
    """Options for several evaluations."""

    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = (
        "execute_all"
    )


class EvaluationsForm(msgspec.Struct, frozen=True, kw_only=True):
    """Several evaluations, in order, with defaults.

    Members outside of `evaluations` are defaults for each evaluation that lacks them. Without `evaluations`,
    or with an empty list, the request is a single evaluation.
    """

    subject: Properties | UnsetType = UNSET
    action: Properties | UnsetType = UNSET
    resource: Properties | UnsetType = UNSET
    context: Properties | UnsetType = UNSET
    evaluations: Annotated[tuple[Properties, ...], Meta(max_length=MAX_EVALUATIONS)] = ()
    options: OptionsForm = OptionsForm()


class SubjectSearchForm(msgspec.Struct, frozen=True, kw_only=True):
    """Search: which subjects of a type may do this action on this resource?"""

    subject: KindForm
    action: ActionForm
    resource: ResourceForm
    context: Properties = {}
    page: PageForm = PageForm()


class ResourceSearchForm(msgspec.Struct, frozen=True, kw_only=True):
    """Search: on which resources of a type may this subject do this action?"""

    subject: SubjectForm
    action: ActionForm
    resource: KindForm
    context: Properties = {}
    page: PageForm = PageForm()


class ActionSearchForm(msgspec.Struct, frozen=True, kw_only=True):
    """Search: which actions may this subject do on this resource?"""

    subject: SubjectForm
    resource: ResourceForm
    context: Properties = {}
    page: PageForm = PageForm()


class DenialForm(msgspec.Struct, frozen=True, kw_only=True):
    """The denied evaluation that an access request refers to: `evaluation_id`, `binding_token`, or both."""

    evaluation_id: Annotated[str, Meta(max_length=256)] = ""
    binding_token: Annotated[str, Meta(max_length=8192)] = ""
    expires_at: Moment


class AccessRequestForm(msgspec.Struct, frozen=True, kw_only=True):
    """A denied evaluation that a person may approve."""

    subject: SubjectForm
    action: ActionForm
    resource: ResourceForm
    denial: DenialForm
    context: Properties = {}
    callback: RequestCallback | None = None


class ResultForm(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a permitted call: `evaluation_id` is the ID of the permit."""

    evaluation_id: Annotated[str, Meta(min_length=1, max_length=256)]
    outcome: Literal["ok", "tool-error", "protocol-error", "not-sent"]
    result_bytes: Annotated[int, Meta(ge=0, le=2**40)] = 0


class EvaluationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decision; `context` gives its reasons or its validity."""

    decision: bool
    context: Properties | UnsetType = UNSET


class EvaluationsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions in the order of the request, or the one decision of a single evaluation."""

    evaluations: tuple[EvaluationAnswer, ...] | UnsetType = UNSET
    decision: bool | UnsetType = UNSET
    context: Properties | UnsetType = UNSET


class PageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Page information: `next_token` requests the next page; it is empty on the last page."""

    next_token: str
    count: int


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The search results: subjects and resources with `type` and `id`, actions with `name`."""

    results: tuple[dict[str, str], ...]
    page: PageAnswer


class ApprovalTask(msgspec.Struct, frozen=True, kw_only=True):
    """The task of an access request: its `status_endpoint` tells its state."""

    id: str
    status: RequestState
    status_endpoint: str
    expires_at: Moment


class AccessRequestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an access request; once it is approved, `result` asks the caller to evaluate again."""

    task: ApprovalTask
    result: Properties | UnsetType = UNSET


class ResultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Confirmation that the evidence log contains the result."""

    evaluation_id: str
    recorded: bool


class PdpMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of this policy decision point (AuthZEN section 9)."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str
    search_subject_endpoint: str
    search_resource_endpoint: str
    search_action_endpoint: str
    access_request_endpoint: str
    remit_result_endpoint: str
    jwks_uri: str
    obligations_supported: tuple[str, ...]
    capabilities: tuple[str, ...]
