# SPDX-License-Identifier: Apache-2.0
"""Authentication at the management endpoints: a person by a session, or an agent by an access token."""

from __future__ import annotations

import contextlib
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.requests import Request

from remit.api.rest.route import Endpoint, HttpOrigin, RestRequest, RestServices
from remit.core.errors import Fenced, Forbidden, Malformed, RemitError, Unauthenticated
from remit.core.oauth.access_token import AGENT_SCOPE, AccessClaims, wrong_audience
from remit.core.replicas.forwarding import Seen, written_chain
from remit.services.identity.permissions import require
from remit.services.limits.client_address import seen_from
from remit.services.limits.request_bodies import body_of
from remit.services.oauth.presented_tokens import PresentedToken

SESSION_PREFIX = "rms_"
MAX_BEARER = 16_384
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


S = TypeVar("S")


def own_origins(public_url: str) -> frozenset[str]:
    """Return the origins of remit's own pages; all names of the local machine count as the same host."""
    parts = urlsplit(public_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    hosts = _LOOPBACK if host in _LOOPBACK else (host,)
    return frozenset(f"{parts.scheme}://{name}{port}" for name in hosts)


def may_navigate(request: Request, pages: frozenset[str], *, below: str) -> bool:
    """Return whether a browser navigates to a page that other sites may link to: a top-level GET, not in a
    frame.

    These are `pages`, and every page at or below the path `below`.
    """
    path = request.url.path
    return (
        request.method in ("GET", "HEAD")
        and (path in pages or path.rpartition("/")[0] + "/" in pages or f"{path}/".startswith(f"{below}/"))
        and "origin" not in request.headers
        and request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        and request.headers.get("sec-fetch-dest", "document") == "document"
    )


def refuse_cross_site(request: Request, origins: frozenset[str]) -> None:
    """Refuse a cross-site request of a browser: there is no CORS here."""
    origin = request.headers.get("origin")
    if (origin is not None and origin.lower() not in origins) or request.headers.get(
        "sec-fetch-site"
    ) == "cross-site":
        raise Forbidden(
            "requests from other sites are refused", code="cross-site", remediation="use remit's own pages"
        )


def session_shown(request: Request) -> tuple[str, str]:
    """Return the authorization scheme in lower case, and a person's session secret.

    The secret is an empty text for another kind of credential (RFC 6750 section 2.1, RFC 9449 section 7.1).
    Raise `Unauthenticated` for more than one credential, or for a malformed one.
    """
    given = request.headers.getlist("authorization")
    scheme, _, secret = given[0].partition(" ")
    scheme, secret = scheme.lower(), secret.strip()
    if len(given) > 1 or scheme not in ("bearer", "dpop") or not secret or len(secret) > MAX_BEARER:
        raise Unauthenticated(
            "the credential is neither a bearer token nor a token with a proof",
            code="authorization",
            remediation="send `Authorization: Bearer ...`, or `DPoP ...` with a proof",
            step=1,
        )
    return scheme, secret if secret.startswith(SESSION_PREFIX) else ""


async def received(request: Request, endpoint: Endpoint[S], desk: RestServices, rooms: S) -> RestRequest[S]:
    """Return the request with its caller; raise `Unauthenticated`, or `Forbidden` for the wrong caller.

    A refused credential is recorded in the evidence.
    """
    client = request.client.host if request.client else ""
    proxied = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    place = {name: str(value) for name, value in request.path_params.items()}
    arrived = HttpOrigin(
        headers=tuple(request.scope["headers"]),
        seen=Seen(
            client=(client, request.client.port) if request.client else None,
            certificates=written_chain(request.scope.get("remit.peer_certificate", ())),
        ),
        passed_on="remit.passed_on" in request.scope,
    )
    errand = RestRequest(
        desk=desk,
        rooms=rooms,
        place=place,
        client=client,
        proxied=proxied,
        origin=seen_from(request.scope),
        arrived=arrived,
    )
    if endpoint.open:
        return errand
    try:
        if "authorization" not in request.headers:
            if endpoint.certificates and (chain := request.scope.get("remit.peer_certificate")):
                return await _certified(errand.by_certificates(tuple(chain)))
            raise Unauthenticated(
                "no credential was presented", code="no-credential", remediation="run `remit login`", step=1
            )
        scheme, secret = session_shown(request)
        if secret:
            if scheme == "dpop":
                jkt, nonce = desk.oauth.presented.proven(shown_by(request, desk.public_url), secret)
                request.state.nonce, errand = nonce, errand.proven_by(jkt)
            _refuse_governed(request, desk)
            known = await _person(errand, endpoint, secret)
            body_of(request.scope, f"person {known.someone.name}")
            return known
        found = desk.oauth.presented.identify(shown_by(request, desk.public_url), desk.clock.now())
        request.state.nonce = found.nonce
        body_of(request.scope, found.claims.client_id)
        return await _agent(errand.proven_by(found.proven.jkt), endpoint, found.claims)
    except Unauthenticated as error:
        with contextlib.suppress(RemitError):  # the refusal holds even if the store cannot record it
            await desk.identity.authenticator.refused(error, "api")
        raise


def _refuse_governed(request: Request, desk: RestServices) -> None:
    """Refuse a person's session that a program of a coding assistant under guard presents.

    The assistant's commands run as the person and can read the person's session.
    """
    server = request.scope.get("server")
    if request.client is None or not server or not server[1]:
        return
    if desk.governed((request.client.host, request.client.port), (str(server[0]), int(server[1]))):
        raise Forbidden(
            "a coding assistant under guard has started this program: it must not act as a person",
            code="governed-process",
            remediation="run the command in a terminal of your own",
            step=1,
        )


async def still(errand: RestRequest[S], endpoint: Endpoint[S]) -> RestRequest[S]:
    """Return the request with the caller's current state; raise the same errors as `received`.

    The sender decides how long a body takes: a caller who has since been signed out, or has lost a role, is
    refused.
    """
    if errand.person is not None:
        return await _person(errand, endpoint, errand.secret)
    if errand.certificates:
        return await _certified(errand)
    if errand.claims is not None:
        return await _agent(errand, endpoint, errand.claims)
    return errand


async def _certified(errand: RestRequest[S]) -> RestRequest[S]:
    """Return the request with the enforcement point to which the certificate's key or SPIFFE ID belongs."""
    desk = errand.desk
    now = int(desk.clock.now().timestamp())
    for name in ("", *desk.points):
        try:
            client = await desk.oauth.clients.by_certificate(errand.certificates, name)
        except (Unauthenticated, Malformed):
            continue
        claims = AccessClaims(
            issuer=desk.public_url,
            audience=(),
            subject=client.agent.name,
            client_id=client.agent.name,
            token_id="",
            issued=now,
            expires=now,
            tenant=desk.tenant,
            assurance=client.assurance,
            attestation=client.method,
            posture=client.posture,
            confirmation=client.confirmation,
            scope=AGENT_SCOPE,
        )
        return errand.by_agent(client.agent, claims)
    raise Unauthenticated(
        "the certificate does not belong to an enforcement point",
        code="certificate",
        remediation="bind its key or its SPIFFE ID to the agent that `enforcement_points` names",
        step=1,
    )


async def _person(errand: RestRequest[S], endpoint: Endpoint[S], secret: str) -> RestRequest[S]:
    person = await errand.desk.identity.authenticator.person(secret, errand.arrived.seen.jkt)
    if endpoint.people is None:
        raise Forbidden("only agents may do this", code="caller", remediation="use the agent's token")
    require(person, endpoint.people)
    return errand.by_person(person, secret)


def shown_by(request: Request, public_url: str) -> PresentedToken:
    """Return the credentials of a request: token or session, proofs, certificate."""
    path = request.scope.get("raw_path") or request.url.path.encode()
    return PresentedToken(
        authorization=request.headers.get("authorization"),
        method=request.method,
        url=public_url.rstrip("/") + path.decode("latin-1"),
        proofs=request.headers.getlist("dpop"),
        certificate=request.scope.get("remit.peer_certificate", ()),
        judged=request.scope.get("remit.proven", ""),
    )


async def _agent(errand: RestRequest[S], endpoint: Endpoint[S], claims: AccessClaims) -> RestRequest[S]:
    desk = errand.desk
    now = desk.clock.now()
    if not (endpoint.agents or endpoint.tasks):
        raise Forbidden("only people may do this", code="caller", remediation="sign in with `remit login`")
    api = desk.identity.authenticator.resources.api
    if api not in claims.audience:
        # RFC 9068 section 4: a token that was issued for another resource is refused here.
        raise wrong_audience(api)
    if claims.task:
        if not endpoint.tasks:
            raise Forbidden(
                "a token of a task cannot do this", code="caller", remediation="use the agent's own token"
            )
        try:
            live = await desk.live.bind(claims, now)
        except Fenced as ended:
            # The token of an ended task is refused everywhere, here too.
            raise Unauthenticated(
                ended.message, code=ended.code, remediation=ended.remediation, step=2
            ) from None
        agent = live.agent
    else:
        if not endpoint.agents or claims.scope != AGENT_SCOPE:
            raise Forbidden(
                "this needs the token of a task", code="caller", remediation="use the task's token"
            )
        found = await desk.identity.directory.find_agent(claims.client_id)
        if found is None:
            raise Unauthenticated("the agent is no longer registered", code="no-agent", step=1)
        agent = found
    if claims.issued < agent.tokens_from:
        raise Unauthenticated(
            "the token was withdrawn", code="token-withdrawn", remediation="ask for a new one", step=1
        )
    if not agent.usable:
        raise Unauthenticated(
            f"the agent is {agent.state.value}", code="agent-state", remediation="ask its owner", step=1
        )
    return errand.by_agent(agent, claims)
