# SPDX-License-Identifier: Apache-2.0
"""Agents, tools and servers are read out of code and manifests without running them."""

import json

import pytest

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool, Read
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.frameworks import FRAMEWORK_READERS, python_declarations


def read(file: str, text: str) -> list[Read]:
    """Read a file by the first reader that fits; nothing where none does."""
    chunk = FileChunk(file=file, content=text.encode())
    reader = next((one for one in FRAMEWORK_READERS if one.fits(chunk)), None)
    return list(reader.read(chunk)) if reader else []


def agents(file: str, text: str) -> list[DeclaredAgent]:
    """Return the agents of a file."""
    return [one for one in read(file, text) if isinstance(one, DeclaredAgent)]


PYTHON = {
    "openai-agents": 'from agents import Agent\nA = Agent(name="bot", instructions="Be kind.", '
    'model="m-1", tools=[search])',
    "pydantic-ai": 'from pydantic_ai import Agent\nbot = Agent("m-1", system_prompt="Be kind.", '
    "tools=[search])",
    "crewai": 'from crewai import Agent, LLM\nbot = Agent(name="bot", goal="Be kind.", '
    'llm=LLM(model="m-1"), tools=[search()])',
    "google-adk": 'from google.adk.agents import LlmAgent\nA = LlmAgent(name="bot", instruction="Be '
    'kind.", model="m-1", tools=[search])',
    "strands": 'from strands import Agent\nbot = Agent(model="m-1", tools=[search], system_prompt="Be '
    'kind.")',
    "autogen": 'from autogen_agentchat.agents import AssistantAgent\nAssistantAgent(name="bot", '
    'model_client=C(model="m-1"), tools=[search], system_message="Be kind.")',
    "llamaindex": "from llama_index.core.agent.workflow import FunctionAgent\n"
    "bot = FunctionAgent(tools=[search], "
    'llm=OpenAI(model="m-1"), system_prompt="Be kind.")',
    "smolagents": "from smolagents import CodeAgent\n"
    'bot = CodeAgent(tools=[search()], model=M(model_id="m-1"), '
    'instructions="Be kind.")',
    "langgraph": 'from langgraph.prebuilt import create_react_agent\nllm = ChatOpenAI(model="m-1")\nbot '
    '= create_react_agent(llm, [search], prompt="Be kind.")',
    "langchain": "import langchain.agents\nfrom langchain.agents import create_agent\nTOOLS "
    '= [search]\nbot = create_agent(model="m-1", tools=TOOLS, system_prompt="Be '
    'kind.")',
    "claude-agent-sdk": "from claude_agent_sdk import ClaudeAgentOptions\n"
    'bot = ClaudeAgentOptions(model="m-1", '
    'allowed_tools=["search"], system_prompt="Be kind.")',
}


@pytest.mark.parametrize("framework", PYTHON)
def test_python_agents_have_name_model_tools_and_prompt(framework: str) -> None:
    """Each framework's own way to make an agent is read."""
    found = read("src/bot.py", PYTHON[framework])
    (agent,) = [one for one in found if isinstance(one, DeclaredAgent)]
    assert (agent.name, agent.framework, agent.model, agent.tools) == ("bot", framework, "m-1", ("search",))
    (prompt,) = [one for one in found if isinstance(one, Piece) and one.kind is SourceKind.PROSE]
    assert (prompt.text, prompt.agent) == ("Be kind.", "bot")


def test_credentials_are_the_variables_that_the_module_reads() -> None:
    """Names of credentials count, other variables do not."""
    code = (
        "import os\nfrom crewai import Agent\n"
        'a, b, c = os.environ["OPENAI_API_KEY"], os.getenv("DB_PASSWORD", ""), os.environ.get("HOME")\n'
        "bot = Agent(role='bot', goal='g')\n"
    )
    (agent,) = agents("bot.py", code)
    assert agent.credentials == ("OPENAI_API_KEY", "DB_PASSWORD")


