# SPDX-License-Identifier: Apache-2.0
"""A Pydantic AI agent, whose model is a script, with functions under remit.

python -m examples.frameworks.pydantic_ai_agent
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.toolsets import FunctionToolset

import remit_sdk as remit
from examples.frameworks import billing
from remit_sdk.frameworks.pydantic_ai import RemitToolset
from remit_sdk.frameworks.tool_calls import ToolCalls


async def run(turns: Any) -> Any:
    """Run the agent; return what its model read of each call, and what it said last."""
    left = list(turns)
    tools: FunctionToolset[Any] = FunctionToolset(
        [billing.customer, billing.refund, billing.credit, billing.lose]
    )

    def step(*_: Any) -> ModelResponse:
        """Play the model."""
        if not left:
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart(name, arguments) for name, arguments in left.pop(0)])

    async with remit.task("settle-complaint", customer="C-1") as task:
        agent = Agent(
            FunctionModel(step), toolsets=[RemitToolset(tools, ToolCalls(task, "billing", wait_s=60))]
        )
        end = await agent.run("Settle the complaint of C-1")
    parts = [part for message in end.all_messages() for part in message.parts]
    heard = [part.model_response_str() for part in parts if isinstance(part, ToolReturnPart)]
    return {"task": task.id, "heard": heard, "said": end.output}


def work(turns: Any) -> Any:
    """Run the agent to its end."""
    return asyncio.run(run(turns))


if __name__ == "__main__":
    json.dump(work(billing.TURNS), sys.stdout, indent=2)
