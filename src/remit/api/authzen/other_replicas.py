# SPDX-License-Identifier: Apache-2.0
"""Requests to another replica on behalf of an enforcement point: to decide about a task, or to record a
result.

The other replica checks the enforcement point's token and decides. A DPoP proof works once, so the replica
that received the request checks the proof. A replica does not forward such a request again.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from remit.api.authzen.messages import EvaluationAnswer, EvaluationForm, ResultForm
from remit.api.authzen.paths import EVALUATION_PATH, RESULT_PATH
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.rest.route import RestRequest
from remit.core.errors import Elsewhere, NotFound, OwnerAway, StoreUnavailable
from remit.core.replicas.replica import Replica
from remit.services.replicas.forwarding import WholeAnswer

T = TypeVar("T")

#: Maximum number of owners to ask about one task, which may be moving.
TRIES = 3
#: Statuses of a replica that does not own the task: 421 from its front, 409 from an endpoint.
_NOT_THERE = (421, 409)


async def evaluated(
    errand: RestRequest[AuthzenRooms], form: EvaluationForm, elsewhere: Elsewhere
) -> EvaluationAnswer:
    """Return the answer of the replica that owns the task; raise `Elsewhere` if the owner is unknown."""
    passing = errand.rooms.replicas.passing
    for _ in range(TRIES):
        owner = await passing.owner(elsewhere.task)
        if owner is None:
            break
        answer = await _asked(errand, owner, EVALUATION_PATH, form)
        if answer.status == 200:
            return _read(answer, EvaluationAnswer)
        if answer.status not in _NOT_THERE:
            raise OwnerAway(f"it answered {answer.status}")
        passing.forget(elsewhere.task)
    raise elsewhere


async def reported(errand: RestRequest[AuthzenRooms], form: ResultForm, unknown: NotFound) -> None:
    """Have the replica that gave a permit record its result; raise `NotFound` if no replica gave it."""
    fault: StoreUnavailable | None = None
    for one in errand.rooms.replicas.passing.others():
        try:
            answer = await _asked(errand, one, RESULT_PATH, form)
        except StoreUnavailable as error:
            fault = error
            continue
        if answer.status == 200:
            return
        if answer.status != 404:
            fault = OwnerAway(f"it answered {answer.status}")
    # A replica that did not answer may have given the permit.
    raise fault or unknown


async def _asked(
    errand: RestRequest[AuthzenRooms], other: Replica, path: str, form: msgspec.Struct
) -> WholeAnswer:
    arrived = errand.arrived
    body = msgspec.json.encode(form)
    return await errand.rooms.replicas.passing.asked(other, path, arrived.headers, body, arrived.seen)


def _read(answer: WholeAnswer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise OwnerAway("its answer cannot be read") from None
