# SPDX-License-Identifier: Apache-2.0
"""Reads agents, tools and MCP servers out of Python code. The code is parsed, and never imported or run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.coding.client_servers import loose
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool, Read
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.clients.safe_words import shown_address, shown_command, shown_words
from remit.core.discovery.sources.frameworks.framework_forms import (
    AGENT_MAKERS,
    CREDENTIAL_NAME,
    PROMPTS,
    PYTHON_IMPORT,
    SERVER_MAKERS,
    SERVER_MAPPINGS,
    TOOL_MARKS,
    WIDE,
    framework_of,
)
from remit.core.json_value import Json

MAX_SOURCE: Final = 1024 * 1024
MAX_NAMES: Final = 200
_TYPES: Final = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
_NAMES: Final = ("name", "agent_name", "role")
_MODELS: Final = ("model", "llm", "model_id", "model_name", "model_client", "chat_client", "client")


def python_declarations(source: str, place: FilePlace) -> Iterator[Read]:
    """Yield the agents, tools and servers of a module, and the agents' prompts.

    `place` is that of the source's first line: a file, or a cell of a notebook (its `inside` is kept). Source
    that is no Python yields nothing.
    """
    if len(source) > MAX_SOURCE or PYTHON_IMPORT.search(source) is None:
        return
    try:
        with warnings.catch_warnings():  # the warnings about a stranger's code are not ours to show
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from _Module(tree, place).read()


class _Module:
    """One module: what its names come from, and its constants."""

    def __init__(self, tree: ast.Module, place: FilePlace) -> None:
        self._nodes = list(ast.walk(tree))
        self._place = place
        self._frameworks: dict[str, str] = {}
        self._modules: set[str] = set()
        self._texts: dict[str, str] = {}
        self._bound: dict[int, str] = {}
        self._lists: dict[str, ast.expr] = {}
        self._calls: dict[str, ast.Call] = {}
        self._server_name = ""
        for node in self._nodes:
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        """Note an import, or a name that is bound to a value."""
        if isinstance(node, ast.Import):
            for one in node.names:
                if framework := framework_of(one.name):
                    self._frameworks[one.asname or one.name.partition(".")[0]] = framework
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            framework = framework_of(node.module)
            for one in node.names:
                if framework or one.name in SERVER_MAKERS | SERVER_MAPPINGS:
                    self._frameworks[one.asname or one.name] = framework or "mcp"
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self._bind(target.id, node.value)

    def _bind(self, name: str, value: ast.expr) -> None:
        text = _text(value)
        if text is not None:
            self._texts[name] = text
        elif isinstance(value, ast.List | ast.Tuple):
            self._lists[name] = value
        elif isinstance(value, ast.Call):
            self._bound[id(value)] = name
            self._calls[name] = value
            if _last(value.func) in ("FastMCP", "Server", "MCPServer"):
                given = value.args[0] if value.args else self._keyword(value, "name")
                self._server_name = (_text(given) if given is not None else None) or name

    def read(self) -> Iterator[Read]:
        """Yield what the module declares, in the order of the file."""
        credentials = self._credentials()
        held = sorted(
            (
                node
                for node in self._nodes
                if isinstance(node, ast.Call | ast.FunctionDef | ast.AsyncFunctionDef)
            ),
            key=lambda node: (node.lineno, node.col_offset),
        )
        found = 0
        for node in held:
            for one in self._declared(node, credentials):
                found += 1
                if found > MAX_NAMES * 10:
                    return
                yield one

    def _declared(self, node: ast.AST, credentials: tuple[str, ...]) -> Iterator[Read]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(
                _last(one.func if isinstance(one, ast.Call) else one) in TOOL_MARKS
                for one in node.decorator_list
            ):
                yield self._tool(node)
            return
        if not isinstance(node, ast.Call):
            return
        made = _last(node.func)
        framework = self._frameworks.get(_first(node.func), "")
        if framework and made in AGENT_MAKERS:
            yield from self._agent(node, made, framework, credentials)
        elif made in SERVER_MAKERS:
            yield from self._server(node, framework or "mcp")
        elif made in SERVER_MAPPINGS:
            yield from self._servers(node, framework or "mcp")

    def _agent(
        self, call: ast.Call, made: str, framework: str, credentials: tuple[str, ...]
    ) -> Iterator[Read]:
        bound = self._bound.get(id(call), "")
        name = next((text for key in _NAMES if (text := self._said(call, key))), "") or bound
        name = (name or self._place.file.rpartition("/")[2].rpartition(".")[0] or made)[:120].strip()
        at = self._at(call)
        yield DeclaredAgent(
            name=name,
            place=at,
            framework=framework,
            model=self._model(call)[:120],
            tools=self._named(
                call, ("tools", "functions", "allowed_tools", "builtin_tools", "toolsets"), at=1
            ),
            servers=self._named(call, ("mcp_servers", "mcps")),
            credentials=credentials,
            authority=tuple(self._authority(call)),
        )
        for key in PROMPTS:
            text = self._said(call, key)
            if text and len(text) >= 4:
                yield Piece(text=text[:200_000], place=at, kind=SourceKind.PROSE, names=(key,), agent=name)

    def _authority(self, call: ast.Call) -> Iterator[str]:
        for one in call.keywords:
            value = one.value.value if isinstance(one.value, ast.Constant) else None
            if (
                isinstance(one.value, ast.List)
                and one.value.elts
                and isinstance(one.value.elts[0], ast.Constant)
            ):
                value = one.value.elts[0].value
            if one.arg in WIDE and any(value is wide or value == wide for wide in WIDE[one.arg]):
                yield f"{one.arg}: {str(value).lower() if isinstance(value, bool) else str(value)}"

    def _model(self, call: ast.Call) -> str:
        for key in _MODELS:
            given = self._keyword(call, key)
            if (
                given is None
                and key == "model"
                and call.args
                and _last(call.func) in ("Agent", "create_react_agent", "create_agent")
            ):
                given = call.args[0]
            if isinstance(given, ast.Name) and given.id in self._calls:
                given = self._calls[given.id]
            if isinstance(given, ast.Call):
                inner = next(
                    (
                        found
                        for name in ("model", "model_name", "model_id")
                        if (found := self._keyword(given, name))
                    ),
                    None,
                )
                given = inner if inner is not None else given.args[0] if given.args else None
            if given is not None and (text := self._resolved(given)):
                return text
        return ""

    def _named(self, call: ast.Call, keys: tuple[str, ...], at: int = -1) -> tuple[str, ...]:
        """Return the names of what a list of tools or servers holds."""
        given = next((found for key in keys if (found := self._keyword(call, key)) is not None), None)
        if given is None and 0 < at < len(call.args) and isinstance(call.args[at], ast.List | ast.Name):
            given = call.args[at]
        if isinstance(given, ast.Name):
            given = self._lists.get(given.id, given)
        if isinstance(given, ast.Dict):
            return tuple(text[:120] for one in given.keys if one is not None and (text := _text(one)))[
                :MAX_NAMES
            ]
        items = (
            given.elts
            if isinstance(given, ast.List | ast.Tuple | ast.Set)
            else [given]
            if given is not None
            else []
        )
        named = (_text(one) or _last(one.func if isinstance(one, ast.Call) else one) for one in items)
        return tuple(dict.fromkeys(one[:120] for one in named if one))[:MAX_NAMES]

    def _tool(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> DeclaredTool:
        properties: dict[str, Json] = {}
        for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs][:MAX_NAMES]:
            if one.arg not in ("self", "ctx", "context", "cls"):
                properties[one.arg] = {"type": _TYPES.get(_annotation(one.annotation), "string")}
        marked = next((one for one in node.decorator_list if isinstance(one, ast.Call)), None)
        served = any(
            _first(one.func if isinstance(one, ast.Call) else one) in self._calls
            for one in node.decorator_list
        )
        return DeclaredTool(
            name=(self._said(marked, "name") if marked else "") or node.name,
            place=self._at(node),
            description=(self._said(marked, "description") if marked else "")
            or ast.get_docstring(node)
            or "",
            schema={"type": "object", "properties": properties},
            server=self._server_name if served else "",
        )

    def _server(self, call: ast.Call, framework: str) -> Iterator[Read]:
        entry: dict[str, Json] = {}
        for one in call.keywords:
            value = _literal(one.value)
            if one.arg in ("params", "server_params", "connection_params", "tool_config") and isinstance(
                value, dict
            ):
                entry |= value
            elif one.arg:
                entry[one.arg] = value
        if call.args and (first := _literal(call.args[0])) is not None:
            if isinstance(first, dict):
                entry |= first
            elif isinstance(first, str):
                entry.setdefault("url" if "://" in first else "command", first)
        if isinstance(address := entry.get("server_url"), str):
            entry["url"] = address
        name = entry.get("name") or entry.get("server_label") or self._bound.get(id(call), "") or "server"
        yield from self._made(str(name), entry, call, framework)

    def _servers(self, call: ast.Call, framework: str) -> Iterator[Read]:
        given = _literal(call.args[0]) if call.args else None
        for name, entry in given.items() if isinstance(given, dict) else ():
            if isinstance(entry, dict):
                yield from self._made(str(name), entry, call, framework)

    def _made(self, name: str, written: dict[str, Json], call: ast.Call, framework: str) -> Iterator[Read]:
        entry = loose({str(key): value for key, value in written.items()})
        command, url = entry.get("command"), entry.get("url")
        if not isinstance(command, str) and not isinstance(url, str):
            return
        env, headers = entry.get("env"), entry.get("headers")
        yield DeclaredServer(
            name=name[:120],
            place=self._at(call),
            client=framework,
            command=shown_command(command),
            arguments=shown_words(entry.get("args")),
            url=shown_address(url) if isinstance(url, str) else "",
            environment=tuple(str(one)[:120] for one in env) if isinstance(env, dict) else (),
            headers=tuple(str(one)[:120] for one in headers) if isinstance(headers, dict) else (),
        )

    def _credentials(self) -> tuple[str, ...]:
        """Return the variables with credentials that the module reads from its environment."""
        found: list[str] = []
        for node in self._nodes:
            text: str | None = None
            if (
                isinstance(node, ast.Call)
                and node.args
                and _last(node.func) in ("getenv", "get", "config", "env", "require_env")
            ):
                whole = ast.unparse(node.func) if _last(node.func) == "get" else "environ"
                text = _text(node.args[0]) if "environ" in whole or "secrets" in whole else None
            elif isinstance(node, ast.Subscript) and _last(node.value) in ("environ", "secrets"):
                text = _text(node.slice)
            if text and CREDENTIAL_NAME.fullmatch(text):
                found.append(text[:120])
        return tuple(dict.fromkeys(found))[:MAX_NAMES]

    def _said(self, call: ast.Call, key: str) -> str:
        given = self._keyword(call, key)
        return self._resolved(given) if given is not None else ""

    def _resolved(self, node: ast.expr) -> str:
        text = _text(node)
        if text is None and isinstance(node, ast.Name):
            text = self._texts.get(node.id)
        return text or ""

    @staticmethod
    def _keyword(call: ast.Call, key: str) -> ast.expr | None:
        return next((one.value for one in call.keywords if one.arg == key), None)

    def _at(self, node: ast.AST) -> FilePlace:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        first = self._place.line or 1
        return msgspec.structs.replace(self._place, line=first + line - 1, column=column + 1)


def _text(node: ast.expr) -> str | None:
    """Return a text of the code: a constant, parts joined by `+`, a template without its values."""
    parts: list[str] = []
    waiting: list[ast.expr] = [node]
    for _ in range(2_000):
        if not waiting:
            return "".join(parts)
        one = waiting.pop()
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            parts.append(one.value)
        elif isinstance(one, ast.JoinedStr):
            waiting += reversed(one.values)
        elif isinstance(one, ast.FormattedValue):
            parts.append("{…}")
        elif isinstance(one, ast.BinOp) and isinstance(one.op, ast.Add):
            waiting += [one.right, one.left]
        elif isinstance(one, ast.Call) and _last(one.func) in ("dedent", "strip", "format", "SystemMessage"):
            if one.args and _last(one.func) in ("dedent", "SystemMessage"):
                waiting.append(one.args[0])
            elif isinstance(one.func, ast.Attribute):
                waiting.append(one.func.value)
        else:
            return None
    return None


def _literal(node: ast.expr, depth: int = 0) -> Json:
    """Return a literal of the code; what is computed is an empty text."""
    if depth > 8:
        return ""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | int | float | bool) or node.value is None else ""
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(one, depth + 1) for one in node.elts[:MAX_NAMES]]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys[:MAX_NAMES], node.values[:MAX_NAMES], strict=True)
        return {
            text: _literal(one, depth + 1) for key, one in pairs if key is not None and (text := _text(key))
        }
    if isinstance(node, ast.Call) and _last(node.func) in SERVER_MAKERS | {"dict", "Mcp", "McpServerConfig"}:
        return {one.arg: _literal(one.value, depth + 1) for one in node.keywords if one.arg}
    return _text(node) or ""


def _last(node: ast.AST | None) -> str:
    """Return the last word of a dotted name (`tool` of `agent.tool`); empty for anything else."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _first(node: ast.AST) -> str:
    """Return the first word of a dotted name."""
    for _ in range(20):
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _annotation(node: ast.expr | None) -> str:
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
        return _last(inner) if _last(node.value) in ("Annotated", "Optional") else _last(node.value)
    return _last(node)
