# SPDX-License-Identifier: Apache-2.0
"""Ways to get a token. Each grant makes one attempt: a refusal is raised, and no other grant is tried
instead.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from remit_sdk.dpop import DpopProver
from remit_sdk.errors import AgentFault, GatewayRefused
from remit_sdk.oauth.discovery import IssuerMetadata, Resource
from remit_sdk.oauth.endpoint import OAuthIdentity, Token, TokenEndpoint
from remit_sdk.oauth.web import OAuthHttp, checked_url

Json = Any

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"
#: draft-ietf-oauth-identity-assertion-authz-grant.
ID_JAG: Final = "urn:ietf:params:oauth:token-type:id-jag"
OFFLINE: Final = "offline_access"


class GrantContext(NamedTuple):
    """The purpose of a token: a resource, at a server, with scopes (separated by spaces, or none)."""

    web: OAuthHttp
    resource: Resource
    server: IssuerMetadata
    scope: str
    prover: DpopProver | None

    def form(self, **more: str) -> dict[str, str]:
        """Return a form for the token endpoint, with resource (RFC 8707) and scope."""
        scope = {"scope": self.scope} if self.scope else {}
        return {**more, **scope, "resource": self.resource.resource}

    def endpoint(self, who: OAuthIdentity) -> TokenEndpoint:
        """Return the token endpoint for a client."""
        return TokenEndpoint(self.web, self.server, who, self.prover)


class TokenGrant(Protocol):
    """A way to get a token."""

    async def token(self, occasion: GrantContext) -> Token:
        """Request a token; raise `GatewayRefused`, or `AgentFault` if an answer cannot be trusted."""
        ...

    async def refresh(self, occasion: GrantContext, held: Token) -> Token:
        """Replace a token by the next one; raise the same errors as `token`."""
        ...


class _Renewed:
    """Grants whose tokens are requested again instead of refreshed."""

    async def token(self, occasion: GrantContext) -> Token:
        raise NotImplementedError

    async def refresh(self, occasion: GrantContext, held: Token) -> Token:
        return await self.token(occasion)


@dataclass(frozen=True, slots=True)
class ClientCredentials(_Renewed):
    """The client acts for itself (RFC 6749 section 4.4), authenticated by its key or secret."""

    who: OAuthIdentity

    async def token(self, occasion: GrantContext) -> Token:
        """Request a token."""
        return await occasion.endpoint(self.who).ask(occasion.form(grant_type="client_credentials"))


@dataclass(frozen=True, slots=True)
class WorkloadAssertion(_Renewed):
    """A workload authenticates by the token of its platform (RFC 7523 section 2.1). `assertion` returns the
    newest one.
    """

    client_id: str
    assertion: Callable[[], Awaitable[str]]

    async def token(self, occasion: GrantContext) -> Token:
        """Request a token."""
        who = OAuthIdentity(self.client_id, method="none")
        form = occasion.form(grant_type=JWT_BEARER, assertion=await self.assertion())
        return await occasion.endpoint(who).ask(form)


@dataclass(frozen=True, slots=True)
class EnterpriseGrant(_Renewed):
    """The organisation's provider confirms a person (MCP's enterprise-managed authorization).

    The steps: ID token, then ID-JAG, then a token of the resource's own server.
    """

    who: OAuthIdentity
    provider_token_endpoint: str
    provider_client: OAuthIdentity
    id_token: Callable[[], Awaitable[str]]

    async def token(self, occasion: GrantContext) -> Token:
        """Request a token from the provider, then from the authorization server."""
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "requested_token_type": ID_JAG,
            "subject_token": await self.id_token(),
            "subject_token_type": ID_TOKEN,
            "audience": occasion.server.issuer,
            "resource": occasion.resource.resource,
            "client_id": self.provider_client.client_id,
        }
        if occasion.scope:
            form["scope"] = occasion.scope
        if self.provider_client.secret:
            form["client_secret"] = self.provider_client.secret
        page = await occasion.web.post(checked_url(self.provider_token_endpoint), form, {})
        told = page.json()
        assertion = told.get("access_token")
        if page.status != 200 or not isinstance(assertion, str) or told.get("issued_token_type") != ID_JAG:
            raise GatewayRefused(
                str(told.get("error_description") or "the provider returned no ID-JAG")[:600],
                status=page.status,
                code=str(told.get("error") or ""),
            )
        form = occasion.form(grant_type=JWT_BEARER, assertion=assertion)
        return await occasion.endpoint(self.who).ask(form)


@dataclass(slots=True)
class AuthorizationCode:
    """A person consents in their browser (RFC 6749 section 4.1, PKCE S256, RFC 9207).

    `visit` shows the person a URL and returns the URL to which they were redirected. The client's identity
    comes from `registered` (by issuer), else from `document` (a client ID metadata document), else from
    dynamic registration. INVARIANT: data from one authorization server is never sent to another.
    """

    redirect_uri: str
    visit: Callable[[str], Awaitable[str]]
    registered: Mapping[str, OAuthIdentity]
    document: str = ""
    client_name: str = "remit"
    offline: bool = False

    def __post_init__(self) -> None:
        """Begin with the preregistered clients."""
        self.registered = dict(self.registered)

    async def token(self, occasion: GrantContext) -> Token:
        """Ask the person for consent, and exchange the code."""
        server = occasion.server
        if "S256" not in server.names("code_challenge_methods_supported"):
            raise AgentFault(f"the authorization server `{server.issuer}` does not offer PKCE with S256")
        if self.offline and OFFLINE in server.names("scopes_supported"):
            occasion = occasion._replace(scope=f"{occasion.scope} {OFFLINE}".strip())
        who = await self._client(occasion)
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        code = await self._code(occasion, who, verifier, state)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
            "resource": occasion.resource.resource,
        }
        token = await occasion.endpoint(who).ask(form)
        return token if token.scope else token._replace(scope=occasion.scope)

    async def refresh(self, occasion: GrantContext, held: Token) -> Token:
        """Use the refresh token; the new token replaces it (rotation)."""
        who = self.registered.get(held.issuer)
        if not held.refresh or who is None or held.issuer != occasion.server.issuer:
            return await self.token(occasion)
        form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
        form["resource"] = occasion.resource.resource
        fresh = await occasion.endpoint(who).ask(form)
        return fresh._replace(refresh=fresh.refresh or held.refresh, scope=fresh.scope or held.scope)

    async def _code(self, occasion: GrantContext, who: OAuthIdentity, verifier: str, state: str) -> str:
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": who.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "state": state,
            "resource": occasion.resource.resource,
        }
        if occasion.scope:
            asked["scope"] = occasion.scope
        if occasion.prover is not None:
            # RFC 9449 section 10: the code works only with this key.
            asked["dpop_jkt"] = occasion.prover.key.thumbprint
        url = occasion.server.url("authorization_endpoint")
        back = await self.visit(url + ("&" if urlsplit(url).query else "?") + urlencode(asked))
        return checked_response(back, self.redirect_uri, state, occasion.server)

    async def _client(self, occasion: GrantContext) -> OAuthIdentity:
        server = occasion.server
        known = self.registered.get(server.issuer)
        if known is not None:
            return known
        if self.document and server.says("client_id_metadata_document_supported"):
            who = OAuthIdentity(self.document, method="none")
        else:
            who = await self._register(occasion)
        assert isinstance(self.registered, dict)
        self.registered[server.issuer] = who
        return who

    async def _register(self, occasion: GrantContext) -> OAuthIdentity:
        """Register at the server (RFC 7591); the registration is used only there."""
        server = occasion.server
        known = server.names("token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        able = ("none", "client_secret_basic", "client_secret_post")
        method = next((one for one in able if one in known), "none")
        asked: dict[str, Json] = {
            "client_name": self.client_name,
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": method,
            "application_type": "native",
        }
        page = await occasion.web.post_json(server.url("registration_endpoint"), asked)
        told = page.json()
        if page.status not in (200, 201) or not isinstance(told.get("client_id"), str):
            raise GatewayRefused(
                "the authorization server registered no client",
                status=page.status,
                code=str(told.get("error") or ""),
            )
        secret = str(told.get("client_secret") or "")
        given = str(told.get("token_endpoint_auth_method") or method)
        return OAuthIdentity(told["client_id"], secret, method=given)


def checked_response(url: str, redirect_uri: str, state: str, server: IssuerMetadata) -> str:
    """Return the code of an authorization response; raise `AgentFault` for a response to another request.

    RFC 6749 section 4.1.2, RFC 9207 section 2.4: `iss` is compared as a string if present, and must be
    present if the server declares that it sends it. This check comes before any other value is used, also
    before an error.
    """
    if url.partition("?")[0] != redirect_uri.partition("?")[0]:
        raise AgentFault("the authorization response came to another address")
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    told = dict(pairs)
    if len(told) != len(pairs):
        raise AgentFault("the authorization response repeats a parameter")
    if not hmac.compare_digest(told.get("state", "").encode(), state.encode()):
        raise AgentFault("the authorization response belongs to another request")
    demanded = server.says("authorization_response_iss_parameter_supported")
    if ("iss" in told or demanded) and told.get("iss") != server.issuer:
        raise AgentFault(f"the authorization response is not from `{server.issuer}`")
    if "error" in told:
        raise GatewayRefused(
            told.get("error_description", "the authorization server refused")[:600],
            status=400,
            code=told["error"][:100],
        )
    if not told.get("code"):
        raise AgentFault("the authorization response has no code")
    return told["code"]
