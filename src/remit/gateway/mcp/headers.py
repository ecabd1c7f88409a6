# SPDX-License-Identifier: Apache-2.0
"""The headers of a request: what is requested, credentials, and whether they agree with the body.

2026-07-28 repeats method, name and some arguments in headers, so that intermediaries can route without
reading bodies. A server that reads the body must refuse a request whose headers disagree with it (-32020):
otherwise a request for one tool could look like a request for another.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Final

from remit.core.decisions.deferred_call import METHODS
from remit.core.json_value import Json
from remit.gateway import approval_outcome
from remit.gateway.mcp.messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    META_CAPABILITIES,
    META_VERSION,
    MODERN_VERSIONS,
    UNSUPPORTED_VERSION,
    Incoming,
    WireFault,
)

VERSION: Final = b"mcp-protocol-version"
METHOD: Final = b"mcp-method"
NAME: Final = b"mcp-name"
SESSION: Final = b"mcp-session-id"
_PARAM: Final = b"mcp-param-"
WAIT: Final = approval_outcome.HEADER.encode()
_READ: Final = frozenset(
    (
        b"authorization", b"content-type", b"content-length", b"content-encoding", b"accept", b"origin",
        b"host", VERSION, METHOD, NAME, SESSION, WAIT,
    )
)  # fmt: skip
#: Methods whose `Mcp-Name` repeats a param, and the name of that param.
NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(METHODS, "taskId"),
}
_ENCODED = re.compile(rb"=\?base64\?(.*)\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DECIMAL = re.compile(r"(-?[0-9]{1,20})(?:\.0+)?")

ParamRule = tuple[tuple[str, ...], bytes, str]


class McpHeaders:
    """The headers that the endpoint reads.

    `twice` are names that occur more than once; `params` are `Mcp-Param-*`, and `proofs` all values of
    `DPoP`.
    """

    __slots__ = ("params", "proofs", "twice", "values")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        """Read the headers in one pass; the ASGI server has converted the names to lower case."""
        values: dict[bytes, bytes] = {}
        self.values = values
        self.twice: set[bytes] = set()
        self.params: dict[bytes, bytes] = {}
        self.proofs: list[bytes] = []
        for name, value in raw:
            if name in _READ:
                if name not in values:
                    values[name] = value
                elif name == b"accept":
                    values[name] += b"," + value
                else:
                    self.twice.add(name)
            elif name[:10] == _PARAM:
                if name in self.params:
                    self.twice.add(name)
                self.params[name] = value
            elif name == b"dpop":
                self.proofs.append(value)

    def get(self, name: bytes) -> bytes:
        """Return a header's value; empty if it is absent."""
        return self.values.get(name, b"")


@lru_cache(maxsize=256)
def accepted(value: bytes) -> tuple[bool, bool]:
    """Return whether an `Accept` header permits JSON, and whether it permits an event stream."""
    kinds = {part.partition(b";")[0].strip().lower() for part in value.split(b",")}
    anything = b"*/*" in kinds
    json = anything or b"application/json" in kinds or b"application/*" in kinds
    return json, anything or b"text/event-stream" in kinds or b"text/*" in kinds


@lru_cache(maxsize=256)
def is_json(content_type: bytes) -> bool:
    """Return whether a `Content-Type` is JSON in UTF-8, the only charset of JSON (RFC 8259 section 8.1)."""
    kind, _, parameters = content_type.lower().partition(b";")
    for one in parameters.split(b";"):
        name, _, value = one.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"us-ascii"):
            return False
    return kind.strip() == b"application/json"


