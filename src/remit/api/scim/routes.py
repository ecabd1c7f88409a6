# SPDX-License-Identifier: Apache-2.0
"""The routes of SCIM: who asks, and the answer in SCIM's form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import orjson
from scim2_models import Error, SCIMException
from scim2_server.requests import ScimRequest
from scim2_server.responses import SCIM_MEDIA_TYPE, ScimResponse
from scim2_server.service import ScimService
from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import HEADERS, problem, read, status_of
from remit.api.rest.authentication import received, session_shown, still
from remit.api.rest.route import Endpoint, RestRequest, RestServices
from remit.api.scim.agent_resource import service
from remit.api.scim.agent_storage import AgentEndpoint
from remit.core.canonical import MAX_REQUEST_VALUES, parse_strict
from remit.core.errors import Forbidden, Malformed, RemitError
from remit.services.identity.provisioning import IdentityProvider, Provisioning
from remit.services.limits.request_bodies import body_of

Serve = Callable[[Request], Awaitable[Response]]

ROOT: Final = "/scim/v2"
_CONFIG_PATH: Final = "/ServiceProviderConfig"
#: An agent's record is short; a long filter costs time for each agent.
MAX_BODY: Final = 64 * 1024
MAX_QUERY: Final = 4096
_SEARCH: Final = "/.search"


async def _never(_: RestRequest[Any]) -> None:
    raise Forbidden("nothing is served here")


_CALLER: Final = Endpoint[Any](method="GET", path=ROOT, summary="Manage agents", serve=_never, agents=True)


def routes(provisioning: Provisioning, desk: RestServices) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Return the paths of SCIM, with the handler of each method."""
    protocol = ScimService(service())

    async def serve(request: Request) -> Response:
        try:
            return _answer(await _served(request, protocol, provisioning, desk))
        except SCIMException as error:
            return _answer(protocol.error_response(error))
        except RemitError as error:
            return _failed(error)

    methods: dict[str, Serve] = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), serve)
    return ((ROOT, methods), (ROOT + "/{path:path}", methods))


async def _served(
    request: Request, protocol: ScimService, provisioning: Provisioning, desk: RestServices
) -> ScimResponse:
    path = "/" + str(request.path_params.get("path", ""))
    asked = ScimRequest(
        method=request.method,
        base_url=desk.public_url + ROOT,
        path=path,
        query=_query(request),
        headers=[(name, value) for name, value in request.headers.items()],
    )
    if path == _CONFIG_PATH and request.method == "GET":
        # RFC 7643 section 5: how to authenticate is to be read before authentication.
        with protocol.provider:
            return protocol.service_provider_config(asked.url, asked.query)
    known = provisioning.by_secret(_bearer(request))
    if known is None:
        errand = await received(request, _CALLER, desk, None)
        known = _provider(errand, provisioning)
        asked.body = await _body(request, known)
        # The sender decides how long a body takes.
        known = _provider(await still(errand, _CALLER), provisioning)
    else:
        asked.body = await _body(request, known)
    if path.rstrip("/").lower().endswith(_SEARCH) and len(asked.body) > MAX_QUERY:
        raise Malformed(f"a search has more than {MAX_QUERY} bytes", remediation="shorten the filter")
    return await AgentEndpoint(protocol, provisioning, known).handle(asked)


def _bearer(request: Request) -> str:
    if "authorization" not in request.headers:
        return ""
    scheme, _ = session_shown(request)
    return request.headers["authorization"].partition(" ")[2].strip() if scheme == "bearer" else ""


def _provider(errand: RestRequest[Any], provisioning: Provisioning) -> IdentityProvider:
    if errand.agent is None or errand.claims is None:
        raise Forbidden(
            "only identity providers may do this", code="caller", remediation="use /api/v1/agents"
        )
    return provisioning.by_agent(errand.agent, errand.claims)


def _query(request: Request) -> dict[str, str]:
    if len(request.scope["query_string"]) > MAX_QUERY:
        raise Malformed(f"the query has more than {MAX_QUERY} bytes", remediation="shorten it")
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Malformed(f"`{name[:80]}` is given twice", remediation="give it once")
        given[name] = value
    return given


async def _body(request: Request, provider: IdentityProvider) -> bytes:
    body_of(request.scope, provider.by)
    # RFC 7644 section 8.1: `application/json` is accepted, too.
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    taken = await read(
        request, "application/json" if media == "application/json" else SCIM_MEDIA_TYPE, MAX_BODY
    )
    if taken:
        parse_strict(taken, max_bytes=MAX_BODY, max_depth=16, max_values=MAX_REQUEST_VALUES)
    return taken


def _answer(response: ScimResponse) -> Response:
    content = b"" if response.body is None else orjson.dumps(response.body)
    return Response(content, status_code=int(response.status), headers={**response.headers, **HEADERS})


def _failed(error: RemitError) -> Response:
    """Return an error in SCIM's form (RFC 7644 section 3.12), with the headers of the other endpoints."""
    status = status_of(error)
    detail = str(error) if status != HTTPStatus.INTERNAL_SERVER_ERROR else "internal error"
    kind = "invalidValue" if status == HTTPStatus.BAD_REQUEST else None
    told = Error(status=status, scim_type=kind, detail=detail).model_dump()
    headers = {
        name: value
        for name, value in problem(error).headers.items()
        if name not in ("content-length", "content-type")
    }
    return Response(orjson.dumps(told), status_code=status, headers=headers, media_type=SCIM_MEDIA_TYPE)