def test_tools_and_servers_of_python_are_declared() -> None:
    """A decorated function is a tool, with its docstring and arguments; a server has its command."""
    code = '''
from mcp.server.fastmcp import FastMCP
from agents.mcp import MCPServerStdio
mcp = FastMCP("weather")
@mcp.tool()
def forecast(city: str, days: int = 1) -> str:
    """Return the forecast."""
files = MCPServerStdio(params={"command": "npx", "args": ["-y", "fs", "/"], "env": {"A_KEY": "v"}})
'''
    found = read("srv.py", code)
    (tool,) = [one for one in found if isinstance(one, DeclaredTool)]
    (server,) = [one for one in found if isinstance(one, DeclaredServer)]
    assert (tool.name, tool.server, tool.description) == ("forecast", "weather", "Return the forecast.")
    assert tool.schema == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    }
    assert (server.name, server.command, server.arguments) == ("files", "npx", ("-y", "fs", "/"))
    assert server.environment == ("A_KEY",)


def test_code_that_is_no_agents_declares_none() -> None:
    """A class of the same name, or an import from the project itself, is no agent of a framework."""
    assert not agents("a.py", "from .agents import Agent\nAgent(name='x')")
    assert not agents("a.py", "class Agent: ...\nAgent(name='agents')")
    assert not agents("a.py", "from estate import Agent  # agents who sell houses\nAgent(name='x')")


def test_the_cell_of_a_notebook_keeps_its_place() -> None:
    """A cell's declarations have the cell's name and line."""
    place = FilePlace(file="a.ipynb", line=40, inside="cell 3")
    found = list(python_declarations("from agents import Agent\n\nbot = Agent(name='bot')", place))
    assert [(one.place.line, one.place.inside) for one in found] == [(42, "cell 3")]


@pytest.mark.parametrize(
    "code",
    [
        "agent = (",
        "agent" + "(" * 5_000,
        "agent\x00",
        "mcp = " + "-" * 60_000 + "1",
        "agent = '\\d'",
        "from agents import *\nAgent(*x, **y)",
        "from agents import Agent\nAgent(name=1, tools=3, mcp_servers={**x})",
    ],
)
def test_hostile_python_raises_nothing(code: str) -> None:
    """What cannot be parsed is left to the detectors of text."""
    assert all(isinstance(one, Piece | DeclaredAgent) for one in read("a.py", code))


def test_typescript_agents_are_read_and_comments_are_not() -> None:
    """Mastra, the AI SDK and the Claude Agent SDK, by their tokens."""
    code = """
import { Agent } from '@mastra/core/agent';
// const no = new Agent({ name: 'no' });
/* new Agent({ name: 'no' }) */
export const weather = new Agent({
  name: "Weather", instructions: `Help with ${x}. It's fine.`, model: openai('m-1'),
  tools: { forecast, 'send-mail': tool({ description: "Sends a mail." }) },
});
const mcp = new MCPClient({ servers: { fs: { command: 'npx', args: ['-y', 'fs', '/'] },
  web: { url: new URL('http://h.example/mcp') } } });
const key = process.env.OPENAI_API_KEY ?? process.env['NODE_ENV'];
"""
    found = read("src/a.ts", code)
    (agent,) = [one for one in found if isinstance(one, DeclaredAgent)]
    assert (agent.name, agent.framework, agent.model) == ("Weather", "mastra", "m-1")
    assert agent.tools == ("forecast", "send-mail")
    assert agent.credentials == ("OPENAI_API_KEY",)
    assert agent.place.line == 5
    files, web = (one for one in found if isinstance(one, DeclaredServer))
    assert (files.name, files.command, web.url) == ("fs", "npx", "http://h.example/mcp")
    (prompt,) = [one for one in found if isinstance(one, Piece) and one.kind is SourceKind.PROSE]
    assert prompt.text == "Help with {…}. It's fine."


def test_what_skips_permissions_in_code_is_authority() -> None:
    """`bypassPermissions` in code counts as in settings."""
    (one,) = agents(
        "a.ts",
        "import { query } from '@anthropic-ai/claude-agent-sdk';\nquery({ prompt: "
        "'x', options: { permissionMode: 'bypassPermissions' } })",
    )
    (two,) = agents(
        "a.py",
        "from claude_agent_sdk import ClaudeAgentOptions\n"
        "ClaudeAgentOptions(permission_mode='bypassPermissions')",
    )
    assert one.authority == ("permissionMode: bypassPermissions",)
    assert two.authority == ("permission_mode: bypassPermissions",)


