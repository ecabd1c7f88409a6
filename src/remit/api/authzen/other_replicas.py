# SPDX-License-Identifier: Apache-2.0
"""Asking another replica on behalf of an enforcement point: about a task of that one, or to take its report.

The other one judges the enforcement point's token itself, and decides by itself. A DPoP proof, which is good
once, was judged by the replica that was asked. What was asked of a replica in this way it asks nobody else.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from remit.api.authzen.messages import EvaluationAnswer, EvaluationForm, ResultForm
from remit.api.authzen.paths import EVALUATION_PATH, RESULT_PATH
from remit.api.rest.route import RestRequest
from remit.core.errors import Elsewhere, NotFound, OwnerAway, StoreUnavailable
from remit.core.replicas.replica import Replica
from remit.services.replicas.forwarding import WholeAnswer

T = TypeVar("T")

#: Owners that are asked about one task, which may just move.
TRIES = 3
#: What the front of a replica says that does not serve a task, and what an endpoint says.
_NOT_THERE = (421, 409)


async def evaluated(errand: RestRequest, form: EvaluationForm, elsewhere: Elsewhere) -> EvaluationAnswer:
    """Return the answer of the replica that owns the task; raises `Elsewhere` where none can be told."""
    passing = errand.house.passing
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


async def reported(errand: RestRequest, form: ResultForm, unknown: NotFound) -> None:
    """Have whichever replica gave a permit take its result; raises `NotFound` where none has."""
    fault: StoreUnavailable | None = None
    for one in errand.house.passing.others():
        try:
            answer = await _asked(errand, one, RESULT_PATH, form)
        except StoreUnavailable as error:
            fault = error
            continue
        if answer.status == 200:
            return
        if answer.status != 404:
            fault = OwnerAway(f"it answered {answer.status}")
    # One that did not answer may be the one.
    raise fault or unknown


async def _asked(errand: RestRequest, other: Replica, path: str, form: msgspec.Struct) -> WholeAnswer:
    arrived = errand.arrived
    body = msgspec.json.encode(form)
    return await errand.house.passing.asked(other, path, arrived.headers, body, arrived.seen)


def _read(answer: WholeAnswer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise OwnerAway("its answer cannot be read") from None
