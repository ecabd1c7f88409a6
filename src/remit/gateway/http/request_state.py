# SPDX-License-Identifier: Apache-2.0
"""One request at the HTTP door: how it arrived, and what is known of it so far."""

from __future__ import annotations

from typing import NamedTuple

from remit.core.identity.workload import Confirmation
from remit.core.oauth.access_token import AccessClaims
from remit.gateway.asgi import Receive, Send
from remit.gateway.http.head import ApiHead
from remit.gateway.http.response import ApiAnswer


class ApiArrival(NamedTuple):
    """What a request is for, by its address.

    `path` is what stands below the upstream, `authorization` what it shows of its sender, `url` the address
    that a proof of the sender is for, `where` the address that the upstream has for the agent.
    """

    upstream: str
    path: bytes
    authorization: list[bytes]
    url: str
    where: str
    proxied: bool = False


class ApiVisit:
    """One request, and what is known of it."""

    __slots__ = (
        "agent", "answer", "arrival", "claims", "head", "proven", "proxied", "receive", "send", "token",
    )  # fmt: skip

    arrival: ApiArrival
    claims: AccessClaims

    def __init__(self, head: ApiHead, receive: Receive, send: Send, *, proxied: bool) -> None:
        """Begin with nothing known but its headers, and whether it is for a proxy."""
        self.head = head
        self.receive = receive
        self.send = send
        self.token = ""
        self.proven = Confirmation()
        self.agent = ""
        self.answer: ApiAnswer | None = None
        self.proxied = proxied
        self.arrival = ApiArrival("", b"/", [], "", "")

    @property
    def upstream(self) -> str:
        """The upstream that is asked; empty where its address names none."""
        return self.arrival.upstream

    @property
    def path(self) -> bytes:
        """The path below the upstream, as it was sent."""
        return self.arrival.path
