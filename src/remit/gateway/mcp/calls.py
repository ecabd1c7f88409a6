# SPDX-License-Identifier: Apache-2.0
"""Calls: every request that reaches an upstream goes through the nine steps and no other way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.deferred_call import EXTENSION
from remit.core.decisions.mediation import Answered, Delivery, End, Refused, Step
from remit.core.decisions.parked_call import can_park
from remit.core.errors import NotFound, RemitError, Unauthenticated
from remit.core.evidence.event import CallOutcome
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import (
    COMPLETION,
    INPUT,
    PROMPT_GET,
    RESERVED_OPERATIONS,
    RESOURCE_READ,
    RESOURCE_SUBSCRIBE,
)
from remit.gateway.approval_outcome import heard, page_of, wait_of, waits, within
from remit.gateway.asgi import Receive, Send
from remit.gateway.disconnects import WATCH_AFTER_S, DisconnectWatch
from remit.gateway.mcp.call_failures import NARROWED, failed_call, is_failed_call
from remit.gateway.mcp.elicitation import ask_client
from remit.gateway.mcp.headers import WAIT, McpHeaders, check_params
from remit.gateway.mcp.input_rounds import Rounds, declared, read_wanted
from remit.gateway.mcp.listing import Listing, Place
from remit.gateway.mcp.messages import (
    CANCELLED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    META_CAPABILITIES,
    META_LOG_LEVEL,
    RESOURCE_NOT_FOUND,
    Incoming,
    RequestId,
    WireFault,
    bad_params,
    fault_of,
    object_param,
    refusal,
    text_param,
)
from remit.gateway.mcp.questions import (
    OWN_KEY,
    SeenQuestions,
    action_of,
    opens_pages,
    page_question,
    page_wanted,
    parked,
    without_own,
)
from remit.gateway.mcp.response import LOG_LEVELS, Answer
from remit.gateway.mcp.sessions import Session
from remit.gateway.stated_reason import without_reason
from remit.gateway.tracing import travelling
from remit.ports.runtime import Clock, Turns
from remit.services.decisions.approvals import Approvals
from remit.services.limits.deadlines import Deadlines
from remit.services.mediation.mediator import Mediator, RequestedCall
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.pinned_tools import ToolCatalogue

UNSUBSCRIBE: Final = "resources/unsubscribe"
#: Methods that are calls, in both eras.
CALLS: Final = frozenset(("tools/call", "resources/read", "prompts/get", "completion/complete"))

#: Operations whose result never asks for input.
_ASKS_NOTHING: Final = frozenset((COMPLETION, RESOURCE_SUBSCRIBE))
#: Maximum number of input rounds of one call in a session.
MAX_ROUNDS: Final = 8
#: Seconds in which a call waits for an answer whose question its client's person has opened: many clients
#: give up after a minute.
OPENED_WAIT_S: Final = 50.0
#: Maximum number of characters of a name; MCP recommends at most 128.
MAX_NAME: Final = 256


class CallVisit:
    """One HTTP request at the endpoint, and its state so far."""

    __slots__ = (
        "agent",
        "answer",
        "begun",
        "claims",
        "head",
        "id",
        "modern",
        "origin",
        "place",
        "proven",
        "receive",
        "send",
        "session",
        "shown",
        "token",
        "tool",
    )

    claims: AccessClaims
    place: Place

    def __init__(self, head: McpHeaders, receive: Receive, send: Send) -> None:
        """Begin with only the headers known."""
        self.head = head
        self.receive = receive
        self.send = send
        self.token = ""
        self.proven = Confirmation()
        self.agent = ""
        self.origin = ""
        self.modern = False
        self.id: RequestId | None = None
        self.session: Session | None = None
        self.answer: Answer | None = None
        self.begun = False
        #: What the client's person did with remit's own question about the call; empty: it was not asked.
        self.shown = ""
        #: The tool that the request calls, by the agent's name of it.
        self.tool: str | None = None

    def read(self, message: Incoming) -> None:
        """Keep what every answer to a message depends on."""
        self.id = message.id
        if message.method == "tools/call" and message.id is not None:
            self.tool = _shown(message.params.get("name"))


class SilentSink:
    """A `Sink` for calls that the endpoint makes on an agent's behalf: it discards the answer."""

    async def release(self, chunk: Delivery) -> None:
        """Discard the chunk."""


