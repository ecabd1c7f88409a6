# SPDX-License-Identifier: Apache-2.0
"""LangChain and LangGraph: a middleware of `create_agent`, around each call of a tool.

agent = create_agent(model, tools, middleware=[RemitMiddleware(ToolCalls(task, "billing"))])
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from langchain.agents.middleware import AgentMiddleware, ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.errors import GraphBubbleUp

from remit_sdk.frameworks.tool_calls import ToolCalls, TurnOrder, as_text, refusal
from remit_sdk.refusal import CallRefused

#: What the program finds in place of an artifact.
NO_ARTIFACT: Final = "remit releases no artifact; return what the program needs as the tool's result"


class RemitMiddleware(AgentMiddleware):
    """Decide before each tool, and observe its result. Put it last: others may change the arguments."""

    def __init__(self, calls: ToolCalls) -> None:
        """Keep the calls of the task."""
        super().__init__()
        self._calls = calls
        self._order = TurnOrder()

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> Any:
        """Return the result as it is released, or the refusal; for `invoke`, where tools run in threads."""
        if self._calls.passes(request.tool_call["name"]):
            return handler(request)
        call, request = _judged(request)
        with self._order.after(_earlier(request), call["id"]):
            answer = self._calls.decide_now(call["name"], call["args"])
        if isinstance(answer, CallRefused):
            return _refused(call, answer)
        try:
            result = handler(request)
        except BaseException as raised:  # noqa: BLE001 - raised below, as far as it is released
            fault = raised
        else:
            released = self._calls.now(self._calls.report(call["name"], answer, _value(result)))
            return _message(call, result, released)
        raise _raised(fault, self._calls.now(self._calls.failed(answer, fault)))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Return the same for `ainvoke`."""
        if self._calls.passes(request.tool_call["name"]):
            return await handler(request)
        call, request = _judged(request)
        answer = await self._calls.decide(call["name"], call["args"])
        if isinstance(answer, CallRefused):
            return _refused(call, answer)
        try:
            result = await handler(request)
        except BaseException as raised:  # noqa: BLE001 - raised below, as far as it is released
            fault = raised
        else:
            return _message(call, result, await self._calls.report(call["name"], answer, _value(result)))
        raise _raised(fault, await self._calls.failed(answer, fault))


def _judged(request: ToolCallRequest) -> tuple[Any, ToolCallRequest]:
    """Return the call with a copy of its arguments, which no one else can change, and its request."""
    call = {**request.tool_call, "args": json.loads(json.dumps(request.tool_call["args"]))}
    return call, request.override(tool_call=call)


def _earlier(request: ToolCallRequest) -> list[str]:
    """Return the calls that the model made before this one in the same turn."""
    state = request.state
    messages = state.get("messages", []) if isinstance(state, dict) else getattr(state, "messages", [])
    last = next((one for one in reversed(messages) if isinstance(one, AIMessage)), None)
    ids = [str(one["id"]) for one in last.tool_calls] if last else []
    own = str(request.tool_call["id"])
    return ids[: ids.index(own)] if own in ids else []


def _raised(fault: BaseException, released: BaseException) -> BaseException:
    """Return what to raise: an interrupt of the graph is for the program, and goes on as it is."""
    return fault if isinstance(fault, GraphBubbleUp) else released


def _refused(call: Any, refused: CallRefused) -> ToolMessage:
    words = refusal(call["name"], refused)
    return ToolMessage(words, name=call["name"], tool_call_id=call["id"], status="error")


def _value(result: Any) -> Any:
    """Return what the model would read. A `Command` changes the graph's state, which cannot be judged."""
    return result.content if isinstance(result, ToolMessage) else "a result that is no message; not shown"


def _message(call: Any, result: Any, released: Any) -> ToolMessage:
    """Return the message with what is released. An artifact is any object, which cannot be judged."""
    if isinstance(result, ToolMessage):
        artifact = None if result.artifact is None else NO_ARTIFACT
        return result.model_copy(update={"content": as_text(released), "artifact": artifact})
    return ToolMessage(as_text(released), name=call["name"], tool_call_id=call["id"])
