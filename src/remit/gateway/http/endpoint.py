# SPDX-License-Identifier: Apache-2.0
"""The HTTP endpoint: `/http/{upstream}/...` for each upstream that is an HTTP API, as one ASGI application.

The checks, in this order; each one refuses the request if it fails:

1. where: the path, `Origin` (against DNS rebinding)
2. how much: a limit on requests in progress
3. who: the token, never from the query, and the proof of its sender (401 with RFC 9728 metadata)
4. what: method and path match a route, and so a tool; parameters are its arguments

The endpoint adds no rules. Every request to an upstream goes through `services.mediation.mediator`, and is
built from the decided values: it contains none of the request's own bytes. An operation that is not granted
to the task is answered like one that does not exist.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Refused, Step
from remit.core.errors import Malformed, NotFound, RemitError, Unauthenticated
from remit.core.ids import NAME
from remit.core.json_value import Json
from remit.core.oauth.resource import HTTP_PATH, JOINED_PATH
from remit.core.tools.http_api import REQUEST, ApiRequest, Route, found_route, read_arguments
from remit.gateway.approval_outcome import HEADER, heard, page_of, wait_of
from remit.gateway.asgi import (
    Receive,
    RequestsInProgress,
    Scope,
    Send,
    check_length,
    foreign,
    raw_path,
    read_body,
    refused_header,
    respond,
    with_nonce,
)
from remit.gateway.disconnects import WATCH_AFTER_S, DisconnectWatch
from remit.gateway.http.head import ApiHead
from remit.gateway.http.problems import (
    PROBLEM_TYPE,
    HttpProblem,
    problem_of,
    refusal,
    unknown_api,
    unknown_route,
)
from remit.gateway.http.request_state import ApiVisit
from remit.gateway.http.response import ApiAnswer
from remit.gateway.protected_resource import METADATA, ProtectedResource
from remit.gateway.stated_reason import reason_of
from remit.gateway.tracing import travelling
from remit.ports.runtime import Clock
from remit.ports.upstream import HttpUpstream
from remit.services.decisions.assembly import DecisionServices
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.limits.client_address import sender_of
from remit.services.limits.deadlines import Deadlines
from remit.services.limits.request_bodies import body_of
from remit.services.mediation.mediator import Mediator, RequestedCall
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.pinned_tools import ToolCatalogue

_LOG = logging.getLogger(__name__)

PREFIX: Final = HTTP_PATH
#: Maximum number of characters of an unknown operation that are recorded in the evidence.
MAX_NAME: Final = 200


_OWN: Final = (b"/http/", METADATA.encode() + b"/http/")


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the endpoint; sizes in bytes, times in seconds."""

    max_request_bytes: int = 4 * 1024 * 1024
    max_depth: int = 64
    max_calls_in_flight: int = 1024
    max_calls_per_agent: int = 512
    body_timeout_s: float = 30.0
    reader_timeout_s: float = 60.0