class Calls:
    """Turns requests into calls, and their results into answers."""

    def __init__(
        self,
        *,
        clock: Clock,
        registry: ToolCatalogue,
        live: LiveTasks,
        approvals: Approvals,
        mediator: Mediator,
        listing: Listing,
        rounds: Rounds,
        seen: SeenQuestions,
        turns: Turns,
        public_url: str,
    ) -> None:
        """Keep the services, the lists of tasks, and the sealing of upstream states."""
        self.turns = turns
        self._seen = seen
        self._public_url = public_url
        self._clock = clock
        self._registry = registry
        self._live = live
        self._approvals = approvals
        self._mediator = mediator
        self._listing = listing
        self._rounds = rounds
        self._alarms = Deadlines()

    async def run(self, visit: CallVisit, message: Incoming, asked: RequestedCall | None = None) -> bool:
        """Take the call that a request asks for through the nine steps; return whether the upstream executed
        it.
        """
        if asked is None:
            asked = await self.asked(visit, message)
        token = message.meta.get("progressToken") if asked.wants_progress else None
        answer = Answer(
            visit.send,
            message.id,
            self.turns,
            modern=visit.modern,
            cacheable=asked.name == RESOURCE_READ,
            progress_token=token,
            log_level=asked.log_level,
            pass_on=self._passing(visit, asked) if _may_ask(asked) else None,
            able=asked.capabilities,
            as_result=partial(self.failure, visit),
        )
        return await self.watched(visit, message, answer, self._mediate(visit, message, asked, answer))

    async def watched(
        self, visit: CallVisit, message: Incoming, answer: Answer, work: Coroutine[Any, Any, bool]
    ) -> bool:
        """Run the work behind `answer` until the agent disconnects or cancels its request."""
        visit.answer = answer
        call = self._alarms.running()
        watch = DisconnectWatch(answer, visit.receive, call)
        self._alarms.start(watch, WATCH_AFTER_S)
        try:
            return await work
        except asyncio.CancelledError:
            session = visit.session
            if answer.gone:
                call.uncancel()
                return False
            if session is None or message.id not in session.dropped:
                raise
            call.uncancel()
            await answer.fail(WireFault("the request was cancelled", CANCELLED, code="cancelled"))
            return False
        finally:
            self._alarms.put_off(watch)
            watch.end()

    async def _mediate(
        self, visit: CallVisit, message: Incoming, asked: RequestedCall, answer: Answer
    ) -> bool:
        try:
            end = await self._answered_end(visit, message, asked, answer)
            asked, end = await self._less(message, asked, answer, end)
            for _ in range(MAX_ROUNDS):
                if answer.wanted is None:
                    break
                # Each round is a separate call: everything is decided again.
                asked = await self._answered(visit, asked, answer, answer.wanted)
                end = await self._mediator.run(asked, answer)
            if answer.wanted is not None:
                raise WireFault(
                    "the upstream asks too many questions", INTERNAL_ERROR, code="too-many-rounds"
                )
        except RemitError as error:
            if not answer.streaming and (isinstance(error, Unauthenticated) or error.step == Step.BIND):
                raise
            if isinstance(error, NotFound) and error.code == "no-upstream":
                error = unknown(visit, message)
            await answer.fail(fault_of(error))
            return False
        if isinstance(end, Refused):
            await answer.fail(await self._refusal(visit, message, end))
            return False
        return end.outcome is CallOutcome.OK

    async def made(self, visit: CallVisit, message: Incoming, asked: RequestedCall, answer: Answer) -> None:
        """Make a parked call whose question was answered; raise the error by which it is not decided now."""
        try:
            end = await self._mediator.run(asked, answer)
            _, end = await self._less(message, asked, answer, end)
        except RemitError as error:
            if error.step is None or error.step <= Step.BIND:
                raise
            await answer.fail(fault_of(error))
            return
        if isinstance(end, Refused):
            await answer.fail(await self._refusal(visit, message, end))

    async def _answered_end(
        self, visit: CallVisit, message: Incoming, asked: RequestedCall, answer: Answer
    ) -> End:
        """Return how a call ends; where it waits for a person, after the wait that its agent is ready for.

        A call that still waits is parked, or its client is asked to open the question's page, if it can.
        """

        def again() -> Awaitable[End]:
            return self._mediator.run(asked, answer)

        wait_s = wait_of(visit.head.get(WAIT).decode("latin-1"), self._left_s(visit))
        if visit.shown == "accept":
            wait_s = max(wait_s, within(OPENED_WAIT_S, self._left_s(visit)))
        end = await heard(await again(), again, self._approvals, wait_s)
        if not waits(end) or message.method != "tools/call":
            return end
        question = await self._approvals.find(end.decision.approval)
        if question is None or question.state is not ApprovalState.PENDING:
            return end
        if visit.shown:
            self._seen.add(question.id)
        page = page_of(self._public_url, question.id)
        opens = opens_pages(asked.capabilities) and question.id not in self._seen
        if knows_deferred(visit, message.meta) and can_park(question):
            await answer.tell(parked(question, page, created=True, asks=opens))
        elif not opens or INPUT in asked.arguments:
            return end
        elif visit.session is None:
            await answer.tell(page_wanted(question, page))
        elif await self._opened(visit.session, answer, question, page):
            wait_s = within(OPENED_WAIT_S, self._left_s(visit))
            return await heard(end, again, self._approvals, wait_s)
        return end

    def _left_s(self, visit: CallVisit) -> float:
        """Return the seconds that the token of a request still has."""
        return visit.claims.expires - self._clock.now().timestamp()

    async def _opened(self, session: Session, answer: Answer, question: Approval, page: str) -> bool:
        """Ask a session's client to open a question's page; return whether its person did."""
        asked = {OWN_KEY: page_question(question, page, session=True)}
        try:
            given = await ask_client(session, answer, asked)
        except WireFault:
            return False
        finally:
            self._seen.add(question.id)
        return action_of(given[OWN_KEY]) == "accept"

    async def _less(
        self, message: Incoming, asked: RequestedCall, answer: Answer, end: End
    ) -> tuple[RequestedCall, End]:
        """Make the narrower call that a person permitted instead, where the client wants that made."""
        if not isinstance(end, Refused) or end.decision.instead is None or not _takes_less(message):
            return asked, end
        # A separate call: everything is decided again, with the arguments that a person permitted.
        less = end.decision.instead
        answer.narrowed = msgspec.to_builtins(less)
        asked = msgspec.structs.replace(asked, arguments=less.arguments, defers=False)
        return asked, await self._mediator.run(asked, answer)

    def failure(self, visit: CallVisit, fault: WireFault) -> bytes | None:
        """Return the result that tells the failure of a tool's call; None for what stays an error."""
        if visit.tool is None or not is_failed_call(fault):
            return None
        found = visit.place.split(visit.tool)
        tool = self._registry.get("/".join(found)) if found else None
        # A client holds the values of an error, too, against the schema.
        schema = tool is not None and self._listing.has_result_schema(tool)
        return failed_call(fault, visit.tool, modern=visit.modern, schema=schema)

    def _passing(self, visit: CallVisit, asked: RequestedCall) -> Callable[[bytes], bytes]:
        """Return a function that converts a result that asks for input into the agent's form of it."""
        tool = f"{asked.upstream}/{asked.name}"
        return partial(
            self._rounds.passed_on,
            able=asked.capabilities,
            task=visit.claims.task,
            tool=tool,
            arguments=asked.arguments,
        )

    async def _answered(
        self, visit: CallVisit, asked: RequestedCall, answer: Answer, wanted: bytes
    ) -> RequestedCall:
        """Ask a session's client for the input that an upstream wants, over the stream of its call.

        Return the same call with the answers, as a client of 2026-07-28 would make it; raise `WireFault`.
        """
        session = visit.session
        assert session is not None
        answer.wanted = None
        questions, state = read_wanted(wanted, asked.capabilities)
        given: dict[str, Json] = {"responses": await ask_client(session, answer, questions)}
        if state is not None:
            given["state"] = state
        first = {name: value for name, value in asked.arguments.items() if name != INPUT}
        return msgspec.structs.replace(asked, arguments={**first, INPUT: given})

    async def _refusal(self, visit: CallVisit, message: Incoming, end: Refused) -> WireFault:
        if not end.request.grants and not end.request.observed:
            # An operation that is not granted does not exist for the agent; the evidence records the reason.
            return unknown(visit, message, end.decision.id)
        if not waits(end):
            return refusal(end)
        approval = await self._approvals.find(end.decision.approval)
        expires = approval.expires.isoformat(timespec="seconds") if approval else ""
        return refusal(end, expires, page_of(self._public_url, end.decision.approval))

    async def quietly(self, visit: CallVisit, upstream: str, name: str, arguments: dict[str, Json]) -> bool:
        """Make a call and discard its answer; return whether it was permitted and executed."""
        asked = RequestedCall(
            token=visit.token,
            proven=visit.proven,
            upstream=upstream,
            name=name,
            arguments=arguments,
            origin=visit.origin,
        )
        try:
            end = await self._mediator.run(asked, SilentSink())
        except Unauthenticated:
            raise
        except RemitError:
            return False
        return isinstance(end, Answered) and end.outcome is CallOutcome.OK

    # From a request to a call.

    async def asked(self, visit: CallVisit, message: Incoming) -> RequestedCall:
        """Return the call that a request asks for. It contains only values that are decided, no other
        params.
        """
        params = message.params
        method, reason = message.method, ""
        if method == "tools/call":
            upstream, name = self._tool(visit, text_param(params, "name"))
            arguments = object_param(params, "arguments")
            arguments, reason = without_reason(arguments)
            if visit.modern:
                await self._check_params(visit, upstream, name, arguments)
        elif method == "prompts/get":
            upstream, own = self._named(visit, message, text_param(params, "name"))
            name, arguments = PROMPT_GET, {"name": own}
            if params.get("arguments") is not None:
                arguments["arguments"] = object_param(params, "arguments")
        elif method == "completion/complete":
            name = COMPLETION
            upstream, arguments = await self._completion(visit, message)
        else:
            name = RESOURCE_READ if method == "resources/read" else RESOURCE_SUBSCRIBE
            uri = text_param(params, "uri")
            upstream, arguments = await self.owner(visit, message, name, uri), {"uri": uri}
        meta = message.meta
        if visit.modern and name not in _ASKS_NOTHING:
            params, visit.shown = without_own(params)
            arguments = self._rounds.taken(params, visit.claims.task, f"{upstream}/{name}", arguments)
        elif INPUT in arguments:
            raise bad_params(f"an argument must not be named `{INPUT}`")
        return RequestedCall(
            token=visit.token,
            proven=visit.proven,
            upstream=upstream,
            name=name,
            arguments=arguments,
            method=method if method == UNSUBSCRIBE else "",
            meta=travelling(meta) if meta else {},
            wants_progress=isinstance(meta.get("progressToken"), str | int),
            log_level=_log_level(visit, meta),
            capabilities=able_of(visit, meta),
            origin=visit.origin,
            reason=reason,
            defers=method == "tools/call" and knows_deferred(visit, meta) and self._listing.defers(upstream),
        )

    def _tool(self, visit: CallVisit, name: str) -> tuple[str, str]:
        """Return upstream and own name of a tool; an impossible name is one of no upstream.

        That call is decided and recorded, as one of a tool that is not granted is, and both are answered
        alike.
        """
        found = visit.place.split(name) if len(name) <= MAX_NAME else None
        # No tool has such a long name, which the evidence would contain several times.
        return ("", name[:MAX_NAME]) if found is None or found[1] in RESERVED_OPERATIONS else found

    def _named(self, visit: CallVisit, message: Incoming, name: str) -> tuple[str, str]:
        found = visit.place.split(name) if len(name) <= MAX_NAME else None
        if found is None:
            # No tool has such a long name, which the evidence would contain several times.
            raise unknown(visit, message)
        return found

    async def owner(self, visit: CallVisit, message: Incoming, operation: str, uri: str) -> str:
        """Return the upstream of a resource at this endpoint path."""
        if not visit.place.joined:
            return visit.place.upstreams[0]
        live = await self._live.bind(visit.claims, self._clock.now())
        try:
            found = self._listing.upstream_of(live, visit.place, operation, uri)
        except NotFound as error:
            raise bad_params(error.message, error.remediation) from None
        if not found:
            raise unknown(visit, message)
        return found

    async def _completion(self, visit: CallVisit, message: Incoming) -> tuple[str, dict[str, Json]]:
        params = message.params
        ref, argument = object_param(params, "ref"), object_param(params, "argument")
        if ref.get("type") == "ref/prompt":
            upstream, own = self._named(visit, message, text_param(ref, "name"))
            ref = {"type": "ref/prompt", "name": own}
        elif ref.get("type") == "ref/resource":
            uri = text_param(ref, "uri")
            upstream = await self.owner(visit, message, COMPLETION, uri)
            ref = {"type": "ref/resource", "uri": uri}
        else:
            raise bad_params("`ref` must be a prompt or a resource")
        arguments: dict[str, Json] = {"ref": ref, "argument": argument}
        if params.get("context") is not None:
            arguments["context"] = object_param(params, "context")
        return upstream, arguments

    async def _check_params(
        self, visit: CallVisit, upstream: str, name: str, arguments: dict[str, Json]
    ) -> None:
        """Compare repeated arguments, only for a tool that the task sees; nothing is revealed of other
        tools.
        """
        tool = self._registry.get(f"{upstream}/{name}")
        if tool is None or not (rules := self._listing.rules(tool)):
            return
        live = await self._live.bind(visit.claims, self._clock.now())
        if self._listing.tool(live, upstream, name) is not None:
            check_params(rules, visit.head, arguments)


