# SPDX-License-Identifier: Apache-2.0
"""A task as a block, and functions under remit's decisions.

import remit_sdk as remit

async with remit.task("settle-complaint", customer="C-1") as task:

    @task.guard(tool="billing/refund")
    async def refund(customer: str, cents: int) -> str: ...

    await refund("C-1", 500)

The same with `with`, for programs without an event loop (`remit_sdk.task_loop`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, overload

from remit_sdk.bound_arguments import BoundArguments
from remit_sdk.errors import AgentFault, CallFailed, GatewayRefused, GatewayUnreachable
from remit_sdk.json_results import UNWRITTEN, sendable, text_of
from remit_sdk.key import AgentKey
from remit_sdk.refusal import CallPermit, CallRefused, answer_of
from remit_sdk.session import ENDED, AgentSession, TaskSession
from remit_sdk.wire import segment
from remit_sdk.workload import TokenFile

Json = Any
T = TypeVar("T")
P = ParamSpec("P")

#: Below the size of a request that remit takes by default, 1 MiB.
MAX_RESULT_BYTES: Final = 1_000_000
#: Characters of an error's text that are reported.
MAX_ERROR: Final = 10_000
#: Statuses of a request whose body remit does not read: the call still awaits its result.
NOT_READ: Final = (400, 413, 422)
LEASE_S: Final = 60


class GuardedTask:
    """An open task. Use it in one event loop."""

    def __init__(self, session: TaskSession, person_session: str = "") -> None:
        """Keep the session of a task that was opened."""
        self.session = session
        self.id = session.id
        self._person_session = person_session
        self._path = f"/api/v1/tasks/{segment(session.id)}"
        self._turn = asyncio.Lock()
        self._undoing: set[asyncio.Task[None]] = set()
        #: Whether its block has ended.
        self.over = False

    async def decide(
        self, tool: str, arguments: Mapping[str, Json], *, reason: str = "", wait_s: float = 0
    ) -> CallPermit | CallRefused:
        """Return remit's decision about one call of a function; it is recorded before this returns.

        Calls that are made at once are judged in the order in which they were made. Where a person is asked,
        wait `wait_s` seconds for the answer. No answer of remit is a refusal.
        """
        asked = {"tool": tool, "arguments": dict(arguments), "reason": reason}
        try:
            answer = await self._decided(asked)
            if isinstance(answer, CallPermit) or not answer.approval or wait_s <= 0:
                return answer
            heard = await self.session.answer_to(answer.approval, wait_s=wait_s)
            return answer if heard.get("state") == "pending" else await self._decided(asked)
        except AgentFault as fault:
            return CallRefused.by(fault)

    async def _decided(self, asked: Json) -> CallPermit | CallRefused:
        async with self._turn:
            asking = asyncio.get_running_loop().create_task(self._ask(f"{self._path}/calls", asked))
            try:
                return answer_of(await asyncio.shield(asking))
            except asyncio.CancelledError:
                undoing = asyncio.get_running_loop().create_task(self._undo(asking))
                self._undoing.add(undoing)
                undoing.add_done_callback(self._undoing.discard)
                raise

    async def _undo(self, asking: asyncio.Task[Json]) -> None:
        """Give back the permit of a question whose asker was cancelled."""
        with contextlib.suppress(AgentFault):
            answer = answer_of(await asking)
            if isinstance(answer, CallPermit):
                await self.give_back(answer)

    async def close(self) -> None:
        """Permit nothing more, once what was cancelled has been given back."""
        if self._undoing:
            await asyncio.wait(self._undoing)
        self.over = True

    def _check_open(self) -> None:
        if self.over:
            raise block_over()

    async def _ask(self, path: str, body: Json) -> Json:
        self._check_open()
        return await self.session.ask("POST", path, body=body)

    async def permit(
        self, tool: str, arguments: Mapping[str, Json], *, reason: str = "", wait_s: float = 0
    ) -> CallPermit:
        """Return the permit of a call; raise `CallRefused`."""
        answer = await self.decide(tool, arguments, reason=reason, wait_s=wait_s)
        if isinstance(answer, CallRefused):
            raise answer
        return answer

    async def report(self, permit: CallPermit, value: Any) -> Json:
        """Report the result of a permitted call; return what the model may see of it.

        A value that JSON or remit cannot hold is reported as its text. Raise `CallRefused` if it is not
        released: the call has taken effect all the same.
        """
        value = sendable(value)
        size = len(json.dumps(value).encode())
        if size > MAX_RESULT_BYTES:
            await self._carried_out(permit, "ok", f"a result of {size} bytes, which was not released")
            raise CallRefused(
                f"the result has {size} bytes, more than {MAX_RESULT_BYTES}",
                code="result-too-large",
                remediation="do not repeat the call: it was carried out; let it return less",
                decision=permit.decision,
                done=True,
            )
        return await self._carried_out(permit, "ok", value)

    async def failed(self, permit: CallPermit, fault: BaseException) -> BaseException:
        """Report that a permitted call failed; return the error that the caller may see.

        It is a `CallFailed` with what was released of the error's text, or a `CallRefused` where nothing is.
        An interrupt and another call's refusal stay as they are. A cancelled call may have taken effect, and
        a function in a thread still runs: its outcome is unknown.
        """
        if isinstance(fault, asyncio.CancelledError):
            with contextlib.suppress(CallRefused):
                await self._carried_out(permit, "unknown", None)
            return fault
        own = not isinstance(fault, Exception) or isinstance(fault, CallRefused)
        kind = type(fault).__name__
        text = kind if own else text_of(fault)[:MAX_ERROR]
        try:
            released = await self._carried_out(permit, "error", text)
        except CallRefused as refused:
            return fault if own else refused.alone()
        return fault if own else CallFailed(kind, str(released))

    async def give_back(self, permit: CallPermit) -> None:
        """Report that a permitted call was not carried out."""
        await _refusing(self._report(permit, "not-sent", None))

    async def _carried_out(self, permit: CallPermit, outcome: str, content: Json) -> Json:
        """Report a call that was made; raise `CallRefused` with `done`."""
        try:
            return await self._report(permit, outcome, content)
        except AgentFault as fault:
            if isinstance(fault, GatewayRefused) and fault.status in NOT_READ:
                # The call must not stay open for a result that remit does not take.
                with contextlib.suppress(AgentFault):
                    await self._report(permit, outcome, UNWRITTEN)
            raise CallRefused.after(permit, fault) from None

    async def _report(self, permit: CallPermit, outcome: str, content: Json) -> Json:
        path = f"{self._path}/calls/{segment(permit.call)}/result"
        told = await self._ask(path, {"outcome": outcome, "content": content})
        try:
            return told["content"]
        except (KeyError, TypeError):
            raise CallRefused(
                "remit's answer cannot be understood", code="server-too-new", remediation="update remit-sdk"
            ) from None

    @overload
    def guard(
        self, function: None = None, *, tool: str, reason: str = "", wait_s: float = 0
    ) -> Callable[[Callable[P, Any]], Callable[P, Awaitable[Json]]]: ...

    @overload
    def guard(
        self, function: Callable[P, Any], *, tool: str, reason: str = "", wait_s: float = 0
    ) -> Callable[P, Awaitable[Json]]: ...

    def guard(
        self, function: Callable[P, Any] | None = None, *, tool: str, reason: str = "", wait_s: float = 0
    ) -> Any:
        """Return a function under remit's decisions, to be awaited; also a decorator.

        It raises `CallRefused` and does not run where remit does not permit the call. It gets copies of the
        arguments that were judged, and returns what may be released of its result; its own error becomes a
        `CallFailed`. A function that is not `async` runs in a thread.
        """
        if function is None:
            return functools.partial(self.guard, tool=tool, reason=reason, wait_s=wait_s)
        refuse_generator(function)
        guarded_function = function

        @functools.wraps(function)
        async def guarded(*args: P.args, **named: P.kwargs) -> Json:
            bound = BoundArguments(guarded_function, args, named)
            permit = await self.permit(tool, bound.judged, reason=reason, wait_s=wait_s)
            try:
                if inspect.iscoroutinefunction(guarded_function):
                    value = await guarded_function(*bound.args, **bound.kwargs)
                else:
                    value = await asyncio.to_thread(guarded_function, *bound.args, **bound.kwargs)
                if inspect.isawaitable(value):
                    value = await value
            except BaseException as raised:  # noqa: BLE001 - raised below, as far as it is released
                fault = raised
            else:
                try:
                    return await self.report(permit, value)
                except CallRefused as refused:
                    raise refused.alone() from None
                finally:
                    # What is not released stays in no frame of an error that a program may print.
                    del value
            try:
                # Raised here, so that it does not bring the function's own error along as its context.
                raise await asyncio.shield(self.failed(permit, fault))
            finally:
                del fault

        return guarded

    async def approval(self, refused: CallRefused, *, wait_s: float = 0) -> Json:
        """Return what people have answered to the question of a refusal (`TaskSession.answer_to`)."""
        self._check_open()
        return await _refusing(self.session.answer_to(refused.approval, wait_s=wait_s))

    def hand_down(
        self,
        agent: str,
        *,
        key_file: str | Path = "",
        token_file: str | Path = "",
        allow: Sequence[Mapping[str, Json]] | None = None,
        task_type: str = "",
    ) -> TaskBlock:
        """Return a block with a child task of another agent, which this program runs, too.

        The arguments are as of `TaskSession.hand_down`; the key or the token is the other agent's.
        """
        return TaskBlock(*self.child(agent, key_file, token_file, allow, task_type))

    def child(
        self,
        agent: str,
        key_file: str | Path,
        token_file: str | Path,
        allow: Sequence[Mapping[str, Json]] | None,
        task_type: str,
    ) -> tuple[Callable[[], AgentSession], Callable[[AgentSession], Awaitable[TaskSession]]]:
        """Return what connects another agent at the same remit, and what opens its child task."""
        gateway, ca_file = self.session.agent.gateway, self.session.agent.ca_file

        async def opening(to: AgentSession) -> TaskSession:
            self._check_open()
            return await self.session.hand_down(to, allow=allow, task_type=task_type)

        return (
            functools.partial(
                connected,
                url=gateway.base_url,
                agent=agent,
                key_file=key_file,
                token_file=token_file,
                ca_file=ca_file,
            ),
            opening,
        )

    async def user(self, text: str) -> None:
        """Add a person's further words to the task's intent; only in a task that a person's session opened.

        Raise `CallRefused` in another one: an agent cannot speak for a person.
        """
        self._check_open()
        if not self._person_session:
            raise CallRefused(
                "the task was opened without a person's session",
                code="no-person",
                remediation="open it with `person_session`",
            )
        gateway, body = self.session.agent.gateway, {"text": text}
        await _refusing(gateway.ask("POST", f"{self._path}/messages", bearer=self._person_session, body=body))


def block_over() -> CallRefused:
    """Return the refusal of what comes after the end of its block."""
    return CallRefused(
        "the block of this task has ended", code="task-ended", remediation="open a new task with `remit.task`"
    )


def refuse_generator(function: Callable[..., Any]) -> None:
    """Raise `TypeError` for a generator: it would run after its result is reported."""
    one = inspect.unwrap(function)
    if inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one):
        raise TypeError("a generator cannot be guarded; return a list")


async def awaited(value: Awaitable[T]) -> T:
    """Return what an awaitable brings."""
    return await value


class TaskBlock:
    """A task that is open for the time of a block: `async with`, or `with` (`remit_sdk.task_loop`)."""

    def __init__(
        self,
        connect: Callable[[], AgentSession],
        opening: Callable[[AgentSession], Awaitable[TaskSession]],
        person_session: str = "",
    ) -> None:
        """Keep what connects the agent and opens the task; nothing is sent yet."""
        self._connect = connect
        self._opening = opening
        self._person_session = person_session
        self._entered = False
        self._agent: AgentSession | None = None
        self._task: GuardedTask | None = None
        self._keeping: asyncio.Task[GatewayRefused] | None = None

    async def __aenter__(self) -> GuardedTask:
        """Open the task; raise `CallRefused`."""
        if self._entered:
            raise CallRefused(
                "the block was entered before",
                code="block-used",
                remediation="make a new one with `remit.task`",
            )
        self._entered = True
        try:
            agent = self._agent = self._connect()
            try:
                session = await self._opening(agent)
            except BaseException:
                await agent.close()
                raise
        except AgentFault as fault:
            raise CallRefused.by(fault) from None
        self._task = GuardedTask(session, self._person_session)
        self._keeping = asyncio.get_running_loop().create_task(session.keep())
        return self._task

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the task: as completed, or with the type of the exception as the reason."""
        assert self._agent is not None
        assert self._task is not None
        assert self._keeping is not None
        self._keeping.cancel()
        try:
            await asyncio.shield(self._task.close())
            reason = "completed" if kind is None else f"the agent's program raised {kind.__name__}"
            await asyncio.shield(_completed(self._task.session, reason, quiet=kind is not None))
        finally:
            await self._agent.close()


