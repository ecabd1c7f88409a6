# SPDX-License-Identifier: Apache-2.0
"""Access requests of other enforcement points: what binds one to its denial, its state, and who hears of
its end (AuthZEN Access Request and Approval Profile, and its Callback Notifications Profile).

1. A denial that a person may approve carries a signed token, which names the evaluation, the approval and the
   enforcement point. What the call was is known here, by the approval's digest of it.
2. A callback goes only to an address that the configuration registers for that enforcement point, through the
   guard against requests to inner addresses, and is signed. It tells the state, and grants nothing.
3. The log is the outbox: a callback is sent after the answer is recorded, in order, again where it fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy
from remit.core.errors import Forbidden, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.ports.keys import TokenKeys
from remit.ports.notifier import Notification, SignedDelivery
from remit.ports.runtime import Clock
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.changes import PutValue
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.units import Unit
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.decisions.approvals import Approvals
from remit.services.signals.notifications import NotificationTarget

#: The `typ` of a binding token: none of remit's other tokens has it.
BINDING_TYPE: Final = "remit-denial+jwt"
REQUESTS_PATH: Final = "/access/v1/requests"
_CALLBACKS: Final = "callback:"

RequestState = Literal["pending", "approved", "denied", "expired", "cancelled", "failed", "partial"]


class RequestCallback(msgspec.Struct, frozen=True, kw_only=True):
    """Where an enforcement point wants to hear of the end of an access request.

    `state` returns as it is; `events` are the states that it wants to hear of, by default all.
    """

    endpoint: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    state: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    events: Annotated[tuple[RequestState, ...], msgspec.Meta(max_length=7)] = ()


class _Rooms(ApprovalStore, TasksAndPrincipals, Protocol):
    """The store interfaces of approvals and of their tasks."""


class AccessRequests:
    """Binds access requests to denials, and tells enforcement points how they end."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        keys: TokenKeys,
        approvals: Approvals,
        tenant: str,
        issuer: str,
        requests_url: str,
    ) -> None:
        """Take the dependencies; `issuer` is remit's address, `requests_url` that of access requests."""
        self._store = store
        self._clock = clock
        self._keys = keys
        self._approvals = approvals
        self._tenant = tenant
        self._issuer = issuer
        self.requests_url = requests_url

    async def binding(self, evaluation: str, approval: Approval, point: str) -> str:
        """Return the token that binds an access request to a denial (1); raises `KeyUnavailable`."""
        claims: dict[str, Json] = {
            "iss": self._issuer,
            "aud": self.requests_url,
            "sub": point,
            "iat": int(self._clock.now().timestamp()),
            "exp": int(approval.expires.timestamp()),
            "jti": evaluation,
            "evaluation_id": evaluation,
        }
        return await self._keys.sign(claims, token_type=BINDING_TYPE)

    def bound(self, token: str, point: str) -> tuple[str, datetime]:
        """Return the evaluation that a token names, and when it expires; raise `Unauthenticated`."""
        header, claims = self._keys.verify(token)
        try:
            expires = datetime.fromtimestamp(claims["exp"], tz=self._clock.now().tzinfo)
            evaluation = claims["evaluation_id"]
        except (KeyError, TypeError, ValueError, OverflowError):
            expires, evaluation = self._clock.now(), ""
        named = (header.get("typ"), claims.get("iss"), claims.get("aud"), claims.get("sub"))
        if named != (BINDING_TYPE, self._issuer, self.requests_url, point) or not isinstance(evaluation, str):
            raise Unauthenticated(
                "this token does not bind a denial", code="binding", remediation="evaluate again"
            )
        return evaluation, expires

    async def state_of(self, approval: Approval) -> RequestState:
        """Return the state of the access request that an approval answers.

        `failed`: the rules, the sources of its values or those who may approve are other ones now.
        `cancelled`: a person or the agent withdrew it, or its task ended first. An approval that is used up
        has `expired`.
        """
        match approval.state:
            case ApprovalState.PENDING:
                return "pending"
            case ApprovalState.APPROVED:
                return "approved"
            case ApprovalState.DENIED:
                return "denied"
            case ApprovalState.NARROWED:
                return "partial"
            case ApprovalState.CONSUMED:
                return "expired"
        if approval.overtaken is not None:
            return "cancelled" if approval.overtaken is OvertakenBy.AGENT else "failed"
        task = await self._store.task(self._tenant, approval.task)
        if task is None or (task.ended is not None and task.ended <= approval.expires):
            return "cancelled"
        # Of what was given, the store has as expired only what a person has taken back: time changes nothing.
        kept = await self._store.approval(self._tenant, approval.id)
        back = approval.decided_by and kept is not None and kept.state is ApprovalState.EXPIRED
        return "cancelled" if back else "expired"

    async def follow(self, approval: Approval, point: EnforcementPoint, callback: RequestCallback) -> None:
        """Keep a callback until its access request ends (2); raise `Forbidden` for another address."""
        if callback.endpoint not in point.callbacks:
            raise Forbidden(
                "this callback address is not registered for this enforcement point",
                code="callback",
                remediation="add it under `enforcement_points.*.callbacks` in remit.yaml, or poll the status",
            )
        kept = PutValue(self._tenant, _callback(approval.id, point.name), msgspec.to_builtins(callback))
        await self._store.commit(Unit((kept,)))

    def targets(
        self, points: Mapping[str, EnforcementPoint], deliveries: Mapping[str, SignedDelivery]
    ) -> dict[str, NotificationTarget]:
        """Return who hears of answers, for the outbox (3): the enforcement points with callbacks."""
        return {
            f"callback:{name}": NotificationTarget(
                name=f"callback:{name}",
                notifier=_CallbackNotifier(self, name, deliveries[name]),
                kinds=(EventKind.APPROVAL_DECIDED,),
            )
            for name, one in points.items()
            if one.callbacks
        }

    async def told(self, approval_id: str, point: str) -> tuple[RequestCallback, bytes] | None:
        """Return a callback that waits for a state that an access request now has, with its body.

        None: this enforcement point waits for nothing of it.
        """
        kept = await self._store.value(self._tenant, _callback(approval_id, point))
        if kept is None:
            return None
        callback = msgspec.convert(kept, RequestCallback)
        approval = await self._approvals.find(approval_id)
        if approval is None:
            return None
        state = await self.state_of(approval)
        if state == "pending" or (callback.events and state not in callback.events):
            return None
        place = f"{self.requests_url}/{approval_id}"
        task = {"id": approval_id, "status": state, "status_endpoint": place}
        body = {"task": task} | ({"state": callback.state} if callback.state else {})
        return callback, msgspec.json.encode(body)

    async def over(self, approval_id: str, point: str) -> None:
        """Forget a callback that was sent."""
        await self._store.commit(Unit((PutValue(self._tenant, _callback(approval_id, point), None),)))


def _callback(approval_id: str, point: str) -> str:
    """Return the key of a callback: several enforcement points may wait for one answer."""
    return f"{_CALLBACKS}{approval_id}:{point}"


class _CallbackNotifier:
    """`ports.notifier.Notifier` of an enforcement point: an answer becomes the callback that waits for it."""

    def __init__(self, requests: AccessRequests, point: str, delivery: SignedDelivery) -> None:
        self._requests = requests
        self._point = point
        self._delivery = delivery

    async def notify(self, notification: Notification) -> None:
        approval_id = str(notification.facts["approval"])
        found = await self._requests.told(approval_id, self._point)
        if found is None:
            return
        callback, body = found
        await self._delivery.deliver(callback.endpoint, notification.id, body)
        await self._requests.over(approval_id, self._point)
