# SPDX-License-Identifier: Apache-2.0
"""Reads the configuration files of MCP clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.core.coding.client_servers import (
    ALLOWED_NAMES,
    is_off,
    is_ours,
    loose,
)
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool, Read
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.clients.client_authority import authority_of, is_guarded
from remit.core.discovery.sources.clients.client_forms import ANYWHERE, EACH, ClientForm, form_of, has_servers
from remit.core.discovery.sources.clients.safe_words import (
    MAX_WORDS,
    shown_address,
    shown_command,
    shown_words,
)
from remit.core.discovery.sources.structure import MAX_BYTES, MAX_PIECE, Structure, structure
from remit.core.json_value import Json
from remit.core.jsonc import Span

#: Servers of one file that are read.
MAX_SERVERS: Final = 2_000
_UNKNOWN: Final = ClientForm("mcp", "", ANYWHERE)
#: Names of the members that make an entry a server.
_REACHED: Final = frozenset({"command", "cmd", "url", "serverUrl", "httpUrl", "uri", "transport", "endpoint"})
#: Things that a person typed: prompts that a client keeps in its settings.
_HISTORY: Final = ("history", "promptHistory", "lastPrompts")


class ClientFiles:
    """Reads servers, tools, authority and texts of a client's configuration."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the file is a client's, by its path or by what it holds."""
        if not chunk.whole or len(chunk.content) > MAX_BYTES:
            return False
        return form_of(chunk.file) is not None or has_servers(chunk.file, chunk.content)

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the servers, the client as an agent, and every text of the file.

        A file that cannot be read as a tree is yielded as text: what it holds may still be secret.
        """
        form = form_of(chunk.file) or _UNKNOWN
        tree = structure(chunk)
        if tree is None or not isinstance(tree.root.value, dict):
            yield from _as_text(chunk)
            return
        allowed = authority_of(form.client, tree.root.value)
        if allowed or _is_settings(tree.root.value):
            yield DeclaredAgent(
                name=form.client,
                place=tree.place(),
                framework=form.client,
                authority=allowed,
                governed=is_guarded(tree.root.value),
            )
        found = 0
        for place in form.places if form is not _UNKNOWN else ANYWHERE:
            for names, name, span in _entries(tree, place):
                found += 1
                if found > MAX_SERVERS:
                    break
                if (server := _server(tree, form.client, names, name, span)) is not None:
                    yield server
                    yield from server.tools
        for piece in tree.pieces():
            yield _spoken(piece) if any(one in piece.names for one in _HISTORY) else piece


def _entries(tree: Structure, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, Span]]:
    """Yield the entries at a place, with the names that lead to each, and the server's name."""
    spans: list[tuple[tuple[str, ...], Span]] = [((), tree.root)]
    for step in place:
        below: list[tuple[tuple[str, ...], Span]] = []
        for names, span in spans:
            if step == EACH:
                below += [((*names, name), one) for name, one in span.members.items()]
            elif (one := span.members.get(step)) is not None:
                below.append(((*names, step), one))
        spans = below
    for names, span in spans:
        for key, one in span.members.items():
            if not isinstance(one.value, dict):
                continue
            said = one.value.get("name") if isinstance(span.value, list) else key
            yield (*names, key), str(said or key), one


def _server(
    tree: Structure, client: str, names: tuple[str, ...], name: str, span: Span
) -> DeclaredServer | None:
    if not isinstance(span.value, dict) or not _REACHED & span.value.keys():
        return None
    entry = loose(span.value)
    command, url = entry.get("command"), entry.get("url")
    at = tree.place(names, span)
    project = names[1] if names[0] == "projects" and len(names) > 3 else ""
    shown = name[:120]
    return DeclaredServer(
        name=shown,
        place=at,
        client=client,
        command=shown_command(command),
        arguments=shown_words(entry.get("args")),
        url=shown_address(url) if isinstance(url, str) else "",
        environment=_names(entry.get("env")),
        headers=_names(entry.get("headers")),
        tools=tuple(tools_of(tree, names, entry.get("tools"), shown)),
        allowed=_allowed(entry),
        disabled=is_off(entry) or shown in _switched_off(tree, names),
        governed=is_ours(_worded(entry)),
        project=project[:400],
    )


def tools_of(tree: Structure, names: tuple[str, ...], tools: Json, server: str) -> Iterator[DeclaredTool]:
    """Yield the tools that a list declares as MCP's `tools/list` does; others are left out."""
    for number, one in enumerate(tools[:1000] if isinstance(tools, list) else ()):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            continue
        says, notes = one.get("description"), one.get("annotations")
        yield DeclaredTool(
            name=one["name"][:200],
            place=tree.place((*names, "tools", str(number))),
            description=says[:MAX_PIECE] if isinstance(says, str) else "",
            schema=one.get("inputSchema") or one.get("input_schema") or one.get("parameters"),
            annotations=notes if isinstance(notes, dict) else {},
            server=server,
        )


def _worded(entry: dict[str, Json]) -> dict[str, Json]:
    return {key: entry[key] for key in ("command", "args") if key in entry}


def _switched_off(tree: Structure, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the servers that the file switches off in a list beside them."""
    beside = tree.root.at(names[:-2])
    found: list[str] = []
    for key in ("disabledMcpServers", "disabledMcpjsonServers"):
        listed = beside.value.get(key) if beside is not None and isinstance(beside.value, dict) else None
        found += [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return tuple(found)


def _allowed(entry: dict[str, Json]) -> tuple[str, ...]:
    """Return the tools that the client calls without asking; `*` is all."""
    found: list[str] = []
    for key in ALLOWED_NAMES:
        value = entry.get(key)
        if value is True:
            found.append("*")
        elif isinstance(value, list):
            found += [one[:120] for one in value[:500] if isinstance(one, str)]
    if entry.get("trust") is True:
        found.append("*")
    return tuple(dict.fromkeys(found))


def _names(value: Json) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(name[:120] for name in list(value)[:MAX_WORDS])
    return ()


def _is_settings(root: dict[str, Json]) -> bool:
    """Return whether a file is the settings of the client itself, beside its list of servers."""
    return bool({"permissions", "hooks", "approval_policy", "sandbox_mode"} & root.keys())


def _spoken(piece: Piece) -> Piece:
    return Piece(
        text=piece.text, place=piece.place, kind=SourceKind.TRANSCRIPT, names=piece.names, speaker="person"
    )


def _as_text(chunk: FileChunk) -> Iterator[Piece]:
    from_line = chunk.line
    text = chunk.content.decode("utf-8", "replace")
    for start in range(0, len(text), MAX_PIECE):
        part = text[start : start + MAX_PIECE]
        place = FilePlace(file=chunk.file, line=from_line, commit=chunk.commit)
        yield Piece(text=part, place=place, kind=SourceKind.CONFIG)
        from_line += part.count("\n")
