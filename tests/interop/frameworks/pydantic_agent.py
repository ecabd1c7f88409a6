# SPDX-License-Identifier: Apache-2.0
"""A PydanticAI agent with a scripted model. Runs where PydanticAI is installed, without remit's packages."""

import asyncio
import json
import sys
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


async def run(address: str, script: list[Any]) -> dict[str, Any]:
    """Run the agent; give what its model read of each call, and what it said last."""
    heard: list[str] = []

    def step(messages: Any, info: AgentInfo) -> ModelResponse:
        parts = [part for one in messages for part in one.parts]
        heard[:] = [
            part.model_response() if isinstance(part, RetryPromptPart) else part.model_response_str()
            for part in parts
            if isinstance(part, RetryPromptPart | ToolReturnPart)
        ]
        if len(heard) == len(script):
            return ModelResponse(parts=[TextPart("done")])
        name, arguments = script[len(heard)]
        return ModelResponse(parts=[ToolCallPart(name, arguments, tool_call_id=f"call-{len(heard)}")])

    agent = Agent(FunctionModel(step), toolsets=[MCPToolset(address)])
    async with agent:
        end = await agent.run("go on")
    return {"heard": heard, "said": end.output}


if __name__ == "__main__":
    json.dump(asyncio.run(run(**json.load(sys.stdin))), sys.stdout)
