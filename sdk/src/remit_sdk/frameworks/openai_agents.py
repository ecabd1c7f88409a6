# SPDX-License-Identifier: Apache-2.0
"""OpenAI Agents SDK: guardrails before and after a function tool.

agent = Agent(name="clerk", tools=[guarded(function_tool(refund), ToolCalls(task, "billing"))])
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from agents import (
    FunctionTool,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
)

from remit_sdk.frameworks.tool_calls import ToolCalls, as_text


def guarded(tool: FunctionTool, calls: ToolCalls, *, pause: bool = False) -> FunctionTool:
    """Return a tool that runs where remit permits the call, and whose result remit releases.

    With `pause`, a run stops where a person is asked: their question is among the run's `interruptions`.
    Approve the interruption and resume once they have answered; remit decides again then.
    """

    async def before(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        words = await calls.before(
            data.context.tool_call_id, tool.name, _arguments(data.context.tool_arguments)
        )
        return (
            ToolGuardrailFunctionOutput.reject_content(words)
            if words
            else ToolGuardrailFunctionOutput.allow()
        )

    async def after(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        released = await calls.after(data.context.tool_call_id, tool.name, data.output)
        return ToolGuardrailFunctionOutput.reject_content(as_text(released))

    async def asks(_: Any, arguments: dict[str, Any], call_id: str) -> bool:
        await calls.before(call_id, tool.name, arguments)
        return calls.asks(call_id)

    if calls.passes(tool.name):
        return tool
    return dataclasses.replace(
        tool,
        tool_input_guardrails=[*(tool.tool_input_guardrails or []), ToolInputGuardrail(before, "remit")],
        tool_output_guardrails=[ToolOutputGuardrail(after, "remit"), *(tool.tool_output_guardrails or [])],
        needs_approval=asks if pause else tool.needs_approval,
    )


def _arguments(text: str) -> Mapping[str, Any]:
    """Return the arguments as the model wrote them; the tool refuses what is no object."""
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
