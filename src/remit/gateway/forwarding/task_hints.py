# SPDX-License-Identifier: Apache-2.0
"""Which task a request is about, as far as it is known before authentication.

It is only a hint for routing. A token is considered only if remit issued it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from remit.gateway.asgi import Scope

MCP: Final = "/mcp"
HTTP: Final = "/http/"
API: Final = "/api/v1/"
TOKEN: Final = "/oauth/token"
ASKING: Final = ("/access/v1/evaluation", "/access/v1/evaluations")
_TASK: Final = re.compile(r"/api/v1/tasks/([^/]+)/(?:turn|plan|renew|complete|declassify)")

_FUNCTION: Final = re.compile(r"/api/v1/tasks/[^/]+/calls(?:/[^/]+/result)?")


class _Properties(msgspec.Struct, frozen=True):
    access_token: str = ""
    task: str = ""


class _Subject(msgspec.Struct, frozen=True):
    type: str = ""
    id: str = ""
    properties: _Properties = _Properties()


class _Asking(msgspec.Struct, frozen=True):
    subject: _Subject = _Subject()
    evaluations: tuple[dict[str, Any], ...] = ()


About = Callable[[str], str]
"""Returns the task of a token that is ours; empty where it names none."""

_asking = msgspec.json.Decoder(_Asking).decode


def concerns(scope: Scope) -> bool:
    """Return whether a request can concern the live state of a task."""
    path: str = scope["path"]
    if path == MCP or path.startswith((f"{MCP}/", HTTP, API)):
        return True
    return bool(scope["method"] == "POST") and (path == TOKEN or path in ASKING)


def needs_body(scope: Scope) -> bool:
    """Return whether the task is named in the body."""
    return scope["path"] == TOKEN or scope["path"] in ASKING


def task_of(scope: Scope, body: bytes, about: About) -> str:
    """Return the task that a request seems to be about; empty where it says none. `about` reads a token."""
    path: str = scope["path"]
    if scope["method"] == "POST" and (named := _TASK.fullmatch(path)) is not None:
        return named[1]
    if path == TOKEN:
        try:
            given = parse_qs(body.decode("ascii"), max_num_fields=64)
        except ValueError:
            return ""
        return _of_token(about, given.get("subject_token", [""])[0])
    if path in ASKING:
        return _of_question(body, about)
    return _of_header(scope, about)


def upstream_of(scope: Scope) -> str | None:
    """Return the upstream whose data the answer to a request may contain.

    An empty text means any upstream, `None` means no upstream data.
    """
    path: str = scope["path"]
    if path in ASKING or _FUNCTION.fullmatch(path) is not None:
        return ""
    endpoint = next((one for one in (f"{MCP}/", HTTP, MCP) if path.startswith(one)), None)
    return None if endpoint is None else path.removeprefix(endpoint).partition("/")[0]


def _of_header(scope: Scope, about: About) -> str:
    shown = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(shown) != 1:
        return ""
    token = shown[0].strip().rpartition(b" ")[2]
    return _of_token(about, token.decode("latin-1"))


def _of_token(about: About, token: str) -> str:
    return about(token) if token else ""


def _of_question(body: bytes, about: About) -> str:
    try:
        subject = _asking(body).subject
    except (msgspec.DecodeError, RecursionError):
        return ""
    told = subject.properties
    return _of_token(about, told.access_token) or told.task or (subject.id if subject.type == "task" else "")
