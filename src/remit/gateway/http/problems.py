# SPDX-License-Identifier: Apache-2.0
"""Errors and refusals over HTTP: a problem (RFC 9457) with code, step, rule and remediation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
import orjson

from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Refused
from remit.core.errors import (
    Busy,
    Conflict,
    Fenced,
    Forbidden,
    Malformed,
    NotFound,
    OutOfOrder,
    RemitError,
    Unauthenticated,
    UpstreamUnreachable,
    outcome_of,
    repeatable,
)
from remit.core.json_value import Json
from remit.gateway.asgi import HeaderLines

PROBLEM_TYPE: Final = (b"content-type", b"application/problem+json")
_BY_CODE: Final = {
    "too-large": 413,
    "body-timeout": 408,
    "content-type": 415,
    "content-encoding": 415,
    "host": 421,
}


class HttpProblem(RemitError):
    """An answer of the endpoint that is not an answer of the API. `told` adds members to those of every
    problem.
    """

    code = "problem"

    def __init__(
        self,
        message: str,
        status: int,
        *,
        code: str,
        remediation: str = "",
        step: int | None = None,
        told: dict[str, Json] | None = None,
        headers: HeaderLines = (),
    ) -> None:
        """Keep the values of the response."""
        super().__init__(message, code=code, remediation=remediation, step=step)
        self.status = status
        self.told = told or {}
        self.headers = headers

    def body(self) -> bytes:
        """Return the problem as JSON."""
        out: dict[str, Json] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
        }
        if self.step is not None:
            out["step"] = self.step
        if self.remediation:
            out["remediation"] = self.remediation
        return orjson.dumps({**out, **self.told})


def unknown_route(where: str, tools: str, task: str) -> HttpProblem:
    """Return the problem for an operation that does not exist for this task.

    It is always the same for one task and API. `where` is the API's URL for the agent, and `tools` the URL
    that lists its tools.
    """
    return HttpProblem(
        "this task has no such operation",
        404,
        code="unknown-route",
        remediation=f"call a granted operation: a method and a path below `{where}`, as in the API's "
        f"document; `remit can {task or 'TASK'}` lists them, and so does `tools/list` at `{tools}`",
    )


def unknown_api(base: str, task: str) -> HttpProblem:
    """Return the problem for a path without an API."""
    return HttpProblem(
        "the API does not exist",
        404,
        code="no-upstream",
        remediation=f"APIs are at `{base}/NAME/...`, with the upstream's name in remit's configuration; "
        f"`remit can {task or 'TASK'}` lists the granted tools as `NAME/OPERATION`",
    )


def problem_of(error: RemitError) -> HttpProblem:
    """Return any error as a problem; reveal only the code of an unknown error."""
    if isinstance(error, HttpProblem):
        return error
    status = _status(error)
    if status == 500:
        return HttpProblem("the call could not be completed", 500, code="fault")
    outcome = outcome_of(error)
    told: dict[str, Json] = {"outcome": outcome} if outcome else {}
    again = status == 503 and repeatable(error)
    headers: HeaderLines = ((b"retry-after", b"1"),) if again else ()
    if status in (408, 413):
        headers = ((b"connection", b"close"),)
    return HttpProblem(
        error.message,
        status,
        code=error.code,
        remediation=error.remediation or ("try again later" if again else ""),
        step=error.step,
        told=told,
        headers=headers,
    )


def _status(error: RemitError) -> int:
    if isinstance(error, Unauthenticated) and error.code != "no-task":
        return 401
    # A valid token that permits nothing, or no longer: authenticating again would not help.
    if isinstance(error, Fenced | Unauthenticated | Forbidden) or error.code == "no-task":
        return 403
    if isinstance(error, UpstreamUnreachable):
        return 504 if error.code == "upstream-timeout" else 502
    if isinstance(error, Malformed):
        return _BY_CODE.get(error.code, 400)
    for kind, status in ((Busy, 503), (NotFound, 404), (Conflict, 409), (OutOfOrder, 500)):
        if isinstance(error, kind):
            return status
    return 503


def refusal(refused: Refused, expires: str = "", page: str = "") -> HttpProblem:
    """Return the problem for a denied or deferred call; `expires` is the expiry of the approval, `page` the
    address of its question.
    """
    decision = refused.decision
    first = decision.reasons[0] if decision.reasons else None
    told: dict[str, Json] = {
        "decision": decision.id,
        "reasons": [
            {key: value for key, value in msgspec.to_builtins(one).items() if value != ""}
            for one in decision.reasons
        ],
    }
    if first is not None and first.rule:
        told["rule"] = first.rule
    if decision.instead is not None:
        told["instead"] = msgspec.to_builtins(decision.instead)
    step = first.step if first else 4
    if decision.outcome is Outcome.DEFER:
        told["approval"] = decision.approval
        if expires:
            told |= {"expires": expires, "page": page}
        return HttpProblem(
            first.text if first else "this call needs the approval of a person",
            403,
            code="approval-required",
            remediation=f"ask an approver to run `remit approve {decision.approval}`, then call again",
            step=step,
            told=told,
        )
    return HttpProblem(
        first.text if first else "refused",
        403,
        code=first.code if first else "refused",
        remediation=first.remediation if first else "",
        step=step,
        told=told,
    )
