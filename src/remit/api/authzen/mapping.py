# SPDX-License-Identifier: Apache-2.0
"""Mapping from AuthZEN's subject, action, resource and context to a task and a tool call.

- COAZ-MCP's default mapping: `tools/call` of a resource `{type: tool, id: name}`; `resources/read`,
  `resources/subscribe` and `prompts/get` likewise. The name may include its upstream, as `upstream/name` or
  `upstream__name`. It must do so if the enforcement point guards several upstreams.
- Everything else: the type of the resource is the upstream's name in `tools/`, the name of the action is the
  tool. The arguments are `id` and the properties of resource and action, by their names. The properties of
  the subject are in the argument `subject`. All are claims of the enforcement point, and are decided like any
  argument.

A request that fits neither is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import msgspec

from remit.api.authzen.messages import (
    ActionForm,
    EvaluationForm,
    EvaluationsForm,
    PageForm,
    Properties,
    ResourceForm,
    SubjectForm,
)
from remit.api.http_messages import shaped
from remit.core.decisions.obligations import CUSTOM, MAX_REASON, REDACT
from remit.core.errors import Malformed, NotFound
from remit.core.identity.principals import Principal
from remit.core.json_value import Json
from remit.core.tools.tool import PROMPT_GET, RESERVED_OPERATIONS, RESOURCE_READ, RESOURCE_SUBSCRIBE
from remit.services.authzen.enforcement_points import AskedSubject, EnforcementPoint, SubjectKind
from remit.services.authzen.evaluation import EvaluationQuestion
from remit.services.mediation.call import RequestedCall

KINDS: Final = {
    "task": SubjectKind.TASK,
    "agent": SubjectKind.AGENT,
    "user": SubjectKind.PERSON,
    "identity": SubjectKind.PERSON,
    "person": SubjectKind.PERSON,
}
TOOL_CALL: Final = "tools/call"
#: MCP operations besides tools: the type of the resource, remit's operation, and the argument for the id.
OPERATIONS: Final = {
    "resources/read": ("resource", RESOURCE_READ, "uri"),
    "resources/subscribe": ("resource", RESOURCE_SUBSCRIBE, "uri"),
    "prompts/get": ("prompt", PROMPT_GET, "name"),
}
#: Properties of the subject that identify the task. Policies do not see them as facts.
_ABOUT_TASK: Final = frozenset({"access_token", "task", "agent"})


def question(form: EvaluationForm, point: EnforcementPoint, caller: Principal) -> EvaluationQuestion:
    """Return the question; raise `Malformed`, or `NotFound` for an unknown subject or resource."""
    subject = subject_of(form.subject, form.context)
    upstream, name, arguments = call_of(form.action, form.resource, point)
    said = {key: value for key, value in form.subject.properties.items() if key not in _ABOUT_TASK}
    if said and form.action.name != TOOL_CALL and form.action.name not in OPERATIONS:
        arguments = _with(arguments, {"subject": said}, "the subject's properties")
    asked = RequestedCall(
        token=subject.token,
        upstream=upstream,
        name=name,
        arguments=arguments,
        reason=_reason(form.context),
    )
    return EvaluationQuestion(
        point=point, caller=caller, subject=subject, asked=asked, carries_out=_carries_out(form.context)
    )


def _reason(context: Properties) -> str:
    reason = context.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        raise Malformed(f"`reason` in the context is a text of at most {MAX_REASON} characters")
    return reason.strip()


def _carries_out(context: Properties) -> frozenset[str]:
    """Return the kinds of obligations that an enforcement point meets: draft obligations profile, section 7.

    Redaction and what remit does not know are of the type `custom` there. remit itself does the rest.
    """
    told = context.get("obligations_supported", [])
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise Malformed("`obligations_supported` in the context is a list of texts")
    return frozenset({REDACT, CUSTOM}) if CUSTOM in told else frozenset()


def subject_of(form: SubjectForm, context: Properties) -> AskedSubject:
    """Return the subject of the question; raise `NotFound` for a type that identifies no task."""
    told = {name: form.properties.get(name, "") for name in _ABOUT_TASK}
    # COAZ-MCP: `context.agent` is the `client_id` of the token.
    agent = told["agent"] or context.get("agent", "")
    if not all(isinstance(value, str) for value in (*told.values(), agent)):
        raise Malformed("`access_token`, `task` and `agent` of a subject are strings")
    kind = KINDS.get(form.type)
    if kind is None and not told["access_token"]:
        raise NotFound(
            f"a `{form.type}` does not identify a task",
            code="subject-type",
            remediation=f"use one of {', '.join(KINDS)}",
            step=1,
        )
    return AskedSubject(
        kind=kind or SubjectKind.TASK,
        id=form.id,
        agent="" if kind is SubjectKind.AGENT else agent,
        task=told["task"],
        token=told["access_token"],
    )


def call_of(
    action: ActionForm, resource: ResourceForm, point: EnforcementPoint
) -> tuple[str, str, dict[str, Json]]:
    """Return upstream, name and arguments of the call that the action on the resource represents."""
    if action.name == TOOL_CALL:
        upstream, name = _named(resource, "tool", point)
        arguments = action.properties.get("arguments", {})
        if not isinstance(arguments, dict):
            raise Malformed("`arguments` of an action is an object")
        return upstream, _own(name), arguments
    if action.name in OPERATIONS:
        kind, operation, argument = OPERATIONS[action.name]
        if operation == PROMPT_GET:
            upstream, own = _named(resource, kind, point)
            more = action.properties.get("arguments")
            return upstream, operation, {argument: own} | ({"arguments": more} if more is not None else {})
        return _only(resource, kind, point), operation, {argument: resource.id}
    arguments = _with({"id": resource.id}, resource.properties, "the resource's properties")
    arguments = _with(arguments, action.properties, "the action's properties")
    return resource.type, _own(action.name), arguments


def _own(name: str) -> str:
    if name in RESERVED_OPERATIONS:
        raise NotFound("the tool does not exist", code="no-resource", step=3)
    return name


def _with(arguments: dict[str, Json], more: Properties, what: str) -> dict[str, Json]:
    """Join two sets of arguments; refuse a name that is in both, because its value would be ambiguous."""
    if twice := arguments.keys() & more.keys():
        raise Malformed(f"{what} repeat `{min(twice)[:80]}`", remediation="give each value once")
    return {**arguments, **more}


def _named(resource: ResourceForm, kind: str, point: EnforcementPoint) -> tuple[str, str]:
    """Return the upstream and the upstream's own name of a tool or prompt that MCP names."""
    if resource.type == kind:
        for mark in ("/", "__"):
            upstream, found, name = resource.id.partition(mark)
            if found and name and upstream in point.resources:
                return upstream, name
    return _only(resource, kind, point), resource.id


