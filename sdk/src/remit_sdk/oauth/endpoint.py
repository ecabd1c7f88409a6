# SPDX-License-Identifier: Apache-2.0
"""The token endpoint on the client's side: client authentication, requests, and tokens."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from remit_sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit_sdk.errors import GatewayRefused, GatewayUnreachable
from remit_sdk.key import AgentKey
from remit_sdk.oauth.discovery import IssuerMetadata
from remit_sdk.oauth.web import HttpPage, OAuthHttp

Json = Any

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds before its expiry from which a token is no longer used.
EARLY_S: Final = 10.0


class OAuthIdentity(NamedTuple):
    """A client at one authorization server: its ID, and its secret or key, if any.

    `method` is its authentication method (RFC 7591 `token_endpoint_auth_method`); if empty, it is
    `private_key_jwt` for a client with a key, else one that the server supports.
    """

    client_id: str
    secret: str = ""
    key: AgentKey | None = None
    method: str = ""

    def __repr__(self) -> str:
        """Return a text with the client's ID, without its secret."""
        return f"OAuthIdentity({self.client_id!r}, method={self.method!r})"


class Token(NamedTuple):
    """An access token with the values issued with it; `ends_at` is in monotonic clock time.

    `task` is the task to which remit has bound it, if any.
    """

    text: str
    kind: str
    scope: str
    refresh: str
    ends_at: float
    issuer: str
    task: str = ""

    def __repr__(self) -> str:
        """Return a text with the kind of token, without the token."""
        return f"Token({self.kind}, scope={self.scope!r})"

    @property
    def usable(self) -> bool:
        """Whether the token has not expired."""
        return time.monotonic() < self.ends_at


class TokenEndpoint:
    """One authorization server's token endpoint, for one client."""

    def __init__(
        self, web: OAuthHttp, server: IssuerMetadata, who: OAuthIdentity, prover: DpopProver | None
    ) -> None:
        """Keep the server and the client; with a prover, tokens are bound to its key (DPoP)."""
        self._web = web
        self._server = server
        self._who = who
        self._prover = prover

    async def ask(self, form: Mapping[str, str]) -> Token:
        """Request a token; raise `GatewayRefused` with the OAuth error as its code.

        A request is repeated only if the server did not process it for lack of a DPoP nonce, or because of
        its clock.
        """
        url = self._server.url("token_endpoint")
        asked_at = time.monotonic()
        for tries_left in reversed(range(PROOF_TRIES)):
            # Each attempt has a new client assertion and a new proof: both work once.
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
                # The issuer is the only audience that belongs to no other server.
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
            # `code` is more precise than OAuth's `error`, if the server is remit.
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
            # Counted from the time of the request, so that the duration of the answer does not extend the
            # lifetime.
            ends_at=asked_at + life_s - min(EARLY_S, life_s / 4),
            issuer=self._server.issuer,
            task=str(told.get("mission_id") or ""),
        )
