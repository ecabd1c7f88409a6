# SPDX-License-Identifier: Apache-2.0
"""The five methods of the Workload API, for the one process at the other end of a connection.

INVARIANT: each connection has its own `WorkloadApi`, made with the peer of that connection; no content of a
request changes the peer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from google.protobuf import json_format
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from remit.api.spiffe.messages import SERVICE, message
from remit.core.canonical import encode
from remit.core.errors import Busy, Forbidden, Malformed, RemitError, Unauthenticated
from remit.ports.peers import Peer
from remit.services.identity.svid_issuing import Entitled, SvidIssuing
from remit.services.limits.rate_limit import RateLimit

log = logging.getLogger("remit.workload")

#: SPIFFE Workload Endpoint section 3: browsers and proxies do not send this header by themselves.
SECURITY_HEADER: Final = "workload.spiffe.io"

#: Seconds between two checks of a stream whether its process is still entitled to the same identities.
LOOK_S: Final = 5.0

_STATUS: tuple[tuple[type[RemitError], Status], ...] = (
    (Malformed, Status.INVALID_ARGUMENT),
    (Forbidden, Status.PERMISSION_DENIED),
    (Unauthenticated, Status.PERMISSION_DENIED),
)

Method = Callable[["Stream[Any, Any]"], Awaitable[None]]


class WorkloadApi:
    """The service of one connection."""

    def __init__(self, issuing: SvidIssuing, peer: Peer, pace: RateLimit) -> None:
        """Keep the issuing authority, the calling process, and the rate limit of its user."""
        self._issuing = issuing
        self._pace = pace
        self._peer = peer

    def __mapping__(self) -> dict[str, Handler]:
        """Return the methods in the form that `grpclib` needs."""
        one, many = Cardinality.UNARY_UNARY, Cardinality.UNARY_STREAM
        methods: tuple[tuple[str, Method, Cardinality, str], ...] = (
            ("FetchX509SVID", self.x509_svids, many, "X509SVID"),
            ("FetchX509Bundles", self.x509_bundles, many, "X509Bundles"),
            ("FetchJWTSVID", self.jwt_svids, one, "JWTSVID"),
            ("FetchJWTBundles", self.jwt_bundles, many, "JWTBundles"),
            ("ValidateJWTSVID", self.validate, one, "ValidateJWTSVID"),
        )
        return {
            f"/{SERVICE}/{name}": Handler(
                _edge(method), cardinality, message(f"{kind}Request"), message(f"{kind}Response")
            )
            for name, method, cardinality, kind in methods
        }

    async def x509_svids(self, stream: Stream[Any, Any]) -> None:
        """Send certificates now, and again at half of their lifetime or when the bundle or the entitlement
        changes.
        """
        await self._asked(stream)
        while True:
            shown = await self._peer.shown()
            sequence = self._issuing.bundle.sequence
            made = await self._issuing.certificates(shown)
            given = tuple(one.entitled for one in made)
            bundle = b"".join(self._issuing.bundle.authorities)
            answer = message("X509SVIDResponse")()
            for one in made:
                answer.svids.add(
                    spiffe_id=one.entitled.spiffe_id,
                    x509_svid=one.certificate,
                    x509_svid_key=one.private_key,
                    bundle=bundle,
                    hint=one.entitled.hint,
                )
            renew_at = min(one.expires for one in made) - self._issuing.life / 2
            await stream.send_message(answer)
            while self._issuing.bundle.sequence == sequence and self._issuing.now() < renew_at:
                await self._issuing.wait(LOOK_S)
                if await self._given() != given:
                    break

    async def x509_bundles(self, stream: Stream[Any, Any]) -> None:
        """Send the authorities now, and again when they change."""
        await self._bundles(stream, "X509BundlesResponse", lambda: b"".join(self._issuing.bundle.authorities))

    async def jwt_bundles(self, stream: Stream[Any, Any]) -> None:
        """Send the keys of JWT-SVIDs now, and again when they change."""
        await self._bundles(stream, "JWTBundlesResponse", lambda: encode(self._issuing.bundle.jwt_set))

    async def jwt_svids(self, stream: Stream[Any, Any]) -> None:
        """Send tokens for the requested audiences."""
        asked = await self._asked(stream)
        made = await self._issuing.tokens(await self._peer.shown(), tuple(asked.audience), asked.spiffe_id)
        answer = message("JWTSVIDResponse")()
        for one in made:
            answer.svids.add(spiffe_id=one.entitled.spiffe_id, svid=one.token, hint=one.entitled.hint)
        await stream.send_message(answer)

    async def validate(self, stream: Stream[Any, Any]) -> None:
        """Validate a token that another workload presented to this process."""
        asked = await self._asked(stream)
        await self._given()
        try:
            held = self._issuing.checked(asked.svid, asked.audience)
        except Unauthenticated as fault:
            raise Malformed(fault.message, code=fault.code) from None
        answer = message("ValidateJWTSVIDResponse")(spiffe_id=str(held.spiffe_id))
        json_format.ParseDict(held.claims, answer.claims)
        await stream.send_message(answer)

    async def _bundles(self, stream: Stream[Any, Any], kind: str, bundle: Callable[[], bytes]) -> None:
        await self._asked(stream)
        while True:
            # Only for processes with an identity here: SPIFFE Workload API section 5.2.2.
            await self._given()
            sequence = self._issuing.bundle.sequence
            answer = message(kind)()
            answer.bundles[f"spiffe://{self._issuing.trust_domain}"] = bundle()
            await stream.send_message(answer)
            while self._issuing.bundle.sequence == sequence:
                await self._issuing.wait(LOOK_S)
                await self._given()

    async def _asked(self, stream: Stream[Any, Any]) -> Any:
        """Return the only message of a request; raise `Busy` above the user's rate limit."""
        if not self._pace.keeps(str(self._peer.uid), asyncio.get_running_loop().time()):
            raise Busy(
                "this user sends too many requests",
                remediation="keep streams open, and reuse a token until it expires",
            )
        found = await stream.recv_message()
        if found is None:
            raise Malformed("the request has no message", remediation="send one message; it may be empty")
        return found

    async def _given(self) -> tuple[Entitled, ...]:
        """Return the current identities of the process; raise `Forbidden` or `Unauthenticated`."""
        return await self._issuing.entitled(await self._peer.shown())


def _edge(method: Method) -> Method:
    """Return a handler that turns errors into gRPC statuses."""

    async def edge(stream: Stream[Any, Any]) -> None:
        metadata: Mapping[str, object] = stream.metadata or {}
        if metadata.get(SECURITY_HEADER) != "true":
            # SPIFFE Workload Endpoint section 3.
            raise GRPCError(Status.INVALID_ARGUMENT, f"metadata `{SECURITY_HEADER}: true` is missing")
        try:
            await method(stream)
        except RemitError as fault:
            for kind, status in _STATUS:
                if isinstance(fault, kind):
                    raise GRPCError(status, str(fault)) from None
            # SPIFFE Workload Endpoint section 6: clients retry later.
            raise GRPCError(Status.UNAVAILABLE, str(fault)) from None

    return edge
