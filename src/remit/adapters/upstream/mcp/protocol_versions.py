# SPDX-License-Identifier: Apache-2.0
"""The differences between the protocol eras of MCP, and every name that belongs to one of them.

*Modern* is 2026-07-28: each request is self-contained, `server/discover` reports the server's capabilities,
`_meta` carries version and capabilities, and headers repeat the fields that intermediaries route by. *Legacy*
is 2025-11-25 and older: an `initialize` handshake, and over HTTP a session.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Final

import msgspec
import orjson

from remit import __version__
from remit.adapters.upstream.http1 import SteadyHeaders
from remit.adapters.upstream.mcp.jsonrpc import Message, broken, read_error, read_value
from remit.core.errors import UpstreamFault, UpstreamUnreachable
from remit.core.json_value import Json
from remit.ports.upstream import Call

MODERN_VERSIONS: Final = ("2026-07-28",)
LEGACY_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
CLIENT_INFO: Final = {"name": "remit", "version": __version__}
# remit itself has no capabilities: no sampling, no elicitation, no roots. A call of a task that may answer
# declares its client's capabilities to servers that ask in results. Requests of other servers would be
# disclosures without a decision.
CLIENT_CAPABILITIES: Final[dict[str, Json]] = {}

DISCOVER, INITIALIZE, INITIALIZED = "server/discover", "initialize", "notifications/initialized"
CANCELLED, PROGRESS = "notifications/cancelled", "notifications/progress"
LISTEN, LISTENING = "subscriptions/listen", "notifications/subscriptions/acknowledged"
SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
RESOURCE_UPDATED = "notifications/resources/updated"
LOG_MESSAGE, SET_LEVEL = "notifications/message", "logging/setLevel"
PING: Final = "ping"

_RESERVED = "io.modelcontextprotocol/"
_META_VERSION = _RESERVED + "protocolVersion"
_META_CAPABILITIES = _RESERVED + "clientCapabilities"
_META_CLIENT = _RESERVED + "clientInfo"
_META_LOG_LEVEL = _RESERVED + "logLevel"
_META_SUBSCRIPTION = _RESERVED + "subscriptionId"
_PROGRESS_TOKEN = "progressToken"

SESSION_HEADER: Final = b"mcp-session-id"
_VERSION_HEADER = b"mcp-protocol-version"
_FIXED_HEADERS = (
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
)
_NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    # The tasks extension: an intermediary must be able to route to the server that has the task.
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}
#: No tool has a longer name; longer names are not cached.
_MAX_TOOL_NAME = 256
_PARAM_ANNOTATION = "x-mcp-header"
PARAM_PREFIX: Final = b"mcp-param-"
_PARAM_TYPES = ("string", "integer", "boolean")  # a tuple, because the value looked up may be unhashable
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN_VALUE = re.compile(r"[\x20-\x7e]*")
_ENCODED_VALUE = re.compile(r"=\?base64\?.*\?=")

_UNSUPPORTED_VERSION = -32022

ParamHeaders = tuple[tuple[tuple[str, ...], bytes], ...]
#: Sends one request to a server: method, params, protocol version (empty for the handshake itself).
Ask = Callable[[str, dict[str, Json], str], Awaitable[Message]]


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream reported about itself."""

    version: str
    server: dict[str, Json] = {}
    capabilities: dict[str, Json] = {}
    instructions: str = ""

    @property
    def modern(self) -> bool:
        """Whether the upstream speaks 2026-07-28 or later."""
        return self.version in MODERN_VERSIONS

    def offers(self, *path: str) -> bool:
        """Return whether a capability is present and not false."""
        node: Json = self.capabilities
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return node is not None and node is not False

    def changes(self) -> dict[str, bool]:
        """Return the `subscriptions/listen` filter for the lists that can change."""
        kinds = ("tools", "resources", "prompts")
        return {f"{kind}ListChanged": True for kind in kinds if self.offers(kind, "listChanged")}


def envelope(version: str) -> dict[str, Json]:
    """Return the `_meta` that every request of this version carries."""
    if version not in MODERN_VERSIONS:
        return {}
    return {
        _META_VERSION: version,
        _META_CAPABILITIES: CLIENT_CAPABILITIES,
        _META_CLIENT: CLIENT_INFO,
    }


def stamped(params: dict[str, Json], version: str) -> dict[str, Json]:
    """Return params for one of remit's own requests."""
    fixed = envelope(version)
    return {**params, "_meta": fixed} if fixed else params


