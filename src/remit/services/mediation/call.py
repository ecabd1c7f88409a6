# SPDX-License-Identifier: Apache-2.0
"""A call as an endpoint received it, and the upstream request that is built from it after the decision."""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.deferred_call import CAPABILITY, UPDATE
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.core.tools.tool import (
    COMPLETION,
    INPUT,
    PROMPT_GET,
    RESOURCE_READ,
    RESOURCE_SUBSCRIBE,
    ToolState,
)
from remit.ports.broker import UpstreamCredential
from remit.ports.upstream import Call

METHODS = {
    RESOURCE_READ: "resources/read",
    RESOURCE_SUBSCRIBE: "resources/subscribe",
    PROMPT_GET: "prompts/get",
    COMPLETION: "completion/complete",
}
#: MCP 2026-07-28: the names of the members of `mcp:input` in the params of a request.
_INPUT_MEMBERS = {"responses": "inputResponses", "state": "requestState"}


class Follows(msgspec.Struct, frozen=True):
    """The deferred call that a call brings input to: the upstream's id of it, and its decision."""

    upstream_id: str
    decision: str


class RequestedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call as an endpoint received it, parsed once.

    `name` is the tool's name at the upstream or a reserved operation; `arguments` is the value that is
    decided. `method` overrides the method of the request: for operations that have more than one
    (unsubscribe), and for endpoints that want the answer of an HTTP API unchanged. `capabilities` is what the
    agent's client can answer, `proven` the key whose possession the sender of the token proved. `defers` is
    whether the answer may be that the call goes on, under the `handle` that a parked call has already; with
    `follows` the call is input to a deferred call.
    `origin` is the place that the request came from, as far as remit sees it itself. `reason` is why the
    agent makes the call, in its own words.
    """

    token: str
    upstream: str
    name: str
    arguments: dict[str, Json]
    method: str = ""
    meta: dict[str, Json] = {}
    wants_progress: bool = False
    log_level: str = ""
    capabilities: dict[str, Json] = {}
    proven: Confirmation = Confirmation()
    defers: bool = False
    handle: str = ""
    follows: Follows | None = None
    origin: str = ""
    reason: str = ""


def wire_call(
    asked: RequestedCall, request: AccessRequest, credential: UpstreamCredential | None, now: datetime
) -> Call:
    """Return the JSON-RPC request for the upstream, built from the decided value and nothing else."""
    reserved = METHODS.get(asked.name)
    arguments, given = request.arguments, request.arguments.get(INPUT)
    if given is not None:
        arguments = {name: value for name, value in arguments.items() if name != INPUT}
    params: dict[str, Json]
    if asked.follows is not None:
        # What the upstream already knows of the call is judged again, but not sent again.
        method, params, given = UPDATE, {"taskId": asked.follows.upstream_id, **input_of(request)}, None
    elif reserved is None:
        method, params = asked.method or "tools/call", {"name": request.tool.name, "arguments": arguments}
    else:
        method, params = asked.method or reserved, arguments
    if given is not None:
        params = {**params, **input_of(request)}
    # A capability that the task may not use is not announced to the upstream, so the upstream cannot ask for
    # it.
    capabilities = asked.capabilities
    if capabilities and not request.may_take(INPUT):
        capabilities = {}
    if asked.defers or asked.follows is not None:
        capabilities = {**capabilities, **CAPABILITY}
    return Call(
        method=method,
        params=params,
        task=request.task.id,
        lease=credential.lease if credential is not None else "",
        certificate=credential.certificate if credential is not None else None,
        sign=credential.signer.at(now) if credential is not None and credential.signer is not None else None,
        meta=asked.meta,
        wants_progress=asked.wants_progress,
        log_level=asked.log_level,
        capabilities=capabilities,
        surface=request.tool.surface_digest if request.tool.state is ToolState.PINNED else "",
    )


def look_call(asked: RequestedCall, request: AccessRequest, upstream_id: str, lease: str) -> Call:
    """Return the JSON-RPC request that looks after a deferred call: `asked.method` of the extension."""
    able = asked.capabilities if request.may_take(INPUT) else {}
    return Call(
        method=asked.method,
        params={"taskId": upstream_id},
        task=request.task.id,
        lease=lease,
        meta=asked.meta,
        capabilities={**able, **CAPABILITY},
    )


def input_of(request: AccessRequest) -> dict[str, Json]:
    """Return the params members that carry input: the content of the argument `mcp:input`."""
    given = request.arguments.get(INPUT, {})
    return {_INPUT_MEMBERS[member]: value for member, value in given.items()}
