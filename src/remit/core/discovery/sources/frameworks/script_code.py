# SPDX-License-Identifier: Apache-2.0
"""Reads agents, tools and MCP servers out of JavaScript and TypeScript, by their tokens.

Only object literals are read: what an agent is made with. Text in strings and comments is told from code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.coding.client_servers import loose
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool, Read
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.clients.safe_words import shown_address, shown_command, shown_words
from remit.core.discovery.sources.frameworks.framework_forms import CREDENTIAL_NAME, PROMPTS, WIDE
from remit.core.json_value import Json

MAX_SOURCE: Final = 2 * 1024 * 1024
MAX_FOUND: Final = 500
_DEPTH: Final = 8
_IMPORT: Final = re.compile(r"""(?:from\s{1,9}|require\(\s{0,9}|import\(\s{0,9})["'](@?[\w./-]{1,100})["']""")
#: Package of npm, and its framework.
_PACKAGES: Final = (
    ("@mastra/", "mastra"),
    ("@langchain/langgraph", "langgraph"),
    ("@langchain/", "langchain"),
    ("langchain", "langchain"),
    ("@openai/agents", "openai-agents"),
    ("@anthropic-ai/claude-agent-sdk", "claude-agent-sdk"),
    ("@anthropic-ai/claude-code", "claude-agent-sdk"),
    ("@ai-sdk/", "ai-sdk"),
    ("llamaindex", "llamaindex"),
    ("@llamaindex/", "llamaindex"),
    ("@google/adk", "google-adk"),
    ("@strands-agents/", "strands"),
    ("@modelcontextprotocol/sdk", "mcp"),
    ("@voltagent/", "voltagent"),
    ("genkit", "genkit"),
    ("agents", "cloudflare-agents"),
)
_MAKES: Final = re.compile(
    r"\b(?:(?:const|let|var)\s{1,9}(\w{1,80})(?:\s{0,9}:[^=\n]{1,80})?\s{0,9}=\s{0,9})?(?:await\s{1,9})?(?:new\s{1,9})?"
    r"(Agent|ToolLoopAgent|Experimental_Agent|RealtimeAgent|LlmAgent|createReactAgent|"
    r"createAgent|createDeepAgent|"
    r"generateText|streamText|query|ReActAgent|FunctionAgent|agent|createMCPClient|"
    r"experimental_createMCPClient|"
    r"MCPClient|MultiServerMCPClient|MCPServerStdio|MCPServerStreamableHttp|"
    r"StdioClientTransport|tool|createTool|"
    r"registerTool|StdioMCPTransport|Experimental_StdioMCPTransport)\s{0,9}(?:<[^>(\n]{0,80}>)?\(\s{0,40}"
    r"(?:([\"'`])([\w -]{1,80})\3\s{0,9},\s{0,40})?(?=\{)"
)
_AGENTS: Final = frozenset(
    [
        "Agent",
        "ToolLoopAgent",
        "Experimental_Agent",
        "RealtimeAgent",
        "LlmAgent",
        "createReactAgent",
        "createAgent",
        "createDeepAgent",
        "generateText",
        "streamText",
        "query",
        "ReActAgent",
        "FunctionAgent",
        "agent",
    ]
)
_TOOLS: Final = frozenset({"tool", "createTool", "registerTool"})
_ENVIRONMENT: Final = re.compile(
    r"(?:process\.env|import\.meta\.env|Bun\.env|\benv)(?:\.|\[\s{0,9}[\"'])([A-Z][A-Z0-9_]{1,80})|"
    r"Deno\.env\.get\(\s{0,9}[\"']([A-Z][A-Z0-9_]{1,80})"
)
#: A comment or a string; one that does not end goes up to the end of its line, or of the source.
_UNREAD: Final = (
    r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|`(?:[^`\\]|\\.)*+`?"
    r"""|"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?"""
)
_COMMENT: Final = re.compile(_UNREAD, re.DOTALL)
_TOKEN: Final = re.compile(rf"{_UNREAD}|\.\.\.|[A-Za-z_$][\w$]*+|[0-9][\w.]*+|=>|\S", re.DOTALL)
_OPENS: Final = {"{": "}", "[": "]", "(": ")"}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_PLAIN: Final = {"n": "\n", "t": "\t", "r": "\r"}
#: Tokens of one literal, and of all literals of a source.
MAX_TOKENS: Final = 20_000
MAX_ALL: Final = 200_000


def script_declarations(source: str, place: FilePlace) -> Iterator[Read]:
    """Yield the agents, tools and servers of a module, and the agents' prompts.

    `place` is that of the source's first line.
    """
    if len(source) > MAX_SOURCE:
        return
    framework = _framework(source)
    if not framework:
        return
    source = _COMMENT.sub(_blanked, source)
    names = (found[1] or found[2] for found in _ENVIRONMENT.finditer(source))
    held = tuple(dict.fromkeys(one for one in names if CREDENTIAL_NAME.fullmatch(one)))[:200]
    left = MAX_ALL
    for number, found in enumerate(_MAKES.finditer(source)):
        if number >= MAX_FOUND or left <= 0:
            return
        value, read = _value(source, found.end())
        left -= read
        if not isinstance(value, dict):
            continue
        at = msgspec.structs.replace(
            place, line=(place.line or 1) + source.count("\n", 0, found.start()), column=0
        )
        bound, made, given = found[1] or "", found[2], found[4] or ""
        if made in _AGENTS:
            yield from _agent(value, at, framework, held, given or bound)
        elif made in _TOOLS:
            yield from _tool(value, at, given or bound)
        else:
            yield from _servers(value, at, framework, bound)


def _framework(source: str) -> str:
    packages = {found[1] for found in _IMPORT.finditer(source)}
    for prefix, framework in _PACKAGES:
        if any(
            one == prefix or one.startswith(prefix if prefix.endswith("/") else f"{prefix}/")
            for one in packages
        ):
            return framework
    return "ai-sdk" if "ai" in packages else ""


def _agent(
    value: dict[str, Json], at: FilePlace, framework: str, held: tuple[str, ...], bound: str
) -> Iterator[Read]:
    options = value.get("options")
    if isinstance(options, dict):  # the Claude Agent SDK: query({prompt, options})
        value = value | options
    name = _called(value) or bound
    name = (name or at.file.rpartition("/")[2].partition(".")[0])[:120]
    wide = (
        key
        for key in WIDE
        if any(value.get(key) == one and type(value.get(key)) is type(one) for one in WIDE[key])
    )
    yield DeclaredAgent(
        name=name,
        place=at,
        framework=framework,
        model=_shown(value.get("model", value.get("llm")))[:120],
        tools=_names(value.get("tools", value.get("allowedTools"))),
        servers=_names(value.get("mcpServers")),
        credentials=held,
        authority=tuple(
            f"{key}: {str(value[key]).lower() if value[key] is True else value[key]}" for key in wide
        ),
    )
    for key in PROMPTS:
        text = value.get(key)
        if isinstance(text, str) and len(text) >= 4 and not isinstance(text, _Name):
            yield Piece(text=text[:200_000], place=at, kind=SourceKind.PROSE, names=(key,), agent=name)
    servers = value.get("mcpServers")
    if isinstance(servers, dict):
        yield from _servers({"servers": servers}, at, framework, "")


def _tool(value: dict[str, Json], at: FilePlace, bound: str) -> Iterator[Read]:
    said = _text(value.get("description"))
    name = _called(value) or bound
    if name and said:
        yield DeclaredTool(name=name[:120], place=at, description=said[:200_000])


def _servers(value: dict[str, Json], at: FilePlace, framework: str, bound: str) -> Iterator[Read]:
    servers = next(
        (value[key] for key in ("servers", "mcpServers") if isinstance(value.get(key), dict)), None
    )
    entries = servers if isinstance(servers, dict) else {bound or "server": value}
    for name, one in entries.items():
        entry = loose(one) if isinstance(one, dict) else {}
        command, url, args = _text(entry.get("command")), _text(entry.get("url")), entry.get("args")
        if command or url:
            env, headers = entry.get("env"), entry.get("headers")
            yield DeclaredServer(
                name=str(name)[:120],
                place=at,
                client=framework,
                command=shown_command(command),
                arguments=shown_words([_text(word) for word in args] if isinstance(args, list) else None),
                url=shown_address(url) if url else "",
                environment=tuple(str(key)[:120] for key in env) if isinstance(env, dict) else (),
                headers=tuple(str(key)[:120] for key in headers) if isinstance(headers, dict) else (),
            )


def _blanked(found: re.Match[str]) -> str:
    """Return a string as it is, and a comment as its empty lines."""
    return "\n" * found[0].count("\n") if found[0].startswith(("//", "/*")) else found[0]


class _Name(str):
    """A name in code, and no text: told apart by its type."""

    __slots__ = ()


def _text(value: Json) -> str:
    """Return a text, or the text in a call; empty for a name."""
    if isinstance(value, _Name):
        return _inner(value)
    return value if isinstance(value, str) else ""


def _called(value: dict[str, Json]) -> str:
    """Return what an object is called by its `name` or `id`."""
    return _text(value.get("name")) or _text(value.get("id"))


def _inner(name: str) -> str:
    """Return the text in a call (`openai("gpt-5")`); empty if it has none."""
    return name.partition("\0")[2]


def _shown(value: Json) -> str:
    if isinstance(value, _Name):
        return _inner(value) or value.partition("\0")[0]
    return value if isinstance(value, str) else ""


def _names(value: Json) -> tuple[str, ...]:
    """Return the names in an object or a list of tools."""
    if isinstance(value, dict):
        return tuple(dict.fromkeys(str(key)[:120] for key in value))[:200]
    if isinstance(value, list):
        texts = (
            one.partition("\0")[0] if isinstance(one, _Name) else one for one in value if isinstance(one, str)
        )
        return tuple(dict.fromkeys(one[:120] for one in texts if one))[:200]
    return (value.partition("\0")[0][:120],) if isinstance(value, _Name) else ()


def _value(source: str, start: int) -> tuple[Json, int]:
    """Return the literal that begins at a position, and its tokens; None if it does not end."""
    tokens: list[str] = []
    depth = 0
    for found in _TOKEN.finditer(source, start):
        token = found[0]
        if token.startswith(("//", "/*")):
            continue
        tokens.append(token)
        depth += (token in _OPENS) - (token in _OPENS.values())
        if depth <= 0:
            return _Literal(tokens).value(0), len(tokens)
        if len(tokens) > MAX_TOKENS:
            break
    return None, len(tokens)


class _Literal:
    """Reads one literal from its tokens; what is computed becomes a name."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def value(self, depth: int) -> Json:
        token = self._take()
        if token == "{" and depth < _DEPTH:
            return self._object(depth)
        if token == "[" and depth < _DEPTH:
            return self._list(depth)
        if token[:1] in "\"'`" and token and self._peek() in (",", "}", "]", ")", "", ";"):
            return _unquoted(token)
        if token in ("true", "false") and self._peek() in (",", "}", "]", ""):
            return token == "true"
        return self._name(token)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _name(self, token: str) -> Json:
        """Read an expression up to its end; keep its first name and its first text."""
        first, text, depth = token if re.match(r"[A-Za-z_$]", token) else "", "", int(token in _OPENS)
        if token[:1] in "\"'`":
            text = _unquoted(token)
        while (one := self._peek()) and (depth > 0 or one not in (",", "}", "]", ")", ";")):
            self._take()
            depth += (one in _OPENS) - (one in _OPENS.values())
            if not text and one[:1] in "\"'`":
                text = _unquoted(one)
        return _Name(f"{first}\0{text}")

    def _object(self, depth: int) -> Json:
        out: dict[str, Json] = {}
        while (token := self._take()) not in ("}", ""):
            if token in (",", "...", "async", "*"):
                continue
            key = _unquoted(token) if token[:1] in "\"'`" else token
            if self._peek() == ":":
                self._take()
                out[key] = self.value(depth + 1)
            elif self._peek() in (",", "}"):
                out[key] = _Name(f"{key}\0")
            else:
                self._name(token)  # a method
        return out

    def _list(self, depth: int) -> Json:
        out: list[Json] = []
        while self._peek() not in ("]", ""):
            if self._peek() in (",", "..."):
                self._take()
                continue
            before = self._at
            out.append(self.value(depth + 1))
            if self._at == before:
                self._take()
        self._take()
        return out


def _unquoted(token: str) -> str:
    """Return the text of a string; the values in a template are left out."""
    text = token[1:-1] if len(token) >= 2 and token[-1] == token[0] else token[1:]
    if token[:1] == "`":
        text = re.sub(r"\$\{[^}]{0,500}\}", "{…}", text)

    def plain(found: re.Match[str]) -> str:
        what = found[1]
        if what[0] in "ux" and len(what) > 1:
            return chr(int(what[1:], 16))
        return _PLAIN.get(what, what)

    return _ESCAPE.sub(plain, text) if "\\" in text else text
