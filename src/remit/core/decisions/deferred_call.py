# SPDX-License-Identifier: Apache-2.0
"""Calls whose outcome an upstream defers: parsing the upstream's report, and writing the agent's.

MCP's tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28): the answer to a `tools/call` may be a
handle. `tasks/get` then returns the status of the call and, at the end, its result. MCP calls this a task; in
remit a task is what an agent works in, and this is a *deferred call*.

remit parses the upstream's report strictly and writes it again with remit's own handle. The upstream's own
id, and members outside the extension, are dropped.
"""

from __future__ import annotations

import enum
import re

import msgspec

from remit.core.errors import Malformed
from remit.core.json_value import Json

EXTENSION = "io.modelcontextprotocol/tasks"
GET, UPDATE, CANCEL = "tasks/get", "tasks/update", "tasks/cancel"
#: The capability by which either end declares support for deferred calls.
CAPABILITY: dict[str, Json] = {"extensions": {EXTENSION: {}}}
METHODS = frozenset((GET, UPDATE, CANCEL))
#: The acknowledgement of input, or of a request to cancel a call.
ACKNOWLEDGED = b'{"resultType":"complete"}'
#: Codes of remit's own errors, from the range that JSON-RPC leaves to applications; no upstream may use them.
OWN_CODES = range(-31099, -30999)
#: The most characters of an upstream's own id; `MAX_MESSAGE` bounds its status message.
MAX_ID = 512
MAX_MESSAGE = 4096
# ISO 8601, as both ends write it on the wire.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


class Status(enum.StrEnum):
    """The status of a deferred call, as spelled on the wire."""

    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the status is final: completed, failed or cancelled."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


#: For each status, the member that holds its content.
_BRINGS = {Status.INPUT_REQUIRED: "inputRequests", Status.COMPLETED: "result", Status.FAILED: "error"}


class DeferredStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a deferred call, as its upstream reports it.

    `brings` is the raw JSON that comes with the status: questions, a result, or an error; empty where there
    is none. `ttl_ms` and `poll_ms` are the values that the upstream requests, None where it requests none.
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
        """Return the result for the agent, under remit's own `handle`.

        `at` replaces times that the upstream does not report. `created` makes this the answer to the call
        itself.
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
    """The members of a task of the extension that remit reads; it skips everything else."""

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
    """Parse an upstream's report on a deferred call.

    Raises `Malformed` for anything else, and for a report that lacks the content its status requires.
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
