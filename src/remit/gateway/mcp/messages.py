# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC messages in both directions, and the error for each fault.

Remit's own error codes are in -31099..-31000: JSON-RPC 2.0 leaves these to applications, and MCP allocates
only within -32099..-32000. An upstream cannot forge one of them.
"""

from __future__ import annotations

from typing import Final

import msgspec
import orjson

from remit.core.canonical import MAX_REQUEST_VALUES, parsing_strict
from remit.core.cooperative_steps import Steps, finish
from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Refused
from remit.core.errors import (
    Busy,
    Conflict,
    Fenced,
    Malformed,
    NotFound,
    OutOfOrder,
    RemitError,
    Unauthenticated,
    UpstreamUnreachable,
    outcome_of,
)
from remit.core.json_value import Json

RequestId = str | int

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
#: MCP until 2025-11-25; later revisions use -32602.
RESOURCE_NOT_FOUND: Final = -32002
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
BUSY: Final = -32000

UNAUTHENTICATED: Final = -31000
REFUSED: Final = -31001
APPROVAL_REQUIRED: Final = -31002
TASK_ENDED: Final = -31003
UPSTREAM_FAILED: Final = -31004
UNAVAILABLE: Final = -31005
CANCELLED: Final = -31006
#: Codes that concern one connection (this one or the upstream's), not the requested operation.
HOP_CODES: Final = frozenset(
    (PARSE_ERROR, INVALID_REQUEST, HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION)
)

LEGACY_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS: Final = ("2026-07-28",)

#: The frame around the one data line of an event.
EVENT_BEGINS: Final = b"event: message\ndata: "
EVENT_ENDS: Final = b"\n\n"

RESERVED_META: Final = "io.modelcontextprotocol/"
META_VERSION: Final = RESERVED_META + "protocolVersion"
META_CAPABILITIES: Final = RESERVED_META + "clientCapabilities"
META_CLIENT: Final = RESERVED_META + "clientInfo"
META_LOG_LEVEL: Final = RESERVED_META + "logLevel"
META_SUBSCRIPTION: Final = RESERVED_META + "subscriptionId"
META_SERVER: Final = RESERVED_META + "serverInfo"

#: 2026-07-28: the HTTP status for an error code; every other code has status 200.
_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}


class WireFault(RemitError):
    """A request that ends in a JSON-RPC error with an HTTP status; `status` 0 means the era's default."""

    code = "bad-request"

    def __init__(
        self,
        message: str,
        rpc_code: int,
        *,
        status: int = 0,
        code: str | None = None,
        remediation: str = "",
        data: dict[str, Json] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Keep the values of the response; `data` is added to `code` and `remediation`."""
        super().__init__(message, code=code, remediation=remediation)
        self.rpc_code = rpc_code
        self.status = status
        self.data = data or {}
        self.headers = headers


class ClientReply(msgspec.Struct, frozen=True):
    """An agent's answer to a request of the server (until 2025-11-25): its result, or None for a failure."""

    id: RequestId
    result: dict[str, Json] | None = None


class Incoming(msgspec.Struct, frozen=True):
    """One message of an agent: a request, or a notification if `id` is None."""

    method: str
    params: dict[str, Json]
    id: RequestId | None = None

    @property
    def meta(self) -> dict[str, Json]:
        """The `_meta` of the params; empty if it is absent or not an object."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}


def read_incoming(body: bytes, *, max_bytes: int, max_depth: int) -> Incoming | ClientReply:
    """Read one JSON-RPC message strictly; raise `WireFault` with -32700 or -32600.

    Batches are refused: the newer revisions have none, and one HTTP request is one decision.
    """
    return finish(reading_incoming(body, max_bytes=max_bytes, max_depth=max_depth))


def reading_incoming(body: bytes, *, max_bytes: int, max_depth: int) -> Steps[Incoming | ClientReply]:
    """Do what `read_incoming` does, in steps."""
    try:
        value = yield from parsing_strict(
            body, max_bytes=max_bytes, max_depth=max_depth, max_values=MAX_REQUEST_VALUES
        )
    except Malformed as fault:
        status = 413 if fault.code == "too-large" else 400
        raise WireFault(
            fault.message, PARSE_ERROR, status=status, code=fault.code, remediation=fault.remediation
        ) from None
    if type(value) is list:
        raise _invalid("a batch is not accepted", "batch", "send one message in each request")
    if type(value) is not dict or value.get("jsonrpc") != "2.0":
        raise _invalid("this is not a JSON-RPC 2.0 message", "not-jsonrpc")
    method, params, request_id = value.get("method"), value.get("params"), value.get("id")
    if "id" in value and type(request_id) is not str and type(request_id) is not int:
        raise _invalid("an `id` is a string or an integer", "not-jsonrpc")
    if "method" not in value and "id" in value and ("result" in value) != ("error" in value):
        result = value.get("result")
        return ClientReply(request_id, result if type(result) is dict else None)  # type: ignore[arg-type]
    if type(method) is not str:
        raise _invalid("a message needs a `method`", "not-jsonrpc")
    if params is None and "params" not in value:
        params = {}
    if type(params) is not dict:
        raise _invalid("`params` is an object", "not-jsonrpc")
    return Incoming(method, params, request_id)  # type: ignore[arg-type]  # looked at above


def _invalid(message: str, code: str, remediation: str = "") -> WireFault:
    return WireFault(message, INVALID_REQUEST, status=400, code=code, remediation=remediation)


def bad_params(message: str, remediation: str = "") -> WireFault:
    """Return the error for unusable params of a method."""
    return WireFault(message, INVALID_PARAMS, code="invalid-params", remediation=remediation)


def unusable() -> WireFault:
    """Return the error for a result that neither completes a call nor asks a permitted question."""
    return WireFault(
        "the upstream did not complete the call",
        INTERNAL_ERROR,
        code="not-passed-on",
        remediation="call a tool that asks no questions",
    )


def text_param(params: dict[str, Json], name: str) -> str:
    """Return a param that must be a string."""
    value = params.get(name)
    if type(value) is not str:
        raise bad_params(f"`{name}` must be a string")
    return value


def object_param(params: dict[str, Json], name: str) -> dict[str, Json]:
    """Return a param that must be an object if present."""
    value = params.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise bad_params(f"`{name}` must be an object")
    return value


# Outgoing messages.


def result_frame(request_id: RequestId | None) -> bytes:
    """Return the frame that precedes the raw JSON of a result."""
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(request_id) + b',"result":'


def error_frame(request_id: RequestId | None) -> bytes:
    """Return the frame that precedes the raw JSON of an error."""
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(request_id) + b',"error":'


def notification(method: str, params: bytes) -> bytes:
    """Return a notification with raw params."""
    return b'{"jsonrpc":"2.0","method":' + orjson.dumps(method) + b',"params":' + params + b"}"


def one_line(message: bytes) -> bytes:
    """Return JSON without line breaks."""
    if b"\n" in message or b"\r" in message:
        return msgspec.json.format(message, indent=-1)
    return message


def event(message: bytes) -> bytes:
    """Return one SSE event.

    INVARIANT: the data has no line break, so no content can begin another event.
    """
    return EVENT_BEGINS + one_line(message) + EVENT_ENDS


def members_of_fault(fault: WireFault) -> dict[str, Json]:
    """Return what a fault says to programs beside its message."""
    data: dict[str, Json] = {"code": fault.code}
    if fault.step is not None:
        data["step"] = fault.step
    if fault.remediation:
        data["remediation"] = fault.remediation
    return data | fault.data


def error_body(fault: WireFault) -> bytes:
    """Return the raw `error` object of an error."""
    return orjson.dumps({"code": fault.rpc_code, "message": str(fault), "data": members_of_fault(fault)})


def http_status(fault: WireFault, *, modern: bool) -> int:
    """Return the HTTP status of an error in the agent's era."""
    return fault.status or (_STATUS.get(fault.rpc_code, 200) if modern else 200)


def rpc_status(code: int, *, modern: bool) -> int:
    """Return the HTTP status for an upstream's error code."""
    return _STATUS.get(code, 200) if modern else 200


# From errors to messages.


def fault_of(error: RemitError) -> WireFault:
    """Return the wire form of any error; an unknown error becomes an internal error without details."""
    if isinstance(error, WireFault):
        return error
    if isinstance(error, Unauthenticated) and error.code != "no-task":
        return _as(error, UNAUTHENTICATED, 401)
    # A valid token that permits nothing, or no longer: authenticating again would not help, so 403.
    if isinstance(error, Fenced | Unauthenticated) or error.code == "no-task":
        return _as(error, TASK_ENDED, 403, outcome_field(error))
    if isinstance(error, UpstreamUnreachable):
        return _as(error, UPSTREAM_FAILED, 0, outcome_field(error))
    if isinstance(error, Busy):
        return busy(error.message, error.remediation)
    if isinstance(error, NotFound):
        return _as(error, METHOD_NOT_FOUND, 404)
    if isinstance(error, Malformed):
        return _as(error, INVALID_PARAMS, 0)
    if isinstance(error, Conflict):
        return _as(error, REFUSED, 0)
    if isinstance(error, OutOfOrder):
        return WireFault("the call could not be completed", INTERNAL_ERROR, status=500, code="fault")
    return _as(error, UNAVAILABLE, 503, outcome_field(error))


def _as(error: RemitError, rpc_code: int, status: int, data: dict[str, Json] | None = None) -> WireFault:
    fault = WireFault(
        error.message, rpc_code, status=status, code=error.code, remediation=error.remediation, data=data
    )
    fault.step = error.step
    return fault


def outcome_field(error: RemitError) -> dict[str, Json]:
    """Return what is known of a call's outcome, as a member of an error; an empty object if it is unknown."""
    outcome = outcome_of(error)
    return {"outcome": outcome} if outcome else {}


def busy(message: str, remediation: str = "") -> WireFault:
    """Return the error for a reached limit."""
    return WireFault(
        message,
        BUSY,
        status=503,
        code="busy",
        remediation=remediation or "try again later",
        headers=((b"retry-after", b"1"),),
    )


def refusal(refused: Refused, expires: str = "", page: str = "") -> WireFault:
    """Return the wire form of a denied or deferred call; `expires` is the expiry of the approval, `page` the
    address of its question.
    """
    decision = refused.decision
    reasons = decision.reasons
    first = reasons[0] if reasons else None
    data: dict[str, Json] = {
        "decision": decision.id,
        "reasons": [
            {key: value for key, value in msgspec.to_builtins(one).items() if value != ""} for one in reasons
        ],
    }
    if first is not None and first.rule:
        data["rule"] = first.rule
    if decision.instead is not None:
        data["instead"] = msgspec.to_builtins(decision.instead)
    if decision.outcome is Outcome.DEFER:
        remediation = f"ask an approver to run `remit approve {decision.approval}`, then call again"
        text = first.text if first else "this call needs the approval of a person"
        data["approval"] = decision.approval
        if expires:
            data["expires"] = expires
        if page:
            data["page"] = page
        fault = WireFault(
            text, APPROVAL_REQUIRED, code="approval-required", remediation=remediation, data=data
        )
    else:
        fault = WireFault(
            first.text if first else "refused",
            REFUSED,
            code=first.code if first else "refused",
            remediation=first.remediation if first else "",
            data=data,
        )
    fault.step = first.step if first else 4
    return fault