def unknown(visit: CallVisit, message: Incoming, decision: str = "") -> WireFault:
    """Return the error for an object that does not exist for this task, by the ID of the decision on it."""
    params = message.params
    if message.method == "tools/call":
        return WireFault(
            f"Unknown tool: {_shown(params.get('name'))}",
            INVALID_PARAMS,
            code="unknown-tool",
            data={"decision": decision} if decision else {},
        )
    if message.method == "prompts/get":
        return WireFault(
            f"Unknown prompt: {_shown(params.get('name'))}", INVALID_PARAMS, code="unknown-prompt"
        )
    if message.method == "completion/complete":
        return WireFault("Unknown reference", INVALID_PARAMS, code="unknown-reference")
    uri = _shown(params.get("uri"))
    code = INVALID_PARAMS if visit.modern else RESOURCE_NOT_FOUND
    return WireFault(f"Resource not found: {uri}", code, code="unknown-resource", data={"uri": uri})


def _shown(name: Json) -> str:
    return name[:200] if isinstance(name, str) else ""


def able_of(visit: CallVisit, meta: dict[str, Json]) -> dict[str, Json]:
    """Return the kinds of input that the agent's client can provide."""
    if visit.modern:
        return declared(meta.get(META_CAPABILITIES))
    return visit.session.able if visit.session is not None else {}


def knows_deferred(visit: CallVisit, meta: dict[str, Json]) -> bool:
    """Return whether the agent's client supports deferred calls (the tasks extension of 2026-07-28)."""
    capabilities = meta.get(META_CAPABILITIES) if visit.modern else None
    if not capabilities:
        return False
    extensions = capabilities.get("extensions") if isinstance(capabilities, dict) else None
    return isinstance(extensions, dict) and isinstance(extensions.get(EXTENSION), dict)


def _takes_less(message: Incoming) -> bool:
    """Return whether the client wants the narrower call made that a person permitted."""
    return message.method == "tools/call" and message.meta.get(NARROWED) == "make"


def _may_ask(asked: RequestedCall) -> bool:
    return asked.name not in _ASKS_NOTHING and asked.follows is None


def _log_level(visit: CallVisit, meta: dict[str, Json]) -> str:
    level = meta.get(META_LOG_LEVEL) if visit.modern else visit.session.log_level if visit.session else ""
    return level if isinstance(level, str) and level in LOG_LEVELS else ""
