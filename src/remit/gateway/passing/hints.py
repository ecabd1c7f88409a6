# SPDX-License-Identifier: Apache-2.0
"""Which task a request is about, as far as it can be told before anybody has judged it.

It is a hint for where to send the request, and nothing else: what a token says counts only if it is ours.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from remit.core.errors import RemitError
from remit.gateway.asgi import Scope
from remit.services.house import House

MCP: Final = "/mcp"
HTTP: Final = "/http/"
TOKEN: Final = "/oauth/token"
ASKING: Final = ("/access/v1/evaluation", "/access/v1/evaluations")
_TASK: Final = re.compile(r"/api/v1/tasks/([^/]+)/(?:turn|plan|renew|complete|declassify)")


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


_asking = msgspec.json.Decoder(_Asking).decode


def concerns(path: str, method: str) -> bool:
    """Whether a request can be about the live state of a task."""
    if path == MCP or path.startswith((f"{MCP}/", HTTP)):
        return True
    return method == "POST" and (path == TOKEN or path in ASKING or _TASK.fullmatch(path) is not None)


def needs_body(path: str) -> bool:
    """Whether the task stands in the body."""
    return path == TOKEN or path in ASKING


def task_of(house: House, scope: Scope, body: bytes) -> str:
    """Give the task that a request seems to be about; empty where it says none."""
    path: str = scope["path"]
    if (named := _TASK.fullmatch(path)) is not None:
        return named[1]
    if path == TOKEN:
        try:
            given = parse_qs(body.decode("ascii"), max_num_fields=64)
        except ValueError:
            return ""
        return _of_token(house, given.get("subject_token", [""])[0])
    if path in ASKING:
        return _of_question(house, body)
    shown = [value for name, value in scope["headers"] if name == b"authorization"]
    return _of_token(house, shown[0].decode("latin-1").rpartition(" ")[2]) if len(shown) == 1 else ""


def _of_token(house: House, token: str) -> str:
    if not token:
        return ""
    try:
        return house.authenticator.unproven(token, house.clock.now()).task
    except RemitError:
        return ""


def _of_question(house: House, body: bytes) -> str:
    try:
        subject = _asking(body).subject
    except (msgspec.DecodeError, RecursionError):
        return ""
    told = subject.properties
    return _of_token(house, told.access_token) or told.task or (subject.id if subject.type == "task" else "")