class Stamp:
    """Writes `_meta` into the params of calls of one protocol version."""

    def __init__(self, version: str) -> None:
        """Precompute the constant part."""
        self._modern = version in MODERN_VERSIONS
        self._fixed = envelope(version)
        self._written = orjson.Fragment(orjson.dumps(self._fixed))

    def params(self, call: Call, progress_token: int) -> dict[str, Json]:
        """Return the params as they are sent.

        INVARIANT: only remit sets the entries that the protocol reserves; the agent's entries of that kind
        are dropped.
        """
        if not (call.meta or call.wants_progress or call.log_level or call.capabilities):
            if self._modern:
                return {**call.params, "_meta": self._written}
            if "_meta" in call.params:
                return {key: value for key, value in call.params.items() if key != "_meta"}
            return call.params
        meta: dict[str, Json] = {
            key: value
            for key, value in call.meta.items()
            if not key.startswith(_RESERVED) and key != _PROGRESS_TOKEN
        }
        meta.update(self._fixed)
        if call.wants_progress:
            meta[_PROGRESS_TOKEN] = progress_token
        if call.log_level and self._modern:
            meta[_META_LOG_LEVEL] = call.log_level
        if call.capabilities and self._modern:
            meta[_META_CAPABILITIES] = call.capabilities
        return {**call.params, "_meta": meta}


def http_headers(
    version: str, method: str, params: dict[str, Json], param_headers: ParamHeaders = ()
) -> Sequence[tuple[bytes, bytes]]:
    """Return the headers of one POST (2026-07-28, streamable HTTP: they repeat the body, and servers compare
    them).
    """
    modern = version in MODERN_VERSIONS
    named_by = _NAMED_BY.get(method) if modern else None
    named = params.get(named_by) if named_by is not None else None
    if method == "tools/call" and isinstance(named, str) and len(named) <= _MAX_TOOL_NAME:
        known = _of_tool(version, named)
        if not param_headers:
            return known
        headers = [*known]
    else:
        headers = _written_headers(version, method, named)
    if param_headers and modern:
        arguments = params.get("arguments")
        for path, name in param_headers:
            value = _written_value(_at(arguments, path))
            if value is not None:
                headers.append((name, _header_value(value)))
    return headers


@lru_cache(1024)
def _of_tool(version: str, name: str) -> SteadyHeaders:
    return SteadyHeaders(_written_headers(version, "tools/call", name))


def _written_headers(version: str, method: str, named: Json) -> list[tuple[bytes, bytes]]:
    headers = [*_FIXED_HEADERS]
    if version:
        headers.append((_VERSION_HEADER, version.encode("ascii")))
    if version in MODERN_VERSIONS:
        headers.append((b"mcp-method", method.encode("ascii")))
        if isinstance(named, str):
            headers.append((b"mcp-name", _header_value(named)))
    return headers