async def _completed(session: TaskSession, reason: str, *, quiet: bool) -> None:
    """End a task; one that has ended before, or cannot be reached any more, ends by itself."""
    try:
        await session.complete(reason)
    except GatewayUnreachable:
        pass  # its lease ends it
    except AgentFault as fault:
        if not quiet and not (isinstance(fault, GatewayRefused) and fault.code in ENDED):
            raise CallRefused.by(fault) from None


async def _refusing(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except AgentFault as fault:
        raise CallRefused.by(fault) from None


def connected(
    *,
    url: str = "",
    agent: str = "",
    key_file: str | Path = "",
    token_file: str | Path = "",
    ca_file: str | Path = "",
) -> AgentSession:
    """Return an agent at its remit: by arguments, else by the environment; raise `CallRefused`.

    The variables are `REMIT_URL`, `REMIT_AGENT`, `REMIT_KEY_FILE` or `REMIT_TOKEN_FILE` (a platform's token),
    and `REMIT_CA_FILE`.
    """
    key_path = str(key_file or ("" if token_file else os.environ.get("REMIT_KEY_FILE", "")))
    token_path = str(token_file or ("" if key_path else os.environ.get("REMIT_TOKEN_FILE", "")))
    who = AgentKey.load(Path(key_path)) if key_path else TokenFile(Path(token_path)) if token_path else None
    address, name = url or os.environ.get("REMIT_URL", ""), agent or os.environ.get("REMIT_AGENT", "")
    wanted = {"REMIT_URL": address, "REMIT_AGENT": name, "REMIT_KEY_FILE": who}
    missing = [variable for variable, value in wanted.items() if not value]
    if missing or who is None:
        raise CallRefused(
            f"{', '.join(f'`{one}`' for one in missing)} is not set",
            code="no-identity",
            remediation="set it, or give `url`, `agent`, and `key_file` or `token_file`",
        )
    authorities = str(ca_file or os.environ.get("REMIT_CA_FILE", ""))
    return AgentSession(address, name, who, ca_file=authorities)
