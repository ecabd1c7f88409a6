# SPDX-License-Identifier: Apache-2.0
"""Envoy's external authorization for MCP: requests to `/mcp/{upstream}` or `/mcp` that Envoy sends itself.

Envoy stands at remit's public address. It sends requests for some upstreams there itself and everything else
to remit, so tokens, their audiences and the addresses of proofs are those of remit's MCP endpoint. The checks
are that endpoint's, in its order:

1. where: the path in its one form, `Origin`
2. who: the token and the proof of its sender; nothing that Envoy says of the client counts
3. what: one whole, plain JSON-RPC message of which every part is decided (`methods`)
4. decide: steps 1 to 5 of a call, as for every enforcement point that only asks (`services.authzen`). Lists
   are answered here with what the task may see, and never by the upstream

What a proxy cannot do, remit does not expect of it: it carries out no obligation, it shows remit no result
(the task takes the worst that the tool is declared to bring), it holds no credential, and its call is outside
the fence once it is permitted. Streams (GET) and ends of sessions (DELETE) belong to no decision: 405.
"""

from __future__ import annotations

import base64
import logging
from typing import Any, Final

import orjson

from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Permitted, Refused, Step
from remit.core.errors import RemitError, Unauthenticated
from remit.core.evidence.event import CallOutcome
from remit.core.json_value import Json
from remit.core.tools.tool import RESERVED_OPERATIONS, Tool
from remit.gateway.approval_outcome import page_of
from remit.gateway.asgi import RequestsInProgress, origin_of, refused_header
from remit.gateway.ext_authz.check_request import CheckedRequest
from remit.gateway.ext_authz.check_response import AnsweredRequest, PassedRequest
from remit.gateway.ext_authz.methods import DECIDED, DENIED, MAX_SESSION, call_of, check_message
from remit.gateway.mcp.calls import MAX_NAME, CallVisit
from remit.gateway.mcp.endpoint import LEGACY, McpLimits, check_post
from remit.gateway.mcp.headers import NAME as NAME_HEADER
from remit.gateway.mcp.headers import (
    NAMED_BY,
    SESSION,
    VERSION,
    McpHeaders,
    check_modern,
    check_params,
    check_repeated,
    check_version,
    decoded,
    mismatch,
)
from remit.gateway.mcp.listing import Listing, Place
from remit.gateway.mcp.messages import (
    APPROVAL_REQUIRED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    META_CLIENT,
    META_VERSION,
    METHOD_NOT_FOUND,
    REFUSED,
    TASK_ENDED,
    UNAVAILABLE,
    ClientReply,
    Incoming,
    WireFault,
    bad_params,
    error_body,
    error_frame,
    fault_of,
    http_status,
    read_incoming,
    refusal,
    result_frame,
)
from remit.gateway.mcp.methods import CACHED, LISTS
from remit.gateway.protected_resource import ProtectedResource
from remit.gateway.stated_reason import HEADER, reason_of
from remit.ports.runtime import Clock
from remit.services.authzen.declared_mapping import MEMBER, Expressions, MappedEvaluation, mapped
from remit.services.authzen.enforcement_points import AskedSubject, EnforcementPoint, SubjectKind
from remit.services.authzen.evaluation import AuthzenEvaluations, EvaluationQuestion
from remit.services.decisions.approvals import Approvals
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.limits.client_address import place_of
from remit.services.mediation.call import RequestedCall
from remit.services.tasks.live_task import LiveTask
from remit.services.tasks.live_tasks import LiveTasks

_LOG = logging.getLogger(__name__)

#: The name of this enforcement point in the evidence.
NAME: Final = "envoy"
_REASON: Final = HEADER.encode()
#: COAZ-MCP has one code for refusals, and one for what could not be decided.
_CODES: Final = {
    **dict.fromkeys((REFUSED, APPROVAL_REQUIRED, TASK_ENDED, METHOD_NOT_FOUND), DENIED),
    UNAVAILABLE: INTERNAL_ERROR,
}


