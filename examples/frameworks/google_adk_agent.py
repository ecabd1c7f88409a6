# SPDX-License-Identifier: Apache-2.0
"""An agent of Google's Agent Development Kit, whose model is a script, with functions under remit.

python -m examples.frameworks.google_adk_agent
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

from google.adk.agents import Agent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai.types import Content, Part

import remit_sdk as remit
from examples.frameworks import billing
from remit_sdk.frameworks.google_adk import RemitPlugin
from remit_sdk.frameworks.tool_calls import ToolCalls, as_text


class ScriptedModel(BaseLlm):
    """Makes the calls of a script, a turn at a time, then says `done`."""

    turns: list[Any]

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """Give the next turn."""
        calls = self.turns.pop(0) if self.turns else []
        parts = [Part.from_function_call(name=name, args=arguments) for name, arguments in calls]
        yield LlmResponse(content=Content(role="model", parts=parts or [Part(text="done")]))


async def run(turns: Any) -> Any:
    """Run the agent; return what its model read of each call, and what it said last."""
    tools: list[Any] = [billing.customer, billing.refund, billing.credit, billing.lose]
    agent = Agent(name="clerk", model=ScriptedModel(model="script", turns=list(turns)), tools=tools)
    async with remit.task("settle-complaint", customer="C-1") as task:
        guard = RemitPlugin(ToolCalls(task, "billing", wait_s=60))
        runner = InMemoryRunner(agent, app_name="clerk", plugins=[guard])
        events = await runner.run_debug("Settle the complaint of C-1", quiet=True)
        await runner.close()
    answers = [answer.response for event in events for answer in event.get_function_responses()]
    heard = [as_text(next(iter(one.values())) if len(one) == 1 else one) for one in answers if one]
    parts = [part.text for event in events if event.content for part in event.content.parts or []]
    return {"task": task.id, "heard": heard, "said": parts[-1]}


def work(turns: Any) -> Any:
    """Run the agent to its end."""
    return asyncio.run(run(turns))


if __name__ == "__main__":
    json.dump(work(billing.TURNS), sys.stdout, indent=2)
