# SPDX-License-Identifier: Apache-2.0
"""Client authentication (RFC 6749 section 2.3): reads the client's credentials from a request."""

from __future__ import annotations

import os
from typing import Final

from starlette.requests import Request

from remit.api.oauth.forms import Form, OAuthRefused
from remit.api.oauth.rooms import OAuthRooms
from remit.core.draft_names import (
    JWT_SPIFFE_ASSERTION,
    SPIFFE_JWT_METHOD,
    SPIFFE_X509_METHOD,
    WIT_HEADER,
    WPT_HEADER,
    WPT_SCHEME,
)
from remit.core.errors import Malformed
from remit.core.keys.jws import read_compact
from remit.core.oauth.client_assertion import ASSERTION_TYPE
from remit.ports.attestor import JWT_SPIFFE_TYPE, JWT_TYPE, ShownAssertion
from remit.ports.peers import Peer
from remit.services.oauth.client_authentication import MAX_ASSERTION, TokenClient

#: Scope key under which the server puts the TLS client's certificate chain: DER, the client's own certificate
#: first.
CERTIFICATE: Final = "remit.peer_certificate"

#: Scope key under which the server puts the peer of its Unix socket.
PEER: Final = "remit.peer"

#: Method names of RFC 8414, RFC 8705 section 2, and the draft.
CERTIFICATE_METHODS: Final = ("self_signed_tls_client_auth", SPIFFE_X509_METHOD)
METHODS: Final = ("private_key_jwt", SPIFFE_JWT_METHOD, *CERTIFICATE_METHODS)


def certificate(request: Request) -> tuple[bytes, ...]:
    """Return the certificates that the client presented in the TLS handshake."""
    return tuple(request.scope.get(CERTIFICATE) or ())


def peer(request: Request) -> Peer | None:
    """Return the process at the other end of the Unix socket; `None` for any other connection."""
    found: Peer | None = request.scope.get(PEER)
    return found


def isolation(request: Request) -> str:
    """Return `none` if the calling process runs as remit's own user, and so could do anything that remit
    can.
    """
    local = peer(request)
    return "none" if local is not None and local.uid == os.geteuid() else ""


async def authenticate(
    request: Request, form: Form, rooms: OAuthRooms, *, public: bool = False
) -> TokenClient:
    """Return the client of a request; raise `OAuthRefused` or `Unauthenticated`.

    `public` permits an application with a metadata document to come without authentication: its access then
    depends on its code, or on the key of its refresh token.
    """
    client = await _authenticated(request, form, rooms, public=public)
    noticed(request, form, rooms, client)
    return client


def noticed(request: Request, form: Form, rooms: OAuthRooms, client: TokenClient) -> None:
    """Note where a client authenticated from, to detect one identity in two places."""
    if client.attested is not None:
        rooms.findings.sightings.proved(
            client.agent,
            client.attested,
            instance=client.attested.instance,
            address=request.client.host if request.client else "",
            manifest=form.get("manifest_digest")[:200],
        )


async def _authenticated(request: Request, form: Form, rooms: OAuthRooms, *, public: bool) -> TokenClient:
    if WIT_HEADER in request.headers:
        return await _by_proof(request, form, rooms)
    if scheme := request.headers.get("authorization", "").partition(" ")[0]:
        raise OAuthRefused(
            "invalid_client", "clients authenticate with an assertion or a certificate", scheme=scheme
        )
    client_id = form.get("client_id")
    if "client_assertion" in form or "client_assertion_type" in form:
        return await _by_assertion(form, rooms, client_id)
    chain = certificate(request)
    if chain and client_id and not (public and client_id.startswith("https://")):
        return await rooms.oauth.clients.by_certificate(chain, client_id)
    local = peer(request)
    if local is not None and not client_id.startswith("https://"):
        return await rooms.oauth.clients.by_peer(await local.shown(), client_id)
    if public and client_id:
        return await rooms.oauth.clients.public(client_id)
    raise OAuthRefused("invalid_client", f"send `client_assertion` with the type `{ASSERTION_TYPE}`")


async def _by_proof(request: Request, form: Form, rooms: OAuthRooms) -> TokenClient:
    """Return the client of a WIT-SVID (draft-ietf-wimse-wpt); its proof comes in one of two headers."""
    tokens = request.headers.getlist(WIT_HEADER)
    schemes = [one.partition(" ") for one in request.headers.getlist("authorization")]
    proofs = [proof.strip() for scheme, _, proof in schemes if scheme.lower() == WPT_SCHEME]
    proofs += request.headers.getlist(WPT_HEADER)
    if len(tokens) != 1 or len(proofs) != 1 or len(schemes) > 1 or "client_assertion" in form:
        raise OAuthRefused(
            "invalid_client",
            "a workload identity token comes with one proof, and nothing else",
            scheme="WPT",
            remediation="send `Workload-Identity-Token`, and its proof as `Authorization: WPT ...`",
        )
    url = rooms.identity.authenticator.issuer.rstrip("/") + request.url.path
    return await rooms.oauth.clients.by_proof(tokens[0].strip(), proofs[0], url, form.get("client_id"))


async def _by_assertion(form: Form, rooms: OAuthRooms, client_id: str) -> TokenClient:
    kind = form.get("client_assertion_type")
    if "client_assertion" not in form or kind not in (ASSERTION_TYPE, JWT_SPIFFE_ASSERTION):
        raise OAuthRefused("invalid_client", f"send `client_assertion` with the type `{ASSERTION_TYPE}`")
    assertion = form.need("client_assertion")
    if kind == JWT_SPIFFE_ASSERTION:
        return await rooms.oauth.clients.by_workload_token(assertion, JWT_SPIFFE_TYPE, client_id)
    if _of_platform(assertion) and rooms.identity.attestors.judges(ShownAssertion(assertion, JWT_TYPE)):
        # RFC 7521 section 4.2: an issuer that the server trusts may issue the assertion.
        return await rooms.oauth.clients.by_workload_token(assertion, JWT_TYPE, client_id)
    return await rooms.oauth.clients.by_signature(assertion, client_id)


def _of_platform(assertion: str) -> bool:
    """Return whether the issuer of an assertion differs from its subject."""
    try:
        claims = read_compact(assertion, max_bytes=MAX_ASSERTION).claims
    except Malformed:
        return False
    return claims.get("iss") != claims.get("sub")
