# SPDX-License-Identifier: Apache-2.0
"""One request at the HTTP endpoint: how it arrived, and its state so far."""

from __future__ import annotations

from remit.core.identity.workload import Confirmation
from remit.core.oauth.access_token import AccessClaims
from remit.gateway.asgi import Receive, Send
from remit.gateway.http.head import ApiHead
from remit.gateway.http.response import ApiAnswer


class ApiVisit:
    """One request and its state."""

    __slots__ = (
        "agent", "answer", "claims", "head", "origin", "path", "proven", "receive", "send", "token",
        "upstream",
    )  # fmt: skip

    claims: AccessClaims

    def __init__(self, head: ApiHead, receive: Receive, send: Send, upstream: str, path: bytes) -> None:
        """Keep the headers and the target: the upstream that the path names (empty for none), and the path
        below it as it was sent.
        """
        self.head = head
        self.receive = receive
        self.send = send
        self.token = ""
        self.proven = Confirmation()
        self.agent = ""
        self.origin = ""
        self.answer: ApiAnswer | None = None
        self.upstream = upstream
        self.path = path
