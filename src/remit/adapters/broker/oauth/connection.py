# SPDX-License-Identifier: Apache-2.0
"""An authorization server at which people let remit act for them: authorization code with PKCE."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from remit.adapters.broker.oauth.client import SourceClient, refused, see_narrow
from remit.core.errors import KeyUnavailable
from remit.ports.connector import UnfitConnection

#: RFC 6749 appendix A.17; a longer one is no token.
MAX_TOKEN_CHARS = 16_384


class OAuthConnector:
    """`ports.connector.Connector`. `scopes` are all that any task may need: each asks for its part."""

    def __init__(
        self,
        client: SourceClient,
        *,
        authorize: str,
        token: str,
        revoke: str,
        issuer: str = "",
        iss_required: bool = False,
        scopes: Iterable[str] = (),
        may_give: Iterable[str] = (),
        resource: str = "",
    ) -> None:
        """Take where it is asked. `issuer` is what it calls itself, empty where that is not known;
        with `iss_required` all its answers say so. `may_give` are scopes beyond those that are asked for.
        """
        self._client = client
        self._authorize = authorize
        self._token = token
        self._revoke = revoke
        self._issuer = issuer
        self._iss_required = iss_required
        self._scopes = tuple(dict.fromkeys(scopes))
        self._may_give = tuple(may_give)
        self._resource = resource
        self.server = urlsplit(authorize).netloc
        self.place = token

    def address(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Return where to send the browser."""
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._scopes),
            "resource": self._resource,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(self._authorize).query else "?"
        return self._authorize + joint + urlencode({name: one for name, one in asked.items() if one})

    async def redeem(self, *, code: str, issuer: str, redirect_uri: str, verifier: str) -> str:
        """Exchange the code."""
        self._see_issuer(issuer)
        if not code:
            raise KeyUnavailable(
                "the server did not agree", code="connect-refused", remediation="start again and agree there"
            )
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = await self._client.ask(self._token, form)
        if answer.status != 200:
            raise refused("the code", answer)
        refresh = answer.object.get("refresh_token")
        if not isinstance(refresh, str) or not 0 < len(refresh) <= MAX_TOKEN_CHARS:
            raise refused("a connection", answer, "it issued no refresh token")
        try:
            see_narrow(answer, (*self._scopes, *self._may_give) if self._scopes else ())
        except KeyUnavailable as why:
            raise UnfitConnection(why, refresh) from None
        return refresh

    def _see_issuer(self, issuer: str) -> None:
        """RFC 9207 section 2.4: an answer of another server, or of who knows whom, is not taken."""
        if issuer and not self._issuer:
            raise KeyUnavailable(
                "the answer names its issuer, but the expected issuer is not configured",
                code="connect-issuer",
                remediation="give `issuer` in the upstream's `lease.oauth`, as in the server's metadata",
            )
        if issuer != self._issuer and (issuer or self._iss_required):
            raise KeyUnavailable(
                "the answer has another issuer" if issuer else "the answer does not name its issuer",
                code="connect-issuer",
                remediation="start again",
            )

    async def revoke(self, refresh: str) -> None:
        """RFC 7009 section 2.1: with it, what was given for it."""
        answer = await self._client.ask(self._revoke, {"token": refresh, "token_type_hint": "refresh_token"})
        if answer.status != 200:
            raise refused("to revoke a connection", answer)
