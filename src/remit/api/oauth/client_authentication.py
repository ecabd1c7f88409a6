# SPDX-License-Identifier: Apache-2.0
"""TokenClient authentication (RFC 6749 section 2.3): reading what a request shows of its client."""

from __future__ import annotations

import os
from typing import Final

from starlette.requests import Request

from remit.api.oauth.forms import Form, OAuthRefused
from remit.core.draft_names import JWT_SPIFFE_ASSERTION, SPIFFE_JWT_METHOD, SPIFFE_X509_METHOD
from remit.core.errors import Malformed
from remit.core.keys.jws import read_compact
from remit.core.oauth.client_assertion import ASSERTION_TYPE
from remit.ports.attestor import JWT_SPIFFE_TYPE, JWT_TYPE, ShownAssertion
from remit.ports.peers import Peer
from remit.services.assembly.services import Services
from remit.services.oauth.client_authentication import MAX_ASSERTION, TokenClient

#: Where the server puts the chain of the TLS client, DER, its own certificate first.
CERTIFICATE: Final = "remit.peer_certificate"

#: Where the server puts who is at the other end of its Unix socket.
PEER: Final = "remit.peer"

#: RFC 8414, RFC 8705 section 2, and the draft's names.
CERTIFICATE_METHODS: Final = ("self_signed_tls_client_auth", SPIFFE_X509_METHOD)
METHODS: Final = ("private_key_jwt", SPIFFE_JWT_METHOD, *CERTIFICATE_METHODS)


def certificate(request: Request) -> tuple[bytes, ...]:
    """Return the certificates that the client has shown in the TLS handshake."""
    return tuple(request.scope.get(CERTIFICATE) or ())


def peer(request: Request) -> Peer | None:
    """Return the process at the other end, for a request over the Unix socket."""
    found: Peer | None = request.scope.get(PEER)
    return found


def isolation(request: Request) -> str:
    """Return `none` where the process that asks runs as the user of remit, and could do what remit can."""
    local = peer(request)
    return "none" if local is not None and local.uid == os.geteuid() else ""


async def authenticate(request: Request, form: Form, house: Services, *, public: bool = False) -> TokenClient:
    """Return the client of a request; raises `OAuthRefused` or `Unauthenticated`.

    `public` lets an application with a metadata document come without proof: what it then gets rests on its
    code, or on the key of its refresh token.
    """
    client = await _authenticated(request, form, house, public=public)
    noticed(request, form, house, client)
    return client


def noticed(request: Request, form: Form, house: Services, client: TokenClient) -> None:
    """Note where a client has proven itself from, so that one identity in two hands is seen."""
    if client.attested is not None:
        house.sightings.proved(
            client.agent,
            client.attested,
            instance=client.attested.instance,
            address=request.client.host if request.client else "",
            manifest=form.get("manifest_digest")[:200],
        )


async def _authenticated(request: Request, form: Form, house: Services, *, public: bool) -> TokenClient:
    if scheme := request.headers.get("authorization", "").partition(" ")[0]:
        raise OAuthRefused(
            "invalid_client", "clients authenticate with an assertion or a certificate", scheme=scheme
        )
    client_id = form.get("client_id")
    if "client_assertion" in form or "client_assertion_type" in form:
        return await _by_assertion(form, house, client_id)
    chain = certificate(request)
    if chain and client_id and not (public and client_id.startswith("https://")):
        return await house.oauth.clients.by_certificate(chain, client_id)
    local = peer(request)
    if local is not None and not client_id.startswith("https://"):
        return await house.oauth.clients.by_peer(await local.shown(), client_id)
    if public and client_id:
        return await house.oauth.clients.public(client_id)
    raise OAuthRefused("invalid_client", f"send `client_assertion` with the type `{ASSERTION_TYPE}`")


async def _by_assertion(form: Form, house: Services, client_id: str) -> TokenClient:
    kind = form.get("client_assertion_type")
    if "client_assertion" not in form or kind not in (ASSERTION_TYPE, JWT_SPIFFE_ASSERTION):
        raise OAuthRefused("invalid_client", f"send `client_assertion` with the type `{ASSERTION_TYPE}`")
    assertion = form.need("client_assertion")
    if kind == JWT_SPIFFE_ASSERTION:
        return await house.oauth.clients.by_workload_token(assertion, JWT_SPIFFE_TYPE, client_id)
    if _of_platform(assertion) and house.attestors.judges(ShownAssertion(assertion, JWT_TYPE)):
        # RFC 7521 section 4.2: the assertion may be issued by somebody whom the server trusts.
        return await house.oauth.clients.by_workload_token(assertion, JWT_TYPE, client_id)
    return await house.oauth.clients.by_signature(assertion, client_id)


def _of_platform(assertion: str) -> bool:
    """Whether an assertion says that somebody else than its subject has issued it."""
    try:
        claims = read_compact(assertion, max_bytes=MAX_ASSERTION).claims
    except Malformed:
        return False
    return claims.get("iss") != claims.get("sub")
