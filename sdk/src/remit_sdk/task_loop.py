# SPDX-License-Identifier: Apache-2.0
"""The same task for programs without an event loop: its own loop runs in a thread beside them.

import remit_sdk as remit

with remit.task("settle-complaint", customer="C-1") as task:

    @task.guard(tool="billing/refund")
    def refund(customer: str, cents: int) -> str: ...

    refund("C-1", 500)
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from remit_sdk.bound_arguments import BoundArguments
from remit_sdk.live_task import (
    LEASE_S,
    GuardedTask,
    TaskBlock,
    awaited,
    block_over,
    connected,
    refuse_generator,
)
from remit_sdk.refusal import CallPermit, CallRefused
from remit_sdk.session import AgentSession, TaskSession

Json = Any
T = TypeVar("T")
P = ParamSpec("P")


class LoopThread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        """Start it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="remit", daemon=True)
        self._thread.start()
        self._stopping = threading.Lock()
        self._stopped = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns in the loop; an interrupt of the caller cancels it.

        Raise `CallRefused` where the loop has stopped, also meanwhile.
        """
        future = self._begun(work)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            if self._stopped:
                raise block_over() from None
            raise
        except BaseException:
            future.cancel()
            raise

    async def beside(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the same to a caller in another loop."""
        future = self._begun(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._stopped and caller is not None and not caller.cancelling():
                raise block_over() from None
            raise

    def _begun(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._stopping:
            if self._stopped:
                work.close()
                raise block_over()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Cancel what is left in the loop; end the loop and its thread."""
        with self._stopping:
            self._stopped = True
            left = asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop)
        left.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class BlockingTask:
    """An open task whose methods wait; any thread may call them. See `remit_sdk.live_task.GuardedTask`."""

    def __init__(self, task: GuardedTask, thread: LoopThread) -> None:
        """Keep the task, and the loop in which it lives."""
        self.id = task.id
        self.inner = task
        self.thread = thread
        self._run = thread.run

    def decide(
        self, tool: str, arguments: Mapping[str, Json], *, reason: str = "", wait_s: float = 0
    ) -> CallPermit | CallRefused:
        """Return remit's decision about one call of a function."""
        return self._run(self.inner.decide(tool, arguments, reason=reason, wait_s=wait_s))

    def report(self, permit: CallPermit, value: Any) -> Json:
        """Report the result of a permitted call; return what the model may see of it."""
        try:
            return self._run(self.inner.report(permit, value))
        except CallRefused as refused:
            raise CallRefused.after(permit, refused) from None

    def give_back(self, permit: CallPermit) -> None:
        """Report that a permitted call was not carried out."""
        self._run(self.inner.give_back(permit))

    def approval(self, refused: CallRefused, *, wait_s: float = 0) -> Json:
        """Return what people have answered to the question of a refusal."""
        return self._run(self.inner.approval(refused, wait_s=wait_s))

    def hand_down(
        self,
        agent: str,
        *,
        key_file: str | Path = "",
        token_file: str | Path = "",
        allow: Sequence[Mapping[str, Json]] | None = None,
        task_type: str = "",
    ) -> Block:
        """Return a block with a child task of another agent."""
        child = self.inner.child(agent, key_file, token_file, allow, task_type)
        return Block(*child).under(self.thread)

    def user(self, text: str) -> None:
        """Add a person's further words to the task's intent."""
        self._run(self.inner.user(text))

    @overload
    def guard(
        self, function: None = None, *, tool: str, reason: str = "", wait_s: float = 0
    ) -> Callable[[Callable[P, Any]], Callable[P, Json]]: ...

    @overload
    def guard(
        self, function: Callable[P, Any], *, tool: str, reason: str = "", wait_s: float = 0
    ) -> Callable[P, Json]: ...

    def guard(
        self, function: Callable[P, Any] | None = None, *, tool: str, reason: str = "", wait_s: float = 0
    ) -> Any:
        """Return a function under remit's decisions, which runs in the caller's thread; also a decorator."""
        if function is None:
            return functools.partial(self.guard, tool=tool, reason=reason, wait_s=wait_s)
        if inspect.iscoroutinefunction(function):
            raise TypeError("an `async` function needs `async with remit.task(...)`")
        refuse_generator(function)
        guarded_function = function

        @functools.wraps(function)
        def guarded(*args: P.args, **named: P.kwargs) -> Json:
            bound = BoundArguments(guarded_function, args, named)
            permit = self._run(self.inner.permit(tool, bound.judged, reason=reason, wait_s=wait_s))
            try:
                value = guarded_function(*bound.args, **bound.kwargs)
                if inspect.isawaitable(value):
                    value = self._run(awaited(value))
            except BaseException as raised:  # noqa: BLE001 - raised below, as far as it is released
                fault = raised
            else:
                try:
                    return self.report(permit, value)
                except CallRefused as refused:
                    raise refused.alone() from None
                finally:
                    # What is not released stays in no frame of an error that a program may print.
                    del value
            try:
                # Raised here, so that it does not bring the function's own error along as its context.
                raise self._failed(permit, fault)
            finally:
                del fault

        return guarded

    def _failed(self, permit: CallPermit, fault: BaseException) -> BaseException:
        try:
            return self._run(self.inner.failed(permit, fault))
        except CallRefused as refused:
            return CallRefused.after(permit, refused).alone()


class Block(TaskBlock):
    """A task for a block, with an event loop or without one."""

    _thread: LoopThread | None = None
    #: The loop of the task above, in which this one must live, too.
    _above: LoopThread | None = None

    def under(self, thread: LoopThread) -> Self:
        """Return this block, for a loop that runs already."""
        self._above = thread
        return self

    def __enter__(self) -> BlockingTask:
        """Open the task; raise `CallRefused`."""
        thread = self._above or LoopThread()
        try:
            opened = BlockingTask(thread.run(self.__aenter__()), thread)
        except BaseException:
            self._stop(thread)
            raise
        self._thread = thread
        return opened

    def _stop(self, thread: LoopThread) -> None:
        if thread is not self._above:
            thread.stop()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the task."""
        assert self._thread is not None
        try:
            self._thread.run(self.__aexit__(kind, fault, trace))
        finally:
            self._stop(self._thread)


def task(
    task_type: str,
    /,
    *,
    goal: str = "",
    params: Mapping[str, Json] | None = None,
    on_behalf_of: str = "",
    plan: Sequence[str | Mapping[str, Json]] | None = None,
    lease_s: int = LEASE_S,
    person_session: str = "",
    url: str = "",
    agent: str = "",
    key_file: str | Path = "",
    token_file: str | Path = "",
    ca_file: str | Path = "",
    **more_params: Json,
) -> Block:
    """Return a task that is open for the time of a block: `async with`, or `with`.

    Other names are the task's parameters; `params` holds those that have the name of an argument here. Who
    the agent is, and where its remit is, come from arguments or the environment (`live_task.connected`).
    While the block runs, the lease is renewed; without renewal the task ends after `lease_s` seconds.
    """
    who = functools.partial(
        connected, url=url, agent=agent, key_file=key_file, token_file=token_file, ca_file=ca_file
    )

    async def opened(session: AgentSession) -> TaskSession:
        return await session.open(
            task_type,
            goal=goal,
            params={**(params or {}), **more_params},
            on_behalf_of=on_behalf_of,
            plan=plan,
            lease_s=lease_s,
            person_session=person_session,
        )

    return Block(who, opened, person_session)
