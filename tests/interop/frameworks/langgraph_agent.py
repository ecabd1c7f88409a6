# SPDX-License-Identifier: Apache-2.0
"""A LangGraph agent with a scripted model. Runs where LangGraph is installed, without remit's packages."""

import asyncio
import json
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient


class ScriptedModel(BaseChatModel):  # type: ignore[misc]
    """Makes the calls of a script one after the other, then says `done`."""

    script: list[Any]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> "ScriptedModel":
        """Take the tools; the script knows them."""
        return self

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        made = sum(isinstance(one, ToolMessage) for one in messages)
        if made == len(self.script):
            said = AIMessage(content="done")
        else:
            name, arguments = self.script[made]
            said = AIMessage(content="", tool_calls=[{"name": name, "args": arguments, "id": f"call-{made}"}])
        return ChatResult(generations=[ChatGeneration(message=said)])


async def run(address: str, script: list[Any]) -> dict[str, Any]:
    """Run the agent; give what its model read of each call, and what it said last."""
    client = MultiServerMCPClient({"notes": {"url": address, "transport": "streamable_http"}})
    agent = create_agent(ScriptedModel(script=script), await client.get_tools())
    end = await agent.ainvoke({"messages": [("user", "go on")]})
    heard = [str(one.content) for one in end["messages"] if isinstance(one, ToolMessage)]
    return {"heard": heard, "said": end["messages"][-1].content}


if __name__ == "__main__":
    json.dump(asyncio.run(run(**json.load(sys.stdin))), sys.stdout)
