# SPDX-License-Identifier: Apache-2.0
"""Reads manifests of agents: YAML, JSON, and Markdown with front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredAgent, DeclaredTool, Read
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.frameworks.framework_forms import CREDENTIAL_NAME
from remit.core.discovery.sources.structure import MAX_BYTES, MAX_PIECE, Structure, parsed, structure
from remit.core.json_value import Json
from remit.core.jsonc import Span

_MARKDOWN: Final = re.compile(
    r"(?:.*/)?(?:\.(?:claude|cursor|github|opencode|gemini|codex|copilot|roo)/(?:[^/]*/)*[^/]*\.(?:md|"
    r"mdc|mdx)|"
    r"(?:AGENTS|AGENT|CLAUDE|GEMINI|SKILL|QWEN|CONVENTIONS)(?:\.local)?\.md|"
    r"\.(?:cursor|windsurf|cline|goose)(?:rules|hints)|"
    r"agents/[^/]*\.md|[^/]*\.(?:agent|chatmode|prompt|instructions)\.md)\Z"
)
_NAMED: Final = re.compile(
    r"(?:.*/)?(?:agents?\.ya?ml|root_agent\.ya?ml|[^/]*[._-]agent\.ya?ml|langgraph\.json|"
    r"agent(?:-card|_card)?\.json|"
    r"assistants?\.json|.*/agents?/[^/]*\.ya?ml)\Z"
)
_JSON_SIGNS: Final = (b'"inputSchema"', b'"input_schema"')
_ASSISTANT: Final = re.compile(rb'"object"\s{0,9}:\s{0,9}"assistant"')
_CARD: Final = frozenset({"skills", "capabilities"})
_FRONT: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_PROMPTS: Final = (
    "instruction",
    "instructions",
    "role",
    "goal",
    "backstory",
    "system_prompt",
    "prompt",
    "description",
)
MAX_AGENTS: Final = 500


class AgentManifests:
    """Reads what declares an agent beside its code, and dumps of tools as MCP lists them."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the file is a manifest by its path, or lists tools."""
        if not chunk.whole or len(chunk.content) > MAX_BYTES:
            return False
        file = chunk.file.replace("\\", "/")[-500:]
        if _MARKDOWN.match(file) or _NAMED.match(file):
            return True
        if not file.endswith(".json") or b'"messages"' in chunk.content:
            return False  # a request to a model is a transcript, whatever tools it offers
        return (
            any(sign in chunk.content for sign in _JSON_SIGNS) or _ASSISTANT.search(chunk.content) is not None
        )

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield agents, tools and every text of the file."""
        if not chunk.file.lower().endswith((".json", ".yaml", ".yml")):
            yield from _markdown(chunk)
            return
        tree = structure(chunk)
        if tree is None or not isinstance(tree.root.value, dict | list):
            yield from _text(
                chunk, chunk.content.decode("utf-8", "replace"), chunk.line, "", SourceKind.CONFIG
            )
            return
        prose: dict[tuple[str, ...], str] = {}
        for one in islice(_declared(tree), MAX_AGENTS):
            if isinstance(one, DeclaredAgent):
                prose[tuple(one.place.inside.split(".")) if one.place.inside else ()] = one.name
            yield one
        for piece in tree.pieces():
            agent = next((name for names, name in prose.items() if piece.names[: len(names)] == names), "")
            if agent and piece.names and piece.names[-1] in _PROMPTS:
                yield Piece(
                    text=piece.text, place=piece.place, kind=SourceKind.PROSE, names=piece.names, agent=agent
                )
            else:
                yield piece


def _declared(tree: Structure) -> Iterator[DeclaredAgent | DeclaredTool]:
    name = tree.chunk.file.replace("\\", "/").rpartition("/")[2]
    root = tree.root.value
    if isinstance(root, list):
        yield from _tools(tree, (), tree.root)
        for number, span in list(tree.root.members.items())[:MAX_AGENTS]:
            yield from _assistant(tree, (number,), span)
        return
    if name == "langgraph.json":
        yield from _langgraph(tree)
    elif root.keys() >= _CARD and isinstance(root.get("name"), str):
        yield _card(tree)
    elif isinstance(root.get("instruction", root.get("instructions")), str) or "agent_class" in root:
        yield from _assistant(tree, (), tree.root)
    elif name.lower().startswith("agents.y"):
        for key, span in list(tree.root.members.items())[:MAX_AGENTS]:
            if isinstance(span.value, dict) and {"role", "goal", "backstory"} & span.value.keys():
                yield _agent(tree, (key,), key, "crewai", span.value)
    for key in ("tools", "result"):
        listed = tree.root.at((key,)) if key == "tools" else tree.root.at(("result", "tools"))
        if listed is not None and isinstance(listed.value, list):
            yield from _tools(tree, (key,) if key == "tools" else ("result", "tools"), listed)
    data = tree.root.members.get("data")
    for number, span in list(data.members.items())[:MAX_AGENTS] if data is not None else ():
        yield from _assistant(tree, ("data", number), span)


def _assistant(tree: Structure, names: tuple[str, ...], span: Span) -> Iterator[DeclaredAgent | DeclaredTool]:
    """An assistant of OpenAI, or an agent of ADK: an object with its instructions."""
    value = span.value
    if not isinstance(value, dict):
        return
    said = value.get("instructions", value.get("instruction"))
    if value.get("object") != "assistant" and not isinstance(said, str) and "agent_class" not in value:
        return
    name = value.get("name")
    framework = (
        "openai-assistants"
        if value.get("object") == "assistant"
        else "google-adk"
        if tree.chunk.file.endswith(("yaml", "yml"))
        else "agent"
    )
    shown = name if isinstance(name, str) and name else tree.chunk.file.rpartition("/")[2].partition(".")[0]
    yield _agent(tree, names, shown, framework, value)
    tools = span.members.get("tools")
    for number, one in list(tools.members.items())[:MAX_AGENTS] if tools is not None else ():
        function = one.value.get("function") if isinstance(one.value, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield _tool(tree, (*names, "tools", number), function, "")


def _agent(
    tree: Structure, names: tuple[str, ...], name: str, framework: str, value: dict[str, Json]
) -> DeclaredAgent:
    model = value.get("model", value.get("llm"))
    return DeclaredAgent(
        name=name[:120],
        place=tree.place(names),
        framework=framework,
        model=model[:120] if isinstance(model, str) else "",
        tools=_named(value.get("tools")),
        credentials=_credentials(value),
    )


def _named(value: Json) -> tuple[str, ...]:
    """Return the names in a list of tools: texts, or objects with a name or a type; or a text with commas."""
    found: list[str] = []
    items = (
        value.split(",") if isinstance(value, str) else list(value) if isinstance(value, list | dict) else []
    )
    for one in items[:200]:
        if isinstance(one, str) and one.strip():
            found.append(one.strip()[:120])
        elif isinstance(one, dict):
            inner = one.get("function")
            names = (inner.get("name") if isinstance(inner, dict) else None, one.get("name"), one.get("type"))
            found += [text[:120] for text in names if isinstance(text, str)][:1]
    return tuple(dict.fromkeys(found))


def _credentials(value: Json) -> tuple[str, ...]:
    found: list[str] = []
    waiting: list[Json] = [value]
    for _ in range(10_000):
        if not waiting:
            break
        one = waiting.pop()
        if isinstance(one, dict):
            found += [
                key
                for key in one
                if isinstance(key, str) and key.isupper() and CREDENTIAL_NAME.fullmatch(key)
            ]
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and "$" in one[:2000]:
            found += [
                name
                for name in re.findall(r"\$\{?(?:env:)?([A-Z][A-Z0-9_]+)", one[:2000])
                if CREDENTIAL_NAME.fullmatch(name)
            ]
    return tuple(dict.fromkeys(found))[:200]


def _langgraph(tree: Structure) -> Iterator[DeclaredAgent]:
    graphs = tree.root.members.get("graphs")
    held = _credentials(tree.root.value.get("env")) if isinstance(tree.root.value, dict) else ()
    for name in list(graphs.members)[:MAX_AGENTS] if graphs is not None else ():
        yield DeclaredAgent(
            name=name[:120], place=tree.place(("graphs", name)), framework="langgraph", credentials=held
        )


def _card(tree: Structure) -> DeclaredAgent:
    """An agent's card of A2A."""
    root = tree.root.value
    skills = root.get("skills")
    names = (
        [one.get("id") or one.get("name") for one in skills if isinstance(one, dict)]
        if isinstance(skills, list)
        else []
    )
    return DeclaredAgent(
        name=str(root["name"])[:120],
        place=tree.place(),
        framework="a2a",
        tools=tuple(str(one)[:120] for one in names[:200] if isinstance(one, str)),
    )


