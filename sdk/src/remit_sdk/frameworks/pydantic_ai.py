# SPDX-License-Identifier: Apache-2.0
"""Pydantic AI: a toolset around another one.

agent = Agent(model, toolsets=[RemitToolset(FunctionToolset([refund]), ToolCalls(task, "billing"))])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset
from pydantic_core import to_jsonable_python

from remit_sdk.errors import CallFailed
from remit_sdk.frameworks.tool_calls import ToolCalls, refusal
from remit_sdk.refusal import CallRefused


@dataclass
class RemitToolset(WrapperToolset[Any]):
    """Decide before each tool of a toolset, and observe its result.

    Tools that are given to `Agent(tools=...)` are in no toolset of yours, and are not judged.
    """

    calls: ToolCalls

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Return the result as it is released; a refusal is a failed result, which costs no retry."""
        if self.calls.passes(name):
            return await super().call_tool(name, tool_args, ctx, tool)
        answer = await self.calls.decide(name, to_jsonable_python(tool_args, fallback=repr))
        if isinstance(answer, CallRefused):
            raise ToolFailed(refusal(name, answer))
        try:
            result = await super().call_tool(name, tool_args, ctx, tool)
        except BaseException as raised:  # noqa: BLE001 - raised below, as far as it is released
            fault = raised
        else:
            return await self.calls.report(name, answer, to_jsonable_python(result, fallback=str))
        raise _raised(fault, await self.calls.failed(answer, fault))


def _raised(fault: BaseException, released: BaseException) -> BaseException:
    """Return what to raise: the model reads the text of two errors; deferred calls are for the program."""
    told = released
    text = released.text if isinstance(released, CallFailed) else str(released)
    if isinstance(fault, ToolFailed):
        told = ToolFailed(text)
    elif isinstance(fault, ModelRetry):
        told = ModelRetry(text)
    elif isinstance(fault, CallDeferred | ApprovalRequired):
        told = fault
    return told