def _only(resource: ResourceForm, kind: str, point: EnforcementPoint) -> str:
    if resource.type == kind and len(point.resources) == 1:
        return next(iter(point.resources))
    raise NotFound(
        f"`{resource.id[:80]}` is not guarded by `{point.name}`",
        code="no-resource",
        remediation=f"give a `{kind}` with its upstream, as `upstream/name`",
        step=3,
    )


def merged(form: EvaluationsForm) -> list[dict[str, Json]]:
    """Return each evaluation merged with the defaults of the request, not yet decoded.

    An entity replaces its default as a whole. Only a missing `type`, `id` or `name` is taken from the default
    (AuthZEN certification, 3.2.7).
    """
    given = {
        name: value
        for name in ("subject", "action", "resource", "context")
        if (value := getattr(form, name)) is not msgspec.UNSET
    }
    out: list[dict[str, Json]] = []
    for one in form.evaluations or ({},):
        joined = {**given, **one}
        for name in ("subject", "action", "resource"):
            own, default = one.get(name), given.get(name)
            if isinstance(own, dict) and isinstance(default, dict):
                needed = {key: default[key] for key in ("type", "id", "name") if key in default}
                joined[name] = {**needed, **own}
        out.append(joined)
    return out


def read_one(value: dict[str, Json]) -> EvaluationForm:
    """Decode one evaluation; raise `Malformed` if it is invalid."""
    return shaped(value, EvaluationForm, strict=True)


def place_of(page: PageForm, searched: msgspec.Struct) -> str:
    """Return the name after which a page begins; raise `Malformed` for a token of another search."""
    if not page.token:
        return ""
    try:
        mark, _, after = base64.urlsafe_b64decode(page.token.encode("ascii")).decode("utf-8").partition("\n")
    except (ValueError, binascii.Error):
        mark = after = ""
    if mark != _mark(searched) or not after:
        raise Malformed("this page token belongs to another search", remediation="start without a token")
    return after


def token_of(after: str, searched: msgspec.Struct) -> str:
    """Return the token of the page that begins after a name; an empty text if there is no further page."""
    if not after:
        return ""
    return base64.urlsafe_b64encode(f"{_mark(searched)}\n{after}".encode()).decode("ascii")


def _mark(searched: msgspec.Struct) -> str:
    asked = msgspec.structs.replace(searched, page=PageForm())
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()[:16]
