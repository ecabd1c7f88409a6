# SPDX-License-Identifier: Apache-2.0
"""What remit answers to the events of guarded clients.

1. a call is described, decided and recorded like any other, with the arguments that the client's own tool has
   in remit's terms; the client carries out what is permitted
2. its result is observed with its values before the model can act on it
3. a person's words become intent; words of another or unknown origin do not
4. a subagent is a child task, and a session's end is the end of its task
5. no call may change what guards the client, nor act as a person towards remit, whatever the rules say

A call of an MCP server that remit governs is decided by remit's own endpoint for MCP, not here as well; its
result is observed here, too, so that rules see what it brought to the session.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec

from remit.core.coding.calls import COPILOT, CodingCall, coding_call
from remit.core.coding.guard_files import acts_as_person, steers_client
from remit.core.coding.mcp_names import McpTool, hyphenated, mcp_tool
from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Outcome, Reason
from remit.core.errors import Forbidden, NotFound, RemitError
from remit.core.hooks.event import PASS, HookAnswer, HookEvent, HookKind, HookVerdict, refusal_text
from remit.core.hooks.forms import FORMS
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.transcripts.turns import WordsOrigin
from remit.ports.runtime import Processes, RunningProcess, Transcripts
from remit.services.flow.observation import Observation
from remit.services.guard.call import LATER, NO_SINK, HookedCall, HookedSteps, result_of
from remit.services.guard.client import GuardedClient, GuardMode
from remit.services.guard.relays import SessionRelays
from remit.services.guard.senders import HookSenders
from remit.services.guard.sessions import GuardSession, GuardSessions, WorkChain, give_up
from remit.services.guard.usage import GuardedUsage
from remit.services.guard.words import origin_by_event, origin_by_marks
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.dependencies import Dependencies
from remit.services.mediation.mediator import Mediator
from remit.services.tasks.tasks import MAX_GOAL_CHARS

#: Where clients keep what commands in the background have written.
_LATER: Final = re.compile(r"^/(?:private/)?tmp/claude-[^/]+/.+/tasks/[^/]+\.output$")
#: A file that a prompt mentions, and how many of a prompt's are looked at.
_MENTION: Final = re.compile(r"(?<!\S)@\"?([^\s\"@]{1,1000})")
_MENTIONS: Final = 50
_LOOKS: Final = frozenset({"file.read", "shell.look"})


#: Returns once the other end of a hook's connection is gone.
Disconnected = Callable[[], Awaitable[None]]


class GuardActivity(msgspec.Struct):
    """What a client has reported since this remit began."""

    last: datetime | None = None
    events: int = 0
    answers: Counter[str] = msgspec.field(default_factory=Counter)
    fault: str = ""


class CodingGuard:
    """Answers events. For one event loop."""

    def __init__(
        self,
        *,
        clients: Mapping[str, GuardedClient],
        sessions: GuardSessions,
        mediator: Mediator,
        parts: Dependencies,
        processes: Processes | None,
        transcripts: Transcripts | None,
        governed: Collection[str],
        usage: GuardedUsage,
    ) -> None:
        """Take the dependencies; `governed` are the upstreams whose calls remit's own endpoint decides."""
        self.clients = clients
        self.sessions = sessions
        self.activity = {name: GuardActivity() for name in clients}
        self._mediator = mediator
        self._parts = parts
        self._processes = processes
        self._senders = HookSenders(processes, parts.clock)
        self.relays = SessionRelays(processes, parts.clock)
        self._transcripts = transcripts
        self._governed = governed
        self._usage = usage
        self._running: set[asyncio.Task[Any]] = set()
        self._notices = 0

    async def answer(
        self,
        client: GuardedClient,
        event: HookEvent,
        connection: tuple[tuple[str, int], tuple[str, int]],
        gone: Disconnected,
    ) -> HookVerdict:
        """Return the verdict on an event that came over a connection (the client's end, remit's end).

        `gone` returns once the client does not wait for it any more. Raises `Forbidden` where another process
        than the session's client sent it, and what opening a task raises: each is a refusal.
        """
        activity = self.activity[client.name]
        activity.last, activity.events = self._parts.clock.now(), activity.events + 1
        session, event = await self._session(client, event, connection)
        session.hooks += 1
        await self._usage.take(session, event)
        verdict = await self._take(session, event, gone)
        for answers in (activity.answers, session.answers):
            answers[verdict.answer.value] += 1
        return verdict

    async def _session(
        self, client: GuardedClient, event: HookEvent, connection: tuple[tuple[str, int], tuple[str, int]]
    ) -> tuple[GuardSession, HookEvent]:
        """Return an event's session, and the event with what its process says of the author.

        A hook by a command speaks for the client that has started it.
        """
        by_command = FORMS[client.name].by_command
        hook, sender, inside = None, None, False
        if self._processes is not None:
            likely = [] if by_command else [one.pid for one in self.sessions.processes()]
            hook = self._processes.behind(*connection, likely=likely)
            sender = self._senders.client_of(hook) if by_command and hook is not None else hook
            if sender is None:
                raise Forbidden(
                    "the process that sent this hook cannot be seen, so it may be any",
                    code="hook-process",
                    remediation="run remit as the user of the client",
                )
            inside = self.governs(sender)
            newest = await self.sessions.newest(client) if self.relays.is_new(sender) else None
            self.relays.client_seen(
                sender,
                calls=event.kind in (HookKind.CALL, HookKind.RESULT),
                others_since=newest.opened if newest is not None else None,
            )
        name = self._senders.session_of(event)
        session = await self.sessions.of(client, name, sender, event.cwd, inside=inside)
        if by_command and event.kind in (HookKind.WORDS, HookKind.SESSION_ENDS):
            author = self._senders.author(sender, hook, busy=self.sessions.is_busy(sender))
            event = msgspec.structs.replace(event, source=author)
            if event.kind is HookKind.SESSION_ENDS and not author and sender is not None:
                # An agent would leave a task that a person has ended. A client that is gone is noticed.
                event = msgspec.structs.replace(event, kind=HookKind.OTHER)
        return session, event

    def governs(self, process: RunningProcess) -> bool:
        """Return whether a client's session has started a process, itself or by others."""
        known = self.sessions.processes()
        if not known or self._processes is None:
            return False
        return any(one in known for one in self._processes.above(process))

    def governs_connection(self, client: tuple[str, int], server: tuple[str, int]) -> bool:
        """Return whether a guarded session's client, or what it started, holds a connection's other end."""
        known = self.sessions.processes()
        if not known or self._processes is None:
            return False
        process = self._processes.behind(client, server)
        return process is not None and (process in known or self.governs(process))

    async def _take(self, session: GuardSession, event: HookEvent, gone: Disconnected) -> HookVerdict:
        match event.kind:
            case HookKind.CALL:
                await self._resolve_words(session)
                return await self._call(session, event, gone)
            case HookKind.RESULT:
                await self._result(session, event)
            case HookKind.WORDS:
                return await self._words(session, event)
            case HookKind.SUBAGENT_BEGINS:
                await self._resolve_words(session)
                await self.sessions.chain(session, event.agent)
            case HookKind.SUBAGENT_ENDS:
                await self.sessions.end(session, event.agent)
            case HookKind.TURN_ENDS:
                if (chain := session.chains.get("")) is not None:
                    give_up(chain)
            case HookKind.SESSION_ENDS:
                await self.sessions.end(session)
            case HookKind.SETTINGS:
                verdict = _settings(event)
                if verdict is not PASS:
                    await self.sessions.report(
                        session, "change", f"its settings were changed: {event.source}"
                    )
                return verdict
        return PASS

    # Calls.

    async def _call(self, session: GuardSession, event: HookEvent, gone: Disconnected) -> HookVerdict:
        if self._mcp(session, event) is not None:
            await self._share(session, event.agent)
            return PASS
        made = self.described(session, event)
        run = await self._decided(session, event.agent, event.call, made, _forbidden(made, event))
        if await self._heard(session.client, run, gone):
            run = await self._decided(session, event.agent, event.call, made, _forbidden(made, event))
        return self._verdict(session.client, event, run)

    async def _heard(self, client: GuardedClient, run: HookedCall, gone: Disconnected) -> bool:
        """Return whether an approver has answered a call that is to wait for it.

        The wait holds only the hook. INVARIANT: an answer that comes after the client has given up is left
        for the call that the client makes next.
        """
        waits = run.refusal
        if not client.wait_s or run.sent or waits is None or waits.outcome is not Outcome.DEFER:
            return False
        if not await self.sessions.has_approver(client):
            return False
        answer = asyncio.ensure_future(self._parts.approvals.settled(waits.approval, client.wait_s))
        left = asyncio.ensure_future(gone())
        try:
            await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                return False
            found = answer.result()
            return found is not None and found.state is not ApprovalState.PENDING
        finally:
            answer.cancel()
            left.cancel()

    async def _decided(
        self, session: GuardSession, agent: str, call: str, made: CodingCall, forbidden: Reason | None = None
    ) -> HookedCall:
        """Take a call up to step 7."""
        chain = await self.sessions.chain(session, agent)
        claims = await self.sessions.claims(chain.task)
        asked = RequestedCall(
            token="", upstream=session.client.name, name=made.tool, arguments=made.arguments
        )
        while call in chain.pending:
            call += "+"  # some clients have no ids, so that equal calls share one
        run = chain.pending[call] = HookedCall()
        run.driven = asyncio.get_running_loop().create_task(
            self._mediator.run(asked, NO_SINK, partial(HookedSteps, run, claims, forbidden))
        )
        self._running.add(run.driven)
        run.driven.add_done_callback(partial(self._over, run, session, chain, call))
        await run.settled
        return run

    def _over(
        self, run: HookedCall, session: GuardSession, chain: WorkChain, call: str, driven: asyncio.Task[Any]
    ) -> None:
        self._running.discard(driven)
        self._senders.call_ended(session.process)
        if chain.pending.get(call) is run:
            del chain.pending[call]
        if not driven.cancelled():
            driven.exception()  # retrieved: a call whose result was lost is awaited by no one
        run.settle()

    def described(self, session: GuardSession, event: HookEvent) -> CodingCall:
        """Return a client's call in remit's terms."""
        made = coding_call(
            session.client.name, event.tool, event.arguments, cwd=event.cwd, workspace=session.workspace
        )
        if made.tool in _LOOKS and any(_LATER.search(path) for path in made.paths):
            # What a command in the background has written is worth what the command has read.
            return CodingCall(tool=LATER, arguments={}, paths=made.paths)
        return made

    def _verdict(self, client: GuardedClient, event: HookEvent, run: HookedCall) -> HookVerdict:
        refusal = run.refusal
        if refusal is None:
            said = HookVerdict(answer=HookAnswer.ALLOW, text="permitted by remit")
            return PASS if client.silent_permits else said
        if not run.sent:
            return HookVerdict(answer=HookAnswer.DENY, text=refusal_text(event.tool, refusal))
        if client.mode is GuardMode.OBSERVE:
            return PASS
        return HookVerdict(answer=HookAnswer.ASK, text=refusal_text(event.tool, refusal))

    # Results.

    async def _result(self, session: GuardSession, event: HookEvent) -> None:
        mcp = self._mcp(session, event)
        if mcp is not None:
            given = event.arguments if isinstance(event.arguments, dict) else {}
            await self._observe(session, event, mcp, given)
            return
        chain = session.chains.get(event.agent)
        run = _oldest(chain, event.call) if chain is not None else None
        if run is not None:
            await run.close(event.text, error=event.error)
        elif FORMS[session.client.name].by_command:
            # A program of the agent may have reported another result before, by the same command.
            made = self.described(session, event)
            await self._observe(session, event, McpTool(session.client.name, made.tool), made.arguments)

    def _mcp(self, session: GuardSession, event: HookEvent) -> McpTool | None:
        """Return the tool of a governed MCP server that a call is about."""
        if session.client.name == COPILOT:
            return hyphenated(event.tool, self._governed)
        found = mcp_tool(event.tool)
        return found if found is not None and found.upstream in self._governed else None

    async def _share(self, session: GuardSession, agent: str) -> None:
        """Let the client's relays to MCP servers know what the session has read, before they are called.

        Those that are certainly the session's also get the person's words.
        INVARIANT: a label that was raised here is in the next commit of that task, before its call is sent.
        """
        chain = await self.sessions.chain(session, agent)
        own = self._parts.live.get(chain.task) or await self._parts.live.load(chain.task)
        relays = [one for one in self.relays.of(session.process) if await self._serves(session, one)]
        classes = self._parts.policies.applied.bundle.classes
        tasks = {one.task for open_ in self.sessions.open.values() for one in open_.chains.values()}
        # Which of the client's sessions a relay serves is not known: what each has read counts.
        known = [
            bound.index
            for open_ in self.sessions.open.values()
            if open_.client is session.client
            for one in open_.chains.values()
            if (bound := self._parts.live.get(one.task)) is not None
        ]
        for live in self._parts.live.all():
            if live.task.agent in session.client.relays and live.task.id not in tasks:
                if live.rise(own.label, classes):
                    live.raised_by = "guard"
                live.index.unseen |= own.label.trust is Trust.UNTRUSTED
                live.index.beside = tuple(known)
        for relay in relays:
            await self.sessions.bring_words(session, relay)

    async def _serves(self, session: GuardSession, relay: str) -> bool:
        """Return whether an open task is one of a client's relay; it is known from then on."""
        try:
            live = self._parts.live.get(relay) or await self._parts.live.load(relay)
            if live.task.agent in session.client.relays and live.task.active_at(self._parts.clock.now()):
                return True
        except NotFound:
            pass
        self.relays.forget(relay)
        return False

    async def _observe(
        self, session: GuardSession, event: HookEvent, tool: McpTool, given: dict[str, Json]
    ) -> None:
        """Take in the result of a call that is closed, or that remit decided at its own endpoint."""
        chain = await self.sessions.chain(session, event.agent)
        parts, now = self._parts, self._parts.clock.now()
        claims = await self.sessions.claims(chain.task)
        live = await parts.live.bind(claims, now)
        steps = parts.authorizer.describing(claims.principal, live, tool.upstream, tool.name, given, now)
        request = await parts.observer.turns.take(steps)
        chunk = result_of(event.text, error=event.error)
        await parts.observer.observe(Observation(live, request, 0, "", lambda: None), chunk)

    # Words.

    async def _words(self, session: GuardSession, event: HookEvent) -> HookVerdict:
        chain = await self.sessions.chain(session, "")
        headless = session.client.headless_words
        origin = origin_by_event(event, inside=session.inside, headless=headless)
        if origin is WordsOrigin.HUMAN:
            give_up(chain)  # the person goes on: what was rejected or broken off is not reported
            await self.sessions.state(session, event.text[:MAX_GOAL_CHARS])
        elif origin is WordsOrigin.UNKNOWN:
            if not FORMS[session.client.name].by_command:
                session.unknown.append((event.transcript, event.prompt, event.text))
        else:
            return await self._notice(session, event)
        await self._mentioned(session, event)
        return PASS

    async def _mentioned(self, session: GuardSession, event: HookEvent) -> None:
        """Take on the labels of files that a prompt mentions (`@path`): they come without a hook."""
        for path in _MENTION.findall(event.text)[:_MENTIONS]:
            self._notices += 1
            given: Json = {"file_path": path}
            made = coding_call(session.client.name, "Read", given, cwd=event.cwd, workspace=session.workspace)
            run = await self._decided(session, event.agent, f"mention {self._notices}", made)
            await run.close("", error=False)

    async def _resolve_words(self, session: GuardSession) -> None:
        """Ask the transcript about words of unknown origin: the client writes it after its event."""
        if not session.unknown or self._transcripts is None:
            return
        waiting, session.unknown = session.unknown, []
        headless = session.client.headless_words
        for path, prompt, text in waiting:
            marks = await asyncio.to_thread(self._transcripts.marks, path, prompt, text)
            if origin_by_marks(marks, headless=headless) is WordsOrigin.HUMAN:
                await self.sessions.state(session, text[:MAX_GOAL_CHARS])

    async def _notice(self, session: GuardSession, event: HookEvent) -> HookVerdict:
        """Take in words that are not the person's as data: a notice may repeat what a subagent has read."""
        self._notices += 1
        made = CodingCall(tool=LATER, arguments={})
        run = await self._decided(session, event.agent, f"notice {self._notices}", made)
        if not run.sent and (refusal := run.refusal) is not None:
            return HookVerdict(answer=HookAnswer.DENY, text=refusal_text("a notice of the client", refusal))
        await run.close(event.text, error=False)
        return PASS

    async def close(self) -> None:
        """Stop waiting for results."""
        for session in tuple(self.sessions.open.values()):
            for chain in session.chains.values():
                give_up(chain)
        if self._running:
            await asyncio.wait(self._running)

    def failed(self, client: GuardedClient, fault: RemitError) -> None:
        """Keep what went wrong with a client's hook, for `status`."""
        self.activity[client.name].fault = f"{fault.code}: {fault.message}"


def _oldest(chain: WorkChain, call: str) -> HookedCall | None:
    """Return the first of the calls that share an id."""
    return next((run for name, run in chain.pending.items() if name.rstrip("+") == call.rstrip("+")), None)


def _forbidden(made: CodingCall, event: HookEvent) -> Reason | None:
    """Return why no rule may permit a call."""
    if path := steers_client(made, event.cwd):
        return Reason(
            code="guarded-file",
            text=f"`{path[:200]}` decides which hooks a client runs, and so what remit sees",
            rule="remit's guard",
            remediation="a person changes that file in their own editor",
        )
    if acts_as_person(made):
        return Reason(
            code="governed-process",
            text="commands of remit by which a person acts are not for agents",
            rule="remit's guard",
            remediation="a person runs it in another terminal",
        )
    return None


def _settings(event: HookEvent) -> HookVerdict:
    """Block a change of settings while a session is open: it could switch the hooks off."""
    if event.source == "skills":
        return PASS
    return HookVerdict(
        answer=HookAnswer.DENY,
        text="remit guards this session, so that changed settings take effect in the next session only",
    )
