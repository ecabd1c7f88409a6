# SPDX-License-Identifier: Apache-2.0
"""The token endpoint, from the client's side: who asks, proven how, and what comes back."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from remit.sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit.sdk.errors import GatewayRefused, GatewayUnreachable
from remit.sdk.key import AgentKey
from remit.sdk.oauth.discovery import IssuerMetadata
from remit.sdk.oauth.web import HttpPage, OAuthHttp

Json = Any

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds before its end from which a token is not used any more.
EARLY_S: Final = 10.0


class OAuthIdentity(NamedTuple):
    """A client at one authorization server: its ID, and its secret or key where it has one.

    `method` is how it authenticates (RFC 7591 `token_endpoint_auth_method`); chosen by what the server
    supports where it is empty.
    """

    client_id: str
    secret: str = ""
    key: AgentKey | None = None
    method: str = ""

    def __repr__(self) -> str:
        """Name the client, and never its secret."""
        return f"OAuthIdentity({self.client_id!r}, method={self.method!r})"


class Token(NamedTuple):
    """An access token with what it came with; `ends_at` is of the monotonic clock."""

    text: str
    kind: str
    scope: str
    refresh: str
    ends_at: float
    issuer: str

    def __repr__(self) -> str:
        """Say what kind of token it is, and never its text."""
        return f"Token({self.kind}, scope={self.scope!r})"

    @property
    def usable(self) -> bool:
        """Whether it has not run out."""
        return time.monotonic() < self.ends_at


class TokenEndpoint:
    """One authorization server's token endpoint, for one client."""

    def __init__(
        self, web: OAuthHttp, server: IssuerMetadata, who: OAuthIdentity, prover: DpopProver | None
    ) -> None:
        """Take the server and the client; with a prover, tokens are bound to its key (DPoP)."""
        self._web = web
        self._server = server
        self._who = who
        self._prover = prover

    async def ask(self, form: Mapping[str, str]) -> Token:
        """Ask for a token; raises `GatewayRefused` with the OAuth error as its code. Nothing is retried but
        what the server did not look at, for want of a DPoP nonce.
        """
        url = self._server.url("token_endpoint")
        asked_at = time.monotonic()
        for tries_left in reversed(range(PROOF_TRIES)):
            # Each try has a client assertion and a proof of its own: both work once.
            sent, headers = self._authenticated(dict(form))
            if self._prover is not None:
                headers[HEADER] = self._prover.proof("POST", url)
            page = await self._web.post(url, sent, headers)
            if self._prover is not None:
                self._prover.learn(url, page.headers)
                error = str(page.json().get("error", ""))
                if tries_left and page.status != 200 and self._prover.again(url, 400, page.headers, error):
                    continue
            return self._read(page, form.get("scope", ""), asked_at)
        raise AssertionError("the loop returns or raises")

    def _authenticated(self, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        who, method = self._who, self._method()
        if method == "private_key_jwt" and who.key is not None:
            form |= {
                "client_id": who.client_id,
                "client_assertion_type": ASSERTION_TYPE,
                # The issuer is the one audience that no other server shares.
                "client_assertion": who.key.assertion(who.client_id, self._server.issuer),
            }
        elif method == "client_secret_basic":
            # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote_plus(who.client_id)}:{quote_plus(who.secret)}"
            return form, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        elif method == "client_secret_post":
            form |= {"client_id": who.client_id, "client_secret": who.secret}
        else:
            form |= {"client_id": who.client_id}
        return form, {}

    def _method(self) -> str:
        if self._who.method:
            return self._who.method
        known = self._server.names("token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        if self._who.key is not None:
            return "private_key_jwt"
        able = ("client_secret_basic", "client_secret_post") if self._who.secret else ()
        return next((method for method in known if method in able), able[0] if able else "none")

    def _read(self, page: HttpPage, asked_scope: str, asked_at: float) -> Token:
        told = page.json()
        if page.status != 200:
            message = str(told.get("error_description") or f"the token endpoint answered {page.status}")
            # `code` says more than OAuth's own `error`, where the server is a remit.
            code = str(told.get("code") or told.get("error") or "")
            raise GatewayRefused(message[:600], status=page.status, code=code)
        text, kind = told.get("access_token"), str(told.get("token_type", "")).lower()
        if not isinstance(text, str) or not text or kind not in ("bearer", "dpop"):
            raise GatewayUnreachable("the token endpoint returned no usable token")
        told_s = told.get("expires_in")
        life_s = float(told_s) if isinstance(told_s, int | float) else 3600.0
        return Token(
            text=text,
            kind=kind,
            scope=str(told.get("scope") or asked_scope),
            refresh=str(told.get("refresh_token") or ""),
            # Counted from when it was asked for: what the answer took is not added to its life.
            ends_at=asked_at + life_s - min(EARLY_S, life_s / 4),
            issuer=self._server.issuer,
        )
