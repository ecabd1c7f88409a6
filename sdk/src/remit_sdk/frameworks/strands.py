# SPDX-License-Identifier: Apache-2.0
"""Strands Agents: hooks before and after each tool.

agent = Agent(model=model, tools=[refund], hooks=[RemitHookProvider(ToolCalls(task, "billing"))])
"""

from __future__ import annotations

from typing import Any

from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent, HookProvider, HookRegistry

from remit_sdk.frameworks.tool_calls import ToolCalls, as_text, structured


class RemitHookProvider(HookProvider):
    """Decide before each tool, and observe its result. Put it last: other hooks may change the call."""

    def __init__(self, calls: ToolCalls) -> None:
        """Keep the calls of the task."""
        self._calls = calls

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        """Hear of each call, before and after."""
        registry.add_callback(BeforeToolCallEvent, self._before)
        registry.add_callback(AfterToolCallEvent, self._after)

    async def _before(self, event: BeforeToolCallEvent) -> None:
        if event.cancel_tool:
            return
        call = event.tool_use
        words = await self._calls.before(call["toolUseId"], call["name"], call["input"])
        if words:
            event.cancel_tool = words

    async def _after(self, event: AfterToolCallEvent) -> None:
        call = event.tool_use
        if event.cancel_message is not None:
            await self._calls.dropped(call["toolUseId"])
            return
        if self._calls.passes(call["name"]):
            return
        parts = [structured(part["text"]) if "text" in part else part for part in event.result["content"]]
        value = parts[0] if len(parts) == 1 else parts
        released = await self._calls.after(call["toolUseId"], call["name"], value)
        # Nothing else of it: an MCP tool's result has its values a second time, as a structure.
        event.result = {
            "toolUseId": call["toolUseId"],
            "status": event.result["status"],
            "content": [{"text": as_text(released)}],
        }
