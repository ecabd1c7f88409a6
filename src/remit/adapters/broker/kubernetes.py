# SPDX-License-Identifier: Apache-2.0
"""Kubernetes: one service account token per task, bound to an object that is deleted when the task ends.

1. An empty Secret named after the lease is created, and a token bound to it is requested (TokenRequest). The
   API server cannot revoke a token, but refuses a token whose object is gone.
2. The object is deleted by its name, so that a lost answer leaves nothing behind.
3. A token for the API server itself is probed there (SelfSubjectReview). A token for another audience is
   presented to the API server the way that audience would (TokenReview).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from remit.adapters.broker.http import BrokerHttp, BrokerResponse, until_of
from remit.adapters.broker.injection import Injection
from remit.adapters.broker.narrowing import fill, texts_of
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.runtime import Clock

#: Kubernetes refuses a shorter life for a token.
SHORTEST_S: Final = 600
_AUTH: Final = "/apis/authentication.k8s.io/v1"
_LEASE: Final = re.compile(r"lse_[a-z0-9]{1,32}")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
#: The errors by which a TokenReview reports an invalid token; other failures have other messages.
_NO: Final = re.compile(r"invalid bearer token|has been invalidated|has expired|token is expired")


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The service account whose tokens are issued.

    `name` may contain task values in braces. With no `audiences`, tokens are for the API server itself.
    """

    api: str
    namespace: str
    name: str
    audiences: Sequence[str] = ()


class KubernetesBroker:
    """`ports.broker.Broker` for one service account, or for one per value of a parameter."""

    kind = "kubernetes-token"
    standing = False
    traceable = True

    def __init__(
        self,
        account: ServiceAccount,
        token: Callable[[], str],
        *,
        web: BrokerHttp,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Store the account; `token` returns remit's own token at each request."""
        self._account = account
        self._token = token
        self._web = web
        self._clock = clock
        self._injection = Injection.of_bearer(headers, env)
        self._objects = f"/api/v1/namespaces/{account.namespace}"

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Implement step 1; raises `KeyUnavailable`."""
        account = fill(self._account.name, texts_of(wanted), _is_name)
        if not _is_name(account):
            raise NothingDone(
                f"`{account[:80]}` is not a service account name",
                code="lease-parameter",
                remediation="constrain the parameter in the task type to lower-case letters, digits and `-`",
            )
        bound = await self._bind(wanted)
        left_s = (wanted.task.deadline - self._clock.now()).total_seconds()
        spec: dict[str, Json] = {
            "audiences": list(self._account.audiences),
            "expirationSeconds": max(SHORTEST_S, math.ceil(left_s)),
            "boundObjectRef": bound,
        }
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            answer = await self._ask("POST", f"{self._objects}/serviceaccounts/{account}/token", asked)
        except NothingDone as fault:
            # The object exists already and must be deleted, so this is not `NothingDone`.
            raise KeyUnavailable(fault.message, code=fault.code, remediation=fault.remediation) from None
        status = answer.object.get("status")
        token = status.get("token") if isinstance(status, dict) else None
        if answer.status != 201 or not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._refused(f"a token for `{account}`", answer)
        assert isinstance(status, dict)
        carried = self._injection.filled({"token": token}, "Kubernetes")
        return UpstreamCredential(
            lease=wanted.lease,
            sink=f"{self._account.namespace}/{account}",
            until=until_of(status.get("expirationTimestamp")),
            headers=carried.headers,
            env=carried.env,
            secrets=(token,),
            handle={"token": token},
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke the credential (step 2). Raises `KeyUnavailable`. A credential that is gone counts as
        revoked.
        """
        name = object_of(credential.lease)
        answer = await self._ask("DELETE", f"{self._objects}/secrets/{name}")
        if answer.status not in (200, 202, 404):
            raise self._refused(f"to delete `{name}`", answer)
        if answer.status == 404 and answer.object.get("reason") != "NotFound":
            # This is not an API server, or the API server does not have this path.
            raise self._refused(f"to delete `{name}`", answer)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
        token = credential.handle.get("token", "")
        try:
            if not token:
                # The answer was lost: no one holds the token, and it is dead once its object is.
                return await self._object_is_gone(object_of(credential.lease))
            if not self._account.audiences:
                return await self._tried_at_the_server(token)
            return await self._reviewed(token)
        except KeyUnavailable:
            return Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    async def _bind(self, wanted: LeaseWanted) -> dict[str, str]:
        name, task = object_of(wanted.lease), wanted.task
        about = {"remit/task": task.id, "remit/agent": task.agent, "remit/lease": wanted.lease}
        told: dict[str, Json] = {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "remit"},
            "annotations": about,
        }
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": told}
        answer = await self._ask("POST", f"{self._objects}/secrets", secret)
        found = answer.object.get("metadata")
        uid = found.get("uid") if isinstance(found, dict) else None
        if answer.status != 201 or not isinstance(uid, str):
            nothing = 400 <= answer.status < 500
            raise self._refused(f"to create `{name}`", answer, NothingDone if nothing else KeyUnavailable)
        # With the uid, so that another object of the same name does not keep the token alive.
        return {"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid}

    async def _tried_at_the_server(self, token: str) -> Probe:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self._ask("POST", f"{_AUTH}/selfsubjectreviews", review, token=token)
        if answer.status == 401 and answer.object.get("reason") == "Unauthorized":
            return Probe.REFUSED
        return Probe.ACCEPTED if answer.status == 201 else Probe.UNREACHABLE

    async def _reviewed(self, token: str) -> Probe:
        spec = {"token": token, "audiences": list(self._account.audiences)}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        answer = await self._ask("POST", f"{_AUTH}/tokenreviews", review)
        status = answer.object.get("status")
        if answer.status != 201 or not isinstance(status, dict):
            return Probe.UNREACHABLE
        if status.get("authenticated") is True:
            return Probe.ACCEPTED
        return Probe.REFUSED if _NO.search(str(status.get("error", ""))) else Probe.UNREACHABLE

    async def _object_is_gone(self, name: str) -> Probe:
        answer = await self._ask("GET", f"{self._objects}/secrets/{name}")
        gone = answer.status == 404 and answer.object.get("reason") == "NotFound"
        return Probe.REFUSED if gone else Probe.UNREACHABLE

    async def _ask(self, method: str, path: str, body: Json = None, *, token: str = "") -> BrokerResponse:
        headers = {"Authorization": f"Bearer {token or self._token()}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._web.ask(method, f"{self._account.api}{path}", headers=headers, json=body)

    def _refused(
        self, what: str, answer: BrokerResponse, kind: type[KeyUnavailable] = KeyUnavailable
    ) -> KeyUnavailable:
        reason = answer.object.get("reason")
        why = f"`{reason}`" if isinstance(reason, str) and reason.isalpha() else f"status {answer.status}"
        return kind(
            f"Kubernetes refuses {what}: {why}",
            code="source-refused",
            remediation="check the role of remit's service account and the API server's audit log",
        )


def object_of(lease: str) -> str:
    """Return the name of the object that a lease's token is bound to.

    Raises `KeyUnavailable` for a text that is not a lease id.
    """
    if not _LEASE.fullmatch(lease):
        raise KeyUnavailable(
            f"`{lease[:40]}` is not a lease", code="source-refused", remediation="see `remit who`"
        )
    return f"remit-{lease.replace('_', '-')}"


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None
