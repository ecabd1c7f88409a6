# SPDX-License-Identifier: Apache-2.0
"""The headers that MCP 2026-07-28 requires in addition to a request's body, derived from the body.

Source: MCP 2026-07-28, transports, "Standard request headers" and "Custom headers" (`x-mcp-header`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

Json = Any

VERSION_META: Final = "io.modelcontextprotocol/protocolVersion"
#: The first revision without sessions.
STATELESS_FROM: Final = "2026-07-28"
_NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=", re.DOTALL)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
MAX_DEPTH: Final = 32

#: Path of an argument -> the name after `Mcp-Param-`.
Mirrored = dict[tuple[str, ...], str]


def stateless_version(params: Json) -> str:
    """Return the revision in a message's `_meta`, or an empty text for a message of the older era."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    version = meta.get(VERSION_META) if isinstance(meta, dict) else None
    # Revisions are dates, so their text order is their order.
    return version if isinstance(version, str) and version >= STATELESS_FROM else ""


def request_headers(version: str, method: str, params: Json, mirrored: Mirrored) -> dict[str, str]:
    """Return the headers of a request of the stateless era."""
    headers = {"mcp-protocol-version": encoded(version), "mcp-method": encoded(method)}
    if not isinstance(params, dict):
        return headers
    name = params.get(_NAMED_BY.get(method, ""))
    if isinstance(name, str):
        headers["mcp-name"] = encoded(name)
    if method == "tools/call":
        for path, token in mirrored.items():
            text = _scalar(_at(params.get("arguments"), path))
            if text is not None:
                headers[f"mcp-param-{token.lower()}"] = encoded(text)
    return headers


def encoded(value: str) -> str:
    """Return a value in the form for a header: unchanged, or as `=?base64?...?=`."""
    if _PLAIN.fullmatch(value) and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'surrogatepass')).decode('ascii')}?="


def mirrored_by(schema: Json) -> Mirrored:
    """Return the arguments that an input schema requires in headers, by `x-mcp-header` on its properties."""
    found: Mirrored = {}
    open_ends: list[tuple[tuple[str, ...], Json]] = [((), schema)]
    while open_ends:
        path, node = open_ends.pop()
        properties = node.get("properties") if isinstance(node, dict) else None
        if not isinstance(properties, dict) or len(path) >= MAX_DEPTH:
            continue
        for name, below in properties.items():
            token = below.get("x-mcp-header") if isinstance(below, dict) else None
            if isinstance(token, str) and _TOKEN.fullmatch(token):
                found[(*path, name)] = token
            open_ends.append(((*path, name), below))
    return found


def _at(value: Json, path: tuple[str, ...]) -> Json:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _scalar(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