@pytest.mark.parametrize(
    "code",
    [
        "import x from 'ai';\nnew Agent({" * 2_000,
        "import x from 'ai';\nagent({ a: `${",
        "import x from 'ai';\ntool({ a: [[[[[[[[[[[[[1]]]]]]]]]]]]] })",
        ("import x from 'ai';\nnew Agent({ name: 'a', ...rest, get x() { return 1 } })"),
        "from 'ai' new Agent({,})",
        "require('ai'); generateText({ a: /re'gex/, b: 1 })",
    ],
)
def test_hostile_scripts_raise_nothing(code: str) -> None:
    """Open strings, deep lists and odd members end nothing."""
    assert read("a.ts", code)


def test_manifests_declare_their_agents() -> None:
    """CrewAI's and ADK's YAML, LangGraph's JSON, cards of A2A, assistants of OpenAI."""
    (crew,) = agents("config/agents.yaml", "researcher:\n  role: R\n  goal: Find.\n  tools: [search]\n")
    (adk,) = agents(
        "root_agent.yaml", "name: helper\nmodel: m-1\ninstruction: Help.\ntools:\n  - name: search\n"
    )
    (graph,) = agents("langgraph.json", '{"graphs": {"bot": "./a.py:g"}, "env": {"OPENAI_API_KEY": "x"}}')
    (card,) = agents(
        "agent-card.json", '{"name": "helper", "skills": [{"id": "search"}], "capabilities": {}}'
    )
    (made,) = agents(
        "x/assistant.json",
        json.dumps(
            {
                "object": "assistant",
                "name": "helper",
                "model": "m-1",
                "instructions": "Help.",
                "tools": [{"type": "function", "function": {"name": "search"}}],
            }
        ),
    )
    assert (crew.name, crew.framework, crew.tools) == ("researcher", "crewai", ("search",))
    assert (adk.name, adk.framework, adk.model, adk.tools) == ("helper", "google-adk", "m-1", ("search",))
    assert (graph.name, graph.framework, graph.credentials) == ("bot", "langgraph", ("OPENAI_API_KEY",))
    assert (card.name, card.framework, card.tools) == ("helper", "a2a", ("search",))
    assert (made.name, made.framework, made.tools) == ("helper", "openai-assistants", ("search",))


def test_subagents_and_skills_have_their_tools_and_prompt() -> None:
    """The front matter names the tools; the text is the prompt."""
    found = read(
        ".claude/agents/reviewer.md", "---\nname: reviewer\ntools: Read, Bash\nmodel: m-1\n---\nYou review.\n"
    )
    (agent,) = [one for one in found if isinstance(one, DeclaredAgent)]
    assert (agent.name, agent.framework, agent.model, agent.tools) == (
        "reviewer",
        "claude-code",
        "m-1",
        ("Read", "Bash"),
    )
    (prompt,) = [one for one in found if isinstance(one, Piece)]
    assert (prompt.kind, prompt.agent) == (SourceKind.PROSE, "reviewer")
    assert not agents("AGENTS.md", "Run the tests.")


def test_a_request_to_a_model_is_left_to_the_readers_of_transcripts() -> None:
    """Its tools do not make it a manifest."""
    assert not read("log.json", '{"messages": [{"role": "assistant"}], "tools": [{"input_schema": {}}]}')


def test_a_list_of_tools_as_mcp_gives_it_is_read() -> None:
    """A saved answer of `tools/list` declares the tools of the file's server."""
    text = json.dumps(
        {"result": {"tools": [{"name": "add", "description": "Adds.", "inputSchema": {"type": "object"}}]}}
    )
    (tool,) = [one for one in read("dumps/math.json", text) if isinstance(one, DeclaredTool)]
    assert (tool.name, tool.server, tool.schema) == ("add", "math", {"type": "object"})


@pytest.mark.parametrize(
    "file", ["agents.yaml", "langgraph.json", "agent-card.json", "a/.claude/agents/x.md", "SKILL.md"]
)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "---\n---\n",
        "---\n: [\n---\n",
        '{"graphs": 1}',
        '{"name": {}, "skills": 1, "capabilities": 2}',
        "a: &a [*a]",
        "{" * 9_000,
    ],
)
def test_hostile_manifests_raise_nothing(file: str, text: str) -> None:
    """Odd manifests are read as far as they can be."""
    assert all(one.place.file == file for one in read(file, text))
