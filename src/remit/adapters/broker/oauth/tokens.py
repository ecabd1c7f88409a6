# SPDX-License-Identifier: Apache-2.0
"""OAuth 2.0 upstreams: a separate token per task, by any grant (`grants`).

The token is revoked by RFC 7009. If the sink has a probe address, it is probed there by a request that
carries the token. Otherwise remit asks the authorization server by RFC 7662 whether the token is active. That
shows only what resource servers that introspect tokens would see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from remit.adapters.broker.http import BrokerHttp, BrokerResponse
from remit.adapters.broker.injection import Injection
from remit.adapters.broker.oauth.client import SourceClient, refused, see_narrow
from remit.adapters.broker.oauth.grants import ACCESS_TOKEN, JWT, TokenSource
from remit.core.errors import KeyUnavailable, NothingDone
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential
from remit.ports.runtime import Clock

#: RFC 6749 appendix A.12: any other text cannot be sent as a token.
_TEXT: Final = re.compile(r"[ -~]+")
#: RFC 6750 section 2.1.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_ASKS_FOR_TOKEN: Final = re.compile(r"(?:^|,)\s*(?:bearer|dpop)\b", re.IGNORECASE)
#: A longer life is treated as a mistake of the server, and cut to this.
MAX_LIFE: Final = timedelta(days=366)


class OAuthInjection(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoints of an authorization server.

    `probe` is an address of the sink that refuses a dead token with 401 or 403. If it is empty, the sink is
    not probed and `introspect` is used.
    """

    token: str
    revoke: str = ""
    introspect: str = ""
    probe: str = ""


