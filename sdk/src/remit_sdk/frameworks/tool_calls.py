# SPDX-License-Identifier: Apache-2.0
"""The tool calls of a framework's agent under remit's decisions: what all adapters share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Collection, Coroutine, Iterator, Mapping
from typing import Any, Final, TypeVar

from remit_sdk.live_task import GuardedTask
from remit_sdk.refusal import CallPermit, CallRefused
from remit_sdk.task_loop import BlockingTask

Json = Any
T = TypeVar("T")

#: How long a call in a thread waits for the decision about an earlier one of its turn. Another part of the
#: framework can have stopped that one.
EARLIER_CALL_S: Final = 2.0


class ToolCalls:
    """The tool calls of an agent in one task.

    The tool `NAME` of the framework is `OWNER/NAME` at remit, or what `names` calls it. Calls of the tools in
    `elsewhere` pass: remit judges them at its own endpoint, as those of MCP servers. A tool that remit does
    not know is refused. Where a person is asked, a call waits `wait_s` seconds for the answer.
    """

    def __init__(
        self,
        task: GuardedTask | BlockingTask,
        owner: str,
        *,
        names: Mapping[str, str] | None = None,
        elsewhere: Collection[str] = (),
        wait_s: float = 0,
    ) -> None:
        """Keep the task; one of `async with` serves its own event loop, one of `with` any loop or thread."""
        self._task = task.inner if isinstance(task, BlockingTask) else task
        self._thread = task.thread if isinstance(task, BlockingTask) else None
        self._owner = owner
        self._names = dict(names or {})
        self._elsewhere = frozenset(elsewhere)
        self._wait_s = wait_s
        self._open: dict[str, CallPermit | CallRefused] = {}

    def passes(self, name: str) -> bool:
        """Return whether remit judges a tool's calls elsewhere."""
        return name in self._elsewhere

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine of this class returns, in a thread without an event loop."""
        if self._thread is None:
            work.close()
            raise TypeError("an agent that runs without `await` needs a task of `with remit.task(...)`")
        return self._thread.run(work)

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine in the task's own loop."""
        return await (work if self._thread is None else self._thread.beside(work))

    async def decide(self, name: str, arguments: Mapping[str, Json]) -> CallPermit | CallRefused:
        """Return the decision about a call. It raises nothing: a framework may run a tool then."""
        tool = self._names.get(name, f"{self._owner}/{name}")
        try:
            return await self._at_home(self._task.decide(tool, arguments, wait_s=self._wait_s))
        except Exception as fault:  # noqa: BLE001
            return _undecided(fault)

    def decide_now(self, name: str, arguments: Mapping[str, Json]) -> CallPermit | CallRefused:
        """Return the same in a thread without an event loop."""
        try:
            return self.now(self.decide(name, arguments))
        except Exception as fault:  # noqa: BLE001
            return _undecided(fault)

    async def report(self, name: str, permit: CallPermit, value: Any) -> Json:
        """Return what the model may see of a result, or why it may not see it."""
        try:
            return await self._at_home(self._task.report(permit, structured(value)))
        except CallRefused as refused:
            why = _why(refused)
        except Exception as fault:  # noqa: BLE001
            why = f"{type(fault).__name__}."
        return f"`{name}` was called, and remit did not release its result: {why}"

    async def failed(self, permit: CallPermit, fault: BaseException) -> BaseException:
        """Report that a permitted call failed; return the error that the caller may see."""
        try:
            return await asyncio.shield(self._at_home(self._task.failed(permit, fault)))
        except CallRefused as refused:
            return CallRefused.after(permit, refused)

    async def before(self, call_id: str, name: str, arguments: Mapping[str, Json]) -> str:
        """Decide about a call; return the words of a refusal, empty for a permit. `after` tells its end."""
        if self.passes(name):
            return ""
        await self.dropped(call_id)
        answer = self._open[call_id] = await self.decide(name, arguments)
        return refusal(name, answer) if isinstance(answer, CallRefused) else ""

    def before_now(self, call_id: str, name: str, arguments: Mapping[str, Json]) -> str:
        """Return the same as `before` in a thread without an event loop, and raise nothing."""
        try:
            return self.now(self.before(call_id, name, arguments))
        except Exception as fault:  # noqa: BLE001
            return refusal(name, _undecided(fault))

    def after_now(self, call_id: str, name: str, value: Any) -> Json:
        """Return the same as `after` in a thread without an event loop, and raise nothing."""
        try:
            return self.now(self.after(call_id, name, value))
        except Exception as fault:  # noqa: BLE001
            return refusal(name, _undecided(fault))

    async def dropped(self, call_id: str) -> None:
        """Give a permit back: another part of the framework stopped its call."""
        permit = self._open.pop(call_id, None)
        if isinstance(permit, CallPermit):
            with contextlib.suppress(CallRefused):
                await self._at_home(self._task.give_back(permit))

    def asks(self, call_id: str) -> bool:
        """Return whether a person is asked about the call."""
        answer = self._open.get(call_id)
        return isinstance(answer, CallRefused) and bool(answer.approval)

    async def after(self, call_id: str, name: str, value: Any) -> Json:
        """Return what the model may see of the call's result; a call without a permit shows nothing."""
        if self.passes(name):
            return value
        match self._open.pop(call_id, None):
            case CallPermit() as permit:
                return await self.report(name, permit, value)
            case CallRefused() as refused:
                return refusal(name, refused)
            case None:
                return f"remit knows nothing of this call of `{name}`, and its result is not shown"

    async def broken(self, call_id: str, fault: BaseException) -> BaseException:
        """Report that the call failed; return the error that the caller may see."""
        permit = self._open.pop(call_id, None)
        return await self.failed(permit, fault) if isinstance(permit, CallPermit) else fault


def refusal(name: str, refused: CallRefused) -> str:
    """Return the words of a refusal for a model."""
    return f"remit refused this call of `{name}`: {_why(refused)}"


def _undecided(fault: Exception) -> CallRefused:
    return CallRefused(
        f"there is no decision ({type(fault).__name__}: {fault})",
        code="fault",
        remediation="call while the task is open, with plain JSON values",
    )


def _why(refused: CallRefused) -> str:
    parts = [refused.reason, refused.remediation, refused.decision and f"`remit explain {refused.decision}`"]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def structured(value: Any) -> Any:
    """Return an object or array that came as its text, so that fields of it can be withheld."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def as_text(value: Json) -> str:
    """Return a result as text for a model."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class TurnOrder:
    """Calls of one turn that come in threads, decided about in the order in which the model made them."""

    def __init__(self) -> None:
        """No call was decided about yet."""
        self._changed = threading.Condition()
        self._decided: set[str] = set()

    @contextlib.contextmanager
    def after(self, earlier: Collection[str], call_id: str) -> Iterator[None]:
        """Wait until the earlier calls were decided about; at the end this one was, too."""
        with self._changed:
            self._changed.wait_for(lambda: self._decided.issuperset(earlier), EARLIER_CALL_S)
        try:
            yield
        finally:
            with self._changed:
                self._decided.add(call_id)
                self._changed.notify_all()