def decoded(value: bytes | None) -> str | None:
    """Return a header's text, decoded from `=?base64?...?=` if needed; None if it is absent or malformed."""
    if value is None:
        return None
    found = _ENCODED.fullmatch(value) if value[:2] == b"=?" else None
    try:
        if found is None:
            return value.decode("ascii")
        raw = base64.b64decode(found[1], validate=True)
        # A text has only one form: another encoding of the same bytes is malformed.
        return raw.decode() if base64.b64encode(raw) == found[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def check_version(version: object) -> None:
    """Refuse a protocol version that this endpoint does not support in the stateless era."""
    if version not in MODERN_VERSIONS:
        raise WireFault(
            "unsupported protocol version",
            UNSUPPORTED_VERSION,
            status=400,
            code="unsupported-version",
            data={"supported": list(MODERN_VERSIONS), "requested": str(version)[:80]},
        )


def check_modern(head: McpHeaders, message: Incoming) -> None:
    """Check a 2026-07-28 request against its headers; raise `WireFault`.

    In this order: the envelope in `_meta` is present (-32602), the headers agree with the body (-32020), the
    version is supported (-32022).
    """
    meta = message.params.get("_meta")
    if type(meta) is not dict or META_VERSION not in meta or META_CAPABILITIES not in meta:
        raise WireFault(
            f"`params._meta` must hold `{META_VERSION}` and `{META_CAPABILITIES}`",
            INVALID_PARAMS,
            status=400,
            code="no-envelope",
        )
    for name in (VERSION, METHOD, NAME):
        if name in head.twice:
            raise mismatch(f"header `{name.decode()}` is given more than once")
    if decoded(head.values.get(VERSION)) != meta[META_VERSION]:
        raise mismatch("header `mcp-protocol-version` is missing or does not match `_meta`")
    if METHOD not in head.values:
        raise mismatch("header `mcp-method` is missing")
    if NAME not in head.values and message.method in NAMED_BY:
        raise mismatch("header `mcp-name` is missing")
    check_repeated(head, message)
    check_version(meta[META_VERSION])


def check_repeated(head: McpHeaders, message: Incoming) -> None:
    """Refuse a request whose `Mcp-Method` or `Mcp-Name`, if present, differs from the body.

    In the older era these headers have no meaning in MCP, but an intermediary may still read them.
    """
    if METHOD in head.values and decoded(head.values[METHOD]) != message.method:
        raise mismatch("header `mcp-method` does not match the body")
    named_by = NAMED_BY.get(message.method)
    if NAME in head.values and named_by and decoded(head.values[NAME]) != message.params.get(named_by):
        raise mismatch(f"header `mcp-name` does not match `{named_by}` of the body")


def mismatch(message: str) -> WireFault:
    """Return the error for headers that disagree with the body."""
    return WireFault(
        message,
        HEADER_MISMATCH,
        status=400,
        code="header-mismatch",
        remediation="send headers that repeat the body",
    )


# `Mcp-Param-*`: arguments that a tool's schema requires to be repeated (`x-mcp-header`).

_ANNOTATION: Final = "x-mcp-header"
_KINDS: Final = frozenset(("string", "integer", "boolean"))
_SCHEMAS: Final = frozenset(
    (
        "items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames",
        "unevaluatedProperties", "not", "if", "then", "else", "contentSchema", "allOf", "anyOf", "oneOf",
        "prefixItems",
    )
)  # fmt: skip
_NAMED_SCHEMAS: Final = frozenset(("patternProperties", "dependentSchemas", "$defs", "definitions"))


def param_rules(schema: Json) -> tuple[ParamRule, ...]:
    """Return (path, header, type) of each argument that is repeated in a header.

    Return an empty tuple for a schema with an annotation in a forbidden place: clients ignore such a tool.
    """
    found: list[ParamRule] = []
    # (path, schema); the path is None below any keyword other than `properties`, where annotations are
    # forbidden.
    todo: list[tuple[tuple[str, ...] | None, Json]] = [((), schema)]
    while todo:
        path, node = todo.pop()
        if not isinstance(node, dict):
            continue
        if _ANNOTATION in node:
            name, kind = node[_ANNOTATION], node.get("type")
            if not path or not isinstance(name, str) or not _TOKEN.fullmatch(name):
                return ()
            if not isinstance(kind, str) or kind not in _KINDS:
                return ()
            found.append((path, _PARAM + name.lower().encode(), kind))
        for keyword, below in node.items():
            if keyword == "properties" and isinstance(below, dict):
                todo += [((*path, key) if path is not None else None, one) for key, one in below.items()]
            elif keyword in _NAMED_SCHEMAS and isinstance(below, dict):
                todo += [(None, one) for one in below.values()]
            elif keyword in _SCHEMAS:
                todo += [(None, one) for one in (below if isinstance(below, list) else (below,))]
    names = {header for _, header, _ in found}
    return tuple(found) if len(names) == len(found) else ()


def check_params(rules: tuple[ParamRule, ...], head: McpHeaders, arguments: dict[str, Json]) -> None:
    """Check the `Mcp-Param-*` headers of a call against its arguments; raise `WireFault` (-32020)."""
    for path, header, kind in rules:
        value: Json = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        raw = head.params.get(header)
        written = _written(value)
        if raw is None and written is not None:
            # The header's name comes from the upstream's schema, so remit's error does not contain it.
            raise mismatch("an argument must be repeated in the header that the tool's schema names for it")
        if header in head.twice or (raw is None) != (written is None):
            raise mismatch(f"header `{header.decode()}` and the argument must come together, once")
        if raw is not None and written is not None and not _same(decoded(raw), value, written, kind):
            raise mismatch(f"header `{header.decode()}` does not match the argument")


def _written(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _same(text: str | None, value: Json, written: str, kind: str) -> bool:
    if text is None:
        return False
    if kind == "integer" and isinstance(value, int | float) and not isinstance(value, bool):
        # 42 and 42.0 are the same integer.
        found = _DECIMAL.fullmatch(text)
        if found is not None:
            return int(found[1]) == value
    return text == written
