# SPDX-License-Identifier: Apache-2.0
"""The management endpoints as one ASGI application: REST, token endpoint, health, metrics, OpenAPI."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from remit.api import log_tiles
from remit.api.authzen.paths import METADATA_PATH as AUTHZEN_METADATA_PATH
from remit.api.console import routes as console_routes
from remit.api.console.page import ROOT as CONSOLE_PATH
from remit.api.health import Health
from remit.api.http_messages import answer, body, no_body, no_query, problem, query, read, shaped
from remit.api.oauth import routes as oauth_routes
from remit.api.oauth.browser import routes as people_routes
from remit.api.oauth.paths import ACCOUNT_PATH, METADATA_PATH
from remit.api.openapi import OPENAPI_PATH, document
from remit.api.rest.authentication import may_navigate, own_origins, received, refuse_cross_site, still
from remit.api.rest.route import Endpoint, FilesNow, RestRequest, RestServices
from remit.api.rooms import console_rooms, endpoint_rooms, health_rooms, oauth_rooms, page_rooms
from remit.api.route_table import ENDPOINTS
from remit.api.spiffe.trust_bundle import BUNDLE_PATH, trust_bundle
from remit.api.ssf import routes as ssf_routes
from remit.core.errors import ConfigInvalid, Malformed, NotFound, RemitError
from remit.core.policy.bundle import Bundle
from remit.services.assembly.services import Services
from remit.services.limits.sign_in_attempts import SignInAttempts

log = logging.getLogger("remit.api")

#: The paths of this application. The front dispatches requests for these paths here.
PATHS = (
    "/api/",
    "/oauth/",
    METADATA_PATH,
    "/access/",
    AUTHZEN_METADATA_PATH,
    "/ssf/",
    "/scim/",
    "/tlog/",
    CONSOLE_PATH,
    f"{CONSOLE_PATH}/",
    "/health/",
    "/metrics",
)

Serve = Callable[[Request], Awaitable[Response]]


def app(
    services: Services,
    *,
    reload: Callable[[], Bundle],
    reread: Callable[[], FilesNow] | None = None,
    remote_sign_in: bool = False,
    max_body_bytes: int = 1024 * 1024,
    max_depth: int = 64,
    watch_s: float = 0.5,
) -> Starlette:
    """Return the application.

    `reload` reads the policy bundle from its files and raises `ConfigInvalid`. `reread` also reads the modes,
    and the sections that take effect at the next start. Both are called in a thread.
    `remote_sign_in` permits sign-in with a code from other machines. Client addresses are those of the
    connection: the server in front of this application must not take them from a header.
    """
    desk = RestServices(
        tenant=services.tenant,
        public_url=services.public_url,
        clock=services.clock,
        tasks=services.tasks.tasks,
        live=services.tasks.live,
        identity=services.identity,
        oauth=services.oauth,
        points=services.answers.points,
        governed=services.guard.governs_connection,
        reload=reload,
        reread=reread or (lambda: FilesNow(bundle=reload())),
        started=services.clock.now(),
        remote_sign_in=remote_sign_in,
        max_body_bytes=max_body_bytes,
        max_depth=max_depth,
        watch_s=watch_s,
        tries=SignInAttempts(services.clock),
    )
    origins = own_origins(services.public_url)
    pages = people_routes.routes(page_rooms(services), desk.tries, remote_sign_in=remote_sign_in)
    console = console_routes.routes(console_rooms(services))
    # Routes are tried in this order: the most frequent requests come first.
    rest = _rest(desk, endpoint_rooms(services))
    routes = [*_others(services), *rest, *_scim(services, desk), *pages, *console]
    guarded = [
        Route(path, _edge(_methods(serving), origins), methods=sorted(serving)) for path, serving in routes
    ]
    made = Starlette(routes=guarded, exception_handlers={HTTPException: _unknown})
    made.router.redirect_slashes = False
    return made


def _scim(services: Services, desk: RestServices) -> Iterable[tuple[str, dict[str, Serve]]]:
    if not services.identity.provisioning.providers:
        return ()
    try:
        from remit.api.scim.routes import routes
    except ModuleNotFoundError:
        raise ConfigInvalid(
            "`agents.scim` needs `scim2-server`", remediation="install it: `pip install 'remit[scim]'`"
        ) from None
    return routes(services.identity.provisioning, desk)


def _rest(desk: RestServices, rooms: dict[type[object], object]) -> Iterable[tuple[str, dict[str, Serve]]]:
    by_path: dict[str, dict[str, Serve]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = _serving(
            endpoint, desk, rooms[endpoint.rooms]
        )
    return by_path.items()


def _others(services: Services) -> Iterable[tuple[str, dict[str, Serve]]]:
    health = Health(health_rooms(services))

    async def live(_: Request) -> Response:
        return health.live()

    async def ready(_: Request) -> Response:
        return await health.ready()

    async def metrics(request: Request) -> Response:
        return await health.metrics(alone="remit.passed_on" in request.scope)

    async def openapi(_: Request) -> Response:
        return answer(await asyncio.to_thread(document))

    issuing = services.identity.issuing
    return (
        *oauth_routes.routes(oauth_rooms(services)),
        *ssf_routes.routes(services.signals, services.public_url),
        *log_tiles.public_routes(services.evidence),
        *(((BUNDLE_PATH, {"GET": partial(trust_bundle, issuing)}),) if issuing is not None else ()),
        ("/health/live", {"GET": live}),
        ("/health/ready", {"GET": ready}),
        ("/metrics", {"GET": metrics}),
        (OPENAPI_PATH, {"GET": openapi}),
    )


def _serving(endpoint: Endpoint[Any], desk: RestServices, rooms: object) -> Serve:
    async def serve(request: Request) -> Response:
        errand = await received(request, endpoint, desk, rooms)
        try:
            given = await _read(request, endpoint, errand)
        except Malformed as error:
            if endpoint.lenient and error.code in ("content-type", "content-encoding"):
                raise Malformed(error.message, remediation=error.remediation) from None
            raise
        if endpoint.method != "GET":
            # An empty body, too, ends when its sender wants.
            given = await still(given, endpoint)
        result = await endpoint.serve(given)
        response = result if isinstance(result, Response) else answer(result, endpoint.status)
        if nonce := getattr(request.state, "nonce", ""):
            # RFC 9449 section 8.2: the nonce for the next proof.
            response.headers["DPoP-Nonce"] = nonce
        return response

    return serve


async def _read(request: Request, endpoint: Endpoint[Any], errand: RestRequest[Any]) -> RestRequest[Any]:
    """Read body and query, once the caller is known to be permitted to call."""
    asked = taken = None
    if endpoint.asks is not None:
        asked = query(request, endpoint.asks)
    else:
        no_query(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (decode := endpoint.decodes.get(media)) is not None:
        taken = shaped(
            decode(await read(request, media, errand.desk.max_body_bytes)), endpoint.takes, strict=True
        )
    elif endpoint.takes is not None:
        taken = await body(
            request, endpoint.takes, max_bytes=errand.desk.max_body_bytes, max_depth=errand.desk.max_depth
        )
    elif request.method == "POST":
        await no_body(request)
    return errand.saying(body=taken, query=asked)


def _methods(serving: dict[str, Serve]) -> Serve:
    async def serve(request: Request) -> Response:
        # A HEAD is answered like a GET: the server omits the body.
        method = "GET" if request.method == "HEAD" else request.method
        return await serving[method](request)

    return serve


def _edge(serve: Serve, origins: frozenset[str]) -> Serve:
    """Return a handler that turns exceptions into problems and reveals nothing of an internal defect."""

    async def edge(request: Request) -> Response:
        response = await answered(request)
        if (given := request.headers.get("x-request-id")) is not None:
            # AuthZEN section 10.1.3: return the caller's request ID unchanged.
            response.headers["X-Request-ID"] = given
        return response

    async def answered(request: Request) -> Response:
        try:
            if not may_navigate(request, people_routes.NAVIGABLE, below=CONSOLE_PATH):
                refuse_cross_site(request, origins)
            return await serve(request)
        except RemitError as error:
            response = problem(error)
            if response.status_code == 500:
                log.error("%s %s: %s", request.method, request.url.path, error.message, exc_info=error)
            return response
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            return problem(RemitError("internal error", code="defect"))

    return edge


async def _unknown(request: Request, error: Exception) -> Response:
    """Answer a request for an unknown path or an unsupported method."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 405:
        response = problem(
            Malformed(
                f"method `{request.method}` is not supported here",
                code="method",
                remediation=f"see {OPENAPI_PATH}",
            )
        )
        headers = getattr(error, "headers", None) or {}
        response.headers.update({"Allow": headers["Allow"]} if "Allow" in headers else {})
        return response
    if request.url.path == "/" and "text/html" in request.headers.get("accept", ""):
        # A person with a browser: their account is one page.
        return RedirectResponse(ACCOUNT_PATH, status_code=303)
    return problem(NotFound("no resource at this path", code="no-route", remediation=f"see {OPENAPI_PATH}"))
