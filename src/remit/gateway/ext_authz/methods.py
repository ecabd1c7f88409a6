# SPDX-License-Identifier: Apache-2.0
"""Which messages of MCP a proxy may send upstream, and with which params.

The upstream gets the client's own bytes, so a message with anything that remit does not decide is refused:
another member, another param, free text in `_meta`. Some servers read names of members in any case, or the
last of two; a message of known members alone leaves nothing to read differently.
"""

from __future__ import annotations

from typing import Final

import orjson

from remit.core.json_value import Json
from remit.core.tools.tool import COMPLETION, INPUT, PROMPT_GET, RESOURCE_READ, RESOURCE_SUBSCRIBE
from remit.gateway.mcp.messages import (
    INVALID_REQUEST,
    META_CAPABILITIES,
    META_CLIENT,
    META_LOG_LEVEL,
    META_VERSION,
    Incoming,
    WireFault,
    bad_params,
    object_param,
    text_param,
)
from remit.gateway.tracing import travelling

#: COAZ-MCP, "Authorization Denial": the code of each refusal of a request that could be read.
DENIED: Final = -32001

#: Most characters of an id, a token or a remark that a client chooses: none is a place for data.
MAX_ID: Final = 64
#: Most bytes of a session's id, which the upstream gave and the client repeats: it goes upstream as it is.
MAX_SESSION: Final = 256
#: Most bytes of all else that no decision reads: a client's name and capabilities.
MAX_BESIDE: Final = 2048
_META: Final = "_meta"
_PROGRESS: Final = "progressToken"
_ENVELOPE: Final = frozenset((META_VERSION, META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL, _PROGRESS))
_MEMBERS: Final = frozenset(("jsonrpc", "id", "method", "params"))
#: Methods that are decided, and their params.
DECIDED: Final = {
    "tools/call": {"name", "arguments"},
    "resources/read": {"uri"},
    "resources/subscribe": {"uri"},
    "prompts/get": {"name", "arguments"},
    "completion/complete": {"ref", "argument", "context"},
}
#: Methods that go upstream for every task that is live: they begin a session, or ask nothing.
_OPENING: Final = {
    "initialize": {"protocolVersion", "capabilities", "clientInfo"},
    "server/discover": set[str](),
    "ping": set[str](),
}
#: The notifications that MCP knows from clients. COAZ-MCP passes every one; an upstream could act on another.
_NOTIFIED: Final = {
    "notifications/initialized": set[str](),
    "notifications/cancelled": {"requestId", "reason"},
    "notifications/progress": {"progressToken", "progress", "total", "message"},
    "notifications/roots/list_changed": set[str](),
}
#: Lists are answered by remit itself, so their params go nowhere.
_ANSWERED: Final = frozenset(("tools/list", "resources/list", "resources/templates/list", "prompts/list"))


def check_message(message: Incoming, members: frozenset[str]) -> None:
    """Refuse a message that is not decided as a whole; `members` are the names of its members.

    Raises `WireFault`: with `DENIED` for a method that no rule knows, and -32602 for a param.
    """
    if strange := members - _MEMBERS:
        raise WireFault(
            f"a message has no member `{min(strange)[:40]}`", INVALID_REQUEST, status=400, code="member"
        )
    method = message.method
    if method in _ANSWERED and message.id is not None:
        return
    known = _NOTIFIED if message.id is None else {**DECIDED, **_OPENING}
    if method not in known:
        raise WireFault(
            f"`{method[:80]}` is not decided behind a proxy",
            DENIED,
            code="method",
            remediation="call it at remit's own MCP endpoint",
        )
    if unknown := message.params.keys() - known[method] - {_META}:
        raise bad_params(f"`{method}` has no param `{min(unknown)[:40]}` here", "leave it out")
    meta = object_param(message.params, _META)
    told = [one for name, one in message.params.items() if name != _META] if message.id is None else []
    if max(len(str(one)) for one in (message.id, meta.get(_PROGRESS), *told)) > MAX_ID:
        raise bad_params(f"an id, a token or a remark has at most {MAX_ID} characters here", "shorten it")
    for name in meta:
        if name in _ENVELOPE or travelling({name: meta[name]}):
            continue
        raise bad_params(f"`_meta` has no member `{name[:40]}` here", "leave it out")
    if len(orjson.dumps(meta if method in DECIDED else message.params)) > MAX_BESIDE:
        raise bad_params(f"a client says at most {MAX_BESIDE} bytes of itself here", "shorten it")


def call_of(message: Incoming) -> tuple[str, dict[str, Json]]:
    """Return the name and the arguments of the call that a decided message makes; raise `WireFault`."""
    params, method = message.params, message.method
    if method == "tools/call":
        arguments = object_param(params, "arguments")
        if INPUT in arguments:
            raise bad_params(f"an argument must not be named `{INPUT}`")
        return text_param(params, "name"), arguments
    if method == "prompts/get":
        more = {"arguments": object_param(params, "arguments")} if params.get("arguments") is not None else {}
        return PROMPT_GET, {"name": text_param(params, "name"), **more}
    if method == "completion/complete":
        context = {"context": object_param(params, "context")} if params.get("context") is not None else {}
        told = {name: object_param(params, name) for name in ("ref", "argument")}
        return COMPLETION, {**told, **context}
    name = RESOURCE_READ if method == "resources/read" else RESOURCE_SUBSCRIBE
    return name, {"uri": text_param(params, "uri")}
