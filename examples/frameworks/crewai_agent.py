# SPDX-License-Identifier: Apache-2.0
"""A CrewAI agent, whose model is a script, with functions under remit.

python -m examples.frameworks.crewai_agent
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")

from crewai import Agent, BaseLLM, Crew, Task
from crewai.tools import tool

import remit_sdk as remit
from examples.frameworks import billing
from remit_sdk.frameworks.crewai import remit_hooks
from remit_sdk.frameworks.tool_calls import ToolCalls


class ScriptedModel(BaseLLM):
    """Makes the calls of a script, a turn at a time, then says `done`."""

    turns: list[Any]
    heard: list[str] = []

    def supports_function_calling(self) -> bool:
        """Say that calls are returned as such."""
        return True

    def call(self, messages: Any, *_: Any, **__: Any) -> Any:
        """Give the next turn."""
        self.heard[:] = [one["content"] for one in messages if one["role"] == "tool"]
        if not self.turns:
            return "done"
        number = len(self.heard)
        return [
            {
                "id": f"{number}-{position}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for position, (name, arguments) in enumerate(self.turns.pop(0))
        ]


def work(turns: Any) -> Any:
    """Run the agent; return what its model read of each call, and what it said last."""
    model = ScriptedModel(model="script", turns=list(turns))
    functions = (billing.customer, billing.refund, billing.credit, billing.lose)
    clerk = Agent(
        role="clerk",
        goal="settle complaints",
        backstory="",
        llm=model,
        tools=[tool(one) for one in functions],
    )
    job = Task(description="Settle the complaint of C-1", expected_output="done", agent=clerk)
    with (
        remit.task("settle-complaint", customer="C-1") as task,
        remit_hooks(ToolCalls(task, "billing", wait_s=60)),
    ):
        said = str(Crew(agents=[clerk], tasks=[job], cache=False).kickoff())
    return {"task": task.id, "heard": model.heard, "said": said}


if __name__ == "__main__":
    json.dump(work(billing.TURNS), sys.stdout, indent=2)