def _tools(tree: Structure, names: tuple[str, ...], listed: Span) -> Iterator[DeclaredTool]:
    """Tools as `tools/list` returns them, with the server that the file names, or the file's name."""
    told = tree.root.value.get("server") if isinstance(tree.root.value, dict) else None
    file = tree.chunk.file.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    server = told if isinstance(told, str) and told else file
    for number, span in list(listed.members.items())[:MAX_AGENTS]:
        one = span.value
        if (
            isinstance(one, dict)
            and isinstance(one.get("name"), str)
            and {"inputSchema", "input_schema"} & one.keys()
        ):
            yield _tool(tree, (*names, number), one, server)


def _tool(tree: Structure, names: tuple[str, ...], one: dict[str, Json], server: str) -> DeclaredTool:
    says, notes = one.get("description"), one.get("annotations")
    schema = next((one[key] for key in ("inputSchema", "input_schema", "parameters") if key in one), None)
    return DeclaredTool(
        name=str(one["name"])[:200],
        place=tree.place(names),
        description=says[:MAX_PIECE] if isinstance(says, str) else "",
        schema=schema,
        annotations=notes if isinstance(notes, dict) else {},
        server=server[:120],
    )


def _markdown(chunk: FileChunk) -> Iterator[Read]:
    """Yield a subagent or a skill with its front matter, and the text as its prompt."""
    text = chunk.content.decode("utf-8-sig", "replace")
    front = _FRONT.match(text[:20_000])
    tree = parsed(front[1], "front.yaml") if front else None
    value = tree.value if tree is not None and isinstance(tree.value, dict) else {}
    agent = ""
    file = chunk.file.replace("\\", "/")
    if value and (name := _agent_name(value, file)):
        agent = name
        yield DeclaredAgent(
            name=name,
            place=FilePlace(file=chunk.file, line=chunk.line, commit=chunk.commit),
            framework=_framework(file),
            model=str(value["model"])[:120] if isinstance(value.get("model"), str) else "",
            tools=_named(value.get("tools", value.get("allowed-tools"))),
            authority=_authority(value),
        )
    yield from _text(chunk, text, chunk.line, agent, SourceKind.PROSE)


