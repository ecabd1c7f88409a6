# SPDX-License-Identifier: Apache-2.0
"""A LangChain agent, whose model is a script, with functions under remit.

python -m examples.frameworks.langchain_agent
"""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage

import remit_sdk as remit
from examples.frameworks import billing
from remit_sdk.frameworks.langchain import RemitMiddleware
from remit_sdk.frameworks.tool_calls import ToolCalls


class ScriptedModel(FakeMessagesListChatModel):
    """LangChain's fake, which takes tools."""

    def bind_tools(self, tools: Any, **_: Any) -> ScriptedModel:
        """Take the tools; the script knows them."""
        return self


def work(turns: Any) -> Any:
    """Run the agent; return what its model read of each call, and what it said last."""
    script: list[Any] = [
        AIMessage("", tool_calls=[
            {"name": name, "args": arguments, "id": f"{turn}-{number}"}
            for number, (name, arguments) in enumerate(calls)
        ])
        for turn, calls in enumerate(turns)
    ]  # fmt: skip
    model = ScriptedModel(responses=[*script, AIMessage("done")])
    tools = [billing.customer, billing.refund, billing.credit, billing.lose]
    with remit.task("settle-complaint", customer="C-1") as task:
        guard = RemitMiddleware(ToolCalls(task, "billing", wait_s=60))
        agent = create_agent(model, tools, middleware=[guard])
        messages = agent.invoke({"messages": [("user", "Settle the complaint of C-1")]})["messages"]
    heard = [one.content for one in messages if isinstance(one, ToolMessage)]
    return {"task": task.id, "heard": heard, "said": messages[-1].content}


if __name__ == "__main__":
    json.dump(work(billing.TURNS), sys.stdout, indent=2)
