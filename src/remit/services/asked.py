# SPDX-License-Identifier: Apache-2.0
"""A call as a door received it, and the request that goes upstream for it once it is decided."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.core.request import AccessRequest
from remit.core.tool import COMPLETION, INPUT, PROMPT_GET, RESOURCE_READ, RESOURCE_SUBSCRIBE
from remit.core.workload import Confirmation
from remit.ports.upstream import Call

Json = Any

METHODS = {
    RESOURCE_READ: "resources/read",
    RESOURCE_SUBSCRIBE: "resources/subscribe",
    PROMPT_GET: "prompts/get",
    COMPLETION: "completion/complete",
}
#: MCP 2026-07-28: where the members of `mcp:input` stand in the params of a request.
_INPUT_MEMBERS = {"responses": "inputResponses", "state": "requestState"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call as a door received it, parsed once.

    `name` is the tool's name at the upstream or a reserved operation; `arguments` the decided value. `method`
    overrides the method of the request for operations that have more than one (unsubscribe), and for doors
    that want the answer of an HTTP API as it is. `capabilities` is what the agent's client can answer,
    `proven` the key that the sender of the token proved to hold.
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


def wire_call(asked: Asked, request: AccessRequest, lease: str) -> Call:
    """Give the JSON-RPC request that goes upstream, built from the decided value and nothing else."""
    reserved = METHODS.get(asked.name)
    arguments, given = request.arguments, request.arguments.get(INPUT)
    if given is not None:
        arguments = {name: value for name, value in arguments.items() if name != INPUT}
    params: dict[str, Json]
    if reserved is None:
        method, params = asked.method or "tools/call", {"name": request.tool.name, "arguments": arguments}
    else:
        method, params = asked.method or reserved, arguments
    if given is not None:
        params = {**params, **{_INPUT_MEMBERS[member]: value for member, value in given.items()}}
    return Call(
        method=method,
        params=params,
        task=request.task.id,
        lease=lease,
        meta=asked.meta,
        wants_progress=asked.wants_progress,
        log_level=asked.log_level,
        # What a task may not answer it is not asked: the upstream learns of no such ability.
        capabilities=asked.capabilities if request.may_take(INPUT) else {},
    )
