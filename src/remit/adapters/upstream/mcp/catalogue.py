# SPDX-License-Identifier: Apache-2.0
"""Reads the whole catalogue of an upstream: every page of every list, within bounds."""

import logging

import msgspec

from remit.adapters.upstream.mcp.jsonrpc import METHOD_NOT_FOUND, broken, read_error, standalone
from remit.adapters.upstream.mcp.protocol_versions import (
    Ask,
    Handshake,
    ParamHeaders,
    param_headers,
    stamped,
)
from remit.core.canonical import parse_strict
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.ports.upstream import Catalogue

log = logging.getLogger(__name__)

MAX_ENTRIES = 10_000
#: The bound for tools is lower: the rules are checked against all tools at once, during which no other task
#: runs, and twice as many tools take four times as long.
MAX_TOOLS = 2_000
MAX_BYTES = 32 * 1024 * 1024
MAX_PAGES = 1_000
MAX_DEPTH = 128

# Field of the catalogue, capability that announces it, method, field of the result.
_LISTS = (
    ("tools", "tools", "tools/list", "tools"),
    ("resources", "resources", "resources/list", "resources"),
    ("resource_templates", "resources", "resources/templates/list", "resourceTemplates"),
    ("prompts", "prompts", "prompts/list", "prompts"),
)


class OfferedLists(msgspec.Struct, frozen=True):
    """A catalogue, and the tool headers that calls over HTTP need."""

    catalogue: Catalogue
    param_headers: dict[str, ParamHeaders]


async def ask_for_all(ask: Ask, known: Handshake, name: str) -> OfferedLists:
    """Read every list that the upstream announces.

    Raises `UpstreamFault` for a list that exceeds a bound or is malformed.
    """
    reader = _Lists(ask, known, name)
    lists = {
        field: tuple(await reader.read(method, key)) if known.offers(capability) else ()
        for field, capability, method, key in _LISTS
    }
    headers: dict[str, ParamHeaders] = {}
    if known.modern:
        tools = lists["tools"]
        lists["tools"] = tuple(tool for tool in tools if _with_headers(tool, headers))
        if left_out := len(tools) - len(lists["tools"]):
            log.warning("upstream %s: tools with an invalid x-mcp-header are ignored: %d", name, left_out)
    catalogue = Catalogue(
        protocol=known.version,
        server=known.server,
        capabilities=known.capabilities,
        instructions=known.instructions,
        **lists,
    )
    return OfferedLists(catalogue, headers)


def _with_headers(tool: dict[str, Json], headers: dict[str, ParamHeaders]) -> bool:
    """Store a tool's headers; return whether the tool may be offered."""
    found = param_headers(tool.get("inputSchema"))
    if found is None:
        # 2026-07-28, transports: a client must leave out a tool whose `x-mcp-header` is invalid.
        return False
    if found:
        headers[str(tool.get("name"))] = found
    return True


class _Page(msgspec.Struct, frozen=True):
    entries: list[dict[str, Json]]
    cursor: str | None


class _Entry(msgspec.Struct, gc=False):
    """An object whose content is discarded: entries are counted before they are read."""


class _Lists:
    """Reads lists page by page, with bounds over all pages."""

    def __init__(self, ask: Ask, known: Handshake, name: str) -> None:
        self._ask = ask
        self._known = known
        self._name = name
        self._left_bytes = MAX_BYTES
        self._most = self._left_entries = MAX_ENTRIES

    async def read(self, method: str, key: str) -> list[dict[str, Json]]:
        entries: list[dict[str, Json]] = []
        self._most = self._left_entries = MAX_TOOLS if key == "tools" else MAX_ENTRIES
        params: dict[str, Json] = {}
        for _ in range(MAX_PAGES):
            version = self._known.version
            answer = await self._ask(method, stamped(params, version), version)
            if answer.error:
                error = read_error(answer)
                if error.code == METHOD_NOT_FOUND and not entries:
                    return []
                raise broken(self._name, f"refused `{method}`", debug=f"{error.code}: {error.message}")
            page = self._page(standalone(answer.result), key, method)
            entries += page.entries
            if page.cursor is None:
                return entries
            if page.cursor == params.get("cursor"):
                raise broken(self._name, f"returns the same page again in `{method}`")
            params = {"cursor": page.cursor}
        raise broken(self._name, f"lists more than {MAX_PAGES} pages in `{method}`")

    def _page(self, body: bytes, key: str, method: str) -> _Page:
        """Read a page, parsing each entry strictly: entries are pinned by digest, so all readers must agree
        on them.

        An entry with more than one reading (RFC 7493) is left out; the others remain.
        """
        self._left_bytes -= len(body)
        if self._left_bytes < 0:
            raise broken(self._name, f"lists more than {MAX_BYTES} bytes")
        try:
            fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            listed = fields.get(key, b"")
            self._left_entries -= len(msgspec.json.decode(listed, type=list[_Entry]))
            cursor = msgspec.json.decode(fields.get("nextCursor", b"null"), type=str | None)
        except (msgspec.DecodeError, RecursionError) as error:
            raise broken(
                self._name, f"answered `{method}` with an invalid structure", debug=str(error)
            ) from error
        if self._left_entries < 0:
            # Entries that would be left out count as well, because each must be parsed.
            raise broken(self._name, f"lists more than {self._most} entries in `{method}`")
        entries, left_out, why = [], 0, ""
        for raw in msgspec.json.decode(listed, type=list[msgspec.Raw]):
            try:
                entry = parse_strict(bytes(raw), max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
            except Malformed as fault:
                left_out, why = left_out + 1, why or str(fault)
                continue
            assert isinstance(entry, dict)
            entries.append(entry)
        if left_out:
            text = "upstream %s: entries of %s are ignored: %d; reason for the first: %s"
            log.warning(text, self._name, method, left_out, why)
        return _Page(entries, cursor)
