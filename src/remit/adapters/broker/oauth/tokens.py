# SPDX-License-Identifier: Apache-2.0
"""OAuth 2.0 upstreams: a token of its own for each task, by whatever grant (`oauth_grants`).

It is taken back by RFC 7009. The sink is tried where that can be done, by a request that shows the token;
else the authorization server is asked by RFC 7662 whether it is active, which shows what resources see that
ask it too, and no more.
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

#: RFC 6749 appendix A.12: what is none can be shown to nobody.
_TEXT: Final = re.compile(r"[ -~]+")
#: RFC 6750 section 2.1.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_ASKS_FOR_TOKEN: Final = re.compile(r"(?:^|,)\s*(?:bearer|dpop)\b", re.IGNORECASE)
#: A longer life is taken for a mistake of the server's, and not believed.
MAX_LIFE: Final = timedelta(days=366)


class OAuthInjection(msgspec.Struct, frozen=True, kw_only=True):
    """Where an authorization server is asked. `probe` is an address of the sink that refuses a dead token
    with 401 or 403; empty: it is not tried there, and `introspect` is asked.
    """

    token: str
    revoke: str = ""
    introspect: str = ""
    probe: str = ""


class OAuthBroker:
    """`ports.broker.Broker` at one authorization server, as one client."""

    kind = "oauth-token"
    standing = False
    #: Only the token itself says which it is: one whose answer was lost ends by its own time.
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
        """Take what remit is there, and what it shows for a token; `web` is what the sink is tried with.

        `scopes` are asked for whatever the task, those of `tool_scopes` only where it was granted the tool;
        `may_give` are those that the server may give beside what it was asked for.
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
        """Return the scopes for a task: what its granted tools need, and no more."""
        asked = list(self._scopes)
        for tool in wanted.tools:
            asked += self._tool_scopes.get(tool, ())
        return tuple(dict.fromkeys(asked))

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Ask for a token; raises `KeyUnavailable`."""
        scopes = self.scopes_for(wanted)
        if self._tool_scopes and not scopes:
            # RFC 6749 sections 3.3 and 6: with none named the server gives its usual ones, or all of them.
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
            # Nobody asked for it, and it would give tokens after the end.
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
        """RFC 7009. A server without it leaves the token to its own time."""
        token = self._token_of(credential)
        if beside := credential.handle.get("refresh", ""):
            await self._take_back(beside, "refresh_token")
        await self._take_back(token)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Show the token to the sink, or ask whether it is active."""
        try:
            if self._places.probe:
                # As calls carry it; a process gets it otherwise, and the sink still takes it so.
                shown = credential.headers or {"Authorization": f"Bearer {self._token_of(credential)}"}
                answer = await self._web.ask("GET", self._places.probe, headers=shown)
                # RFC 6750 section 3.1: a token that lives and may not do just this.
                narrow = "insufficient_scope"
                said = narrow in answer.challenge or answer.object.get("error") == narrow
                alive = 200 <= answer.status < 300 or said
                # A proxy before the sink asks for a password of its own: it says nothing of the token.
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
        # Section 2.2: 200 also for a token that is not known, so that asking again does no harm.
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
    """Raise `KeyUnavailable` for what is no bearer token that opens an upstream."""
    told = answer.object
    if answer.status != 200 or not _TOKEN.fullmatch(token):
        raise refused("a token", answer, "its answer contains no bearer token")
    kind = told.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        # RFC 6749 section 7.1: a token of another type is not used.
        raise refused("a token", answer, "it has an unsupported type")
    if told.get("issued_token_type", ACCESS_TOKEN) not in (ACCESS_TOKEN, JWT):
        # RFC 8693 section 2.2.1: it is for the server itself, or for another one, and no upstream's business.
        raise refused("a token", answer, "it is not an access token")