class OAuthBroker:
    """`ports.broker.Broker` for one authorization server, as one client."""

    kind = "oauth-token"
    standing = False
    #: Only the token itself identifies it: a token whose answer was lost lives until it expires.
    traceable = False

    def __init__(
        self,
        sink: str,
        places: OAuthInjection,
        *,
        client: SourceClient,
        source: TokenSource,
        web: BrokerHttp,
        clock: Clock,
        scopes: tuple[str, ...] = (),
        tool_scopes: Mapping[str, tuple[str, ...]] | None = None,
        may_give: tuple[str, ...] = (),
        audience: str = "",
        resource: str = "",
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Store remit's client and the grant; `web` is used to probe the sink.

        `scopes` are requested for every task, those of `tool_scopes` only where the task was granted the
        tool. `may_give` are scopes that the server may grant beyond those requested.
        """
        self._sink = sink
        self._places = places
        self._client = client
        self._source = source
        self._web = web
        self._clock = clock
        self._scopes = scopes
        self._tool_scopes = dict(tool_scopes or {})
        self._may_give = may_give
        self._audience = audience
        self._resource = resource
        self._injection = Injection.of_bearer(headers, env)

    def scopes_for(self, wanted: LeaseWanted) -> tuple[str, ...]:
        """Return the scopes for a task: those that its granted tools need, and no more."""
        asked = list(self._scopes)
        for tool in wanted.tools:
            asked += self._tool_scopes.get(tool, ())
        return tuple(dict.fromkeys(asked))

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Request a token; raises `KeyUnavailable`."""
        scopes = self.scopes_for(wanted)
        if self._tool_scopes and not scopes:
            # RFC 6749 sections 3.3 and 6: without a scope in the request, the server grants its default
            # scopes, or all.
            raise NothingDone(
                "no granted tool of the task has scopes for its token",
                code="lease-parameter",
                remediation="give `scopes`, or `tool_scopes` for the tool",
            )
        target = {"scope": " ".join(scopes), "audience": self._audience}
        target["resource"] = self._resource  # RFC 8707
        given = {name: value for name, value in target.items() if value}
        answer = await self._source.ask(self._client, self._places.token, wanted, given)
        if not 200 <= answer.status < 300:
            raise refused("a token", answer)
        told = answer.object
        token, life = told.get("access_token"), told.get("expires_in")
        if not isinstance(token, str) or not _TEXT.fullmatch(token):
            raise refused("a token", answer, "its answer contains none")
        until = None
        if type(life) is int and life > 0:
            until = self._clock.now() + min(timedelta(seconds=min(life, 2**31)), MAX_LIFE)
        handle = {"token": token}
        beside = told.get("refresh_token")
        if not self._source.keeps_refresh and isinstance(beside, str) and _TEXT.fullmatch(beside):
            # The refresh token was not requested, and it would yield tokens after the end, so it is revoked
            # too.
            handle["refresh"] = beside
        found = UpstreamCredential(
            lease=wanted.lease, sink=self._sink, until=until, secrets=(token,), handle=handle
        )
        try:
            _see_usable(answer, token)
            see_narrow(answer, (*scopes, *self._may_give) if scopes else ())
            carried = self._injection.filled({"token": token}, "the authorization server")
        except KeyUnavailable as why:
            raise UnfitCredential(why, found) from None
        return msgspec.structs.replace(found, headers=carried.headers, env=carried.env)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke the token by RFC 7009. Without a revocation endpoint the token lives until it expires."""
        token = self._token_of(credential)
        if beside := credential.handle.get("refresh", ""):
            await self._take_back(beside, "refresh_token")
        await self._take_back(token)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Present the token to the sink, or ask the server whether it is active."""
        try:
            if self._places.probe:
                # In the form in which calls carry it. A process gets it in another form, but the sink accepts
                # this one too.
                shown = credential.headers or {"Authorization": f"Bearer {self._token_of(credential)}"}
                answer = await self._web.ask("GET", self._places.probe, headers=shown)
                # RFC 6750 section 3.1: the token is alive but lacks permission for this request.
                narrow = "insufficient_scope"
                said = narrow in answer.challenge or answer.object.get("error") == narrow
                alive = 200 <= answer.status < 300 or said
                # A proxy before the sink may ask for its own password: its answer proves nothing about the
                # token.
                elsewhere = bool(answer.challenge) and not _ASKS_FOR_TOKEN.search(answer.challenge)
                if answer.status in (401, 403) and not alive and not elsewhere:
                    return Probe.REFUSED
                return Probe.ACCEPTED if alive else Probe.UNREACHABLE
            answer = await self._client.ask(self._places.introspect, {"token": self._token_of(credential)})
        except KeyUnavailable:
            return Probe.UNREACHABLE
        active = answer.object.get("active") if answer.status == 200 else None
        if active is False:
            return Probe.REFUSED
        return Probe.ACCEPTED if active is True else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    async def _take_back(self, token: str, kind: str = "access_token") -> None:
        if not self._places.revoke:
            raise KeyUnavailable(
                "the authorization server cannot revoke tokens",
                code="not-revocable",
                remediation="give its `revoke_url`, or use short-lived tokens",
            )
        form = {"token": token, "token_type_hint": kind}
        answer = await self._client.ask(self._places.revoke, form)
        # Section 2.2: 200 also for an unknown token, so repeating the request is harmless.
        if answer.status != 200:
            raise refused("to revoke a token", answer)

    def _token_of(self, credential: UpstreamCredential) -> str:
        token = credential.handle.get("token", "")
        if not token:
            raise KeyUnavailable(
                f"the token of lease `{credential.lease}` can no longer be read",
                code="lease-unreadable",
                remediation="restore the sealing keys, or revoke it at the authorization server",
            )
        return token


def _see_usable(answer: BrokerResponse, token: str) -> None:
    """Raise `KeyUnavailable` unless the answer is a bearer token that an upstream accepts."""
    told = answer.object
    if answer.status != 200 or not _TOKEN.fullmatch(token):
        raise refused("a token", answer, "its answer contains no bearer token")
    kind = told.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        # RFC 6749 section 7.1: a token of another type is not used.
        raise refused("a token", answer, "it has an unsupported type")
    if told.get("issued_token_type", ACCESS_TOKEN) not in (ACCESS_TOKEN, JWT):
        # RFC 8693 section 2.2.1: the token is for the server itself or another party, not for an upstream.
        raise refused("a token", answer, "it is not an access token")