def _at(node: Json, path: tuple[str, ...]) -> Json:
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _written_value(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _header_value(value: str) -> bytes:
    if (
        _PLAIN_VALUE.fullmatch(value)
        and value == value.strip()
        and not (value.startswith("=?") and _ENCODED_VALUE.fullmatch(value))
    ):
        return value.encode("ascii")
    return b"=?base64?" + base64.b64encode(value.encode()) + b"?="


def param_headers(schema: Json) -> ParamHeaders | None:
    """Read which arguments of a tool are repeated in headers (`x-mcp-header`).

    Returns None for an invalid schema, whose tool a client must not offer.
    """
    found: list[tuple[tuple[str, ...], bytes]] = []
    seen: set[bytes] = set()
    # A path is None below a keyword other than `properties`: annotations are not permitted there.
    todo: list[tuple[tuple[str, ...] | None, Json, bool]] = [((), schema, True)]
    while todo:
        path, node, is_schema = todo.pop()
        if isinstance(node, list):
            todo += [(None, entry, True) for entry in node]
            continue
        if not isinstance(node, dict):
            continue
        if not is_schema:
            todo += [((*path, key) if path is not None else None, sub, True) for key, sub in node.items()]
            continue
        if _PARAM_ANNOTATION in node:
            name = node[_PARAM_ANNOTATION]
            if not path or not isinstance(name, str) or not _TOKEN.fullmatch(name):
                return None
            header = PARAM_PREFIX + name.lower().encode("ascii")
            if header in seen or node.get("type") not in _PARAM_TYPES:
                return None
            seen.add(header)
            found.append((path, header))
        for keyword, sub in node.items():
            if keyword == "properties":
                todo.append((path, sub, False))
            elif keyword in _SCHEMA_MAPS:
                todo.append((None, sub, False))
            elif keyword in _SCHEMAS:
                todo.append((None, sub, True))
    return tuple(found)


# Keywords of JSON Schema 2020-12 that contain schemas, or name them in an object; all others contain data.
_SCHEMAS = frozenset(
    (
        *("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames"),
        *("unevaluatedProperties", "not", "if", "then", "else", "contentSchema"),
        *("allOf", "anyOf", "oneOf", "prefixItems"),
    )
)
_SCHEMA_MAPS = frozenset(("patternProperties", "dependentSchemas", "$defs", "definitions"))


def subscription_of(params: dict[str, Json]) -> Json:
    """Return the id of the listening request that a notification belongs to (2026-07-28)."""
    meta = params.get("_meta")
    return meta.get(_META_SUBSCRIPTION) if isinstance(meta, dict) else None


def without_meta(params: dict[str, Json]) -> dict[str, Json]:
    """Return a notification's params without `_meta`, which concerns only the connection to remit."""
    return {key: value for key, value in params.items() if key != "_meta"}


async def negotiate(ask: Ask, name: str, *, probe: bool = True) -> Handshake:
    """Negotiate the protocol version: ask `server/discover`, and fall back to `initialize`.

    Anything but evidence of a modern server leads to the fallback, including a time-out (the official SDK's
    rule); an outage does not. With `probe=False` `server/discover` is not sent, for servers that exit at an
    unknown request. The caller sends `notifications/initialized` after a legacy handshake.
    """
    version = MODERN_VERSIONS[-1]
    for _ in range(2 if probe else 0):
        try:
            answer = await ask(DISCOVER, stamped({}, version), version)
        except UpstreamUnreachable as fault:
            if fault.code != "upstream-timeout":
                raise
            break
        if answer.error:
            offered = _offered(answer)
            shared = [v for v in MODERN_VERSIONS if v in offered]
            if shared and shared[-1] != version:
                version = shared[-1]
                continue
            if offered and not any(v in LEGACY_VERSIONS for v in offered):
                raise _no_version(name, offered)
            break
        found = _discovered(answer, version, name)
        if found is not None:
            return found
        break
    return await _initialize(ask, name)


async def _initialize(ask: Ask, name: str) -> Handshake:
    params = {
        "protocolVersion": LEGACY_VERSIONS[-1],
        "capabilities": CLIENT_CAPABILITIES,
        "clientInfo": CLIENT_INFO,
    }
    answer = await ask(INITIALIZE, params, "")
    if answer.error:
        offered = _offered(answer)
        shared = [v for v in MODERN_VERSIONS if v in offered]
        if shared:
            # The probe timed out here but reached the server, which now expects the modern protocol.
            again = await ask(DISCOVER, stamped({}, shared[-1]), shared[-1])
            found = None if again.error else _discovered(again, shared[-1], name)
            if found is not None:
                return found
        error = read_error(answer)
        raise broken(name, "refused the handshake", debug=f"{error.code}: {error.message}")
    result = read_value(answer.result, name)
    version = result.get("protocolVersion")
    if version not in LEGACY_VERSIONS:
        raise _no_version(name, [version] if isinstance(version, str) else [])
    return _handshake(result, version, result.get("serverInfo"))


def _discovered(answer: Message, asked: str, name: str) -> Handshake | None:
    """Read a discovery; return None if it is no evidence of a modern server."""
    try:
        result = read_value(answer.result, name)
    except UpstreamFault:
        return None
    supported = result.get("supportedVersions")
    if not isinstance(supported, list) or not isinstance(result.get("capabilities"), dict):
        return None
    shared = [v for v in MODERN_VERSIONS if v in supported]
    if not shared:
        return None
    meta = result.get("_meta")
    server = meta.get(_RESERVED + "serverInfo") if isinstance(meta, dict) else None
    return _handshake(result, asked if asked in shared else shared[-1], server)


def _handshake(result: dict[str, Json], version: str, server: Json) -> Handshake:
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    return Handshake(
        version=version,
        server=server if isinstance(server, dict) else {},
        capabilities=capabilities if isinstance(capabilities, dict) else {},
        instructions=instructions if isinstance(instructions, str) else "",
    )


def _offered(answer: Message) -> list[str]:
    error = read_error(answer)
    if error.code != _UNSUPPORTED_VERSION or not isinstance(error.data, dict):
        return []
    supported = error.data.get("supported")
    return [v for v in supported if isinstance(v, str)] if isinstance(supported, list) else []


def _no_version(name: str, offered: list[str]) -> UpstreamFault:
    return UpstreamFault(
        f"upstream `{name}` supports no protocol version that remit supports",
        remediation=f"upgrade it to one of {', '.join((*LEGACY_VERSIONS, *MODERN_VERSIONS))}",
        code="upstream-version",
        debug=f"it supports {', '.join(offered)[:80]}",
    )
