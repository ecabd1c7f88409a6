# SPDX-License-Identifier: Apache-2.0
"""An agent of the OpenAI Agents SDK, whose model is a script, with functions under remit.

python -m examples.frameworks.openai_agents_agent
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call

import remit_sdk as remit
from examples.frameworks import billing
from remit_sdk.frameworks.openai_agents import guarded
from remit_sdk.frameworks.tool_calls import ToolCalls


async def run(turns: Any) -> Any:
    """Run the agent; return what its model read of each call, and what it said last."""
    set_tracing_disabled(True)
    steps = [
        [
            function_call(name, arguments, call_id=f"{turn}-{number}")
            for number, (name, arguments) in enumerate(calls)
        ]
        for turn, calls in enumerate(turns)
    ]
    model = ScriptedModel([*steps, [assistant_message("done")]])
    async with remit.task("settle-complaint", customer="C-1") as task:
        calls = ToolCalls(task, "billing", wait_s=60)
        functions = (billing.customer, billing.refund, billing.credit, billing.lose)
        tools: Any = [guarded(function_tool(one), calls) for one in functions]
        end = await Runner.run(Agent(name="clerk", model=model, tools=tools), "Settle the complaint of C-1")
    heard = [one["output"] for one in end.to_input_list() if one.get("type") == "function_call_output"]
    return {"task": task.id, "heard": heard, "said": end.final_output}


def work(turns: Any) -> Any:
    """Run the agent to its end."""
    return asyncio.run(run(turns))


if __name__ == "__main__":
    json.dump(work(billing.TURNS), sys.stdout, indent=2)
