# SPDX-License-Identifier: Apache-2.0
"""An authorization server at which people authorize remit to act for them: authorization code with PKCE."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from remit.adapters.broker.oauth.client import SourceClient, refused, see_narrow
from remit.core.errors import KeyUnavailable
from remit.ports.connector import UnfitConnection

#: RFC 6749 appendix A.17; a longer text is not accepted as a token.
MAX_TOKEN_CHARS = 16_384


class OAuthConnector:
    """`ports.connector.Connector`.

    `scopes` are all scopes that any task may need; each task requests its part of them.
    """

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
        """Store the server's endpoints.

        `issuer` is the server's issuer identifier, empty if unknown; with `iss_required`, every answer of the
        server names it. `may_give` are scopes that the server may grant beyond those requested.
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
        """Return the address to send the browser to."""
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
        """Exchange the code for a refresh token."""
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
        """Refuse an answer of another server or of an unidentified one (RFC 9207 section 2.4)."""
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
        """Revoke the refresh token, and with it the tokens issued for it (RFC 7009 section 2.1)."""
        answer = await self._client.ask(self._revoke, {"token": refresh, "token_type_hint": "refresh_token"})
        if answer.status != 200:
            raise refused("to revoke a connection", answer)
