# SPDX-License-Identifier: Apache-2.0
"""What an agent reads of a call that was refused, waits for a person, or failed: a result with `isError`.

A JSON-RPC error ends the run of many agent frameworks, and others show their model no word of it. MCP has
results with `isError` for what a model should read and act on, so each such call gets one. Its text says it
all, because some clients show their model the text alone. Programs find the same facts as values in `_meta`,
where no upstream can write them, and in `structuredContent` of tools without an output schema.

Errors of the protocol stay errors: unreadable messages, unusable params, tokens, cancelled requests.
"""

from __future__ import annotations

from typing import Final

import orjson

from remit.core.errors import Suspended
from remit.core.json_value import Json
from remit.gateway.mcp.messages import (
    APPROVAL_REQUIRED,
    BUSY,
    CANCELLED,
    HOP_CODES,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    REFUSED,
    TASK_ENDED,
    UNAUTHENTICATED,
    WireFault,
    members_of_fault,
)

#: The member of `_meta` that carries the values.
META: Final = "remit/failure"

#: The member of `_meta` that asks for a narrower call to be made, and that tells in a result that it was.
NARROWED: Final = "remit/narrowed"

#: Codes that stay JSON-RPC errors in answers to `tools/call`.
_OF_PROTOCOL: Final = HOP_CODES | {METHOD_NOT_FOUND, UNAUTHENTICATED, CANCELLED}

_UNKNOWN: Final = "unknown-tool"
_WAYS: Final = {REFUSED: "refused", APPROVAL_REQUIRED: "waiting", TASK_ENDED: "task-ended", BUSY: "busy"}
_OUTCOMES: Final = {
    "not-sent": "The call was not sent; nothing has happened.",
    "unknown": "The call may have taken effect: check that before you repeat it.",
}


def is_failed_call(fault: WireFault) -> bool:
    """Return whether a fault of `tools/call` is the call's failure, and none of the protocol."""
    if fault.rpc_code == INVALID_PARAMS:
        # Params that are no params of `tools/call`. A model can correct arguments that a tool does not take.
        return fault.code != "invalid-params"
    # A token without a task belongs to no call that a model could change.
    return fault.rpc_code not in _OF_PROTOCOL and fault.code != "no-task"


def failed_call(fault: WireFault, tool: str, *, modern: bool, schema: bool) -> bytes:
    """Return the raw result of a failed call of `tool`; `schema`: the tool has an output schema.

    An unknown tool may have had a schema when the client listed it, and what it has now is no answer for this
    task: its values are in `_meta` alone.
    """
    told: dict[str, Json] = {
        "status": _status(fault),
        "tool": tool,
        "message": fault.message,
        **members_of_fault(fault),
    }
    result: dict[str, Json] = {
        "content": [{"type": "text", "text": failure_text(told)}],
        "isError": True,
    }
    if modern:
        result["resultType"] = "complete"
    result["_meta"] = {META: told}
    if not schema and told["status"] != _UNKNOWN:
        result["structuredContent"] = told
    return orjson.dumps(result)


def _status(fault: WireFault) -> str:
    if "instead" in fault.data:
        return "narrowed"
    return _UNKNOWN if fault.code == _UNKNOWN else _WAYS.get(fault.rpc_code, "failed")


def failure_text(told: dict[str, Json]) -> str:
    """Return the text for a model: what happened, why, and what would help."""
    lines = [_first_line(told)]
    reasons = [one for one in told.get("reasons") or () if isinstance(one, dict)][1:]
    lines += [f"Also: {one.get('text')}{_rule_of(one)}" for one in reasons]
    if outcome := _OUTCOMES.get(str(told.get("outcome", ""))):
        lines.append(outcome)
    if told["status"] == "waiting":
        lines.append(_how_to_wait(told))
    elif told["status"] == "narrowed":
        lines += _instead(told["tool"], told["instead"])
    elif remediation := told.get("remediation"):
        lines.append(f"What would help: {remediation}.")
    if told["status"] == "refused" and told.get("code") == Suspended.code:
        lines.append("Nothing of it has ended: the same call may pass once a person lets the task go on.")
    elif told["status"] == "refused":
        lines.append(
            "The same call gets the same answer. Go on without it, or tell the person what you need."
        )
    if decision := told.get("decision"):
        lines.append(f"For people: `remit explain {decision}` shows the whole decision.")
    return "\n".join(lines)


def _first_line(told: dict[str, Json]) -> str:
    tool, message = told["tool"], told["message"]
    match told["status"]:
        case "refused":
            return f"remit refused this call of `{tool}`: {message}{_rule_of(told)}."
        case "narrowed":
            return f"remit did not make this call of `{tool}`: {message}{_rule_of(told)}."
        case "waiting":
            waits = "is not decided yet; it waits for a person's approval"
            return f"This call of `{tool}` {waits}: {message}{_rule_of(told)}."
        case "task-ended":
            return f"This task has ended, and no call is possible in it any more: {message}."
        case status if status == _UNKNOWN:
            return f"{message}. This task has no such tool; `tools/list` returns those that it has."
        case "busy":
            return f"remit is at a limit and did not make this call of `{tool}`: {message}."
    return f"This call of `{tool}` failed: {message}."


def _rule_of(told: dict[str, Json]) -> str:
    rule = told.get("rule")
    return f" (rule `{rule}`)" if rule else ""


def _instead(tool: Json, instead: dict[str, Json]) -> list[str]:
    """Return how to make the call that a person has permitted instead."""
    arguments = orjson.dumps(instead["arguments"]).decode()
    return [
        f"Permitted instead, once, before {instead['expires']}: `{tool}` with exactly these arguments:",
        arguments,
        "Make that call if it still serves your task; the wider call stays refused.",
    ]


def _how_to_wait(told: dict[str, Json]) -> str:
    until = f" before {told['expires']}" if told.get("expires") else ""
    page = f" or opens {told['page']}" if told.get("page") else ""
    return (
        f"To get it permitted: an approver runs `remit approve {told.get('approval')}`{page}{until}. "
        "Then make the same call again, unchanged. Calling again before the answer asks no second question; "
        "go on with other work meanwhile. Without an answer by then, the call is refused."
    )