class HttpEndpoint:
    """The ASGI application. Used from one event loop."""

    def __init__(
        self,
        *,
        public_url: str,
        resource: ProtectedResource,
        clock: Clock,
        apis: Mapping[str, HttpUpstream],
        sightings: SharedIdentities,
        registry: ToolCatalogue,
        live: LiveTasks,
        decisions: DecisionServices,
        mediator: Mediator,
        limits: HttpLimits | None = None,
        in_hand: RequestsInProgress | None = None,
    ) -> None:
        """Keep the services. `in_hand` is shared with other endpoints."""
        self._clock = clock
        self._sightings = sightings
        self._registry = registry
        self._live = live
        self._authorizer = decisions.authorizer
        self._approvals = decisions.approvals
        self._mediator = mediator
        self._limits = limits or HttpLimits()
        self._resource = resource
        self._base = public_url.rstrip("/")
        self._apis = apis
        self._in_hand = in_hand or RequestsInProgress(
            most=self._limits.max_calls_in_flight, most_of_agent=self._limits.max_calls_per_agent
        )
        self._bodies, self._alarms = Deadlines(), Deadlines()

    def owns(self, path: bytes) -> bool:
        """Return whether a path, as it was sent, belongs to this endpoint."""
        return path.startswith(_OWN) or path == b"/http"

    # One request.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["path"].startswith(METADATA):
            await self._resource.metadata(scope, send)
            return
        visit = ApiVisit(ApiHead(scope["headers"]), receive, send, *below(raw_path(scope)))
        self._in_hand.count += 1
        try:
            await self._serve(scope, visit)
        except RemitError as error:
            await self._refuse(visit, error)
        except Exception:  # noqa: BLE001 - the edge of the endpoint
            # An internal defect: the agent learns nothing else.
            _LOG.exception("a request caused an internal error")
            await self._fail(visit, HttpProblem("internal error", 500, code="fault"))
        finally:
            self._in_hand.count -= 1
            if visit.agent:
                self._in_hand.remove(visit.agent)

    async def _serve(self, scope: Scope, visit: ApiVisit) -> None:
        if foreign(visit.head.values, visit.head.twice, {self._base}):
            raise HttpProblem("this origin is not permitted", 403, code="origin")
        self._in_hand.check()
        # Without the name of an API the caller is still authenticated.
        resource = f"{PREFIX}/{visit.upstream}" if visit.upstream else ""
        found = self._resource.identify(
            scope,
            authorization=visit.head.authorization,
            proofs=visit.head.proofs,
            resource=resource,
            url=self._base + raw_path(scope).decode("latin-1"),
        )
        visit.token, visit.claims, visit.proven = found.token, found.claims, found.proven
        visit.origin = sender_of(scope)
        self._sightings.shown(found.claims, visit.origin)
        if found.nonce:
            visit.send = with_nonce(visit.send, found.nonce.encode())
        visit.agent = found.claims.client_id
        self._in_hand.add(visit.agent)
        body_of(scope, visit.agent)
        api = self._apis.get(visit.upstream)
        if api is None:
            raise unknown_api(self._base + PREFIX, visit.claims.task)
        matched = found_route(api.api, scope["method"], visit.path)
        if matched is None:
            name = f"{scope['method']} {visit.path.decode('ascii', 'backslashreplace')}"
            await self._call(visit, name[:MAX_NAME], {})
            return
        route, segments = matched
        try:
            arguments = await self._arguments(scope, visit, route, segments)
        except Malformed as fault:
            fault.step = Step.DESCRIBE
            # If the task cannot see an operation, nothing of it is revealed, not even its parameters.
            if not await self._sees(visit, route):
                raise self._unknown(visit) from None
            raise
        await self._call(visit, route.name, arguments)

    async def _arguments(
        self, scope: Scope, visit: ApiVisit, route: Route, segments: list[str]
    ) -> dict[str, Json]:
        limits, head = self._limits, visit.head
        media = head.media
        check_length(head.get("content-length").encode("latin-1"), limits.max_request_bytes)
        asking = ApiRequest(
            method=scope["method"],
            path=visit.path,
            query=scope.get("query_string", b""),
            headers=head.meant(route),
            media=media,
            body=await read_body(
                visit.receive,
                max_bytes=limits.max_request_bytes,
                timeout_s=limits.body_timeout_s,
                alarms=self._bodies,
            ),
        )
        return read_arguments(
            route, segments, asking, max_bytes=limits.max_request_bytes, max_depth=limits.max_depth
        )

    async def _sees(self, visit: ApiVisit, route: Route) -> bool:
        live = await self._live.bind(visit.claims, self._clock.now())
        tool = self._registry.get(f"{visit.upstream}/{route.name}")
        observed = self._authorizer.observes(visit.upstream)
        return tool is not None and live.sees(tool, observed=observed)

    # The call.

    async def _call(self, visit: ApiVisit, name: str, arguments: dict[str, Json]) -> None:
        """Take the call through the nine steps, and cancel it when the agent disconnects."""
        asked = RequestedCall(
            token=visit.token,
            proven=visit.proven,
            upstream=visit.upstream,
            name=name,
            arguments=arguments,
            method=REQUEST,
            meta=travelling(visit.head.values),
            origin=visit.origin,
            reason=reason_of(visit.head.values),
        )
        left_s = visit.claims.expires - self._clock.now().timestamp()
        wait_s = wait_of(visit.head.get(HEADER), left_s)
        answer = visit.answer = ApiAnswer(
            visit.send, self._locating(visit), patience_s=self._limits.reader_timeout_s
        )
        call = asyncio.current_task()
        assert call is not None
        watch = DisconnectWatch(answer, visit.receive, call)
        self._alarms.start(watch, WATCH_AFTER_S)
        try:
            end = await self._mediator.run(asked, answer)
            end = await heard(end, lambda: self._mediator.run(asked, answer), self._approvals, wait_s)
        except asyncio.CancelledError:
            if not answer.gone:
                raise
            call.uncancel()
            return
        except NotFound as error:
            if error.code in ("no-upstream", "unknown-route"):
                raise self._unknown(visit) from None
            raise
        finally:
            self._alarms.put_off(watch)
            watch.end()
        if isinstance(end, Refused):
            raise await self._refusal(visit, end)

    def _locating(self, visit: ApiVisit) -> Callable[[str], str]:
        # The visit refers to the answer: a reference back would keep both until a collection of all objects.
        where = self._where(visit)
        return lambda below_api: where + below_api

    def _where(self, visit: ApiVisit) -> str:
        """Return the URL of the upstream for the agent."""
        return f"{self._base}{PREFIX}/{visit.upstream}"

    def _unknown(self, visit: ApiVisit) -> HttpProblem:
        tools = f"{self._base}{JOINED_PATH}/{visit.upstream}"
        return unknown_route(self._where(visit), tools, visit.claims.task)

    async def _refusal(self, visit: ApiVisit, end: Refused) -> HttpProblem:
        if not end.request.grants:
            # An operation that is not granted does not exist for the agent; the evidence records the reason.
            return self._unknown(visit)
        if end.decision.outcome is not Outcome.DEFER:
            return refusal(end)
        approval = await self._approvals.find(end.decision.approval)
        expires = approval.expires.isoformat() if approval else ""
        return refusal(end, expires, page_of(self._base, end.decision.approval))

    # Answers other than results.

    async def _fail(self, visit: ApiVisit, problem: HttpProblem) -> None:
        if visit.answer is not None and visit.answer.begun:
            # The answer is left incomplete: the server closes the connection.
            return
        lines = (PROBLEM_TYPE, refused_header(problem.code), *problem.headers)
        await respond(visit.send, problem.status, problem.body(), lines)

    async def _refuse(self, visit: ApiVisit, error: RemitError) -> None:
        """Answer an error; record refusals of steps 1 and 2 in the evidence, and only count a flood of
        them.
        """
        problem = problem_of(error)
        if await self._resource.refused(error, "http", visit.claims if visit.token else None):
            problem.step = error.step or Step.IDENTIFY
        if isinstance(error, Unauthenticated):
            problem.headers = self._resource.challenges(f"{PREFIX}/{visit.upstream}", error)
        await self._fail(visit, problem)


def below(path: bytes) -> tuple[str, bytes]:
    """Return the upstream that a path names (empty for none), and the path below it."""
    name, slash, rest = path.removeprefix(b"/http").removeprefix(b"/").partition(b"/")
    text = name.decode("ascii", "replace")
    return (text if NAME.match(text) else ""), slash + rest or b"/"
