# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: a separate token per task, for an upstream that reads secrets there itself.

Secrets of a KV engine have no lease: a reader keeps what it has read. Only the permission to read can be
revoked, so a task gets that permission.

1. The token is created under one token role (`auth/token/create/ROLE`), which determines its policies. It
   lives no longer than the task.
2. The token is revoked by its accessor, together with every lease that it obtained.
3. The token is probed by a lookup of itself at OpenBao, which is the sink here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.openbao.client import BaoSource, bao_refused, unreadable
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential
from remit.ports.runtime import Clock


class OpenBaoTokenBroker:
    """`ports.broker.Broker` for one token role."""

    kind = "openbao-token"
    standing = False
    #: remit does not know a token whose answer was lost; that token lives until it expires.
    traceable = False

    def __init__(
        self,
        bao: BaoSource,
        role: str,
        *,
        clock: Clock,
        policies: tuple[str, ...] = (),
        tool_policies: Mapping[str, tuple[str, ...]] | None = None,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Store the token role.

        `policies` are requested for every task, those of `tool_policies` only where the task was granted the
        tool. If both are empty, the role's policies apply.
        """
        self._bao = bao
        self._path = f"auth/token/create/{role}"
        self._clock = clock
        self._policies = policies
        self._tool_policies = dict(tool_policies or {})
        if not headers and not env:
            headers = {"X-Vault-Token": "{token}"}
        self._injection = Injection(headers, env)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Implement step 1; raises `KeyUnavailable`."""
        left_s = (wanted.task.deadline - self._clock.now()).total_seconds()
        ttl = f"{max(1, math.ceil(left_s))}s"
        asked: dict[str, Json] = {
            "ttl": ttl,
            "explicit_max_ttl": ttl,
            "display_name": wanted.lease,
            "meta": {"task": wanted.task.id, "agent": wanted.task.agent, "lease": wanted.lease},
        }
        policies = list(self._policies)
        for tool in wanted.tools:
            policies += self._tool_policies.get(tool, ())
        if policies:
            asked["policies"] = list(dict.fromkeys(policies))
        elif self._tool_policies:
            # If the request names no policies, the role grants all of its policies.
            raise bao_refused(self._path, "no granted tool of the task has policies")
        answer = await self._bao.ask("POST", self._path, asked)
        told = answer.object.get("auth")
        token, accessor = (
            (told.get("client_token"), told.get("accessor")) if isinstance(told, dict) else (None, None)
        )
        if answer.status != 200 or not isinstance(token, str) or not isinstance(accessor, str):
            raise bao_refused(self._path, f"status {answer.status}")
        assert isinstance(told, dict)
        if not accessor:
            # A batch token has no accessor, and cannot be revoked.
            raise bao_refused(self._path, "it returned a token that cannot be revoked")
        found = UpstreamCredential(
            lease=wanted.lease,
            sink=self._path.removeprefix("auth/"),
            until=self._bao.until(told.get("lease_duration")),
            secrets=(token,),
            handle={"token": token, "accessor": accessor},
        )
        try:
            carried = self._injection.filled({"token": token}, "OpenBao")
        except KeyUnavailable as why:
            raise UnfitCredential(why, found) from None
        return msgspec.structs.replace(found, headers=carried.headers, env=carried.env)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke the credential (step 2). Raises `KeyUnavailable`. A credential that is gone counts as
        revoked.
        """
        accessor = credential.handle.get("accessor", "")
        if not accessor:
            raise unreadable(credential.lease)
        path = "auth/token/revoke-accessor"
        answer = await self._bao.ask("POST", path, {"accessor": accessor})
        if answer.status in (200, 204):
            return
        if any("invalid accessor" in str(one) for one in answer.object.get("errors") or ()):
            return  # Vault's answer for a token that is gone; OpenBao reports success.
        raise bao_refused(path, f"status {answer.status}")

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
        token = credential.handle.get("token", "")
        if not token:
            return Probe.UNREACHABLE
        try:
            answer = await self._bao.ask_as(token, "GET", "auth/token/lookup-self")
        except KeyUnavailable:
            return Probe.UNREACHABLE
        errors = answer.object.get("errors")
        # A live token that may not look itself up gets a different error.
        if answer.status == 403 and (errors == ["permission denied"] or "invalid token" in str(errors)):
            return Probe.REFUSED
        return Probe.ACCEPTED if answer.status == 200 else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._bao.close()
