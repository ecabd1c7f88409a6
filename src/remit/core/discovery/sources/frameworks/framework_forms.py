# SPDX-License-Identifier: Apache-2.0
"""Known frameworks of agents: the modules of each, and the names by which code makes agents and tools."""

from __future__ import annotations

import re
from typing import Final

import re2

#: Module of Python, and its framework; the longest prefix counts.
PYTHON_MODULES: Final = {
    "agents": "openai-agents",
    "pydantic_ai": "pydantic-ai",
    "crewai": "crewai",
    "google.adk": "google-adk",
    "strands": "strands",
    "autogen": "autogen",
    "autogen_agentchat": "autogen",
    "ag2": "autogen",
    "llama_index": "llamaindex",
    "smolagents": "smolagents",
    "langgraph": "langgraph",
    "langchain": "langchain",
    "langchain_classic": "langchain",
    "deepagents": "langgraph",
    "claude_agent_sdk": "claude-agent-sdk",
    "claude_code_sdk": "claude-agent-sdk",
    "agno": "agno",
    "semantic_kernel": "semantic-kernel",
    "agent_framework": "agent-framework",
    "haystack": "haystack",
}
#: Names that make an agent, once they come from a framework's module.
AGENT_MAKERS: Final = frozenset(
    {
        "Agent",
        "LlmAgent",
        "SandboxAgent",
        "RealtimeAgent",
        "AssistantAgent",
        "ConversableAgent",
        "UserProxyAgent",
        "FunctionAgent",
        "ReActAgent",
        "AgentWorkflow",
        "CodeActAgent",
        "CodeAgent",
        "ToolCallingAgent",
        "create_react_agent",
        "create_agent",
        "create_deep_agent",
        "create_tool_calling_agent",
        "create_openai_functions_agent",
        "create_openai_tools_agent",
        "initialize_agent",
        "AgentExecutor",
        "ClaudeAgentOptions",
        "ClaudeCodeOptions",
        "AgentDefinition",
        "ChatCompletionAgent",
        "ChatAgent",
        "StateGraph",
    }
)
SERVER_MAKERS: Final = frozenset(
    {
        "MCPServerStdio",
        "MCPServerSse",
        "MCPServerSSE",
        "MCPServerStreamableHttp",
        "MCPServerStreamableHTTP",
        "MCPServerHTTP",
        "StdioServerParameters",
        "StdioServerParams",
        "SseServerParams",
        "StreamableHttpServerParams",
        "StdioConnectionParams",
        "SseConnectionParams",
        "StreamableHTTPConnectionParams",
        "HostedMCPTool",
        "MCPServerAdapter",
        "BasicMCPClient",
        "MCPStdioTool",
        "MCPStreamableHTTPTool",
    }
)
#: Names that make several servers from a mapping.
SERVER_MAPPINGS: Final = frozenset({"MultiServerMCPClient", "McpToolset"})
#: Decorators that make a function a tool.
TOOL_MARKS: Final = frozenset(
    {"tool", "function_tool", "tool_plain", "ai_function", "register_for_llm", "beta_tool"}
)
#: Arguments with a prompt.
PROMPTS: Final = (
    "instructions",
    "instruction",
    "system_prompt",
    "systemPrompt",
    "system",
    "prompt",
    "system_message",
    "backstory",
    "goal",
    "role",
    "description",
    "global_instruction",
    "append_system_prompt",
)
#: Names of variables that hold credentials.
CREDENTIAL_NAME: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|CREDENTIALS?|"
    r"DSN|AUTH|COOKIE|DATABASE_URL|_URI|"
    r"CONNECTION_STRING|WEBHOOK(?:_URL)?|PAT)|(?:API_?KEY|TOKEN|PASSWORD|SECRET|DATABASE_URL|DSN|PGPASSWORD)"
)
#: Settings in code that give an agent everything: the name, and the values.
WIDE: Final[dict[str, tuple[object, ...]]] = {
    "permission_mode": ("bypassPermissions", "dontAsk"),
    "permissionMode": ("bypassPermissions", "dontAsk"),
    "allowDangerouslySkipPermissions": (True,),
    "allow_dangerous_requests": (True,),
    "allow_dangerous_code": (True,),
    "allow_dangerous_deserialization": (True,),
    "allow_dangerous_tools": (True,),
    "human_input_mode": ("NEVER",),
    "allow_code_execution": (True,),
    "code_execution_mode": ("unsafe",),
    "additional_authorized_imports": ("*",),
    "sandbox_mode": ("danger-full-access",),
    "sandboxMode": ("danger-full-access",),
    "approval_policy": ("never",),
    "approvalPolicy": ("never",),
}


#: An import of a framework, or of MCP, in Python; a longer name with the same beginning counts, too.
PYTHON_IMPORT: Final = re2.compile(
    r"(?m)^[ \t]*(?:from|import)[ \t]+(?:agents|pydantic_ai|crewai|"
    r"google\.adk|strands|autogen|ag2|llama_index|"
    r"smolagents|langchain|langgraph|deepagents|claude_agent_sdk|claude_code_sdk|"
    r"agno|semantic_kernel|agent_framework|haystack|"
    r"mcp|fastmcp)"
)


def framework_of(module: str) -> str:
    """Return the framework that a module of Python belongs to; empty for any other."""
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        if found := PYTHON_MODULES.get(".".join(parts[:end])):
            return found
    return ""