def _authority(value: dict[str, Json]) -> tuple[str, ...]:
    mode = value.get("permissionMode")
    return (f"permissionMode: {mode}",) if mode in ("bypassPermissions", "dontAsk") else ()


def _agent_name(value: dict[str, Json], file: str) -> str:
    """Return the name of a subagent or a skill; empty for rules, commands and other texts."""
    stem = file.rpartition("/")[2]
    is_agent = "/agents/" in f"/{file}" or stem.endswith((".agent.md", ".chatmode.md"))
    if not is_agent and stem != "SKILL.md":
        return ""
    name = value.get("name")
    if isinstance(name, str) and name:
        return name[:120]
    return stem.partition(".")[0][:120] if is_agent else ""


def _framework(file: str) -> str:
    for folder, framework in (
        (".claude/", "claude-code"),
        (".github/", "copilot"),
        (".opencode/", "opencode"),
        (".cursor/", "cursor"),
        (".gemini/", "gemini"),
    ):
        if folder in file:
            return framework
    return "claude-code" if file.endswith("SKILL.md") else "agent"


def _text(chunk: FileChunk, text: str, line: int, agent: str, kind: SourceKind) -> Iterator[Piece]:
    for start in range(0, len(text), MAX_PIECE):
        part = text[start : start + MAX_PIECE]
        place = FilePlace(file=chunk.file, line=line, commit=chunk.commit)
        yield Piece(text=part, place=place, kind=kind, agent=agent)
        line += part.count("\n")
