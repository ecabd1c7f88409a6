# SPDX-License-Identifier: Apache-2.0
"""Calls whose outcome an upstream defers: what it says of one, and what the agent is told of it.

MCP's tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28): a `tools/call` may be answered by a
handle, after which `tasks/get` tells how the call stands, and at the end its result. MCP calls that a task;
here a task is what an agent works in, and this is a *deferred call*.

What an upstream says is read strictly, and written again with the handle that remit gave: of the upstream's
own id, and of members that the extension does not know, nothing goes on.
"""

from __future__ import annotations

import enum
import re

import msgspec

from remit.core.errors import Malformed
from remit.core.json_value import Json

EXTENSION = "io.modelcontextprotocol/tasks"
GET, UPDATE, CANCEL = "tasks/get", "tasks/update", "tasks/cancel"
#: By what either end says that it knows of deferred calls.
CAPABILITY: dict[str, Json] = {"extensions": {EXTENSION: {}}}
METHODS = frozenset((GET, UPDATE, CANCEL))
#: What acknowledges that input was taken, or that a call is to be cancelled.
ACKNOWLEDGED = b'{"resultType":"complete"}'
#: Codes of remit's own errors, which no upstream may use: JSON-RPC leaves them to applications.
OWN_CODES = range(-31099, -30999)
#: Characters of an upstream's own id, and of what it says of a call in words.
MAX_ID = 512
MAX_MESSAGE = 4096
# ISO 8601, as both ends of the wire write it.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


class Status(enum.StrEnum):
    """How a deferred call stands; the wire's own words."""

    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more comes."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


#: Where each status has what it brings.
_BRINGS = {Status.INPUT_REQUIRED: "inputRequests", Status.COMPLETED: "result", Status.FAILED: "error"}


class DeferredStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a deferred call stands, as its upstream says.

    `brings` is the raw JSON of what comes with the status: questions, a result, or an error; empty where
    nothing does. `ttl_ms` and `poll_ms` are what the upstream asks for, None where it asks for nothing.
    """

    id: str
    status: Status
    brings: bytes = b""
    is_error: bool = False
    message: str = ""
    created: str = ""
    updated: str = ""
    ttl_ms: int | None = None
    poll_ms: int | None = None

    def written(self, handle: str, *, at: str, ttl_ms: int, poll_ms: int, created: bool = False) -> bytes:
        """Return the result that the agent gets, under remit's own `handle`; `at` stands in for times that
        the upstream does not tell, `created` makes it the answer to the call itself.
        """
        told: dict[str, Json] = {
            "resultType": "task" if created else "complete",
            "taskId": handle,
            "status": self.status.value,
            "createdAt": self.created or at,
            "lastUpdatedAt": self.updated or at,
            "ttlMs": ttl_ms,
            "pollIntervalMs": poll_ms,
        }
        if self.message:
            told["statusMessage"] = self.message
        if self.brings and not created:
            told[_BRINGS[self.status]] = msgspec.Raw(self.brings)
        return _write(told)


class _Wire(msgspec.Struct):
    """What is read of a task of the extension; everything else is skipped over."""

    taskId: str  # noqa: N815 - the wire's own name
    status: Status
    statusMessage: str | None = None  # noqa: N815 - the wire's own name
    createdAt: str = ""  # noqa: N815 - the wire's own name
    lastUpdatedAt: str = ""  # noqa: N815 - the wire's own name
    ttlMs: int | float | None = None  # noqa: N815 - the wire's own name
    pollIntervalMs: int | float | None = None  # noqa: N815 - the wire's own name
    inputRequests: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815 - the wire's own name
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


class _Result(msgspec.Struct):
    isError: bool = False  # noqa: N815 - the wire's own name


class _Error(msgspec.Struct):
    code: int
    message: str = ""


_read = msgspec.json.Decoder(_Wire).decode
_read_result = msgspec.json.Decoder(_Result).decode
_read_error = msgspec.json.Decoder(_Error).decode
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_questions = msgspec.json.Decoder(dict[str, dict[str, Json]]).decode
_write = msgspec.json.Encoder().encode


def read_standing(body: bytes) -> DeferredStatus:
    """Read what an upstream says of a deferred call; raises `Malformed` where that is none, or lacks what its
    status brings.
    """
    try:
        wire = _read(body)
        brings = bytes(getattr(wire, _BRINGS.get(wire.status, ""), b""))
        is_error = False
        if wire.status is Status.COMPLETED:
            is_error = _read_result(brings).isError
        elif wire.status is Status.FAILED and _read_error(brings).code in OWN_CODES:
            brings = _write({**_read_members(brings), "code": msgspec.Raw(b"-32603")})
        elif wire.status is Status.INPUT_REQUIRED and brings:
            _read_questions(brings)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise Malformed("this is not a task of the tasks extension", debug=str(fault)) from fault
    if not 0 < len(wire.taskId) <= MAX_ID:
        raise Malformed("the task id is empty or too long")
    return DeferredStatus(
        id=wire.taskId,
        status=wire.status,
        brings=brings,
        is_error=is_error,
        message=(wire.statusMessage or "")[:MAX_MESSAGE],
        created=_moment(wire.createdAt),
        updated=_moment(wire.lastUpdatedAt),
        ttl_ms=_span(wire.ttlMs),
        poll_ms=_span(wire.pollIntervalMs),
    )


def _moment(said: str) -> str:
    return said if _MOMENT.fullmatch(said) else ""


def _span(said: float | None) -> int | None:
    return int(said) if said is not None and 0 <= said < 2**53 else None
