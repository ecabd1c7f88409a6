# SPDX-License-Identifier: Apache-2.0
"""Asks an upstream for all that it offers: every page of every list, within bounds."""

import logging
from typing import Any

import msgspec

from remit.adapters.upstream.era import Ask, Handshake, ParamHeaders, param_headers, stamped
from remit.adapters.upstream.jsonrpc import METHOD_NOT_FOUND, broken, read_error, standalone
from remit.core.canonical import parse_strict
from remit.core.errors import Malformed
from remit.ports.upstream import Catalogue

Json = Any

log = logging.getLogger(__name__)

MAX_ENTRIES = 10_000
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


class Offered(msgspec.Struct, frozen=True):
    """A catalogue, and what calls over HTTP must know of its tools."""

    catalogue: Catalogue
    param_headers: dict[str, ParamHeaders]


async def ask_for_all(ask: Ask, known: Handshake, name: str) -> Offered:
    """Read every list that the upstream announces; raises `UpstreamFault` beyond a bound or for a malformed
    one.
    """
    reader = _Lists(ask, known, name)
    lists = {
        field: tuple(await reader.read(method, key)) if known.offers(capability) else ()
        for field, capability, method, key in _LISTS
    }
    headers: dict[str, ParamHeaders] = {}
    if known.modern:
        lists["tools"] = tuple(tool for tool in lists["tools"] if _with_headers(tool, headers, name))
    catalogue = Catalogue(
        protocol=known.version,
        server=known.server,
        capabilities=known.capabilities,
        instructions=known.instructions,
        **lists,
    )
    return Offered(catalogue, headers)


def _with_headers(tool: dict[str, Json], headers: dict[str, ParamHeaders], name: str) -> bool:
    """Learn a tool's headers; say whether it may be offered."""
    found = param_headers(tool.get("inputSchema"))
    if found is None:
        # 2026-07-28, transports: a client must leave out a tool whose `x-mcp-header` is invalid.
        log.warning("upstream %s: a tool with an invalid x-mcp-header is left out", name)
        return False
    if found:
        headers[str(tool.get("name"))] = found
    return True


class _Page(msgspec.Struct, frozen=True):
    entries: list[dict[str, Json]]
    cursor: str | None


class _Lists:
    """Reads lists page by page, counting over all of them."""

    def __init__(self, ask: Ask, known: Handshake, name: str) -> None:
        self._ask = ask
        self._known = known
        self._name = name
        self._left_bytes = MAX_BYTES

    async def read(self, method: str, key: str) -> list[dict[str, Json]]:
        entries: list[dict[str, Json]] = []
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
            if len(entries) > MAX_ENTRIES:
                raise broken(self._name, f"lists more than {MAX_ENTRIES} entries in `{method}`")
            if page.cursor is None:
                return entries
            if page.cursor == params.get("cursor"):
                raise broken(self._name, f"gives the same page again in `{method}`")
            params = {"cursor": page.cursor}
        raise broken(self._name, f"lists more than {MAX_PAGES} pages in `{method}`")

    def _page(self, body: bytes, key: str, method: str) -> _Page:
        """Read a page, each entry strictly: it is pinned by digest, and must be read alike by everyone.

        An entry with more than one reading (RFC 7493) is left out; the others stand.
        """
        self._left_bytes -= len(body)
        if self._left_bytes < 0:
            raise broken(self._name, f"lists more than {MAX_BYTES} bytes")
        try:
            fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            raws = msgspec.json.decode(fields.get(key, b""), type=list[msgspec.Raw])
            cursor = msgspec.json.decode(fields.get("nextCursor", b"null"), type=str | None)
        except (msgspec.DecodeError, RecursionError) as error:
            raise broken(self._name, f"answered `{method}` in a wrong shape", debug=str(error)) from error
        entries = []
        for raw in raws:
            try:
                entry = parse_strict(bytes(raw), max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
            except Malformed as fault:
                log.warning("upstream %s: an entry of %s is left out: %s", self._name, method, fault)
                continue
            if not isinstance(entry, dict):
                raise broken(self._name, f"lists something else than objects in `{method}`")
            entries.append(entry)
        return _Page(entries, cursor)
