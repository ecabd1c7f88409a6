# SPDX-License-Identifier: Apache-2.0
"""Google's Agent Development Kit: a plugin of the runner.

runner = InMemoryRunner(agent, plugins=[RemitPlugin(ToolCalls(task, "billing"))])
"""

from __future__ import annotations

from typing import Any

from google.adk.plugins import BasePlugin
from google.adk.tools import BaseTool, ToolContext

from remit_sdk.frameworks.tool_calls import ToolCalls


class RemitPlugin(BasePlugin):
    """Decide before each tool, and observe its result. Put it last: other plugins may change the arguments.

    Callbacks of the agent itself come later still; they are the program's own.
    """

    def __init__(self, calls: ToolCalls) -> None:
        """Keep the calls of the task."""
        super().__init__("remit")
        self._calls = calls

    async def before_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext
    ) -> dict[str, Any] | None:
        """Return a refusal in the result's place, and nothing for a permit."""
        words = await self._calls.before(str(tool_context.function_call_id), tool.name, tool_args)
        return {"error": words} if words else None

    async def after_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, result: Any
    ) -> dict[str, Any] | None:
        """Return the result as it is released; a refusal comes by here, too."""
        if self._calls.passes(tool.name):
            return None
        released = await self._calls.after(str(tool_context.function_call_id), tool.name, result)
        return released if isinstance(released, dict) else {"result": released}

    async def on_tool_error_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, error: Exception
    ) -> None:
        """Report that the call failed; raise the error as far as it is released."""
        if not self._calls.passes(tool.name):
            raise await self._calls.broken(str(tool_context.function_call_id), error)