class ExtAuthzEndpoint:
    """Answers one `CheckRequest` after the other. For one event loop."""

    def __init__(
        self,
        *,
        point: EnforcementPoint,
        upstreams: frozenset[str],
        expressions: Expressions,
        public_url: str,
        resource: ProtectedResource,
        clock: Clock,
        live: LiveTasks,
        listing: Listing,
        answers: AuthzenEvaluations,
        approvals: Approvals,
        sightings: SharedIdentities,
        limits: McpLimits,
        in_hand: RequestsInProgress,
    ) -> None:
        """Take the services.

        The proxy may ask about requests for `upstreams`; `point` also names the resources of mappings,
        written in the language of `expressions`.
        """
        self._point = point
        self._upstreams = upstreams
        self._joined = tuple(sorted(upstreams))
        self._expressions = expressions
        self._base = public_url.rstrip("/")
        self._resource = resource
        self._clock = clock
        self._live = live
        self._listing = listing
        self._answers = answers
        self._approvals = approvals
        self._sightings = sightings
        self._limits = limits
        self._in_hand = in_hand

    async def check(self, asked: CheckedRequest) -> PassedRequest | AnsweredRequest:
        """Return what the proxy does with a request. Never raises: whatever fails is a refusal."""
        visit = CallVisit(McpHeaders(asked.headers), _nothing, _nowhere)
        self._in_hand.count += 1
        try:
            return await self._checked(asked, visit)
        except RemitError as error:
            return await self._refused(asked, visit, error)
        except Exception:  # noqa: BLE001 - the edge of the endpoint
            _LOG.exception("a check caused an internal error")
            return failed(WireFault("internal error", INTERNAL_ERROR, status=500, code="fault"))
        finally:
            self._in_hand.count -= 1
            if visit.agent:
                self._in_hand.remove(visit.agent)

    async def _checked(self, asked: CheckedRequest, visit: CallVisit) -> PassedRequest | AnsweredRequest:
        # 1
        origin = visit.head.values.get(b"origin")
        if origin is not None and (b"origin" in visit.head.twice or origin.lower() != self._own_origin):
            raise WireFault("this origin is not permitted", INVALID_REQUEST, status=403, code="origin")
        upstream = asked.upstream
        self._in_hand.check()
        # 2
        told = self._identify(asked, visit)
        if upstream and upstream not in self._upstreams:
            raise WireFault(
                "the proxy does not guard this upstream",
                DENIED,
                status=404,
                code="no-upstream",
                remediation="add it under `listen.ext_authz.upstreams` in remit.yaml",
            )
        names = (upstream,) if upstream else self._joined
        visit.place = Place(asked.path, names, joined=not upstream)
        # 3
        message = self._read(asked, visit)
        live = await self._live.bind(visit.claims, self._clock.now())
        self._live.check_running(live)
        # 4
        if message.method in DECIDED:
            decision, repeated = await self._decided(asked, visit, live, message)
            return PassedRequest(decision, told, repeated)
        if message.method in LISTS:
            return await self._listed(visit, live, message, told)
        await self._opened(visit, live, message)
        return PassedRequest(told=told)

    @property
    def _own_origin(self) -> bytes:
        return origin_of(self._base).encode()

    def _identify(self, asked: CheckedRequest, visit: CallVisit) -> tuple[tuple[bytes, bytes], ...]:
        """Authenticate the sender as the MCP endpoint does; return headers for the response."""
        head = visit.head
        shown = [value for name, value in asked.headers if name == b"authorization"]
        found = self._resource.identify(
            # A certificate that Envoy names is its word, and no proof.
            {"method": asked.method},
            authorization=shown,
            proofs=head.proofs,
            resource=asked.path,
            url=self._base + asked.path,
        )
        visit.token, visit.claims, visit.proven = found.token, found.claims, found.proven
        visit.agent, visit.origin = found.claims.client_id, place_of(asked.source)
        self._in_hand.add(visit.agent)
        self._sightings.shown(found.claims, visit.origin)
        return ((b"dpop-nonce", found.nonce.encode()),) if found.nonce else ()

    def _read(self, asked: CheckedRequest, visit: CallVisit) -> Incoming:
        """Return the message of a request that the upstream cannot read differently."""
        limits, head = self._limits, visit.head
        if asked.method != "POST":
            raise WireFault(
                f"`{asked.method[:20]}` is not supported here", INVALID_REQUEST, status=405,
                code="method-not-allowed", headers=((b"allow", b"POST"),),
            )  # fmt: skip
        check_post(head, limits.max_request_bytes)
        message = read_incoming(asked.body, max_bytes=limits.max_request_bytes, max_depth=limits.max_depth)
        if isinstance(message, ClientReply):
            visit.id = message.id
            raise WireFault(
                "answers to a server are not decided behind a proxy",
                DENIED,
                code="method",
                remediation="call this tool at remit's own MCP endpoint",
            )
        visit.id = message.id
        if head.twice:
            # The upstream could read the other one.
            raise mismatch(f"header `{min(head.twice).decode()}` is given more than once")
        if len(head.values.get(SESSION, b"")) > MAX_SESSION:
            raise bad_params(f"a session's id has at most {MAX_SESSION} bytes here", "begin another session")
        version = head.values.get(VERSION)
        visit.modern = not ((not version or version in LEGACY) and META_VERSION not in message.meta)
        if visit.modern and message.id is not None:
            check_modern(head, message)
        else:
            if visit.modern:
                check_version(decoded(version))
            check_repeated(head, message)
        check_message(message, frozenset(orjson.loads(asked.body)))
        return message

    async def _opened(self, visit: CallVisit, live: LiveTask, message: Incoming) -> None:
        """Take in what an upstream says of itself when a session begins: a proxy withholds nothing."""
        if message.method == "ping" or message.id is None:
            return
        self._sightings.program(visit.claims, visit_client(message))
        await self._listing.words(visit.claims, live, visit.place)
        live.index.unseen = True

    async def _listed(
        self, visit: CallVisit, live: LiveTask, message: Incoming, told: tuple[tuple[bytes, bytes], ...]
    ) -> AnsweredRequest:
        """Answer a list with what the task may see of the reviewed offer."""
        kind = LISTS[message.method]
        entries = await self._listing.entries(visit.claims, live, visit.place, kind)
        result: dict[str, Json] = {kind: [orjson.Fragment(entries)]}
        if visit.modern:
            result |= {"resultType": "complete", **CACHED}
        return AnsweredRequest(200, result_frame(message.id) + orjson.dumps(result) + b"}", told)

    async def _decided(
        self, asked: CheckedRequest, visit: CallVisit, live: LiveTask, message: Incoming
    ) -> tuple[str, frozenset[bytes]]:
        """Take the call through steps 1 to 5; return its decision and the headers that repeat parts of it.

        Raises `WireFault` for a refusal.
        """
        called, arguments = call_of(message)
        upstream, name = _of_place(visit.place, message, called)
        steps = [MappedEvaluation(upstream=upstream, name=name, arguments=arguments)]
        repeated = {NAME_HEADER} if message.method in NAMED_BY else set()
        if message.method == "tools/call":
            if len(name) > MAX_NAME or name in RESERVED_OPERATIONS:
                raise _unknown(message)
            tool = self._listing.tool(live, upstream, name)
            if tool is not None:
                if visit.modern:
                    rules = self._listing.rules(tool)
                    check_params(rules, visit.head, arguments)
                    repeated |= {header for _, header, _ in rules}
                steps[:0] = self._mapped(visit, tool, message)
        return await self._each(asked, visit, message, steps), frozenset(repeated)

    def _mapped(self, visit: CallVisit, tool: Tool, message: Incoming) -> tuple[MappedEvaluation, ...]:
        """Return what the call stands for by the tool's reviewed mapping; none without a mapping."""
        schema = self._listing.schema(tool)
        if not isinstance(schema, dict) or MEMBER not in schema:
            return ()
        claims = claims_in(visit.token)
        return mapped(schema[MEMBER], message.params, claims, self._expressions)

    async def _each(
        self, asked: CheckedRequest, visit: CallVisit, message: Incoming, steps: list[MappedEvaluation]
    ) -> str:
        """Decide every step, the call itself last; where one is refused, the permits before it end unused."""
        given: list[str] = []
        try:
            for one in steps:
                end = await self._answers.answer(self._question(asked, visit, one))
                if not isinstance(end, Permitted):
                    raise await self._denial(message, end)
                given.append(end.decision.id)
        except RemitError:
            for decision in given:
                await self._answers.report(self._point, decision, CallOutcome.NOT_SENT, 0)
            raise
        return given[-1]

    def _question(
        self, asked: CheckedRequest, visit: CallVisit, step: MappedEvaluation
    ) -> EvaluationQuestion:
        claims = visit.claims
        reasons = [value.decode("latin-1") for key, value in asked.headers if key == _REASON]
        call = RequestedCall(
            token=visit.token,
            proven=visit.proven,
            upstream=step.upstream,
            name=step.name,
            arguments=step.arguments,
            origin=visit.origin,
            reason=reason_of({HEADER: " ".join(reasons)}),
        )
        subject = AskedSubject(kind=SubjectKind.TASK, id=claims.task)
        # The agent itself proved its key here, so its own token is what may have to be bound to one.
        return EvaluationQuestion(
            point=self._point, caller=claims.principal, subject=subject, asked=call, claims=claims
        )

    async def _denial(self, message: Incoming, end: Refused) -> WireFault:
        if not end.request.grants and not end.request.observed:
            # An operation that is not granted does not exist for the agent; the evidence has the reason.
            return _unknown(message, end.decision.id)
        if end.decision.outcome is not Outcome.DEFER:
            return refusal(end)
        approval = await self._approvals.find(end.decision.approval)
        expires = approval.expires.isoformat(timespec="seconds") if approval else ""
        return refusal(end, expires, page_of(self._base, end.decision.approval))

    async def _refused(self, asked: CheckedRequest, visit: CallVisit, error: RemitError) -> AnsweredRequest:
        """Return the answer for an error; refusals of steps 1 and 2 are recorded, a flood is counted."""
        fault = fault_of(error)
        if await self._resource.refused(error, "ext_authz", visit.claims if visit.token else None):
            fault.step = error.step or Step.IDENTIFY
        if isinstance(error, Unauthenticated):
            fault.headers = self._resource.challenges(asked.path, error)
        fault.rpc_code = _CODES.get(fault.rpc_code, fault.rpc_code)
        return failed(fault, visit)


