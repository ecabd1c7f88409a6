# SPDX-License-Identifier: Apache-2.0
"""An agent of the OpenAI Agents SDK with a scripted model. It runs without remit's packages."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)


class ScriptedModel(Model):  # type: ignore[misc]
    """Makes the calls of a script one after the other, then says `done`."""

    def __init__(self, script: list[Any]) -> None:
        """Keep the script."""
        self.script = script
        self.heard: list[str] = []

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
        """Give the next step of the script."""
        items = input if isinstance(input, list) else []
        outputs = [one for one in items if one.get("type") == "function_call_output"]
        self.heard = [json.dumps(one["output"], ensure_ascii=False) for one in outputs]
        made = len(outputs)
        if made == len(self.script):
            text = ResponseOutputText(type="output_text", text="done", annotations=[])
            said: Any = ResponseOutputMessage(
                id="said", type="message", role="assistant", status="completed", content=[text]
            )
        else:
            name, arguments = self.script[made]
            said = ResponseFunctionToolCall(
                type="function_call", call_id=f"call-{made}", name=name, arguments=json.dumps(arguments)
            )
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Nothing is streamed here."""
        raise NotImplementedError


async def run(address: str, script: list[Any]) -> dict[str, Any]:
    """Run the agent; give what its model read of each call, and what it said last."""
    set_tracing_disabled(True)
    model = ScriptedModel(script)
    async with MCPServerStreamableHttp(params={"url": address}) as server:
        agent = Agent(name="scripted", instructions="", model=model, mcp_servers=[server])
        end = await Runner.run(agent, "go on")
    return {"heard": model.heard, "said": end.final_output}


if __name__ == "__main__":
    json.dump(asyncio.run(run(**json.load(sys.stdin))), sys.stdout)