def failed(fault: WireFault, visit: CallVisit | None = None) -> AnsweredRequest:
    """Return a fault as an answer."""
    body = error_frame(visit.id if visit else None) + error_body(fault) + b"}"
    status = http_status(fault, modern=visit is not None and visit.modern)
    return AnsweredRequest(status, body, (refused_header(fault.code), *fault.headers))


def unreadable(error: RemitError) -> AnsweredRequest:
    """Return the answer to a check that contradicts itself, or of which a part is missing."""
    fault = fault_of(error)
    fault.status = 400
    return failed(fault)


def visit_client(message: Incoming) -> Any:
    """Return what a client says of its own program."""
    return message.meta.get(META_CLIENT) or message.params.get("clientInfo")


def _of_place(place: Place, message: Incoming, name: str) -> tuple[str, str]:
    """Return upstream and own name of what a message calls; at `/mcp` only names of tools say whose it is."""
    if not place.joined:
        return place.upstreams[0], name
    if message.method != "tools/call":
        raise WireFault(
            "only tools have their upstream's name at `/mcp`",
            DENIED,
            code="method",
            remediation="use the address of one upstream, `/mcp/{upstream}`",
        )
    found = place.split(name)
    if found is None:
        raise _unknown(message)
    return found


def _unknown(message: Incoming, decision: str = "") -> WireFault:
    """Return the denial of what does not exist for this task."""
    return WireFault(
        "this task has no such operation here",
        DENIED,
        code="unknown-tool" if message.method == "tools/call" else "unknown-operation",
        remediation="see the lists of this server",
        data={"decision": decision} if decision else {},
    )


def claims_in(token: str) -> dict[str, Json]:
    """Return the claims of a token that was validated before."""
    part = token.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return dict(claims)


async def _nothing() -> dict[str, Any]:
    """Receive nothing: a check has no connection to the client."""
    return {"type": "http.disconnect"}


async def _nowhere(_: Any) -> None:
    """Send nothing."""
